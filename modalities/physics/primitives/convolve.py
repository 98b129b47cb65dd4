"""C, convolve: a point-spread function that is the same everywhere, over the last two axes.

Convolution is periodic: objects keep a margin of the function's reach.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import fft

from ..numerics.fourier import ramp, real_filter
from ..operator import Array, Operator, Shape

# FWHM of a Gaussian in standard deviations: 2·sqrt(2·ln 2).
FWHM_PER_SIGMA = 2.0 * np.sqrt(2.0 * np.log(2.0))


class _Filter(Operator):
    """Multiplication by a transfer function on the half plane; adjoint: by its conjugate."""

    def __init__(self, in_shape: Shape, transfer: Array) -> None:
        self.in_shape = self.out_shape = in_shape
        self.transfer = transfer

    def _apply(self, x: Array) -> Array:
        return real_filter(x, self.transfer, (-2, -1))

    def _adjoint(self, y: Array) -> Array:
        return real_filter(y, np.conj(self.transfer), (-2, -1))


class Gaussian(_Filter):
    """Blur by a Gaussian of full width ``fwhm``; ``fwhm`` and ``pixel`` share one unit.

    ``demagnification`` has a factor for each image of a stack (frame, y, x), by which its Gaussian
    is narrower; empty: all have the same. The kernel is made in Fourier space, where it is
    exp(−2π²σ²k²), so that it sums to one and is smooth in ``fwhm``. Self-adjoint.
    """

    def __init__(
        self,
        in_shape: Shape,
        fwhm: float,
        pixel: float = 1.0,
        demagnification: Sequence[float] = (),
    ) -> None:
        if pixel <= 0:
            raise ValueError(f"pixel must be positive, got {pixel}.")
        if demagnification and (len(in_shape) != 3 or in_shape[0] != len(demagnification)):
            raise ValueError(
                f"demagnification has {len(demagnification)} factors, one for each frame of a "
                f"stack (frame, y, x); the images have the shape {in_shape}."
            )
        if any(factor <= 0 for factor in demagnification):
            raise ValueError(f"demagnification must be positive, got {list(demagnification)}.")
        self.fwhm, self.pixel = fwhm, pixel
        self.demagnification = tuple(float(factor) for factor in demagnification)
        ny, nx = in_shape[-2:]
        k2 = fft.fftfreq(ny)[:, None] ** 2 + fft.rfftfreq(nx)[None, :] ** 2
        sigma = fwhm / pixel / FWHM_PER_SIGMA
        if demagnification:
            sigma = (sigma / np.array(self.demagnification))[:, None, None]
        super().__init__(in_shape, np.exp(-2.0 * np.pi**2 * sigma**2 * k2))

    def describe(self) -> str:
        each = "".join(f" / {factor:g}," for factor in self.demagnification).rstrip(",")
        return (
            f"convolve/gaussian {self.in_shape}: FWHM {self.fwhm:g}{each}, pixel {self.pixel:g} "
            "(one unit for both)"
        )


class Psf(_Filter):
    """Convolve by ``psf``, an image of odd height and width whose middle is the origin.

    It is used as given, so that its sum is the gain; ``shift_y`` and ``shift_x`` displace it
    by a fraction of a pixel. Adjoint: correlate with it.
    """

    def __init__(
        self,
        in_shape: Shape,
        psf: Array | Sequence[Sequence[float]],
        shift_y: float = 0.0,
        shift_x: float = 0.0,
    ) -> None:
        kernel = np.asarray(psf, np.float64)
        ny, nx = in_shape[-2:]
        if kernel.ndim != 2 or not all(n % 2 for n in kernel.shape):
            raise ValueError(f"psf must be an image of odd height and width, got {kernel.shape}.")
        if kernel.shape[0] > ny or kernel.shape[1] > nx:
            raise ValueError(f"psf of {kernel.shape} is larger than the image, {(ny, nx)}.")
        self.gain, self.shift, self.size = float(kernel.sum()), (shift_y, shift_x), kernel.shape
        dy, dx = shift_y - kernel.shape[0] // 2, shift_x - kernel.shape[1] // 2
        phase = ramp(ny, dy, half=False)[:, None] * ramp(nx, dx)
        super().__init__(in_shape, fft.rfft2(kernel, (ny, nx)) * phase)

    def describe(self) -> str:
        return (
            f"convolve/psf {self.in_shape}: {self.size[0]} × {self.size[1]} px, sum "
            f"{self.gain:g}, displaced by ({self.shift[0]:g}, {self.shift[1]:g}) px"
        )
