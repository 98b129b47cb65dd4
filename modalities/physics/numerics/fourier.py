"""Fourier tools: shifts and filters that are smooth in their arguments.

A shift by d samples multiplies the spectrum by exp(−2πikd), k in cycles per sample: it
interpolates, so that a derivative in d exists, where ``np.roll`` would make a staircase. Content
moves towards higher indices for d > 0. All of it is periodic over the array.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import fft

from ..operator import Array, Shape


def real_filter(x: Array, transfer: Array, axes: Sequence[int]) -> Array:
    """Multiply the real spectrum of ``x`` over ``axes`` by ``transfer`` (half plane, broadcast).

    The precision is that of ``x``. The adjoint is the same with the conjugate transfer.
    """
    spectrum = fft.rfftn(x, axes=axes)
    spectrum = spectrum * transfer.astype(spectrum.dtype, copy=False)
    return np.asarray(fft.irfftn(spectrum, s=[x.shape[a] for a in axes], axes=axes))


def ramp(n: int, distance: float | Array, half: bool = True) -> Array:
    """Return the phase exp(−2πikd) of a shift along an axis of ``n`` samples.

    ``distance`` may be an array: k becomes a new last axis.
    """
    k = fft.rfftfreq(n) if half else fft.fftfreq(n)
    return np.asarray(np.exp(-2j * np.pi * np.multiply.outer(distance, k)))


def harmonics(n: int, period: int) -> tuple[Array, Array]:
    """Return cosines and sines (n, period) of unit length over ``period``, and their frequencies.

    With them a filter of transfer T(k) along lines of ``n`` samples, padded with zeros to
    ``period``, is B·T·Bᵀ: two matrix products, cheaper than transforms of short lines.
    """
    k = fft.rfftfreq(period)
    phase = 2 * np.pi * np.outer(np.arange(n), k)
    has_sine = (k > 0) & (k < 0.5)
    weight = np.sqrt(np.where(has_sine, 2.0, 1.0) / period)
    basis = np.concatenate([np.cos(phase) * weight, (np.sin(phase) * weight)[:, has_sine]], axis=1)
    return basis, np.concatenate([k, k[has_sine]])


def shifted(image: Array, dy: float, dx: float) -> Array:
    """Shift an image (its last two axes) by a fraction of a pixel; unchanged at (0, 0)."""
    if dy == 0 and dx == 0:
        return image
    ny, nx = image.shape[-2:]
    return real_filter(image, ramp(ny, dy, half=False)[:, None] * ramp(nx, dx), (-2, -1))


def centred(n: int) -> Array:
    """Return the coordinate of each of ``n`` samples from the middle, (n − 1)/2."""
    return np.arange(n) - (n - 1) / 2


def embed(x: Array, shape: Shape, start: Shape) -> Array:
    """Put ``x`` into zeros of ``shape`` at ``start``; the adjoint is ``cut``."""
    out = np.zeros(shape, x.dtype)
    out[_window(start, x.shape)] = x
    return out


def cut(y: Array, shape: Shape, start: Shape) -> Array:
    """Cut a window of ``shape`` at ``start``; the adjoint is ``embed``."""
    return y[_window(start, shape)]


def _window(start: Shape, shape: Shape) -> tuple[slice, ...]:
    return tuple(slice(s, s + n) for s, n in zip(start, shape, strict=True))
