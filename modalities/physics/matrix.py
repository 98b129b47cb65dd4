"""The matrix of an operator that is small enough, and a chain cut down until it is."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy import sparse

from .build import Forward, forward
from .operator import Array, Operator
from .spec import Spec
from .tables import CatalogueError

# Entries below this part of the largest are rounding errors of Fourier transforms.
ROUNDING = 1e-13


def matrix(H: Operator) -> sparse.csr_array:
    """Return the matrix of a linear operator: row and column count arrays in C order.

    Made column by column, so ``H`` should be small. Complex where the data are; of a complex object
    it acts on complex values. Raise TypeError where ``H`` is not linear over those.
    """
    if not H.is_linear:
        raise TypeError(f"{type(H).__name__} is nonlinear and has no matrix.")
    size = int(np.prod(H.in_shape))
    unit: Array = np.zeros(size, H.in_dtype)
    columns: list[Array] = []
    for i in range(size):
        unit[i] = 1.0
        columns.append(np.asarray(H(unit.reshape(H.in_shape)), H.out_dtype).ravel())
        unit[i] = 0.0
    dense = np.stack(columns, axis=1)
    if H.in_dtype is complex:
        turned = np.asarray(H(np.full(H.in_shape, 1j))).ravel()
        if not np.allclose(turned, dense @ np.full(size, 1j)):
            raise TypeError(f"{type(H).__name__} is linear over real numbers only.")
    dense[np.abs(dense) <= ROUNDING * np.abs(dense).max()] = 0
    return sparse.csr_array(dense)


def cut_down(spec: Spec, entries: int) -> Forward | None:
    """Build the nominal chain on a grid so small that its matrix has at most ``entries`` entries.

    The longest axis is halved until it fits. None where the chain cannot be built so small.
    """
    shape = spec.shape
    while max(shape) > 1:
        try:
            H = forward(replace(spec, shape=shape))
            if np.prod(H.in_shape) * np.prod(H.out_shape) <= entries:
                for m in spec.mismatches:
                    forward(H.spec, **{m.name: m.perturbed})
                return H
        except CatalogueError:
            pass  # too small for one step, or not divisible by what another one needs
        longest = shape.index(max(shape))
        shape = (*shape[:longest], shape[longest] // 2, *shape[longest + 1 :])
    return None
