"""Π, project: straight rays add up what they pass. Parallel, fan and cone beams.

An image is f[y, x], a volume f[z, y, x] that the source circles about z; coordinates count from
the middle of the array, in pixels. The view at angle β looks along (−sin β, cos β) and its detector
runs along (cos β, sin β), so that parallel rays see the point (x, y) at u = x cos β + y sin β.
Every model holds a sparse matrix, made when first used: exact strip integrals for parallel rays,
separable footprints (Long, Fessler & Balter 2010) for diverging ones, whose weights are continuous
in every argument and continuously differentiable except where a pixel's edge runs along the ray.
``angles`` are [first, step, views] in degrees.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cached_property

import numpy as np
from scipy import sparse

from ..numerics.footprint import taps
from ..numerics.fourier import centred
from ..numerics.resample import coarsen, refine
from ..numerics.trapezoid import overlap
from ..operator import Array, Operator, Shape


class _Projector(Operator):
    """A sparse matrix from the object to views × bins."""

    def __init__(
        self, in_shape: Shape, angles: Sequence[float], offset: float, bins: Shape
    ) -> None:
        if len(angles) != 3 or angles[2] < 1:
            raise ValueError(f"angles must be [first, step, views], got {list(angles)}.")
        first, step, views = angles
        self.angles = first + step * np.arange(int(views)) + offset
        self.in_shape, self.out_shape = in_shape, (int(views), *bins)
        self._matrices: dict[np.dtype, tuple[sparse.csr_array, sparse.csr_array]] = {}

    def describe(self) -> str:
        name = type(self).__name__.lower()
        return (
            f"project/{name} {self.in_shape} → {self.out_shape}: {len(self.angles)} views from "
            f"{self.angles[0]:g}° to {self.angles[-1]:g}°"
        )

    def _apply(self, x: Array) -> Array:
        return np.asarray(self._matrix(x.dtype)[0] @ x.ravel()).reshape(self.out_shape)

    def _adjoint(self, y: Array) -> Array:
        return np.asarray(self._matrix(y.dtype)[1] @ y.ravel()).reshape(self.in_shape)

    def _matrix(self, dtype: np.dtype) -> tuple[sparse.csr_array, sparse.csr_array]:
        """Return the matrix and its transpose; the latter is written row by row, pixel by pixel."""
        if dtype not in self._matrices:
            shadows = [self._view(np.deg2rad(angle)) for angle in self.angles]
            per_view = math.prod(self.out_shape[1:])
            bins = [(b + i * per_view).astype(np.int32) for i, (b, _) in enumerate(shadows)]
            weights = np.concatenate([w.astype(dtype) for _, w in shadows], axis=1)
            entries = weights.ravel(), np.concatenate(bins, axis=1).ravel()
            starts = np.arange(len(weights) + 1, dtype=np.int32) * weights.shape[1]
            shape = math.prod(self.in_shape), math.prod(self.out_shape)
            back = sparse.csr_array((*entries, starts), shape=shape)
            back.eliminate_zeros()
            self._matrices[dtype] = back.T.tocsr(), back
        return self._matrices[dtype]

    def _view(self, beta: float) -> tuple[Array, Array]:
        """Return the bins that each pixel shades at angle ``beta`` (radians), and by how much.

        Both are (pixels, taps).
        """
        raise TypeError(f"{type(self).__name__} defines no view.")


class Radon(_Projector):
    """Parallel rays through an image (ny, nx): line integrals, averaged over each bin.

    ``pixel`` is the pixel's and the bin's width, ``bins`` their number (default nx), and
    ``offset`` an error of all angles in degrees. Each pixel is an exact unit square.
    """

    def __init__(
        self,
        in_shape: Shape,
        angles: Sequence[float],
        bins: int | None = None,
        offset: float = 0.0,
        pixel: float = 1.0,
    ) -> None:
        _plane(in_shape, 2)
        super().__init__(in_shape, angles, offset, (bins or in_shape[1],))
        self.pixel = pixel

    def truth(self) -> Operator:
        return self._finer

    @cached_property
    def _finer(self) -> Operator:
        return FineRadon(self)

    def _view(self, beta: float) -> tuple[Array, Array]:
        y, x = _grid(self.in_shape)
        cos, sin = np.array([np.cos(beta)]), np.array([np.sin(beta)])
        bins, weights = taps(x * cos + y * sin, cos, sin, self.out_shape[1])
        return bins, self.pixel * weights


class FineRadon(Operator):
    """What a scanner records of the band-limited image: rays through a grid twice as fine."""

    def __init__(self, coarse: Radon) -> None:
        self.in_shape, self.out_shape = coarse.in_shape, coarse.out_shape
        first, step = coarse.angles[0], float(np.diff(coarse.angles[:2]).sum())
        ny, nx = coarse.in_shape
        self.fine = Radon(
            (2 * ny, 2 * nx),
            [first, step, len(coarse.angles)],
            bins=2 * coarse.out_shape[1],
            pixel=coarse.pixel / 2,
        )

    def describe(self) -> str:
        return f"refined twice: {self.fine.describe()}"

    def _apply(self, x: Array) -> Array:
        return coarsen(self.fine(refine(x, 2)), 2, (1,))


class Fan(_Projector):
    """A point source and a flat line of detector bins circle an image (ny, nx).

    ``source`` is the distance from source to axis, ``detector`` from source to detector, both in
    pixels; ``bins`` of width ``bin_width`` (pixels, at the detector). ``offset`` is an error of all
    angles (degrees), ``shift`` of the detector along itself (pixels).
    """

    def __init__(
        self,
        in_shape: Shape,
        angles: Sequence[float],
        source: float,
        detector: float,
        bins: int,
        bin_width: float = 1.0,
        offset: float = 0.0,
        shift: float = 0.0,
    ) -> None:
        _plane(in_shape, 2)
        _outside(source, in_shape)
        super().__init__(in_shape, angles, offset, (bins,))
        self.source, self.detector = source, detector
        self.bin_width, self.shift = bin_width, shift

    def _view(self, beta: float) -> tuple[Array, Array]:
        y, x = _grid(self.in_shape)
        breaks, amplitude, _ = shadow(x, y, beta, self.source, self.detector)
        bins, weights = overlap(breaks, self.out_shape[1], self.bin_width, self.shift)
        return bins, amplitude[:, None] * weights


class Cone(_Projector):
    """A point source and a flat panel circle a volume (nz, ny, nx) about z.

    ``bins`` = [rows, columns] of width ``bin_width``; the other arguments as for the fan, with
    ``shift`` along the rows. A voxel's shadow is the trapezoid of its cross-section times the
    rectangle of its height, both at the magnification of its centre.
    """

    def __init__(
        self,
        in_shape: Shape,
        angles: Sequence[float],
        source: float,
        detector: float,
        bins: Sequence[int],
        bin_width: float = 1.0,
        offset: float = 0.0,
        shift: float = 0.0,
    ) -> None:
        _plane(in_shape, 3)
        _outside(source, in_shape[1:])
        super().__init__(in_shape, angles, offset, (int(bins[0]), int(bins[1])))
        self.source, self.detector = source, detector
        self.bin_width, self.shift = bin_width, shift

    def _view(self, beta: float) -> tuple[Array, Array]:
        _, rows, columns = self.out_shape
        y, x = _grid(self.in_shape[1:])
        breaks, amplitude, magnification = shadow(x, y, beta, self.source, self.detector)
        u, across = overlap(breaks, columns, self.bin_width, self.shift)
        v = centred(self.in_shape[0])[:, None] * magnification
        v_edges = np.stack([v - magnification / 2] * 2 + [v + magnification / 2] * 2)
        w, along = overlap(v_edges, rows, self.bin_width)
        middle = (breaks[0] + breaks[3]) / 2
        oblique = np.sqrt(1 + v**2 / (self.detector**2 + middle**2))
        weights = (amplitude * oblique)[..., None, None] * along[..., None] * across[:, None, :]
        bins = w[..., None] * columns + u[:, None, :]
        voxels = math.prod(self.in_shape)
        return bins.reshape(voxels, -1), weights.reshape(voxels, -1)


def shadow(
    x: Array, y: Array, beta: float, source: float, detector: float
) -> tuple[Array, Array, Array]:
    """Cast unit squares at (x, y) onto the detector line.

    Return the corners' sorted positions (4, n), which bound the trapezoid, its height (the longest
    path through the square along the ray to its centre) and the magnification, both (n,).
    """
    cos, sin = np.cos(beta), np.sin(beta)
    corners = [(x + dx, y + dy) for dx in (-0.5, 0.5) for dy in (-0.5, 0.5)]
    breaks = np.sort(
        [detector * (cx * cos + cy * sin) / (source - cx * sin + cy * cos) for cx, cy in corners],
        axis=0,
    )
    across, along = x * cos + y * sin, source - x * sin + y * cos
    ray_x, ray_y = across * cos - along * sin, across * sin + along * cos
    height = np.hypot(ray_x, ray_y) / np.maximum(np.abs(ray_x), np.abs(ray_y))
    return breaks, height, detector / along


def _grid(shape: Shape) -> tuple[Array, Array]:
    """Return y and x of every pixel, flat."""
    y, x = np.meshgrid(centred(shape[0]), centred(shape[1]), indexing="ij")
    return y.ravel(), x.ravel()


def _plane(in_shape: Shape, ndim: int) -> None:
    if len(in_shape) != ndim:
        raise ValueError(f"expected an object of {ndim} axes, got {in_shape}.")


def _outside(source: float, plane: Shape) -> None:
    radius = math.hypot(*plane) / 2
    if source <= radius:
        raise ValueError(
            f"the source, {source:g} px from the axis, lies inside the object "
            f"of radius {radius:.0f} px."
        )
