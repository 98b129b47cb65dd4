"""P, propagate: a convergent probe is in focus in one plane only."""

from __future__ import annotations

import numpy as np
from scipy import fft

from ..numerics.footprint import centres
from ..numerics.resample import rows_of_toeplitz
from ..operator import Array, Operator, Shape
from .tilt import tilt_angles

# Smallest zero padding along v, in pixels, that keeps the blur from wrapping round.
PADDING = 16


class DepthOfField(Operator):
    """Blur view t of a tilt series (t, …, u, v) by a Gaussian whose width depends on u and t.

    A specimen tilted by θ lies u·tan θ out of focus at distance u from the axis; a gradient of the
    focus across the field adds to the slope. The probe there has the geometric radius of its cone,
    of which half counts as standard deviation (in the unit of ``pixel``)::

        s(u, θ)² = focus² + [(α/2)·u·(tan θ + κ·g/1000)]²

    with ``convergence_angle`` α in mrad, ``defocus_gradient`` g in nm/µm, and ``field_factor`` κ,
    the width of the microscope's scan over that of the volume: the gradient is that of the whole
    scan, brought into a volume 1/κ as wide. There κ·g/1000 is the slope of the focal plane: with
    κ = 8, 10 nm/µm tilt it by 4.6°. Focus follows the commanded tilts
    ``first + t·step`` (degrees). The width belongs to the point that is read, as the probe does;
    along the beam it is taken as constant, so that blur and projection commute.

    Exact, not interpolated: a matrix per view along u, a Fourier filter per line along v.
    """

    def __init__(
        self,
        in_shape: Shape,
        first: float,
        step: float,
        convergence_angle: float,
        defocus_gradient: float = 0.0,
        field_factor: float = 1.0,
        focus: float = 0.5,
        pixel: float = 1.0,
    ) -> None:
        self.in_shape = self.out_shape = in_shape
        self.convergence_angle, self.defocus_gradient = convergence_angle, defocus_gradient
        slope = np.tan(np.deg2rad(tilt_angles(first, step, in_shape[0])))
        slope = slope + field_factor * defocus_gradient / 1000.0
        u = centres(in_shape[-2])
        spread = convergence_angle / 2000.0 * u * slope[:, None]
        self.variance = (focus / pixel) ** 2 + spread**2
        self._filters: dict[type, tuple[Array, Array]] = {}

    def describe(self) -> str:
        widest = float(np.sqrt(self.variance.max()))
        return (
            f"propagate/depth_of_field {self.in_shape}: α {self.convergence_angle:g} mrad, focus "
            f"gradient {self.defocus_gradient:g} nm/µm, standard deviation up to {widest:.2f} px"
        )

    def _apply(self, x: Array) -> Array:
        across, along = self._kernels(x.dtype.type, x.ndim)
        return self._filtered(across @ x, along)

    def _adjoint(self, y: Array) -> Array:
        across, along = self._kernels(y.dtype.type, y.ndim)
        return np.asarray(across.swapaxes(-1, -2) @ self._filtered(y, along))

    def _kernels(self, dtype: type, ndim: int) -> tuple[Array, Array]:
        """Return matrices along u (t, …, u, u) and transfer functions along v (t, …, u, k)."""
        if dtype not in self._filters:
            nu = self.in_shape[-2]
            across = [
                rows_of_toeplitz(fft.irfft(_transfer(s2, 2 * nu), 2 * nu, axis=-1), nu, dtype)
                for s2 in self.variance
            ]
            self._filters[dtype] = np.stack(across), _transfer(self.variance, self._padded, dtype)
        middle = (1,) * (ndim - 3)
        across_u, along_v = self._filters[dtype]
        return (
            across_u.reshape(len(across_u), *middle, *across_u.shape[1:]),
            along_v.reshape(len(along_v), *middle, *along_v.shape[1:]),
        )

    @property
    def _padded(self) -> int:
        return int(fft.next_fast_len(self.in_shape[-1] + PADDING, real=True))

    def _filtered(self, x: Array, along: Array) -> Array:
        spectrum = fft.rfft(x, self._padded, axis=-1)
        spectrum *= along
        return np.asarray(fft.irfft(spectrum, self._padded, axis=-1)[..., : x.shape[-1]])


def _transfer(variance: Array, n: int, dtype: type = float) -> Array:
    """Return the Gaussian's transfer function exp(−2π²s²k²) on the frequencies of ``n`` samples."""
    k2 = fft.rfftfreq(n) ** 2
    return np.asarray(np.exp(-2.0 * np.pi**2 * variance[..., None] * k2), dtype)
