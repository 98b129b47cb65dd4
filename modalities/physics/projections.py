"""What of a change of the data an object could make: weighted least squares by conjugate gradients.

v has the least ‖target − A v‖²_W + ‖v‖²/τ². Where A hardly passes something, plain conjugate
gradients take hundreds of iterations, and until then it looks as if no object could do it. A filter
in Fourier space preconditions them where the chain is about the same everywhere in the object.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy import fft

from .operator import Array, Operator, single

# Conjugate gradients have ended where the residual is below this part of the first, squared.
ROUNDING = 1e-12
# Stands for no preconditioner.
NO_FILTER: Array = np.ones(1, np.float32)


@dataclass(frozen=True)
class Projection:
    """v, and the value ‖target − A v‖²_W + ‖v‖²/τ² that is left."""

    v: Array
    left: float


def projections(
    A: Operator, weights: Array, ridge: float, spectrum: Array, target: Array, iterations: int
) -> Iterator[Projection]:
    """Yield better and better projections of ``target``; ``weights`` are W, ``ridge`` is 1/τ².

    ``spectrum``: the preconditioner, or NO_FILTER.
    """
    rest = A.H(weights * target)
    direction = filtered(rest, spectrum)
    v, size = np.zeros_like(rest), inner(rest, direction)
    left, done = inner(weights * target, target), ROUNDING * size
    yield Projection(v, left)
    for _ in range(iterations):
        if size <= done:
            return
        image = A.H(weights * A(direction)) + ridge * direction
        step = size / inner(direction, image)
        v, rest, left = v + step * direction, rest - step * image, left - step * size
        easy = filtered(rest, spectrum)
        before, size = size, inner(rest, easy)
        direction = easy + (size / before) * direction
        yield Projection(v, left)


def projected(
    A: Operator, weights: Array, ridge: float, spectrum: Array, target: Array, iterations: int
) -> Projection:
    """Return the last of the projections."""
    *_, found = projections(A, weights, ridge, spectrum, target, iterations)
    return found


def helps(
    spectrum: Array, A: Operator, weights: Array, ridge: float, target: Array, iterations: int
) -> bool:
    """Say whether a preconditioner leaves less of ``target`` in so many iterations than none."""
    without, with_it = (
        projected(A, weights, ridge, each, target, iterations).left
        for each in (NO_FILTER, spectrum)
    )
    return with_it < without


def preconditioner(A: Operator, weights: Array, ridge: float) -> Array:
    """Return a filter in Fourier space that nearly inverts AᵀWA + 1/τ²: exactly, where A is the
    same everywhere in the object, from its response to the object's middle."""
    point = np.zeros(A.in_shape, single(np.zeros(1, A.in_dtype)).dtype)
    point[tuple(n // 2 for n in A.in_shape)] = 1
    response = np.abs(fft.fftn(A.H(weights * A(point))))
    return np.asarray(1 / (response + ridge), np.float32)


def filtered(x: Array, spectrum: Array) -> Array:
    """Multiply by a real and even ``spectrum`` in Fourier space; NO_FILTER does nothing."""
    if spectrum.size == 1:
        return x
    found = fft.ifftn(fft.fftn(x) * spectrum)
    return np.asarray(found if np.iscomplexobj(x) else found.real, x.dtype)


def inner(a: Array, b: Array) -> float:
    """Return the real inner product."""
    return float(np.vdot(a, b).real)
