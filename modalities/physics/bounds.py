"""How well a mismatch can be known at all: the Cramér-Rao bound, from the operator alone.

Data y = H(θ) x + n with independent noise of variance v carry the Fisher information

    F = Jᵀ W J,   J = ∂(H x)/∂θ,   W = 1/v at the expected signal,

about θ where the object x is known. Where it is not, what a change of the object can imitate says
nothing, and the Schur complement is left: with A the derivative of H by the object,

    F − Jᵀ W A (Aᵀ W A + 1/τ²)⁻¹ Aᵀ W J,

that is the information of J's part outside A's range. τ, the ``object_std``, is how far each voxel
may reasonably lie from the object at which the bound is taken; it keeps the bound finite where
noise hides what A hardly passes. No unbiased estimate has a smaller standard deviation than
√(F⁻¹)ᵢᵢ (Kay 1993, Fundamentals of Statistical Signal Processing, eq. 3.24). The information that
the variance itself carries is left out, as is every constraint on the object but τ: one who
knows more of the object can do better than the second bound, never better than the first.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from .build import Forward, forward
from .noise import noise_of
from .operator import Array, Operator
from .projections import NO_FILTER, helps, inner, preconditioner, projected
from .spec import Spec

# Derivatives in a mismatch are central differences over this part of its perturbed value.
DIFFERENCE = 0.02
# Directions with less information than this part of the largest count as unknown.
SINGULAR = 1e-12


def cramer_rao(
    spec: Spec,
    mismatch: Mapping[str, float],
    xs: Sequence[Array],
    object_known: bool,
    object_std: float = 1.0,
    iterations: int = 100,
) -> dict[str, float]:
    """Return the smallest standard deviation of each mismatch, in its unit; inf where F is zero.

    ``xs`` are objects (spec.shape) measured on one instrument at ``mismatch``; information adds up.
    """
    information = sum(
        fisher_information(spec, mismatch, x, object_known, object_std, iterations) for x in xs
    )
    return standard_deviations(spec, np.asarray(information))


def standard_deviations(spec: Spec, information: Array) -> dict[str, float]:
    """Return √(F⁻¹)ᵢᵢ by name; ``information`` has the order of spec.mismatches."""
    scale = np.array([abs(m.perturbed - m.nominal) for m in spec.mismatches])
    values, vectors = np.linalg.eigh(information * np.outer(scale, scale))
    known = values > SINGULAR * max(values.max(), 1.0)
    inverse = np.where(known, 1.0 / np.where(known, values, 1.0), np.inf)
    share = vectors**2
    variance = np.where(share > SINGULAR, share * inverse, 0.0).sum(axis=1) * scale**2
    return {m.name: float(np.sqrt(v)) for m, v in zip(spec.mismatches, variance, strict=True)}


def fisher_information(
    spec: Spec,
    mismatch: Mapping[str, float],
    x: Array,
    object_known: bool,
    object_std: float = 1.0,
    iterations: int = 100,
) -> Array:
    """Return F (mismatches, mismatches) in the order of spec.mismatches, for one object ``x``.

    With the object unknown, conjugate gradients stop after ``iterations`` at the latest: then F is
    too large, never too small.
    """
    H = forward(spec, **mismatch)
    weights = whitening(H, H(x)) ** 2
    columns = derivatives(H, x)
    left = columns
    if not object_known:
        A, ridge = H.derivative(x), object_std**-2
        spectrum = preconditioner(A, weights, ridge)
        if not helps(spectrum, A, weights, ridge, columns[0], iterations):
            spectrum = NO_FILTER
        left = [d - A(projected(A, weights, ridge, spectrum, d, iterations).v) for d in columns]
    F = np.array([[inner(weights * a, b) for b in columns] for a in left])
    return np.asarray((F + F.T) / 2)


def derivatives(H: Forward, x: Array, share: float = DIFFERENCE) -> list[Array]:
    """Return ∂(H x)/∂θ per mismatch, in data per unit of the mismatch: central differences."""
    found = []
    for m in H.spec.mismatches:
        step = share * abs(m.perturbed - m.nominal)
        up, down = (forward(H.spec, **beside(H, m.name, s * step)) for s in (1, -1))
        found.append((up(x) - down(x)) / (2 * step))
    return found


def beside(H: Forward, name: str, step: float) -> dict[str, float]:
    """Return the mismatch of ``H`` with ``name`` moved by ``step``."""
    return {**H.mismatch, name: H.mismatch[name] + step}


def whitening(H: Operator, signal: Array) -> Array:
    """Return 1/σ of each datum at ``signal``, so that weighted noise has variance one.

    Complex noise has variance one in each of its parts.
    """
    variance = noise_of(H).variance(signal)
    return np.asarray(np.sqrt((2.0 if np.iscomplexobj(signal) else 1.0) / variance))
