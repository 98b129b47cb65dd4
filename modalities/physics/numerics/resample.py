"""Move and refine sampled images without leaving the band: shifts, shears, a grid twice as fine."""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from scipy import fft

from ..operator import Array

# Half width, in samples, of the window about the sinc that shifts a long line.
REACH = 8


def shift_matrices(n: int, shifts: Array, dtype: type) -> Array:
    """Return matrices (len(shifts), n, n) that move a line of ``n`` samples by ``shifts`` pixels.

    Fourier shifts of the line padded with zeros to twice its length, so nothing wraps round.
    The transpose of a matrix is its adjoint, and up to what leaves the line its inverse.
    """
    k = fft.rfftfreq(2 * n)
    phase = np.exp(-2j * np.pi * np.asarray(shifts)[:, None] * k)
    return toeplitz(fft.irfft(phase, 2 * n, axis=-1), n, dtype)


def toeplitz(kernels: Array, n: int, dtype: type) -> Array:
    """Lay out circular kernels (m, 2n) as matrices (m, n, n): T[i, j] = kernel[i − j]."""
    lags: Array = np.roll(kernels, n - 1, axis=-1)[:, : 2 * n - 1].astype(dtype)
    windows = sliding_window_view(lags, n, axis=-1)
    return np.ascontiguousarray(windows[:, :, ::-1])


def shift_taps(shifts: Array, reach: int) -> Array:
    """Return taps (len(shifts), 2·reach + 1) with out[i] = Σ_k taps[k]·x[i + k − reach].

    Each moves a line by one of ``shifts`` pixels: a sinc under a window that closes ``REACH`` from
    the shift, as smoothly as its second derivative. They sum to one.
    """
    t = np.arange(-reach, reach + 1) + np.asarray(shifts)[:, None]
    window = np.where(np.abs(t) < REACH, np.cos(np.pi * t / (2 * REACH)) ** 2, 0.0)
    taps = np.sinc(t) * window
    return np.asarray(taps / taps.sum(axis=1, keepdims=True))


def refine(x: Array, factor: int) -> Array:
    """Sample the periodic band-limited function through ``x`` on a grid ``factor`` times as fine.

    Sample i of ``x`` lies in the middle of the fine samples factor·i … factor·i + factor − 1.
    """
    for axis, n in enumerate(x.shape):
        spectrum = fft.rfft(x, axis=axis)
        k = fft.rfftfreq(n)
        weight = np.where((n % 2 == 0) & (k == 0.5), 0.5, 1.0)
        offset = (factor - 1) / (2.0 * factor)
        shape = [-1 if a == axis else 1 for a in range(x.ndim)]
        spectrum = spectrum * (weight * np.exp(-2j * np.pi * k * offset)).reshape(shape)
        x = fft.irfft(spectrum, factor * n, axis=axis) * factor
    return np.asarray(x)


def coarsen(y: Array, factor: int, axes: tuple[int, ...]) -> Array:
    """Average blocks of ``factor`` samples along ``axes``, as a detector's pixels do."""
    for axis in axes:
        shape = (*y.shape[:axis], y.shape[axis] // factor, factor, *y.shape[axis + 1 :])
        y = y.reshape(shape).mean(axis=axis + 1)
    return y
