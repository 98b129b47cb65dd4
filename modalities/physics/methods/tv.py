"""Total variation: its proximal step, and least squares with it.

Isotropic, in any number of dimensions, with forward differences that are zero at the far border.
"""

from __future__ import annotations

import numpy as np
from scipy import fft, linalg

from ..numerics.differences import ascend, descend
from ..operator import Array, Operator
from ..progress import Report, silent
from .suitable import require_real

# Over-relaxation, and steps on the gradient's dual for each product with the operator.
RELAX = np.float32(1.9)
INNER = 6
# The first primal step, and the factor by which it grows in each iteration. Small ones settle the
# duals first; large ones then move the volume along directions in which the objective is flat.
STEP, GROWTH = 0.06, 1.025


def gradient(x: Array) -> Array:
    """Return the forward differences (ndim, …) of ``x``, zero across the far border."""
    d = np.zeros((x.ndim, *x.shape), x.dtype)
    for axis in range(x.ndim):
        here, there = _neighbours(x.ndim, axis)
        np.subtract(x[there], x[here], out=d[axis][here])
    return d


def gradient_adjoint(p: Array) -> Array:
    """Return the adjoint of ``gradient``: minus the divergence."""
    x = np.zeros(p.shape[1:], p.dtype)
    for axis in range(x.ndim):
        here, there = _neighbours(x.ndim, axis)
        x[here] -= p[axis][here]
        x[there] += p[axis][here]
    return x


def total_variation(x: Array) -> float:
    """Sum the length of the gradient over all voxels."""
    return float(np.sqrt((gradient(x) ** 2).sum(axis=0)).sum())


class Prox:
    """argmin over x ≥ 0 of ½‖x − b‖² + λ·TV(x), by fast gradient projection on the dual.

    Beck & Teboulle (2009), IEEE Transactions on Image Processing 18, 2419, algorithm GP with their
    step 1/(4·ndim). The dual is kept between calls: along an iteration ``b`` changes little, so a
    few steps suffice.
    """

    def __init__(self, shape: tuple[int, ...], steps: int) -> None:
        self.dual = np.zeros((len(shape), *shape), np.float32)
        self.steps = steps

    def __call__(self, b: Array, weight: float) -> Array:
        size = 1.0 / (4.0 * b.ndim * weight)
        for _ in range(self.steps):
            p = gradient(self._primal(b, weight))
            p *= np.float32(size)
            p += self.dual
            length = np.sqrt(np.einsum("i...,i...->...", p, p))
            p /= np.maximum(length, 1.0, out=length)
            self.dual = p
        return self._primal(b, weight)

    def _primal(self, b: Array, weight: float) -> Array:
        x = gradient_adjoint(self.dual)
        x *= np.float32(-weight)
        x += b
        return np.maximum(x, 0.0, out=x)


def least_squares(
    H: Operator,
    y: Array,
    weight: float,
    start: Array,
    iterations: int,
    lipschitz: float | None = None,
    inner: int = 5,
    report: Report = silent,
) -> Array:
    """Minimise ½‖y − Hx‖² + weight·TV(x) over x ≥ 0, by FISTA with restart.

    ``lipschitz`` bounds the largest eigenvalue of HᵀH; without it, it is estimated. ``inner`` are
    the steps of each proximal step. Beck & Teboulle (2009), SIAM J. Imaging Sciences 2, 183;
    restart where the step turns back (O'Donoghue & Candès 2015). Raise TypeError where objects or
    data are complex, because x ≥ 0.
    """
    require_real(H, "Least squares with total variation")
    bound = lipschitz if lipschitz is not None else largest_eigenvalue(H)
    prox = Prox(H.in_shape, inner)
    x = np.array(start, np.float32)
    z, t = x, 1.0
    for i in range(iterations):
        report("Total variation", i / iterations)
        step = H.H(y - H(z))
        step *= np.float32(1.0 / bound)
        step += z
        new = prox(step, weight / bound)
        change = new - x
        if np.vdot(z - new, change) > 0:
            t = 1.0
        following = (1.0 + np.sqrt(1.0 + 4.0 * t * t)) / 2.0
        z = new + np.float32((t - 1.0) / following) * change
        x, t = new, following
    report("Total variation", 1.0)
    return x


