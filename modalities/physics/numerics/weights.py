"""Pointwise multiplication: what modulate, illuminate and select have in common."""

from __future__ import annotations

import numpy as np

from ..operator import Array, Operator, Shape


class Weights(Operator):
    """y = w·x. Where ``w`` has more axes than x they come first, one copy of x for each.

    The adjoint multiplies by the conjugate and sums over those axes. Complex weights make a complex
    field of whatever comes in.
    """

    def __init__(self, in_shape: Shape, weights: Array) -> None:
        self.in_shape = in_shape
        self.out_shape = np.broadcast_shapes(in_shape, weights.shape)
        self.weights = weights
        self.keeps_dtype = not np.iscomplexobj(weights)
        if not self.keeps_dtype:
            self.in_dtype = self.out_dtype = complex
        self._copies = tuple(range(len(self.out_shape) - len(in_shape)))

    def _apply(self, x: Array) -> Array:
        return self._like(x) * x

    def _adjoint(self, y: Array) -> Array:
        return np.asarray(np.sum(np.conj(self._like(y)) * y, axis=self._copies))

    def _like(self, x: Array) -> Array:
        """Return the weights in the precision of ``x``, so that float32 stays float32."""
        single = x.dtype in (np.float32, np.complex64)
        kinds = (np.complex64, np.float32) if single else (np.complex128, np.float64)
        return self.weights.astype(kinds[0 if np.iscomplexobj(self.weights) else 1], copy=False)
