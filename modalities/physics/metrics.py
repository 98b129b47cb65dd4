"""How close a reconstruction is, to the truth and to the data. The one place of these definitions.

Objects live in [0, 1], complex ones in the unit disc; a reconstruction is brought into that range
before PSNR and SSIM. Both are taken over the whole array, so a volume gets one figure from its
volume. Complex arrays are compared with the real inner product ⟨a, b⟩ = Re Σ a* b of the operators:
an error of the phase counts, and an array that is real has the figures that it had as a real one.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.ndimage import uniform_filter

from .operator import Array, Operator, ShapeError, double

PSNR_CAP = 100.0
SSIM_WINDOW = 7
# Wang et al. (2004): K₁ = 0.01 and K₂ = 0.03, data range 1.
SSIM_C1, SSIM_C2 = 0.01**2, 0.03**2


def bounded(x: Array) -> Array:
    """Bring an object into its range: real values into [0, 1], complex ones to |x| ≤ 1.

    A complex value keeps its phase.
    """
    if np.iscomplexobj(x):
        return np.asarray(x / np.maximum(np.abs(x), 1.0))
    return np.clip(x, 0.0, 1.0)


def psnr(x: Array, x_hat: Array) -> float:
    """Return the peak signal-to-noise ratio in dB, data range 1, at most 100 dB.

    The error is the mean of |x − x̂|², which sees amplitude and phase of a complex object.
    """
    x, x_hat = _pair(x, x_hat)
    mse = float(np.mean(np.abs(x - x_hat) ** 2))
    return PSNR_CAP if mse == 0 else min(PSNR_CAP, -10.0 * float(np.log10(mse)))


def ssim(x: Array, x_hat: Array, channels: Sequence[int] = ()) -> float:
    """Return the mean structural similarity (Wang et al. 2004), data range 1.

    The window is uniform and 7 wide along every axis, three-dimensional for a volume, but for the
    axes ``channels`` (bands, energies), which have no neighbourhood: there the mean over the
    channels is taken. Of complex arrays the covariance is the real part of the complex one, and the
    means' term counts as 0 where they point away from each other; else x and −x would be alike.
    """
    x, x_hat = _pair(x, x_hat)
    along = [a for a in range(x.ndim) if a not in {c % x.ndim for c in channels}]
    if not along or min(x.shape[a] for a in along) < SSIM_WINDOW:
        raise ShapeError(
            f"ssim: every axis that is no channel needs at least {SSIM_WINDOW} samples, and there "
            f"is at least one; got {x.shape} with the channels {list(channels)}."
        )
    sizes = [SSIM_WINDOW if a in along else 1 for a in range(x.ndim)]
    unbiased = SSIM_WINDOW ** len(along) / (SSIM_WINDOW ** len(along) - 1)
    mean, mean_hat = uniform_filter(x, sizes), uniform_filter(x_hat, sizes)
    variances = sum(uniform_filter(np.abs(a) ** 2, sizes) for a in (x, x_hat))
    squares = np.abs(mean) ** 2 + np.abs(mean_hat) ** 2
    means = np.real(np.conj(mean) * mean_hat)
    covariance = uniform_filter(np.real(np.conj(x) * x_hat), sizes) - means
    luminance = np.maximum(2 * means + SSIM_C1, 0) / (squares + SSIM_C1)
    structure = (2 * unbiased * covariance + SSIM_C2) / (unbiased * (variances - squares) + SSIM_C2)
    inner = tuple(
        slice(SSIM_WINDOW // 2, -(SSIM_WINDOW // 2)) if a in along else slice(None)
        for a in range(x.ndim)
    )
    return float(np.mean((luminance * structure)[inner]))


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
    x, x_hat = double(x), double(x_hat)
    if x.shape != x_hat.shape:
        raise ShapeError(f"A reconstruction of {x.shape} was expected, got {x_hat.shape}.")
    if np.iscomplexobj(x_hat) and not np.iscomplexobj(x):
        raise TypeError("A real reconstruction was expected, got a complex one.")
    if not np.isfinite(x_hat).all():
        raise ValueError("The reconstruction holds values that are not finite.")
    return x, bounded(x_hat.astype(x.dtype))
