"""R, rotate: the stage turns the specimen before the beam."""

from __future__ import annotations

import numpy as np
from scipy import sparse

from ..numerics.footprint import TAPS, centres, taps
from ..numerics.image_rotation import ImageRotation
from ..operator import Array, Operator, Shape


def tilt_angles(first: float, step: float, views: int, backlash: float = 0.0) -> Array:
    """List the tilts in degrees: first + i·step, and ``backlash`` more for every odd i.

    The series is taken in two interleaved passes; the even views, of the first pass, define the
    frame of the volume. An error common to all views would only turn the volume, so it is none.
    """
    i = np.arange(views)
    return np.asarray(first + step * i + backlash * (i % 2))


class Tilt(Operator):
    """Turn a volume f[z, x, y] about y to each of ``views`` tilts: (views, depth, u, v).

    The beam runs along the second axis; u = x cos θ + z sin θ and the depth is z cos θ − x sin θ.
    A voxel is spread over both by its exact shadow on either axis (``numerics.footprint``), so that
    the sum along the beam is the exact strip integral of square voxels. Then the image plane is
    turned by ``axis``, the degrees by which the tilt axis misses the image's v axis. ``step``,
    ``first`` and ``backlash`` in degrees.
    """

    def __init__(
        self,
        in_shape: Shape,
        first: float,
        step: float,
        views: int,
        backlash: float = 0.0,
        axis: float = 0.0,
    ) -> None:
        nz, nx, ny = in_shape
        self.in_shape = in_shape
        self.out_shape = (views, int(np.ceil(np.hypot(nz, nx))) + TAPS, nx, ny)
        self.angles = tilt_angles(first, step, views, backlash)
        self.rotation = ImageRotation(self.out_shape[1:], axis)

    def describe(self) -> str:
        return (
            f"rotate/tilt {self.in_shape} → {self.out_shape}: {len(self.angles)} views from "
            f"{self.angles[0]:g}° to {self.angles[-1]:g}°, tilt axis {self.rotation.degrees:g}° off"
        )

    def _apply(self, x: Array) -> Array:
        flat = x.reshape(-1, x.shape[-1])
        volumes = [(m @ flat).reshape(self.out_shape[1:]) for m in self._turns(x.dtype)]
        return np.stack([self.rotation(v) for v in volumes])

    def _adjoint(self, y: Array) -> Array:
        flat = np.zeros((int(np.prod(self.in_shape[:2])), self.in_shape[2]), y.dtype)
        for m, view in zip(self._turns(y.dtype), y, strict=True):
            flat += m.T @ self.rotation.H(view).reshape(-1, y.shape[-1])
        return flat.reshape(self.in_shape)

    def _turns(self, dtype: np.dtype) -> list[sparse.csr_array]:
        """Return one matrix (depth·u, z·x) per view."""
        (nz, nx, _), (_, depth, nu, _) = self.in_shape, self.out_shape
        z, x = (c.ravel() for c in np.meshgrid(centres(nz), centres(nx), indexing="ij"))
        turns = []
        for theta in np.deg2rad(self.angles):
            c, s = np.cos(theta), np.sin(theta)
            cos, sin = np.full(z.shape, c), np.full(z.shape, s)
            u, wu = taps(x * c + z * s, cos, sin, nu)
            w, ww = taps(z * c - x * s, cos, sin, depth)
            rows = w[:, :, None] * nu + u[:, None, :]
            weights = (ww[:, :, None] * wu[:, None, :]).astype(dtype)
            columns = np.broadcast_to(np.arange(nz * nx)[:, None, None], rows.shape)
            entries = (weights.ravel(), (rows.ravel(), columns.ravel()))
            turns.append(sparse.csr_array(entries, shape=(depth * nu, nz * nx)))
        return turns
