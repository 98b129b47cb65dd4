"""P, propagate: a convergent probe is in focus in one plane only."""

from __future__ import annotations

import numpy as np
from scipy import fft

from ..numerics.bands import Band, bands
from ..numerics.footprint import centres
from ..numerics.fourier import harmonics
from ..operator import Array, Operator, Shape
from .tilt import tilt_angles

# Smallest zero padding along v, in pixels, that keeps the blur from wrapping round.
PADDING = 16
# Standard deviations of the widest probe at which its blur along u is cut.
SIGMAS = 8.0
# Half width, in pixels, that the narrowest probe needs, whose band the grid cuts.
SHORTEST = 12


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

    Exact, not interpolated: along u a matrix per view, of which only the band about the diagonal is
    kept; along v a Fourier filter per line.
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
        self.first, self.step, self.focus = first, step, focus / pixel
        self._filters: dict[type, tuple[list[Band], Array, Array]] = {}

    def describe(self) -> str:
        widest = float(np.sqrt(self.variance.max()))
        return (
            f"propagate/depth_of_field {self.in_shape}: α {self.convergence_angle:g} mrad, focus "
            f"gradient {self.defocus_gradient:g} nm/µm, standard deviation up to {widest:.2f} px"
        )

    def _apply(self, x: Array) -> Array:
        bands, basis, transfer = self._kernels(x.dtype.type, x.ndim)
        out = np.empty(x.shape, x.dtype)
        for rows, columns, matrix in bands:
            out[..., rows, :] = matrix @ x[..., columns, :]
        return _filtered(out, basis, transfer)

    def _adjoint(self, y: Array) -> Array:
        bands, basis, transfer = self._kernels(y.dtype.type, y.ndim)
        y = _filtered(y, basis, transfer)
        out = np.zeros(y.shape, y.dtype)
        for rows, columns, matrix in bands:
            out[..., columns, :] += matrix.swapaxes(-1, -2) @ y[..., rows, :]
        return out

    def _kernels(self, dtype: type, ndim: int) -> tuple[list[Band], Array, Array]:
        """Return bands of the matrices along u, and a basis along v with its transfer (t, …, u, k).

        The series' axes between t and u are 1 in both.
        """
        if dtype not in self._filters:
            nv = self.in_shape[-1]
            basis, k = harmonics(nv, int(fft.next_fast_len(nv + PADDING, real=True)))
            taps = _taps(self.variance, self.reach)
            transfer = np.exp(-2.0 * np.pi**2 * self.variance[..., None] * k**2)
            self._filters[dtype] = (
                bands(taps.astype(dtype)),
                basis.astype(dtype),
                transfer.astype(dtype),
            )
        blocks, basis, transfer = self._filters[dtype]
        middle = (slice(None), *(None,) * (ndim - 3))
        return [(r, c, m[middle]) for r, c, m in blocks], basis, transfer[middle]

    @property
    def reach(self) -> int:
        """Half width in pixels of the blur along u; the gradient, a small part, does not count."""
        tilts = np.deg2rad(tilt_angles(self.first, self.step, self.in_shape[0]))
        edge = self.convergence_angle / 2000.0 * self.in_shape[-2] / 2
        widest = np.hypot(self.focus, edge * np.abs(np.tan(tilts)).max())
        return max(SHORTEST, int(np.ceil(SIGMAS * widest)))


def _filtered(x: Array, basis: Array, transfer: Array) -> Array:
    """Filter along v: to the harmonics of the padded line, times the transfer, and back."""
    return np.asarray((x @ basis * transfer) @ basis.T)


def _taps(variance: Array, reach: int) -> Array:
    """Return the Gaussian blurs of each ``variance`` (…), band-limited, as taps (…, 2·reach + 1).

    The narrow ones decay slowly, because the grid cuts their band: a taper over the outer half
    closes them. They sum to one.
    """
    n = 4 * reach
    k = np.arange(n // 2 + 1) / n
    offset = np.arange(-reach, reach + 1)
    waves = np.cos(2 * np.pi * np.outer(k, offset)) * np.where(k % 0.5, 2.0, 1.0)[:, None]
    taper = np.cos(np.pi * np.clip(np.abs(offset) / reach - 0.5, 0.0, 0.5)) ** 2
    taps = np.stack([np.exp(-2 * np.pi**2 * s2[:, None] * k**2) @ waves for s2 in variance]) * taper
    return np.asarray(taps / taps.sum(axis=-1, keepdims=True))
