"""Blind calibration of any chain: by what a mismatch does to the data and no object could do.

Data y_i = H(θ) x_i + n of several objects x_i share the mismatch θ. With an estimate x̂ of an object
a small change δ of the mismatch changes the data by D δ, D = ∂(H x̂)/∂θ. Much of D might as well be
a change of the object. What is left of it, in the metric W = 1/variance,

    Π D = D − H v,   v = argmin ‖D − H v‖²_W + ‖v‖²/τ²,

tells of the mismatch alone. This is variable projection (Golub & Pereyra 2003, Inverse Problems 19,
R1). The *score* Dᵀ W Π (y − H x̂) has no mean at the true θ, whatever the object is, to first order
in the errors of x̂. The *information* is F = Dᵀ W Π D, whose inverse is the Cramér-Rao bound for an
unknown object (bounds.py). F differs several times between scenes, so it is found for each one that
takes part. Steps, at first F⁻¹ Σ score, lead to where the scores of the scenes add up to zero.

Two things are left: few iterations project incompletely, and noise in x̂ is correlated with noise in
the score. Both happen in the same way to data simulated from the fit at a *known* mismatch. So
such data are calibrated too, and their score is subtracted (indirect inference: Gouriéroux, Monfort
& Renault 1993, Journal of Applied Econometrics 8, S85).

Of the objects nothing is assumed but what a fit needs: real ones are not negative, and the fit
damps their total variation as far as noise reaches. A gain of the whole instrument and a blur that
all data share are absorbed in the object: where a mismatch does no more than that, its information
vanishes as the projection becomes complete, and it is not estimated. A nonlinear H is linearised
where its fit is.

Inside this module a mismatch counts from the lowest value of its range, in ranges.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ..bounds import whitening
from ..build import Forward, forward
from ..methods.tv import largest_eigenvalue, least_squares
from ..noise import noise_of
from ..operator import Array, Operator, single
from ..progress import Part, Report
from ..projections import (
    NO_FILTER,
    Projection,
    helps,
    inner,
    preconditioner,
    projected,
    projections,
)
from ..spec import Spec
from .result import Calibrated, concluded

# Iterations of a fit, of its proximal steps, and of a projection; COMPLETE is for finding out what
# is left when a projection goes on. RELINEARISED is for fits through a nonlinear operator.
FIT, PROX, PROJECT, COMPLETE, RELINEARISED = 20, 1, 12, 40, 6
# Weight of the total variation, times the noise of a voxel's back-projection.
STRENGTH = 2.0
# τ is this many times the fit's root mean square: wide, so that it is never τ that tells θ. A
# crystal has most of its power at few frequencies, where it exceeds that of noise by as much.
OBJECT_STD = 16.0
# Least part of a mismatch's energy that counts as told, so that F can be inverted.
SMALLEST = 1e-9
# Where the search starts, half width of the differences for ∂/∂θ, and the largest step, in ranges.
START, DIFFERENCE, LARGEST_STEP = 0.5, 0.01, 0.35
# Steps on a few scenes lead to the estimate, until one is smaller than CLOSE ranges; from there
# more scenes take part, until a step is smaller than NEAR ranges, at most LAST times.
FEW, APPROACHES, CLOSE, NEAR, LAST = 2, 4, 0.01, 0.02, 3
# As many scenes take part as the model needs for a standard error of PRECISE ranges. ENOUGH of them
# tell by how much they disagree.
ENOUGH, PRECISE = 4, 0.005
# What an object imitates: the information falls below SETTLED when the projection takes twice the
# iterations, or owes more than PRIOR to τ. FLAT: it falls no further.
SETTLED, PRIOR, FLAT = 0.45, 0.3, 0.985
# What simulated data do not give back, and what is too uncertain, in ranges; how many standard
# errors outside of its range an estimate may be; by what part χ² may exceed the expected one. That
# is much, because few iterations leave something of sharp objects: 40 % for gold in a tilt series.
LARGEST_BIAS, LARGEST_ERROR, OUTSIDE, MISFIT = 0.15, 0.25, 3.0, 1.0
# Estimates with this correlation are right or wrong together.
CORRELATED = 0.7
# χ² of a datum falls below LEFT where an object has as many unknowns as there are data.
LEFT = 0.05
# Variance of what is anywhere in its range.
UNIFORM = 1 / 12

EXPLAINED = "An object can explain the data whatever the mismatch is."
IMITATED = "A change of the object does the same to the data."
BIASED = "Data simulated at a known value do not give it back."
UNCERTAIN = "Its standard error is more than a quarter of its range."
BEYOND = "The estimate lies outside its range."
ENTANGLED = "The data do not tell it apart from {other}, which is not told."
MISFITTED = "The model does not fit the data: χ² is {excess:.0%} above what noise explains."


@dataclass(frozen=True)
class Told:
    """What one scene tells at a mismatch.

    ``score`` is Dᵀ W Π (y − H x̂), ``energy`` Dᵀ W D, ``chi2`` the misfit per datum after a
    projection.
    """

    score: Array
    energy: Array
    chi2: float


@dataclass(frozen=True)
class Equations(Told):
    """One scene, linearised at a mismatch: what one step needs.

    ``derivatives`` are D, ``weights`` W, ``fit`` x̂, ``filter`` the preconditioner of projections.
    In a tilt series they take 20 MB.
    """

    A: Operator
    fit: Array
    filter: Array
    derivatives: list[Array]
    weights: Array


def calibrate(
    spec: Spec,
    ys: Sequence[Array],
    ranges: Mapping[str, tuple[float, float]],
    seed: int,
    report: Report,
) -> Calibrated:
    """Estimate the mismatch that the scenes ``ys`` share, whichever comes first.

    ``seed`` draws the simulated noise.
    """
    scenes = Scenes(spec, ordered(ys), ranges, seed, report)
    few = spread(FEW, len(ys))
    t = np.full(len(scenes.names), START)
    equations = scenes.measured(t, few)
    kept, told, _ = scenes.kept(few)
    enough = spread(needed(kept, equations, told), len(ys))
    scenes.jobs -= (LAST + 2) * (len(ys) - len(enough))
    slope, score = informed(kept, equations), total(equations)
    for _ in range(APPROACHES):
        before, score_before = t, score
        t = scenes.moved(t, np.linalg.solve(slope, score), told)
        if np.all(np.abs(t - before) < CLOSE):
            t = before  # where the few scenes are fitted already
            break
        score = total(scenes.measured(t, few))
        slope = secant(slope, t - before, score_before - score)
    return conclusion(scenes, enough, t)


def ordered(ys: Sequence[Array]) -> list[Array]:
    """Sort data from the dimmest to the brightest, so that their order changes nothing."""

    def key(y: Array) -> tuple[float, bytes]:
        return float(np.abs(y).sum(dtype=float)), hashlib.sha256(y.tobytes()).digest()

    return sorted(ys, key=key)


def spread(count: int, scenes: int) -> list[int]:
    """Choose ``count`` of the scenes, or all if there are fewer, from the first to the last."""
    return sorted({round(i) for i in np.linspace(0, scenes - 1, min(count, scenes))})


def needed(kept: Array, equations: Sequence[Equations], told: Array) -> int:
    """Count the scenes that tell what can be told to PRECISE, if all are like ``equations``."""
    one = informed(kept, equations) / len(equations)
    variance = (2 * np.linalg.inv(one)).diagonal()[told].max(initial=0.0)
    return max(ENOUGH, int(np.ceil(variance / PRECISE**2)))


def conclusion(scenes: Scenes, which: Sequence[int], t: Array) -> Calibrated:
    """Take the last steps on ``which`` scenes, correct them by simulated data, and judge.

    A fit is smoother than its object, so the scores of measured data fall faster than Σ F, almost
    twice as fast in STEM: their slope is learnt from the steps. Data simulated from the fit have
    the slope Σ F. Where scores fall more slowly than that, they tell of bias, and the step is
    taken back.
    """
    scenes.measured(t, which)
    kept, told, reasons = scenes.kept(which)
    t = scenes.moved(t, np.zeros_like(t), told)
    equations = scenes.measured(t, which)
    information = slope = informed(kept, equations)
    for _ in range(LAST):
        step = np.linalg.solve(slope, total(equations))
        before, score_before = t, total(equations)
        t = scenes.moved(t, step, told)
        way = t - before
        if np.all(np.abs(way[told]) < NEAR):  # or at the ends of the ranges
            break
        change = score_before - total(scenes.measured(t, which))
        if way @ change < way @ information @ way:
            break
        equations = scenes.measured(t, which)
        information = informed(kept, equations)
        slope, before = secant(slope, way, change), t
    t, equations = before, scenes.measured(before, which)
    step = np.linalg.solve(slope, total(equations))
    simulated = scenes.simulated(equations)
    bias = np.linalg.solve(information, total(simulated))
    delta = step - bias
    chi2 = compared([e.chi2 for e in equations], [s.chi2 for s in simulated], scenes.ys[0].size)
    gain = information @ np.linalg.inv(slope)
    covariance, degrees = scatter(kept, equations, simulated, gain, delta)
    covariance = covariance * max(chi2[0] / chi2[1], 1.0)
    for j, name in enumerate(scenes.names):
        if reason := doubt(t[j] + delta[j], float(covariance[j, j] ** 0.5), bias[j], chi2):
            reasons.setdefault(name, reason)
    reasons |= entangled(scenes.names, covariance, reasons)
    told = np.array([name not in reasons for name in scenes.names])
    covariance = np.where(np.outer(told, told), covariance, UNIFORM * np.eye(len(told)))
    scenes.report("Calibrated", 1.0)
    return concluded(
        scenes.names,
        scenes.ranges,
        scenes.spec.nominal,
        scenes.low + scenes.width * (t + delta),
        covariance * np.outer(scenes.width, scenes.width),
        reasons,
        degrees,
        chi2,
    )


def doubt(t: float, std: float, bias: float, chi2: tuple[float, float, float]) -> str:
    """Say why an estimate is none; empty if it is one."""
    found, expected, _ = chi2
    if expected < LEFT:
        return EXPLAINED
    if found > (1 + MISFIT) * expected:
        return MISFITTED.format(excess=found / expected - 1)
    if abs(bias) > LARGEST_BIAS:
        return BIASED
    if std > LARGEST_ERROR:
        return UNCERTAIN
    return BEYOND if max(-t, t - 1) > OUTSIDE * std else ""


def entangled(
    names: Sequence[str], covariance: Array, reasons: Mapping[str, str]
) -> dict[str, str]:
    """Name what was estimated together with a parameter that turned out to be none."""
    std = np.sqrt(covariance.diagonal())
    alike = np.abs(covariance) / np.outer(std, std) > CORRELATED
    return {
        name: ENTANGLED.format(other=other)
        for j, other in enumerate(names)
        for i, name in enumerate(names)
        if other in reasons and name not in reasons and alike[i, j]
    }


def total(equations: Iterable[Told]) -> Array:
    """Add up the scores of the scenes."""
    return np.asarray(np.sum([e.score for e in equations], axis=0))


def secant(matrix: Array, step: Array, change: Array) -> Array:
    """Return the matrix nearest to ``matrix`` that maps ``step`` to ``change`` (Broyden 1965)."""
    size = float(step @ step)
    return matrix + np.outer(change - matrix @ step, step) / size if size else matrix


def decoupled(kept: Array, told: Array) -> Array:
    """Leave out of steps what the data do not tell; it stays where it is put."""
    return np.where(np.outer(told, told), kept, np.eye(len(told)))


def informed(kept: Array, equations: Iterable[Told]) -> Array:
    """Return Σ F from the energies of the scenes and the part of each energy that is ``kept``."""
    sizes = np.array([np.sqrt(e.energy.diagonal()) for e in equations])
    return np.asarray(np.einsum("ijk,ij,ik->jk", kept, sizes, sizes))


def scatter(
    kept: Array,
    equations: Sequence[Told],
    simulated: Sequence[Told],
    gain: Array,
    delta: Array,
) -> tuple[Array, Array]:
    """Return the covariance of δ = (Σ F)⁻¹ Σ (G score − simulated score), and degrees of freedom.

    The gain G is Σ F over the slope of the measured score.
    It is 2 F⁻¹, because simulated data are as noisy as measured ones; raised, parameter by
    parameter, to what the disagreement of the scenes says, where that is more (the sandwich
    estimate; White 1982, Econometrica 50, 1). What it is raised by comes from few scenes, the rest
    is known (Satterthwaite 1946, Biometrics Bulletin 2, 110).
    """
    inverse = np.linalg.inv(informed(kept, equations))
    model, n = 2 * inverse, len(equations)
    if n < 2:  # one scene does not disagree
        return np.asarray(model), np.full(len(delta), np.inf)
    parts = zip(kept, equations, simulated, strict=True)
    rest = np.array(
        [gain @ e.score - s.score - informed(k[None], [e]) @ delta for k, e, s in parts]
    )
    seen = inverse @ (rest.T @ rest) @ inverse * n / (n - 1)
    raised = np.maximum(seen.diagonal() / model.diagonal(), 1.0)
    degrees = (n - 1) / np.maximum(1 - 1 / raised, 1e-6) ** 2
    return np.asarray(model * np.sqrt(np.outer(raised, raised))), degrees


def compared(
    found: Sequence[float], simulated: Sequence[float], size: int
) -> tuple[float, float, float]:
    """Return mean χ² per datum, that of simulated data, and the standard error of the first."""
    n = len(found)
    excess = np.subtract(found, simulated)
    seen = float(np.std(excess, ddof=1)) / n**0.5 if n > 1 else 0.0
    return float(np.mean(found)), float(np.mean(simulated)), max(seen, (4 / (n * size)) ** 0.5)


class Scenes:
    """The scenes and their fits at one mismatch or another."""

    def __init__(
        self,
        spec: Spec,
        ys: Sequence[Array],
        ranges: Mapping[str, tuple[float, float]],
        seed: int,
        report: Report,
    ) -> None:
        self.spec, self.ranges, self.seed, self.report = spec, ranges, seed, report
        self.ys = [single(y) for y in ys]
        self.names = [m.name for m in spec.mismatches]
        self.low = np.array([ranges[n][0] for n in self.names])
        self.width = np.array([ranges[n][1] for n in self.names]) - self.low
        self.nominal = (np.array([m.nominal for m in spec.mismatches]) - self.low) / self.width
        self.jobs, self.done = (APPROACHES + 1) * min(FEW, len(ys)) + (LAST + 2) * len(ys), 0
        self.instrument = Instrument(self, self.nominal)
        self.known: dict[int, Equations] = {}
        self.told = np.ones(len(self.names), bool)
        self.completed: dict[int, tuple[Array, Array, Array]] = {}
        self.is_filtered: bool | None = None
        H = self.instrument.H
        self.is_plain = H.is_linear and complex not in (H.in_dtype, H.out_dtype)
        if self.is_plain:
            self.bound = largest_eigenvalue(H)
            self.column = column_norm(H)

    def moved(self, t: Array, step: Array, told: Array) -> Array:
        """Step inside the ranges; what the data do not tell goes to its nominal value."""
        step = np.clip(step, -LARGEST_STEP, LARGEST_STEP)
        return np.clip(np.where(told, t + step, self.nominal), 0.0, 1.0)

    def measured(self, t: Array, which: Sequence[int]) -> list[Equations]:
        """Fit the scenes ``which`` at ``t`` and linearise them there; once at the same ``t``."""
        if not np.array_equal(t, self.instrument.t):
            del self.instrument, self.known  # a tilt series' operators take a quarter gigabyte
            self.instrument, self.known = Instrument(self, t), {}
        for i in which:
            if i not in self.known:
                self.known[i] = self._equations(self.ys[i])
        return [self.known[i] for i in which]

    def simulated(self, equations: Sequence[Equations]) -> list[Told]:
        """Do the same, where the scenes were measured last, with data simulated from the fits."""
        H = self.instrument.H
        noise, truth = noise_of(H), H.truth()
        found = []
        for i, e in enumerate(equations):
            self._alive()
            draw = noise.sample(truth(e.fit), np.random.default_rng([self.seed, i]))
            made = self._equations(single(draw))
            found.append(Told(made.score, made.energy, made.chi2))
        return found

    def kept(self, which: Sequence[int]) -> tuple[Array, Array, dict[str, str]]:
        """Return the part of each scene's energy that is information, and what they tell.

        Element ijk is F_jk over the root of energy_jj · energy_kk in scene i. It hardly changes
        with the mismatch, so it is found once, but differs several times between scenes. An object
        imitates what has no information left when the projection is complete; what it imitates in
        the scenes that lead, or in all that take part, is not told.
        """
        for i in which:
            if i not in self.completed:
                self.completed[i] = self._kept(self.known[i])
        kept, settled, prior = (np.array([self.completed[i][k] for i in which]) for k in range(3))
        self.told &= (settled.sum(axis=0) >= 0) & (prior.sum(axis=0) <= 0)
        reasons = {name: IMITATED for name, t in zip(self.names, self.told, strict=True) if not t}
        return decoupled(kept, self.told), self.told.copy(), reasons

    def _kept(self, e: Equations) -> tuple[Array, Array, Array]:
        F = np.zeros((len(self.names), len(self.names)))
        settled, prior = np.zeros((2, len(self.names)))
        for j, d in enumerate(e.derivatives):
            steps = list(self._completed(e, d))
            left, v = [step.left for step in steps], steps[-1].v
            settled[j] = left[-1] - SETTLED * left[len(left) // 2]
            prior[j] = ridge(e.fit) * inner(v, v) - PRIOR * left[-1]
            rest = e.weights * (d - e.A(v))
            F[j] = [inner(rest, b) for b in e.derivatives]
        size = np.sqrt(e.energy.diagonal())
        kept = (F + F.T) / (2 * np.outer(size, size)) + SMALLEST * np.eye(len(F))
        return kept, settled, prior

    def _completed(self, e: Equations, derivative: Array) -> Iterator[Projection]:
        before = np.inf
        for i, step in enumerate(
            projections(e.A, e.weights, ridge(e.fit), e.filter, derivative, COMPLETE)
        ):
            self._alive()
            yield step
            if i > 2 and step.left > FLAT * before:
                return
            before = step.left

    def _equations(self, y: Array) -> Equations:
        part = Part(self.report, self.done / self.jobs, (self.done + 1) / self.jobs)
        H = self.instrument.H
        x = self._fit(H, y, Part(lambda _, fraction: part("Calibrate", fraction), 0.0, 0.6))
        A, signal = H.derivative(x), H(x)
        W = single(whitening(H, signal) ** 2)
        D = self.instrument.derivatives(x)
        part("Calibrate", 0.8)
        rest = y - signal
        F = self._filter(A, W, x, rest)
        rest = rest - A(projected(A, W, ridge(x), F, rest, PROJECT).v)
        self.done = min(self.done + 1, self.jobs - 1)
        return Equations(
            A=A,
            fit=x,
            filter=F,
            derivatives=D,
            weights=W,
            score=np.array([inner(W * rest, d) for d in D]),
            energy=np.array([[inner(W * a, b) for b in D] for a in D]),
            chi2=inner(W * rest, rest) / (rest.size * (2 if np.iscomplexobj(rest) else 1)),
        )

    def _filter(self, A: Operator, W: Array, x: Array, rest: Array) -> Array:
        """Return the preconditioner of projections, or none where it does not help.

        Whether it helps is a property of the chain: it is tried on the first residual.
        """
        if self.is_filtered is False:
            return NO_FILTER
        made = preconditioner(A, W, ridge(x))
        if self.is_filtered is None:
            self.is_filtered = helps(made, A, W, ridge(x), rest, PROJECT)
        return made if self.is_filtered else NO_FILTER

    def _fit(self, H: Forward, y: Array, report: Report) -> Array:
        """Fit an object, always alike: real ones positive and of little total variation."""
        if not self.is_plain:
            return relinearised(H, y, report)
        deviation = float(noise_of(H).variance(np.maximum(y, 0)).mean()) ** 0.5
        start = np.zeros(H.in_shape, np.float32)
        weight = STRENGTH * deviation * self.column
        return least_squares(H, y, weight, start, FIT, self.bound, PROX, report)

    def _alive(self) -> None:
        """Report where the work is, so that it can be cancelled here."""
        self.report("Calibrate", self.done / self.jobs)


class Instrument:
    """The operator at ``t``, and those beside it."""

    def __init__(self, scenes: Scenes, t: Array) -> None:
        def at(t: Array) -> Forward:
            values = (scenes.low + t * scenes.width).tolist()
            return forward(scenes.spec, **dict(zip(scenes.names, values, strict=True)))

        self.t, self.H = t, at(t)
        self._beside = [(at(t + d), at(t - d)) for d in DIFFERENCE * np.eye(len(t))]

    def derivatives(self, x: Array) -> list[Array]:
        """Return ∂(H x)/∂t for each mismatch."""
        return [(up(x) - down(x)) / (2 * DIFFERENCE) for up, down in self._beside]


def relinearised(H: Forward, y: Array, report: Report) -> Array:
    """Fit an object of any kind by least squares, linearised again and again where H is not linear.

    From a flat object, because an intensity has no derivative at zero.
    """
    x = np.full(H.in_shape, 0.0 if H.is_linear else 0.5, single(np.zeros(1, H.in_dtype)).dtype)
    for i in range(1 if H.is_linear else RELINEARISED):
        report("Fit", i / RELINEARISED)
        A, signal = H.derivative(x), H(x)
        W = single(whitening(H, signal) ** 2)
        x = x + projected(A, W, ridge(np.ones(1)), NO_FILTER, y - signal, PROJECT).v
    return x


def ridge(x: Array) -> float:
    """Return 1/τ² for an object fitted by ``x``."""
    return 1.0 / max(OBJECT_STD**2 * inner(x, x) / x.size, 1e-12)


def column_norm(H: Operator) -> float:
    """Estimate the root mean square norm of H's columns, by one draw of signs (Hutchinson 1990)."""
    signs = np.random.default_rng(0).choice([-1.0, 1.0], H.in_shape).astype(np.float32)
    return float(np.linalg.norm(H(signs)) / np.linalg.norm(signs))
