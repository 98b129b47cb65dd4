"""S, illuminate: the scene is lit by one pattern after another.

Every model adds a first axis of patterns: (…, ny, nx) → (patterns, …, ny, nx). A pattern w lights
by 1 − c + c·w with ``contrast`` c; ``shift_y`` and ``shift_x`` displace all patterns, in pixels.
The adjoint sums over the patterns what each of them lights.
"""

from __future__ import annotations

import numpy as np
from scipy.linalg import hadamard

from ..numerics.fourier import centred, shifted
from ..numerics.weights import Weights
from ..operator import Array, Shape


class _Patterns(Weights):
    """Patterns w of shape (patterns, ny, nx) over the last two axes of what comes in."""

    model = ""

    def __init__(
        self, in_shape: Shape, patterns: Array, contrast: float, shift_y: float, shift_x: float
    ) -> None:
        self.contrast, self.shift = contrast, (shift_y, shift_x)
        lit = 1.0 - contrast + contrast * shifted(patterns, shift_y, shift_x)
        between = (1,) * (len(in_shape) - 2)
        super().__init__(in_shape, lit.reshape(len(lit), *between, *in_shape[-2:]))

    def describe(self) -> str:
        return (
            f"illuminate/{self.model} {self.in_shape}: {self.out_shape[0]} patterns, contrast "
            f"{self.contrast:g}, displaced by ({self.shift[0]:g}, {self.shift[1]:g}) px"
        )


class Block(_Patterns):
    """One lit block at a time, ``cells`` × ``cells`` of them: a raster scan."""

    model = "block"

    def __init__(
        self,
        in_shape: Shape,
        cells: int,
        contrast: float = 1.0,
        shift_y: float = 0.0,
        shift_x: float = 0.0,
    ) -> None:
        super().__init__(
            in_shape, _tiled(np.eye(cells**2), cells, in_shape), contrast, shift_y, shift_x
        )


class Hadamard(_Patterns):
    """The rows of Sylvester's Hadamard matrix, −1 dark and +1 lit, on ``cells`` × ``cells`` blocks.

    ``cells`` is a power of two; ``patterns`` takes the first rows only (default: all cells²).
    """

    model = "hadamard"

    def __init__(
        self,
        in_shape: Shape,
        cells: int,
        patterns: int | None = None,
        contrast: float = 1.0,
        shift_y: float = 0.0,
        shift_x: float = 0.0,
    ) -> None:
        rows = (1.0 + hadamard(cells**2)[:patterns]) / 2.0
        super().__init__(in_shape, _tiled(rows, cells, in_shape), contrast, shift_y, shift_x)


class Random(_Patterns):
    """Independent random patterns: each of cells × cells blocks is lit with probability ½."""

    model = "random"

    def __init__(
        self,
        in_shape: Shape,
        cells: int,
        patterns: int,
        contrast: float = 1.0,
        shift_y: float = 0.0,
        shift_x: float = 0.0,
        seed: int = 0,
    ) -> None:
        rows = np.random.default_rng(seed).integers(0, 2, (patterns, cells**2)).astype(float)
        super().__init__(in_shape, _tiled(rows, cells, in_shape), contrast, shift_y, shift_x)


class Fringes(Weights):
    """Sinusoidal fringes ½(1 + c·cos(2π(u/period) + phase)), u across the fringes.

    Every one of ``orientations`` (over 180°) is taken at ``phases`` equally spaced phases
    (Gustafsson 2000). ``period`` is in pixels, ``phase`` an offset of all of them, in degrees.
    """

    def __init__(
        self,
        in_shape: Shape,
        period: float,
        orientations: int = 3,
        phases: int = 3,
        contrast: float = 1.0,
        phase: float = 0.0,
    ) -> None:
        if period <= 0:
            raise ValueError(f"period must be positive (pixels), got {period}.")
        self.period, self.contrast, self.phase = period, contrast, phase
        theta = np.pi * np.arange(orientations)[:, None, None, None] / orientations
        steps = 2 * np.pi * np.arange(phases)[None, :, None, None] / phases
        y, x = centred(in_shape[-2])[:, None], centred(in_shape[-1])[None, :]
        u = x * np.cos(theta) + y * np.sin(theta)
        lit = 0.5 * (1 + contrast * np.cos(2 * np.pi * u / period + steps + np.deg2rad(phase)))
        between = (1,) * (len(in_shape) - 2)
        super().__init__(in_shape, lit.reshape(orientations * phases, *between, *in_shape[-2:]))

    def describe(self) -> str:
        return (
            f"illuminate/fringes {self.in_shape}: {self.out_shape[0]} patterns, period "
            f"{self.period:g} px, contrast {self.contrast:g}, phase {self.phase:g}°"
        )


def _tiled(rows: Array, cells: int, in_shape: Shape) -> Array:
    """Blow up rows of cells² values to patterns of the image's size."""
    ny, nx = in_shape[-2:]
    if ny % cells or nx % cells:
        raise ValueError(f"cells must divide the image of {ny} × {nx} pixels, got {cells}.")
    grid = rows.reshape(len(rows), cells, cells)
    return np.kron(grid, np.ones((1, ny // cells, nx // cells)))
