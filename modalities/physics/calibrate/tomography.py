"""Blind calibration of a tilt series: indirect inference on the score of a regularised fit.

For data y and a mismatch θ = (Δθ, φ, g) let x̂ minimise over x ≥ 0

    J(x, θ) = ½‖Rᵀ(φ) y − B(g) P(Δθ) x‖² + λ·TV(x)

with the strip projection P, the depth-of-field blur B, and the image rotation R, which turns the
data back instead of turning each projection: nearly the same, at half the cost. By the envelope
theorem min_x J has the gradient ∂J/∂θ at x̂, its *score*, which needs no second fit.

Where the score is zero is no good estimate: total variation smooths x̂, so that a fit prefers
less blurred views, and few iterations and the short cut above add their own bias. But
all of that happens in the same way to data simulated from x̂ with the full H(θ). The estimate is
therefore where measured data and data simulated there score alike (indirect inference: Gouriéroux,
Monfort & Renault 1993, Journal of Applied Econometrics 8, S85), summed over the scenes, which
share the mismatch. Both are fitted alike, from nothing, in as many iterations.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from ..build import Forward, forward
from ..methods.cs import STRENGTH, noise_level
from ..methods.sirt import sirt
from ..methods.tv import largest_eigenvalue, least_squares
from ..methods.wbp import tilt_series
from ..noise import noise_of
from ..operator import Array, Chain, Operator
from ..progress import Part, Report
from ..spec import Spec
from ..tables import CatalogueError
from .result import Calibrated, concluded

Ranges = Mapping[str, tuple[float, float]]

# Iterations of one fit: SIRT from nothing, then FISTA; from a neighbour's result fewer will do.
SIRT_STEPS = 8
COLD_STEPS = 25
WARM_STEPS = 10
# What data are simulated from is fitted this much further: it must be as sharp as the specimen.
POLISH_STEPS = 20
PROX_STEPS = 3
# How often the score is taken: to come near by the measured data alone, then to match. Scores
# differ less steeply than the measured score rises, by about this factor.
APPROACHES = 3
MATCHES = 3
SOFTER = 0.5
# A move, as a share of the range, from which a secant can be taken.
SMALLEST_MOVE = 0.02
# The first step, and the half width of the differences for ∂J/∂θ, as shares of the range.
FIRST_STEP = 0.15
DIFFERENCE = 0.01


def calibrate(
    spec: Spec, ys: Sequence[Array], ranges: Ranges, seed: int, report: Report
) -> Calibrated:
    """Estimate the mismatch from the tilt series ``ys`` of several specimens on one microscope."""
    search = Search(spec, ranges, report, jobs=len(ys) * (APPROACHES + 3 * MATCHES))
    measured = [np.asarray(y, np.float32) for y in ys]
    theta, curvature = approach(search, measured)
    theta = match(search, measured, theta, curvature, seed)
    report("Calibrated", 1.0)
    return concluded(search.names, ranges, spec.nominal, theta, np.diag(search.width**2 / 12))


def approach(search: Search, ys: Sequence[Array]) -> tuple[Array, Array]:
    """Come near the zero of the score by secant steps; return the place and the slope there.

    Each mismatch steps by itself: between them the curvature is a few per cent of their own.
    """
    here = search.inside(np.zeros(len(search.names)))
    score, fits = search.score(here, ys)
    there = search.inside(here - np.sign(score) * FIRST_STEP * search.width)
    curvature = np.ones(len(here))
    for i in range(1, APPROACHES):
        before, score_before = here, score
        here = there
        score, fits = search.score(here, ys, fits)
        if i == 1:
            curvature = np.abs((score - score_before) / ((here - before) / search.width))
        there = search.inside(here - score / curvature * search.width)
    return there, curvature


def match(search: Search, ys: Sequence[Array], theta: Array, curvature: Array, seed: int) -> Array:
    """Find where measured and simulated data score alike, by secants.

    The same noise is drawn each time, so that the difference of the scores is smooth. It is drawn
    around H itself: what H lacks of the finer truth is far below the noise. Where a mismatch hardly
    moved a secant would be noise; there the slope stays as it was.
    """
    slope = supposed = SOFTER * curvature
    excess = _excess(search, ys, theta, seed)
    for _ in range(1, MATCHES):
        before, excess_before = theta, excess
        theta = search.inside(theta - excess / slope * search.width)
        excess = _excess(search, ys, theta, seed)
        moved = (theta - before) / search.width
        far = np.abs(moved) > SMALLEST_MOVE
        secant = (excess - excess_before) / np.where(far, moved, 1.0)
        slope = np.where(far, np.clip(secant, supposed / 4, supposed * 4), slope)
    return search.inside(theta - excess / slope * search.width)


def _excess(search: Search, ys: Sequence[Array], theta: Array, seed: int) -> Array:
    """Return the score of the measured data less that of data simulated at ``theta``."""
    measured, fits = search.score(theta, ys)
    fits = search.polished(theta, ys, fits)
    H = forward(search.spec, **search.named(theta))
    noise = noise_of(H)
    simulated = []
    for j, x in enumerate(fits):
        search.alive()
        draw = noise.sample(H(x), np.random.default_rng([seed, j]))
        simulated.append(draw.astype(np.float32))
    return measured - search.score(theta, simulated)[0]


class Search:
    """Fits of the scenes at one mismatch after another, counted as parts of the whole."""

    def __init__(self, spec: Spec, ranges: Ranges, report: Report, jobs: int) -> None:
        self.spec, self.report, self.jobs, self.done = spec, report, jobs, 0
        self.names = [m.name for m in spec.mismatches]
        self.low, self.high = np.array([ranges[n] for n in self.names]).T
        self.width = self.high - self.low
        self.bound = largest_eigenvalue(forward(spec))

    def named(self, theta: Array) -> dict[str, float]:
        """Return the names of the mismatches to their values."""
        return dict(zip(self.names, theta.tolist(), strict=True))

    def inside(self, theta: Array) -> Array:
        """Keep ``theta`` within the ranges."""
        return np.clip(theta, self.low, self.high)

    def score(
        self, theta: Array, ys: Sequence[Array], starts: Sequence[Array] | None = None
    ) -> tuple[Array, list[Array]]:
        """Fit every scene at ``theta``; return the score per range, summed, and the fits.

        Without ``starts`` the fits begin from nothing.
        """
        here = Model(self.spec, self.named(theta))
        beside = [
            [Model(self.spec, self.named(theta + sign * step)) for sign in (1, -1)]
            for step in np.diag(DIFFERENCE * self.width)
        ]
        total, fits = np.zeros(len(theta)), []
        for i, y in enumerate(ys):
            start = None if starts is None else starts[i]
            x = self._fit(here, y, start, COLD_STEPS if start is None else WARM_STEPS)
            misfit = here.residual(x, y) / noise_level(here.H, y)
            for j, (up, down) in enumerate(beside):
                self.alive()
                change = here.changed(self.spec.mismatches[j].acts_on, up, x, y)
                change = change - here.changed(self.spec.mismatches[j].acts_on, down, x, y)
                total[j] += float(np.vdot(misfit, change)) / (2 * DIFFERENCE)
            fits.append(x)
        return total, fits

    def polished(self, theta: Array, ys: Sequence[Array], fits: Sequence[Array]) -> list[Array]:
        """Carry the fits at ``theta`` further."""
        model = Model(self.spec, self.named(theta))
        return [self._fit(model, y, x, POLISH_STEPS) for y, x in zip(ys, fits, strict=True)]

    def _fit(self, model: Model, y: Array, start: Array | None, steps: int) -> Array:
        part = Part(self._progress, self.done / self.jobs, (self.done + 1) / self.jobs)
        back = model.series.rotation.H(y)
        if start is None:
            start = sirt(model.fit, back, SIRT_STEPS, report=Part(part, 0.0, 0.25))
        weight = STRENGTH * noise_level(model.H, y)
        x = least_squares(
            model.fit, back, weight, start, steps, self.bound, PROX_STEPS, Part(part, 0.25, 1.0)
        )
        self.done += 1
        return x

    def alive(self) -> None:
        """Report where the work is, so that it can be cancelled here."""
        self._progress("", self.done / self.jobs)

    def _progress(self, _: str, fraction: float) -> None:
        self.report("Calibrate", fraction)


class Model:
    """What a fit believes at one mismatch: data turned back, and B·P for the rest."""

    def __init__(self, spec: Spec, mismatch: Mapping[str, float]) -> None:
        self.H: Forward = forward(spec, **mismatch)
        self.series = tilt_series(self.H)
        self.detector = self.H.steps[1:]
        self.fit = self._chain(self.series.projection, self.series.blur)

    def residual(self, x: Array, y: Array) -> Array:
        """Return B·P·x − Rᵀy."""
        return np.asarray(self.fit(x) - self.series.rotation.H(y))

    def changed(self, acts_on: str, other: Model, x: Array, y: Array) -> Array:
        """Return the part of the residual that ``acts_on`` touches, with that of ``other``."""
        if acts_on == "rotate.axis":
            return -other.series.rotation.H(y)
        if acts_on == "rotate.backlash":
            return self._chain(other.series.projection, self.series.blur)(x)
        if acts_on == "propagate.defocus_gradient":
            return self._chain(self.series.projection, other.series.blur)(x)
        raise CatalogueError(f"{self.H.spec.key}: no calibration is known for {acts_on}.")

    def _chain(self, *steps: Operator) -> Chain:
        return Chain([*steps, *self.detector])
