"""W, disperse: a prism or grating displaces each spectral band by its own amount."""

from __future__ import annotations

import numpy as np
from scipy import fft

from ..numerics.fourier import centred, cut, embed, ramp, real_filter
from ..operator import Array, Operator, Shape


class Prism(Operator):
    """Displace band b of (bands, ny, nx) by α·(b − b₀) pixels along x, b₀ the middle band.

    ``alpha`` is the dispersion in pixels per band, ``aperture`` the width of the entrance slit's
    image in pixels, a box that blurs along x (0: a sharp slit). The detector is wider than the
    scene by ``margin`` pixels on each side, so that nothing wraps: choose it above
    |α|·(bands − 1)/2. Adjoint: back by as much, the same box, the middle nx pixels.
    """

    def __init__(
        self, in_shape: Shape, alpha: float, aperture: float = 0.0, margin: int = 0
    ) -> None:
        if len(in_shape) != 3:
            raise ValueError(f"disperse takes (bands, ny, nx), got {in_shape}.")
        if aperture < 0 or margin < 0:
            raise ValueError(f"aperture and margin are not negative, got {aperture}, {margin}.")
        bands, ny, nx = in_shape
        self.alpha, self.aperture, self.margin = alpha, aperture, margin
        self.in_shape, self.out_shape = in_shape, (bands, ny, nx + 2 * margin)
        width = self.out_shape[-1]
        slit = np.sinc(aperture * fft.rfftfreq(width))
        self._transfer = (ramp(width, alpha * centred(bands)) * slit)[:, None, :]

    def describe(self) -> str:
        return (
            f"disperse/prism {self.in_shape} → {self.out_shape}: α {self.alpha:g} px per band, "
            f"aperture {self.aperture:g} px"
        )

    def _apply(self, x: Array) -> Array:
        x = embed(x, self.out_shape, (0, 0, self.margin))
        return real_filter(x, self._transfer, (-1,))

    def _adjoint(self, y: Array) -> Array:
        y = real_filter(y, np.conj(self._transfer), (-1,))
        return cut(y, self.in_shape, (0, 0, self.margin))
