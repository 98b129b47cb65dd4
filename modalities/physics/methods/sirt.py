"""SIRT, the simultaneous iterative reconstruction technique."""

from __future__ import annotations

import numpy as np

from ..operator import Array, Operator
from ..progress import Report, silent
from .suitable import require_nonnegative, require_real

ITERATIONS = 40
# Below the limit of 2: as stable as 1, and half as far again in the same number of iterations.
RELAXATION = 1.5
# Rays whose total weight is below this share of the largest miss the object.
EMPTY = 0.02


def sirt(
    H: Operator,
    y: Array,
    iterations: int = ITERATIONS,
    relaxation: float = RELAXATION,
    positive: bool = True,
    start: Array | None = None,
    report: Report = silent,
) -> Array:
    """Iterate x ← x + λ C Hᵀ R (y − H x), with R and C one over the row and column sums of H.

    Converges for 0 < ``relaxation`` λ < 2 (Gregor & Benson 2008); ``positive`` keeps x ≥ 0 after
    each step, which hides a divergence from the eye but not from the misfit. Raise TypeError where
    the sums mean nothing: for complex operators and those with negative entries.
    """
    require_real(H, "SIRT")
    y = np.asarray(y, np.float32)
    rows, columns = inverse_sums(H)
    columns *= np.float32(relaxation)
    x = np.zeros(H.in_shape, np.float32) if start is None else np.array(start, np.float32)
    for i in range(iterations):
        report("SIRT", i / iterations)
        x += columns * H.H(rows * (y - H(x)))
        if positive:
            np.maximum(x, 0.0, out=x)
    report("SIRT", 1.0)
    return x


def inverse_sums(H: Operator) -> tuple[Array, Array]:
    """Return 1 / row sums and 1 / column sums of H, zero where H passes nothing."""
    rows = H(np.ones(H.in_shape, np.float32))
    require_nonnegative(H, rows, "SIRT")
    return _inverse(rows), _inverse(H.H(np.ones(H.out_shape, np.float32)))


def _inverse(sums: Array) -> Array:
    passes = sums > EMPTY * sums.max()
    return np.where(passes, 1.0 / np.where(passes, sums, 1.0), 0.0).astype(np.float32)
