"""Rotation of images in their own plane, by three Fourier shears."""

from __future__ import annotations

import numpy as np

from ..numerics.footprint import centres
from ..operator import Array, Operator, Shape
from .resample import shift_matrices


class ImageRotation(Operator):
    """Turn the last two axes (u, v) by ``degrees`` about their middle, from u towards v.

    Shear u by −tan(φ/2)·v, v by sin(φ)·u, u by −tan(φ/2)·v (Unser, Thévenaz & Yaroslavsky 1995);
    each is a Fourier shift of every line, done as a matrix product. The adjoint shears back in the
    opposite order.
    """

    def __init__(self, in_shape: Shape, degrees: float) -> None:
        self.in_shape = self.out_shape = in_shape
        self.degrees = degrees
        self._shears: dict[type, tuple[Array, Array]] = {}

    def describe(self) -> str:
        return f"in-plane rotation {self.in_shape}: {self.degrees:g}°"

    def _apply(self, x: Array) -> Array:
        along_u, along_v = self._matrices(x.dtype.type)
        lines = self._lines(x)
        for matrices, axis in ((along_u, 0), (along_v, 1), (along_u, 0)):
            lines = _shear(lines, matrices, axis)
        return self._images(lines)

    def _adjoint(self, y: Array) -> Array:
        along_u, along_v = (m.swapaxes(1, 2) for m in self._matrices(y.dtype.type))
        lines = self._lines(y)
        for matrices, axis in ((along_u, 0), (along_v, 1), (along_u, 0)):
            lines = _shear(lines, matrices, axis)
        return self._images(lines)

    def _matrices(self, dtype: type) -> tuple[Array, Array]:
        if dtype not in self._shears:
            phi = np.deg2rad(self.degrees)
            nu, nv = self.in_shape[-2:]
            self._shears[dtype] = (
                shift_matrices(nu, -np.tan(phi / 2) * centres(nv), dtype),
                shift_matrices(nv, np.sin(phi) * centres(nu), dtype),
            )
        return self._shears[dtype]

    def _lines(self, x: Array) -> Array:
        """Lay (…, u, v) out as (u, v, images)."""
        nu, nv = self.in_shape[-2:]
        return np.ascontiguousarray(x.reshape(-1, nu, nv).transpose(1, 2, 0))

    def _images(self, lines: Array) -> Array:
        return np.ascontiguousarray(lines.transpose(2, 0, 1)).reshape(self.in_shape)


def _shear(lines: Array, matrices: Array, axis: int) -> Array:
    """Shift lines (u, v, images) along ``axis``, each by the matrix of its other coordinate."""
    if axis == 1:
        return np.asarray(matrices @ lines)
    return np.asarray((matrices @ lines.swapaxes(0, 1)).swapaxes(0, 1))
