"""Λ, select: a filter or monochromator lets a spectral band through.

The first axis is spectral, sampled at ``first`` + i·``step`` in the unit of the spectrum (nm, eV).
A band of width ``width`` around ``centre`` has edges shaped like the error function, ``edge`` being
the standard deviation of the Gaussian that they integrate, so that the band moves smoothly.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.special import erf

from ..numerics.weights import Weights
from ..operator import Array, Operator, Shape


class Band(Weights):
    """Keep one band; the shape stays. Self-adjoint."""

    def __init__(
        self,
        in_shape: Shape,
        centre: float,
        width: float,
        edge: float,
        first: float = 0.0,
        step: float = 1.0,
    ) -> None:
        self.centre, self.width, self.edge = centre, width, edge
        pass_band = _pass_band(_axis(in_shape, first, step), centre, width, edge)
        super().__init__(in_shape, pass_band.reshape(-1, *(1,) * (len(in_shape) - 1)))

    def describe(self) -> str:
        return (
            f"select/band {self.in_shape}: centre {self.centre:g}, width {self.width:g}, "
            f"edge {self.edge:g} (spectral units)"
        )


class Filters(Operator):
    """One image per filter: (spectrum, …) → (filters, …), the integral over each filter's band.

    ``centres`` share ``width`` and ``edge``; ``offset`` moves all of them, as a miscalibrated
    monochromator would. Adjoint: each image spread over its band.
    """

    def __init__(
        self,
        in_shape: Shape,
        centres: Sequence[float],
        width: float,
        edge: float,
        first: float = 0.0,
        step: float = 1.0,
        offset: float = 0.0,
    ) -> None:
        self.centres, self.width, self.edge, self.offset = tuple(centres), width, edge, offset
        axis = _axis(in_shape, first, step)
        bands = [_pass_band(axis, c + offset, width, edge) for c in centres]
        self._matrix = np.array(bands) * step
        self.in_shape, self.out_shape = in_shape, (len(bands), *in_shape[1:])

    def describe(self) -> str:
        return (
            f"select/filters {self.in_shape} → {self.out_shape}: {len(self.centres)} bands of "
            f"width {self.width:g}, edge {self.edge:g}, offset {self.offset:g} (spectral units)"
        )

    def _apply(self, x: Array) -> Array:
        return np.tensordot(self._matrix.astype(x.dtype, copy=False), x, axes=1)

    def _adjoint(self, y: Array) -> Array:
        return np.tensordot(self._matrix.T.astype(y.dtype, copy=False), y, axes=1)


def _axis(in_shape: Shape, first: float, step: float) -> Array:
    return first + step * np.arange(in_shape[0])


def _pass_band(axis: Array, centre: float, width: float, edge: float) -> Array:
    if width <= 0 or edge <= 0:
        raise ValueError(f"width and edge must be positive, got {width}, {edge}.")
    scale = np.sqrt(2.0) * edge
    rising, falling = centre - width / 2, centre + width / 2
    return np.asarray((erf((axis - rising) / scale) - erf((axis - falling) / scale)) / 2)
