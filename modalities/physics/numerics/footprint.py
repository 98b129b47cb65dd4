"""The shadow of a square pixel: how much of it each detector bin sees, as sparse matrices.

A unit square at angle θ to the beam casts the box of width |cos θ| convolved with the box of width
|sin θ|: a trapezoid of area one. A bin's weight is its integral over the bin, exact, and at most
three bins are touched. Weights are continuously differentiable in θ unless θ is a multiple of 90°.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import DTypeLike
from scipy import sparse

from ..operator import Array
from .compiled import compiled
from .kept import kept

TAPS = 3
# Below this width a box acts as a point: it keeps the closed form free of 0/0.
NARROWEST = 1e-6
CACHE_LINE = 64  # bytes
KEPT = 256 << 20  # bytes of matrices that a process keeps: those of five tilt series, or a fine one


def _bytes(matrices: tuple[sparse.csr_array, sparse.csr_array]) -> int:
    return sum(m.data.nbytes + m.indices.nbytes + m.indptr.nbytes for m in matrices)


def centres(n: int) -> Array:
    """Return the ``n`` pixel centres in pixels, zero in the middle of the array: i − (n−1)/2."""
    return np.arange(n) - (n - 1) / 2.0


def shadow_cdf(t: Array, cos: Array, sin: Array) -> Array:
    """Integrate the trapezoid of widths |cos|, |sin| from −∞ to ``t`` (all in pixels)."""
    widths = np.sort(np.stack([np.abs(cos), np.abs(sin)]), axis=0)
    narrow, wide = np.maximum(widths[0], NARROWEST), widths[1]
    a, b = (wide + narrow) / 2.0, (wide - narrow) / 2.0
    t = np.clip(t, -a, a)
    ramp = (t + a) ** 2
    ramp -= np.where(t > -b, (t + b) ** 2, 0.0)
    ramp -= np.where(t > b, (t - b) ** 2, 0.0)
    return np.asarray(ramp / (2.0 * narrow * wide))


def taps(position: Array, cos: Array, sin: Array, bins: int) -> tuple[Array, Array]:
    """Spread unit squares centred at ``position`` (pixels from the middle) over ``bins`` bins.

    Return bin indices and weights, both of ``position.shape + (3,)``; weights sum to one, and are
    zero where the bin lies outside the detector (its index is then clipped).
    """
    half = (np.abs(cos) + np.abs(sin)) / 2.0
    position = position + (bins - 1) / 2.0
    first = np.floor(position - half + 0.5).astype(np.int64)
    edges = first[..., None] + np.array([0.5, 1.5]) - position[..., None]
    cdf = shadow_cdf(edges, cos[..., None], sin[..., None])
    weights = np.stack([cdf[..., 0], cdf[..., 1] - cdf[..., 0], 1.0 - cdf[..., 1]], axis=-1)
    index = first[..., None] + np.arange(TAPS)
    inside = (index >= 0) & (index < bins)
    return np.where(inside, index, 0), np.where(inside, weights, 0.0)


@kept(KEPT, _bytes)
def projection(
    nz: int, nx: int, angles: tuple[float, ...], single: bool
) -> tuple[sparse.csr_array, sparse.csr_array]:
    """Return the strip-integral matrix (views·nx, nz·nx) and its transpose, both as CSR.

    Slice f[z, x] is seen at u = x cos θ + z sin θ in ``nx`` bins; ``angles`` in radians. Both are
    stored because ``times`` goes along rows. ``single`` asks for float32.
    """
    theta = np.asarray(angles)
    cos, sin, x = np.cos(theta), np.sin(theta), centres(nx)[:, None]
    index = np.empty((nz, nx, len(theta), TAPS), np.int32)
    weight = np.empty(index.shape, np.float32 if single else np.float64)
    for i, z in enumerate(centres(nz)):  # a row at a time fits into the cache
        index[i], weight[i] = taps(x * cos + z * sin, cos, sin, nx)
    index += nx * np.arange(len(theta), dtype=np.int32)[:, None]
    rows = np.arange(nz * nx + 1, dtype=np.int32) * (len(theta) * TAPS)
    back = sparse.csr_array((weight.ravel(), index.ravel(), rows), shape=(nz * nx, len(theta) * nx))
    back.sum_duplicates()
    back.eliminate_zeros()
    return back.T.tocsr(), back


def times(matrix: sparse.csr_array, x: Array, scale: float) -> Array:
    """Return scale · matrix · x for the rows of ``x`` (columns of the matrix, n), for all slices.

    The traffic of rows limits the speed. SciPy reads and writes a row of the result for each row of
    x; with eight rows of x at a time it is little more than the reading of x. Rows that begin in
    the middle of a cache line cost a third more, so a copy of x pays.
    """
    out = _aligned((matrix.shape[0], x.shape[1]), np.result_type(matrix.dtype, x.dtype))
    if not x.flags.c_contiguous or x.ctypes.data % CACHE_LINE:
        copy = _aligned(x.shape, x.dtype)
        copy[...] = x
        x = copy
    _times(matrix.indptr, matrix.indices, matrix.data, x, matrix.dtype.type(scale), out)
    return out


def _aligned(shape: tuple[int, ...], kind: DTypeLike) -> Array:
    """Make an array, not filled, that begins where a cache line does."""
    size = math.prod(shape) * np.dtype(kind).itemsize
    room = np.empty(size + CACHE_LINE, np.uint8)
    start = -room.ctypes.data % CACHE_LINE
    return room[start : start + size].view(kind).reshape(shape)


@compiled
def _times(starts: Array, columns: Array, values: Array, x: Array, scale: Any, out: Array) -> None:
    for i in range(len(out)):
        row, begin, end = out[i], starts[i], starts[i + 1]
        row[:] = 0
        for k in range(begin, end - 7, 8):
            v, at = values[k : k + 8], columns[k : k + 8]
            a, b, c, d, e, f, g, h = v[0], v[1], v[2], v[3], v[4], v[5], v[6], v[7]
            p, q, r, s = x[at[0]], x[at[1]], x[at[2]], x[at[3]]
            t, u, w, z = x[at[4]], x[at[5]], x[at[6]], x[at[7]]
            for j in range(len(row)):
                row[j] += ((a * p[j] + b * q[j]) + (c * r[j] + d * s[j])) + (
                    (e * t[j] + f * u[j]) + (g * w[j] + h * z[j])
                )
        for k in range(end - (end - begin) % 8, end):
            a, p = values[k], x[columns[k]]
            for j in range(len(row)):
                row[j] += a * p[j]
        for j in range(len(row)):
            row[j] *= scale
