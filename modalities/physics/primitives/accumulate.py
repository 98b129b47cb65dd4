"""Σ, accumulate: what arrives along a physical dimension adds up."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..operator import Array, Operator, Shape


class Sum(Operator):
    """Sum over ``axes`` (numbers of axes of what comes in), times ``step``.

    ``step`` is the spacing of the samples where the sum approximates an integral (in the unit of
    that axis), 1 for a plain sum. The adjoint spreads each value evenly along those axes.
    """

    keeps_dtype = True

    def __init__(self, in_shape: Shape, axes: Sequence[int], step: float = 1.0) -> None:
        if not all(-len(in_shape) <= a < len(in_shape) for a in axes):
            raise ValueError(f"axes must name axes of {in_shape}, got {list(axes)}.")
        self.axes = tuple(sorted(a % len(in_shape) for a in axes))
        self.step = step
        self.in_shape = in_shape
        self.out_shape = tuple(n for a, n in enumerate(in_shape) if a not in self.axes)

    def describe(self) -> str:
        axes = ", ".join(str(a) for a in self.axes)
        return f"accumulate/sum {self.in_shape}: over axes {axes}, step {self.step:g}"

    def _apply(self, x: Array) -> Array:
        return np.asarray(np.sum(x, axis=self.axes) * self.step)

    def _adjoint(self, y: Array) -> Array:
        return np.broadcast_to(np.expand_dims(y * self.step, self.axes), self.in_shape).copy()
