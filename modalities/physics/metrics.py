"""How close a reconstruction is, to the truth and to the data. The one place of these definitions.

Objects live in [0, 1]; a reconstruction is clipped to that range before PSNR and SSIM. Both are
taken over the whole array, so a volume gets one figure from its volume.
"""

from __future__ import annotations

import numpy as np
from skimage.metrics import structural_similarity

from .operator import Array, Operator, ShapeError

PSNR_CAP = 100.0
SSIM_WINDOW = 7


def psnr(x: Array, x_hat: Array) -> float:
    """Return the peak signal-to-noise ratio in dB, data range 1, at most 100 dB."""
    x, x_hat = _pair(x, x_hat)
    mse = float(np.mean((x - x_hat) ** 2))
    return PSNR_CAP if mse == 0 else min(PSNR_CAP, -10.0 * float(np.log10(mse)))


def ssim(x: Array, x_hat: Array) -> float:
    """Return the mean structural similarity (Wang et al. 2004), data range 1.

    The window is uniform and 7 wide along every axis, three-dimensional for a volume.
    """
    x, x_hat = _pair(x, x_hat)
    if min(x.shape) < SSIM_WINDOW:
        raise ShapeError(f"ssim: every axis needs at least {SSIM_WINDOW} samples, got {x.shape}.")
    return float(structural_similarity(x, x_hat, win_size=SSIM_WINDOW, data_range=1.0))


def consistency(y: Array, H: Operator, x_hat: Array) -> float:
    """Return 1 − ‖y − H(x_hat)‖/‖y‖, clipped to [0, 1]: how much of the data x_hat explains."""
    y = np.asarray(y)
    if y.shape != H.out_shape:
        raise ShapeError(f"consistency: expected data of shape {H.out_shape}, got {y.shape}.")
    residual = float(np.linalg.norm(y - H(x_hat)))
    size = float(np.linalg.norm(y))
    if size == 0:
        return 1.0 if residual == 0 else 0.0
    value = 1.0 - residual / size
    return 0.0 if np.isnan(value) else min(1.0, max(0.0, value))


def _pair(x: Array, x_hat: Array) -> tuple[Array, Array]:
    x, x_hat = np.asarray(x, np.float64), np.asarray(x_hat, np.float64)
    if x.shape != x_hat.shape:
        raise ShapeError(f"A reconstruction of {x.shape} was expected, got {x_hat.shape}.")
    if not np.isfinite(x_hat).all():
        raise ValueError("The reconstruction holds values that are not finite.")
    return x, np.clip(x_hat, 0.0, 1.0)
