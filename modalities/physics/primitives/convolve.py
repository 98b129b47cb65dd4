"""C, convolve: a point-spread function that is the same everywhere."""

from __future__ import annotations

import numpy as np
from scipy import fft

from ..operator import Array, Operator, Shape

# FWHM of a Gaussian in standard deviations: 2·sqrt(2·ln 2).
FWHM_PER_SIGMA = 2.0 * np.sqrt(2.0 * np.log(2.0))


class _Filter(Operator):
    """Periodic convolution over the last two axes, by a transfer function on the half plane."""

    def __init__(self, in_shape: Shape, transfer: Array) -> None:
        self.in_shape = self.out_shape = in_shape
        self.transfer = transfer

    def _apply(self, x: Array) -> Array:
        return _filter(x, self.transfer)

    def _adjoint(self, y: Array) -> Array:
        return _filter(y, np.conj(self.transfer))


class Gaussian(_Filter):
    """Blur by a Gaussian of full width ``fwhm`` over the last two axes, periodic.

    ``fwhm`` and ``pixel`` share one unit. The kernel is sampled in Fourier space, where it is
    exp(−2π²σ²k²), so that it sums to one and is smooth in ``fwhm``. Self-adjoint.
    """

    def __init__(self, in_shape: Shape, fwhm: float, pixel: float = 1.0) -> None:
        if pixel <= 0:
            raise ValueError(f"pixel must be positive, got {pixel}.")
        self.fwhm, self.pixel = fwhm, pixel
        sigma = fwhm / pixel / FWHM_PER_SIGMA
        ny, nx = in_shape[-2:]
        k2 = fft.fftfreq(ny)[:, None] ** 2 + fft.rfftfreq(nx)[None, :] ** 2
        super().__init__(in_shape, np.exp(-2.0 * np.pi**2 * sigma**2 * k2))

    def describe(self) -> str:
        return (
            f"convolve/gaussian {self.in_shape}: FWHM {self.fwhm:g}, pixel {self.pixel:g} "
            "(one unit for both)"
        )


def _filter(x: Array, transfer: Array) -> Array:
    transfer = transfer.astype(np.result_type(x.dtype, np.complex64), copy=False)
    spectrum = fft.rfft2(x)
    spectrum *= transfer
    return np.asarray(fft.irfft2(spectrum, s=x.shape[-2:]))
