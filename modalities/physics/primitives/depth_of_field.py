"""P, propagate: a convergent probe is in focus in one plane only."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from scipy import fft

from ..numerics.bands import Band, bands, transposed
from ..numerics.footprint import centres
from ..numerics.fourier import harmonics
from ..operator import Array, Operator, Shape
from .tilt import tilt_angles

# Smallest zero padding along v, in pixels, that keeps the blur from wrapping round.
PADDING = 16
# Standard deviations of a view's widest probe at which its blur along u is cut.
SIGMAS = 8.0
# Half width, in pixels, that the narrowest probe needs, whose band the grid cuts.
SHORTEST = 12
# Half widths are multiples of this, in pixels: views of the same one share their products.
COARSENESS = 4


class _Kernels(NamedTuple):
    """What blurs in one precision: bands along u and their transposes, each for a run of views.

    Along v, a basis and its transfer (t, …, u, k). Axes of the series between t and u are 1.
    """

    forward: list[tuple[slice, Band]]
    back: list[tuple[slice, Band]]
    basis: Array
    transfer: Array


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
        self._filters: dict[type, _Kernels] = {}

    def describe(self) -> str:
        widest = float(np.sqrt(self.variance.max()))
        return (
            f"propagate/depth_of_field {self.in_shape}: α {self.convergence_angle:g} mrad, focus "
            f"gradient {self.defocus_gradient:g} nm/µm, standard deviation up to {widest:.2f} px"
        )

    def _apply(self, x: Array) -> Array:
        kernels = self._kernels(x.dtype.type)
        return self._filtered(self._banded(kernels.forward, x), kernels)

    def _adjoint(self, y: Array) -> Array:
        kernels = self._kernels(y.dtype.type)
        return self._banded(kernels.back, self._filtered(y, kernels))

    def _banded(self, blocks: list[tuple[slice, Band]], x: Array) -> Array:
        """Multiply along u."""
        out = np.empty(x.shape, x.dtype)
        for views, (rows, columns, matrix) in blocks:
            np.matmul(matrix, x[views, ..., columns, :], out=out[views, ..., rows, :])
        return out

    def _filtered(self, x: Array, kernels: _Kernels) -> Array:
        """Filter along v: to the harmonics of the padded line, times the transfer, and back."""
        waves = x @ kernels.basis
        waves *= kernels.transfer
        return np.asarray(waves @ kernels.basis.T)

    def _kernels(self, dtype: type) -> _Kernels:
        if dtype not in self._filters:
            nv = self.in_shape[-1]
            between = (slice(None), *(None,) * (len(self.in_shape) - 3))
            basis, k = harmonics(nv, int(fft.next_fast_len(nv + PADDING, real=True)))
            transfer = np.exp(-2.0 * np.pi**2 * self.variance[..., None] * k**2)
            forward, back = [], []
            for views, reach in self._runs():
                taps: Array = _taps(self.variance[views], reach).astype(dtype)[between]
                forward += [(views, band) for band in bands(taps)]
                back += [(views, band) for band in bands(transposed(taps))]
            self._filters[dtype] = _Kernels(
                forward, back, basis.astype(dtype), transfer.astype(dtype)[between]
            )
        return self._filters[dtype]

    def _runs(self) -> Iterator[tuple[slice, int]]:
        """Give each run of views with the same half width of the blur along u, and that width."""
        reach = self.reach
        starts = [0, *(np.flatnonzero(np.diff(reach)) + 1), len(reach)]
        for start, stop in pairwise(starts):
            yield slice(start, stop), int(reach[start])

    @property
    def reach(self) -> Array:
        """Half width of each view's blur along u in pixels; the gradient's small part is left out.

        Multiples of ``COARSENESS``.
        """
        tilts = np.deg2rad(tilt_angles(self.first, self.step, self.in_shape[0]))
        edge = self.convergence_angle / 2000.0 * self.in_shape[-2] / 2
        widest = SIGMAS * np.hypot(self.focus, edge * np.tan(tilts))
        steps = np.ceil(np.maximum(widest, SHORTEST) / COARSENESS)
        return np.asarray(COARSENESS * steps, int)


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
