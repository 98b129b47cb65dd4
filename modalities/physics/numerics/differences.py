"""The two steps of a primal-dual method with total variation, each in one pass over a volume.

In NumPy each is a dozen passes over arrays that do not fit into the cache. The gradient is of
forward differences, zero across the far border; its dual p (3, z, x, y) is zero there too.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..operator import Array
from .compiled import compiled


@compiled
def descend(x: Array, slope: Array, p: Array, step: Any, out: Array) -> None:
    """Write max(x − step·(slope + Dᵀp), 0) to ``out``, with D the gradient."""
    nz, nx, ny = x.shape
    nothing = np.zeros_like(x[0, 0])
    for i in range(nz):
        for j in range(nx):
            row, old, s = out[i, j], x[i, j], slope[i, j]
            pz, px, py = p[0, i, j], p[1, i, j], p[2, i, j]
            above = p[0, i - 1, j] if i > 0 else nothing
            left = p[1, i, j - 1] if j > 0 else nothing
            for k in range(ny):
                row[k] = s[k] - pz[k] - px[k] - py[k] + above[k] + left[k]
            for k in range(1, ny):
                row[k] += py[k - 1]
            for k in range(ny):
                row[k] = max(old[k] - step * row[k], 0)


@compiled
def ascend(x: Array, p: Array, step: Any, longest: Any) -> None:
    """Let p ← p + step·Dx, each voxel's vector shortened to ``longest`` where it is longer."""
    nz, nx, ny = x.shape
    along = np.zeros_like(x[0, 0])
    for i in range(nz):
        for j in range(nx):
            here = x[i, j]
            below = x[i + 1, j] if i < nz - 1 else here
            right = x[i, j + 1] if j < nx - 1 else here
            pz, px, py = p[0, i, j], p[1, i, j], p[2, i, j]
            for k in range(ny - 1):
                along[k] = here[k + 1] - here[k]
            for k in range(ny):
                a = pz[k] + step * (below[k] - here[k])
                b = px[k] + step * (right[k] - here[k])
                c = py[k] + step * along[k]
                part = longest / max(np.sqrt(a * a + b * b + c * c), longest)
                pz[k] = a * part
                px[k] = b * part
                py[k] = c * part
