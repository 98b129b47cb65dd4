"""Operators: two shapes, a way forward, and an adjoint that is itself an operator.

Notation: ``y = H(x)`` applies the operator, ``H.H(y)`` its adjoint. Inner products are real,
``<a, b> = Re sum(conj(a) b)``, so that an operator between a real and a complex space has an exact
adjoint too. A nonlinear operator says so (``is_linear = False``) and linearises itself:
``H.derivative(x)`` is the Jacobian at ``x``, again an operator; its adjoint is exact.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Shape = tuple[int, ...]


def single(a: Array) -> Array:
    """Return ``a`` as float32, or as complex64 where it is complex."""
    return np.asarray(a, np.complex64 if np.iscomplexobj(a) else np.float32)


def double(a: Array) -> Array:
    """Return ``a`` as float64, or as complex128 where it is complex."""
    return np.asarray(a, np.complex128 if np.iscomplexobj(a) else np.float64)


class ShapeError(ValueError):
    """An array or a chain has a shape that the operator does not take."""


class Operator:
    """Map arrays of ``in_shape`` to arrays of ``out_shape``.

    Subclasses set both shapes and define ``_apply`` and, where linear, ``_adjoint``. Precision
    follows the input: float32 stays float32, so adjoint tests must pass float64. ``in_dtype`` and
    ``out_dtype`` are ``float`` or ``complex``. An operator that ``keeps_dtype`` takes either and
    gives the same; in a chain the other steps say which it is.
    """

    in_shape: Shape
    out_shape: Shape
    is_linear: bool = True
    in_dtype: type = float
    out_dtype: type = float
    keeps_dtype: bool = False

    def __call__(self, x: Array) -> Array:
        """Apply the operator to ``x``; raise ShapeError if its shape is not ``in_shape``."""
        return self._apply(self._checked(x, self.in_shape))

    @property
    def H(self) -> Operator:  # noqa: N802 - the field writes the adjoint so
        """Return the adjoint operator."""
        return Adjoint(self)

    def derivative(self, x: Array) -> Operator:
        """Return the Jacobian at ``x``: of a linear operator, itself."""
        if not self.is_linear:
            raise TypeError(f"{type(self).__name__} is nonlinear and declares no derivative.")
        return self

    def truth(self) -> Operator:
        """Return the operator that data are made with: this one, unless a finer one is known."""
        return self

    def describe(self) -> str:
        """Say in one line what the operator is, with its numbers and units."""
        return f"{type(self).__name__} {self.in_shape} → {self.out_shape}"

    def arrays(self) -> dict[str, tuple[Array, str]]:
        """Return what is needed to apply the operator without this code: {name: (array, meaning)}.

        Empty where the arguments in the catalogue say it all.
        """
        return {}

    def _apply(self, x: Array) -> Array:
        raise TypeError(f"{type(self).__name__} defines no way forward.")

    def _adjoint(self, y: Array) -> Array:
        raise TypeError(
            f"{type(self).__name__} has no adjoint: it is nonlinear; take derivative(x).H."
        )

    def _checked(self, x: Array, shape: Shape) -> Array:
        x = np.asarray(x)
        if x.shape != shape:
            raise ShapeError(
                f"{type(self).__name__}: expected an array of shape {shape}, got {x.shape}."
            )
        return x


class Adjoint(Operator):
    """The adjoint of a linear operator."""

    def __init__(self, operator: Operator) -> None:
        self._operator = operator
        self.in_shape, self.out_shape = operator.out_shape, operator.in_shape
        self.in_dtype, self.out_dtype = operator.out_dtype, operator.in_dtype

    @property
    def H(self) -> Operator:  # noqa: N802
        return self._operator

    def describe(self) -> str:
        return f"adjoint of {self._operator.describe()}"

    def _apply(self, y: Array) -> Array:
        return self._operator._adjoint(y)

    def _adjoint(self, x: Array) -> Array:
        return self._operator._apply(x)


class Chain(Operator):
    """Operators in the order of the diagram: ``Chain([first, …, last])(x) = last(…first(x))``.

    Raise ShapeError where two steps do not fit, TypeError where a step that takes real values
    follows one that gives complex ones.
    """

    def __init__(self, steps: Sequence[Operator]) -> None:
        if not steps:
            raise ShapeError("A chain needs at least one step.")
        for before, after in pairwise(steps):
            if before.out_shape != after.in_shape:
                raise ShapeError(
                    f"{type(after).__name__} takes {after.in_shape}, but "
                    f"{type(before).__name__} before it gives {before.out_shape}."
                )
        self.steps: tuple[Operator, ...] = tuple(steps)
        self.in_shape, self.out_shape = steps[0].in_shape, steps[-1].out_shape
        self.in_dtype = next((s.in_dtype for s in steps if not s.keeps_dtype), float)
        self._entering, self.out_dtype = self._dtypes()
        self.is_linear = all(step.is_linear for step in steps)

    def __iter__(self) -> Iterator[Operator]:
        return iter(self.steps)

    def derivative(self, x: Array) -> Operator:
        jacobians = []
        for step in self.steps:
            jacobians.append(step.derivative(x))
            x = step(x)
        return Chain(jacobians)

    def truth(self) -> Operator:
        return Chain([step.truth() for step in self.steps])

    def describe(self) -> str:
        return "\n".join(step.describe() for step in self.steps)

    def _dtypes(self) -> tuple[list[type], type]:
        """Follow the dtype through the steps: what enters each of them, and what comes out."""
        entering, dtype, source = [], self.in_dtype, ""
        for step in self.steps:
            if dtype is complex and step.in_dtype is float and not step.keeps_dtype:
                raise TypeError(
                    f"{type(step).__name__} takes real values, but {source or 'the object'} "
                    "is complex."
                )
            entering.append(dtype)
            if not step.keeps_dtype:
                dtype, source = step.out_dtype, f"what {type(step).__name__} gives"
        return entering, dtype

    def _apply(self, x: Array) -> Array:
        for step in self.steps:
            x = step(x)
        return x

    def _adjoint(self, y: Array) -> Array:
        for step, dtype in zip(reversed(self.steps), reversed(self._entering), strict=True):
            y = step.H(y)
            if dtype is float and np.iscomplexobj(y):
                # Real values that enter a complex space: the adjoint of that is the real part.
                y = np.ascontiguousarray(y.real)
        return y
