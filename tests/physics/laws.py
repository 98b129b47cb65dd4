"""The laws that every operator obeys, as figures for the tests to bound."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from modalities.physics import Array, Operator


def random_array(
    shape: tuple[int, ...], dtype: type, rng: np.random.Generator, positive: bool = False
) -> Array:
    """Draw an array of the space that an operator declares."""
    values = rng.random(shape) if positive else rng.standard_normal(shape)
    return values + 1j * rng.standard_normal(shape) if dtype is complex else values


def inner(a: Array, b: Array) -> float:
    return float(np.vdot(a, b).real)


def adjoint_gap(A: Operator, rng: np.random.Generator) -> float:
    """Give |<Ax, y> − <x, Aᴴy>| over the product of the norms."""
    x = random_array(A.in_shape, A.in_dtype, rng)
    y = random_array(A.out_shape, A.out_dtype, rng)
    Ax, Aty = A(x), A.H(y)
    size = max(np.linalg.norm(Ax) * np.linalg.norm(y), np.linalg.norm(x) * np.linalg.norm(Aty))
    return abs(inner(Ax, y) - inner(x, Aty)) / float(size)


def linearity_gap(A: Operator, rng: np.random.Generator) -> float:
    """Give ‖A(2u − 3v) − 2Au + 3Av‖ over ‖Au‖ + ‖Av‖."""
    u, v = (random_array(A.in_shape, A.in_dtype, rng) for _ in range(2))
    Au, Av = A(u), A(v)
    gap = np.linalg.norm(A(2 * u - 3 * v) - 2 * Au + 3 * Av)
    return float(gap / (np.linalg.norm(Au) + np.linalg.norm(Av)))


def derivative_gap(A: Operator, rng: np.random.Generator, step: float = 1e-5) -> float:
    """Compare the derivative with a central difference in a random direction."""
    x = random_array(A.in_shape, A.in_dtype, rng, positive=True)
    d = random_array(A.in_shape, A.in_dtype, rng)
    numeric = (A(x + step * d) - A(x - step * d)) / (2 * step)
    exact = A.derivative(x)(d)
    return float(np.linalg.norm(numeric - exact) / np.linalg.norm(exact))


def second_difference(at: Callable[[float], Array], h: float) -> float:
    """Give ‖f(h) − 2f(0) + f(−h)‖."""
    return float(np.linalg.norm(at(h) - 2 * at(0.0) + at(-h)))


def is_smooth(at: Callable[[float], Array], h: float) -> bool:
    """Tell whether f moves at 0, and its second difference is quartered when h is halved.

    At a kink the second difference is only halved, at a step it stays, on a stair f does not move.
    Of a linear f nothing but rounding is left.
    """
    slope = float(np.linalg.norm(at(h) - at(-h)))
    if slope == 0:
        return False
    return second_difference(at, h / 2) <= 0.35 * second_difference(at, h) + 1e-9 * slope