def primal_dual(
    H: Operator,
    y: Array,
    weight: float,
    start: Array,
    iterations: int,
    metric: Array,
    report: Report = silent,
) -> tuple[Array, Array, Array]:
    """Minimise ½‖y − Hx‖² + weight·TV(x) over volumes x ≥ 0; return x, duals of data and gradient.

    ``metric`` is the transfer function, on rfft frequencies of the data's last axis but one, that
    makes HᵀΣH about as large at all of them. Where H passes high frequencies weakly, as a
    projection does, that saves most of the steps. Chambolle & Pock (2011), J. Mathematical Imaging
    and Vision 40, 120: as in their algorithm 2 the primal step grows and the dual one falls,
    because the dual of the data is strongly convex, but by a constant factor instead of a constant
    amount. So the run spends as long in each octave of steps, and it has an end, beyond which they
    are too large to gain anything. With the over-relaxation of Condat (2013), J. Optimization
    Theory and Applications 158, 460. That all this converges is observed, by ``duality_gap``, not
    proved. The proximal step of the total variation is a few of gradient projection from where the
    last one ended: its products are cheap beside those of H. Arrays are float32.
    """
    even = (metric / filtered_norm(H, metric)).astype(np.float32)[:, None]
    x = np.array(start, np.float32)
    q, p, found = H(x) - y, np.zeros((x.ndim, *x.shape), np.float32), np.empty_like(x)
    spectrum = fft.rfft(q, axis=-2)
    for i in range(iterations):
        report("Total variation", i / iterations)
        tau = np.float32(STEP * GROWTH**i)
        sigma, slope = even / tau, np.float32(1.0 / (4 * x.ndim * tau))  # ‖D‖² ≤ 4·ndim
        back = H.H(q)
        for _ in range(INNER):
            descend(x, back, p, tau, found)
            ascend(found, p, slope, np.float32(weight))
        descend(x, back, p, tau, found)
        change = found - x
        new = fft.rfft(H(found + change) - y, axis=-2)
        new *= sigma
        new += spectrum
        new *= RELAX / (1 + sigma)
        spectrum *= 1 - RELAX
        spectrum += new
        q = fft.irfft(spectrum, q.shape[-2], axis=-2)
        x += RELAX * change
    report("Total variation", 1.0)
    return found, q, p


def duality_gap(
    H: Operator, y: Array, weight: float, x: Array, q: Array, p: Array, highest: float
) -> tuple[float, float]:
    """Return the objective at ``x`` and how far above the minimum over 0 ≤ x ≤ highest it can be.

    ``q`` and ``p`` are any dual variables, ``p`` as found by ``primal_dual``.
    """
    length = np.sqrt(np.einsum("i...,i...->...", p, p)) / weight
    p = p / np.maximum(length, 1.0)
    residual = y - H(x)
    objective = 0.5 * float(np.vdot(residual, residual)) + weight * total_variation(x)
    slope = H.H(q) + gradient_adjoint(p)
    below = highest * float(np.minimum(slope, 0.0).sum(dtype=np.float64))
    return objective, objective - (below - 0.5 * float(np.vdot(q, q)) - float(np.vdot(y, q)))


def filtered_norm(H: Operator, metric: Array, steps: int = 10) -> float:
    """Bound the largest eigenvalue of HᵀΣH: Lanczos iteration from noise, and 6 % more.

    Power iteration needs more than twice as many steps to come as close.
    """
    v: Array = np.random.default_rng(0).standard_normal(H.in_shape).astype(np.float32)
    transfer = metric.astype(np.float32)[:, None]
    before, v, beta = np.zeros_like(v), v / np.linalg.norm(v), np.float32(0)
    diagonal, beside = [], []
    for _ in range(steps):
        seen = H(v)
        new = H.H(fft.irfft(fft.rfft(seen, axis=-2) * transfer, seen.shape[-2], axis=-2))
        alpha = np.vdot(v, new)
        new -= alpha * v + beta * before
        beta = np.linalg.norm(new)
        diagonal.append(float(alpha))
        beside.append(float(beta))
        before, v = v, new / beta
    return 1.06 * float(linalg.eigvalsh_tridiagonal(diagonal, beside[:-1])[-1])


def largest_eigenvalue(H: Operator, steps: int = 5) -> float:
    """Bound the largest eigenvalue of HᵀH: power iteration from a constant, and 5 % more.

    The operators of imaging respond most to what is nearly constant, so few steps come close.
    """
    v = np.ones(H.in_shape, np.float32)
    value = 0.0
    for _ in range(steps):
        v /= np.linalg.norm(v)
        v = H.H(H(v))
        value = float(np.linalg.norm(v))
    return 1.05 * value


def _neighbours(ndim: int, axis: int) -> tuple[tuple[slice, ...], tuple[slice, ...]]:
    here, there = [slice(None)] * ndim, [slice(None)] * ndim
    here[axis], there[axis] = slice(None, -1), slice(1, None)
    return tuple(here), tuple(there)
