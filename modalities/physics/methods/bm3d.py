"""BM3D: similar patches of an image, stacked and thinned out together in a transform.

Our own, from Dabov, Foi, Katkovnik & Egiazarian (2007), IEEE Transactions on Image Processing 16,
2080, and the parameters that Lebrun (2012), Image Processing On Line 2, 175, lists. Two
stages: hard thresholding, then Wiener's filter with the first result as its pattern.

Everything is done for many patches at once. A patch's transform is computed once for the whole
image; stacks gather rows of that table, and what comes back from all stacks is first summed per
patch, still in the transform, then turned back and laid over the image.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from scipy import fft, linalg, sparse

from ..operator import Array
from ..progress import Part, Report, silent

SIDE, STRIDE = 8, 3
SEARCH = 19  # patches are compared this far up, down, left and right
THRESHOLD = 2.7  # in standard deviations of the noise
KAISER = 2.0
CHUNK = 1500  # stacks that are worked on at once


@dataclass(frozen=True)
class Stage:
    """Stack at most ``size`` patches whose mean squared distance is below ``nearness``·σ²."""

    name: str
    size: int
    nearness: float


# Lebrun's 2500 and 400 at σ = 25.
HARD = Stage("BM3D, thresholding", 16, 4.0)
WIENER = Stage("BM3D, Wiener", 32, 0.64)


def bm3d(image: Array, sigma: float, report: Report = silent) -> Array:
    """Denoise an image (y, x) with white noise of standard deviation ``sigma``: float32."""
    scaled = np.asarray(image / sigma, np.float32)
    basic = _run(HARD, scaled, None, Part(report, 0.0, 0.45))
    return np.asarray(_run(WIENER, scaled, basic, Part(report, 0.45, 1.0)) * np.float32(sigma))


def _run(stage: Stage, image: Array, basic: Array | None, report: Report) -> Array:
    """Carry out one stage on an image with unit noise."""
    guide = image if basic is None else basic
    places, distances = match(guide, stage.size, Part(report, 0.0, 0.7))
    noisy = _spectra(image)
    pattern = noisy if basic is None else _spectra(basic)
    sums, weights = np.zeros_like(noisy), np.zeros(len(noisy), np.float32)
    sizes = _stack_sizes(distances, stage)
    stacks = [
        (size, chunk)
        for size in np.unique(sizes)
        for chunk in _chunks(np.flatnonzero(sizes == size))
    ]
    for i, (size, chunk) in enumerate(stacks):
        report(stage.name, 0.7 + 0.3 * i / len(stacks))
        members = places[chunk, :size]
        group = _along(noisy[members])
        if basic is None:
            keep = np.abs(group) > THRESHOLD
            energy = np.maximum(keep.sum(axis=(1, 2)), 1)
        else:
            power = _along(pattern[members]) ** 2
            keep = power / (power + 1)
            energy = np.maximum((keep**2).sum(axis=(1, 2)), 1e-3)
        group *= keep
        weight = (1 / energy).astype(np.float32)
        _collect(sums, weights, members, _along(group) * weight[:, None, None], weight)
    return _overlaid(sums, weights, image.shape)


def match(image: Array, count: int, report: Report) -> tuple[Array, Array]:
    """Find, for every reference patch, the ``count`` patches nearest to it, nearest first.

    Return their places in the list of all patches, (references, count), and their mean squared
    distances. Reference patches lie on a grid of ``STRIDE``, and the last ones on the border.
    """
    ny, nx = (n - SIDE + 1 for n in image.shape)
    rows, columns = _grid(ny), _grid(nx)
    shifts = range(-SEARCH, SEARCH + 1)
    table = np.full((len(shifts) ** 2, len(rows), len(columns)), np.inf, np.float32)
    for i, dy in enumerate(shifts):
        report("Match patches", i / len(shifts))
        for j, dx in enumerate(shifts):
            _distances(image, dy, dx, rows, columns, table[i * len(shifts) + j])
    # A patch is its own nearest, even among others that equal it: it must be in its stack.
    table[len(table) // 2] = -1.0
    table = np.ascontiguousarray(table.reshape(len(table), -1).T)
    nearest = np.argpartition(table, count - 1, axis=1)[:, :count]
    distances = np.take_along_axis(table, nearest, axis=1)
    order = np.argsort(distances, axis=1)
    nearest = np.take_along_axis(nearest, order, axis=1)
    down, across = nearest // len(shifts) - SEARCH, nearest % len(shifts) - SEARCH
    start = (rows[:, None] * nx + columns[None, :]).reshape(-1, 1)
    distances = np.maximum(np.take_along_axis(distances, order, axis=1), 0.0)
    return np.where(np.isfinite(distances), start + down * nx + across, start), distances


def _distances(image: Array, dy: int, dx: int, rows: Array, columns: Array, out: Array) -> None:
    """Fill in the mean squared distances of all reference patches to those (dy, dx) away."""
    ny, nx = image.shape
    top, left = max(0, -dy), max(0, -dx)
    bottom, right = ny - max(0, dy), nx - max(0, dx)
    square = image[top:bottom, left:right] - image[top + dy : bottom + dy, left + dx : right + dx]
    square *= square
    r = slice(*np.searchsorted(rows, (top, bottom - SIDE + 1)))
    c = slice(*np.searchsorted(columns, (left, right - SIDE + 1)))
    # Sums over 8 lines by doubling: of 2, of 4, of 8.
    for reach in (1, 2, 4):
        square = square[:-reach] + square[reach:]
    square = square[rows[r] - top]
    for reach in (1, 2, 4):
        square = square[:, :-reach] + square[:, reach:]
    out[r, c] = square[:, columns[c] - left] / SIDE**2


def _grid(n: int) -> Array:
    grid = np.arange(0, n, STRIDE)
    return grid if grid[-1] == n - 1 else np.append(grid, n - 1)


def _stack_sizes(distances: Array, stage: Stage) -> Array:
    """Return each stack the largest power of two of patches that are near enough; at least one."""
    near = np.maximum((distances < stage.nearness).sum(axis=1), 1)
    return np.asarray(2 ** np.floor(np.log2(near)).astype(int))


def _chunks(indices: Array) -> list[Array]:
    return np.array_split(indices, -(-len(indices) // CHUNK))


def _spectra(image: Array) -> Array:
    """Return the cosine transform of every patch, (patches, 64)."""
    patches = sliding_window_view(image, (SIDE, SIDE)).reshape(-1, SIDE**2)
    return np.asarray(patches @ _patch_transform().T)


def _patch_transform() -> Array:
    line = fft.dct(np.eye(SIDE), axis=0, norm="ortho")
    return np.kron(line, line).astype(np.float32)


def _along(stacks: Array) -> Array:
    """Transform stacks (n, size, 64) along their members, by Walsh-Hadamard: its own inverse."""
    size = stacks.shape[1]
    return np.asarray((linalg.hadamard(size) / np.sqrt(size)).astype(np.float32) @ stacks)


def _collect(sums: Array, weights: Array, members: Array, stacks: Array, weight: Array) -> None:
    """Add filtered stacks, already weighted, to the sums of their patches."""
    flat, n = members.ravel(), len(sums)
    columns = np.arange(flat.size + 1)
    into = sparse.csc_array((np.ones(flat.size, np.float32), flat, columns), shape=(n, flat.size))
    sums += into @ stacks.reshape(flat.size, -1)
    weights += np.bincount(flat, np.repeat(weight, members.shape[1]), n).astype(np.float32)


def _overlaid(sums: Array, weights: Array, shape: tuple[int, ...]) -> Array:
    """Turn the summed patches back and average them where they overlap, Kaiser weighted."""
    ny, nx = (n - SIDE + 1 for n in shape)
    line = np.kaiser(SIDE, KAISER)
    window = np.outer(line, line).astype(np.float32)
    patches = (sums @ _patch_transform()).reshape(ny, nx, SIDE, SIDE)
    weights = weights.reshape(ny, nx)
    total, weight = np.zeros(shape, np.float32), np.zeros(shape, np.float32)
    for i in range(SIDE):
        for j in range(SIDE):
            total[i : i + ny, j : j + nx] += window[i, j] * patches[:, :, i, j]
            weight[i : i + ny, j : j + nx] += window[i, j] * weights
    return total / weight
