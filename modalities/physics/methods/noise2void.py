"""Noise2Void: a network that learns to denoise from the noisy images themselves.

Krull, Buchholz & Jug (2019), CVPR, 2129. The network guesses a pixel from its surroundings while
the pixel itself is hidden: noise that is independent from pixel to pixel cannot be guessed,
structure can. Nothing but the measurement is learnt from, so there is no checkpoint. Needs PyTorch.
"""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from typing import Any

import numpy as np

from ..operator import Array
from ..progress import Report, silent

CHANNELS = 24
# Reach of the layers in pixels; together the network sees 23 pixels across.
DILATIONS = (1, 2, 4, 2, 1)
STEPS, BATCH, PATCH = 200, 8, 64
LEARNING_RATE = 2e-3
# This share of pixels is hidden at a time, each behind a neighbour at most so far away.
HIDDEN, NEIGHBOURS = 1 / 64, 2


class MissingPackage(RuntimeError):
    """An optional package that a method needs is not installed; the message says how to get it."""


def noise2void(images: Array, report: Report = silent, seed: int = 0) -> Array:
    """Denoise images (n, y, x) whose noise has one strength and is independent between pixels.

    One network is trained on all of them, for ``STEPS`` steps: float64 of the same shape. The same
    seed gives the same result on the same machine.
    """
    torch = _torch()
    mean, scale = float(images.mean()), float(images.std()) or 1.0
    data = np.asarray((images - mean) / scale, np.float32)
    rng = np.random.default_rng(seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = _network(torch)
        _train(torch, network, data, rng, report)
    with torch.no_grad():
        denoised = [network(torch.from_numpy(image[None, None])).numpy()[0, 0] for image in data]
    report("Noise2Void", 1.0)
    return np.asarray(np.stack(denoised), np.float64) * scale + mean


def hide(patches: Array, rng: np.random.Generator) -> tuple[Array, Array]:
    """Replace a few pixels of patches (n, y, x), each by a neighbour; return them and the mask.

    The neighbour is never the pixel itself, which the network would then see.
    """
    mask = rng.random(patches.shape) < HIDDEN
    n, y, x = np.nonzero(mask)
    side = 2 * NEIGHBOURS + 1
    choice = rng.integers(1, side**2, len(n))
    # Count on from the middle of the window, so that 0 would be the pixel itself.
    dy, dx = np.divmod((choice + side**2 // 2) % side**2, side)
    hidden = patches.copy()
    limits = patches.shape[1] - 1, patches.shape[2] - 1
    from_y = _reflected(y + dy - NEIGHBOURS, limits[0])
    from_x = _reflected(x + dx - NEIGHBOURS, limits[1])
    hidden[n, y, x] = patches[n, from_y, from_x]
    return hidden, mask


def _reflected(index: Array, last: int) -> Array:
    return np.asarray(last - np.abs(last - np.abs(index)))


def _train(torch: Any, network: Any, data: Array, rng: np.random.Generator, report: Report) -> None:
    """Minimise the squared error of hidden pixels on random patches, turned and mirrored."""
    optimizer = torch.optim.Adam(network.parameters(), lr=LEARNING_RATE)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, STEPS)
    for step in range(STEPS):
        report("Noise2Void", step / STEPS)
        patches = _patches(data, rng)
        hidden, mask = hide(patches, rng)
        guess = network(torch.from_numpy(hidden[:, None]))[:, 0]
        seen = torch.from_numpy(mask)
        loss = ((guess - torch.from_numpy(patches))[seen] ** 2).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()


def _patches(data: Array, rng: np.random.Generator) -> Array:
    size = min(PATCH, *data.shape[1:])
    cut = []
    for _ in range(BATCH):
        i = rng.integers(len(data))
        y, x = (rng.integers(n - size + 1) for n in data.shape[1:])
        patch = np.rot90(data[i, y : y + size, x : x + size], int(rng.integers(4)))
        cut.append(patch if rng.random() < 0.5 else patch[::-1])
    return np.ascontiguousarray(np.stack(cut))


def _network(torch: Any) -> Any:
    """Stack dilated 3 × 3 convolutions with rectifiers; the last gives the image."""
    layers, channels = [], 1
    for dilation in DILATIONS:
        options = {"dilation": dilation, "padding": dilation, "padding_mode": "reflect"}
        layers += [torch.nn.Conv2d(channels, CHANNELS, 3, **options), torch.nn.ReLU()]
        channels = CHANNELS
    return torch.nn.Sequential(*layers, torch.nn.Conv2d(channels, 1, 1))


def _torch() -> Any:
    if find_spec("torch") is None:
        raise MissingPackage(
            'Noise2Void needs PyTorch, which is not installed; pip install "pwm[learned]" or '
            "pip install torch brings it."
        )
    return import_module("torch")
