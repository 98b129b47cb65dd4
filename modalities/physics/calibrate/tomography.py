"""Blind calibration of a tilt series: indirect inference on the score of a regularised fit.

For data y and mismatch θ let x̂(θ) minimise φ(x, θ) = ½‖y − H(θ)x‖² + λ·TV(x) over x ≥ 0. By the
envelope theorem the profile min_x φ has the gradient ⟨H(θ)x̂ − y, ∂H/∂θ x̂⟩, its *score*, which
needs no second fit. The score alone misleads: total variation smooths x̂, so a fit likes the views
less blurred than they are, and a finite number of iterations adds its own bias. But both happen
in the same way to data simulated from x̂(θ) with H(θ). The estimate is therefore where

    score of the measured data at θ = score of data simulated at θ

(Gouriéroux, Monfort & Renault 1993, Journal of Applied Econometrics 8, S85), summed over the
scenes, which share the mismatch. Both sides are fitted alike, from nothing, in as many steps.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from ..build import Forward, forward
from ..methods.cs import STRENGTH, noise_level
from ..methods.sirt import sirt
from ..methods.tv import largest_eigenvalue, least_squares
from ..noise import noise_of
from ..operator import Array, Operator
from ..progress import Part, Report
from ..spec import Spec

Ranges = dict[str, tuple[float, float]]

# Iterations of one fit: SIRT from nothing, then FISTA; a fit from a neighbour's result needs fewer.
SIRT_STEPS = 10
COLD_STEPS = 40
WARM_STEPS = 15
# How often the score is evaluated: to come near by the measured data alone, then to match scores.
APPROACHES = 3
MATCHES = 3
# The first step, and the half width of the differences for ∂H/∂θ, as shares of the range.
FIRST_STEP = 0.15
DIFFERENCE = 0.01


def calibrate(
    spec: Spec, ys: Sequence[Array], ranges: Ranges, seed: int, report: Report
) -> dict[str, float]:
    """Estimate the mismatch from the tilt series ``ys`` of several specimens on one microscope."""
    fit = Fit(spec, ranges, report, jobs=len(ys) * (APPROACHES + 2 * MATCHES))
    measured = [np.asarray(y, np.float32) for y in ys]
    theta, curvature = approach(fit, measured)
    theta = match(fit, measured, theta, curvature, seed)
    report("Calibrated", 1.0)
    return dict(zip(fit.names, theta.tolist(), strict=True))


@dataclass
class Fit:
    """Fits of the scenes at a given mismatch, counted as jobs of the whole calibration."""

    spec: Spec
    ranges: Ranges
    report: Report
    jobs: int
    done: int = 0
    names: list[str] = field(init=False)
    low: Array = field(init=False)
    high: Array = field(init=False)

    def __post_init__(self) -> None:
        self.names = [m.name for m in self.spec.mismatches]
        self.low, self.high = np.array([self.ranges[n] for n in self.names]).T
        self.bound = largest_eigenvalue(self.forward(np.clip(0.0, self.low, self.high)))

    @property
    def width(self) -> Array:
        return self.high - self.low

    def inside(self, theta: Array) -> Array:
        """Keep ``theta`` within the ranges."""
        return np.clip(theta, self.low, self.high)

    def forward(self, theta: Array) -> Forward:
        """Build the operator at ``theta``, the mismatches in the order of the spec."""
        return forward(self.spec, **dict(zip(self.names, theta.tolist(), strict=True)))

    def score(
        self, theta: Array, ys: Sequence[Array], starts: Sequence[Array] | None = None
    ) -> tuple[Array, list[Array]]:
        """Fit every scene at ``theta``; give the summed score per range, and the fits.

        Without ``starts`` the fits begin from nothing.
        """
        H = self.forward(theta)
        slopes = [self._slope(theta, j) for j in range(len(theta))]
        total, fits = np.zeros(len(theta)), []
        for i, y in enumerate(ys):
            start = None if starts is None else starts[i]
            x = self._fit(H, y, start)
            residual = (H(x) - y) / noise_level(H, y)
            total += [float(np.vdot(residual, plus(x) - minus(x))) for plus, minus in slopes]
            fits.append(x)
        return total / (2 * DIFFERENCE), fits

    def _slope(self, theta: Array, j: int) -> tuple[Operator, Operator]:
        step = np.zeros(len(theta))
        step[j] = DIFFERENCE * self.width[j]
        return self.forward(theta + step), self.forward(theta - step)

    def _fit(self, H: Forward, y: Array, start: Array | None) -> Array:
        part = Part(self.report, self.done / self.jobs, (self.done + 1) / self.jobs)
        steps = WARM_STEPS
        if start is None:
            steps = COLD_STEPS
            start = sirt(H, y, SIRT_STEPS, report=Part(_named(part), 0.0, 0.2))
        x = least_squares(
            H,
            y,
            STRENGTH * noise_level(H, y),
            start,
            steps,
            self.bound,
            Part(_named(part), 0.2, 1.0),
        )
        self.done += 1
        return x


def approach(fit: Fit, ys: Sequence[Array]) -> tuple[Array, Array]:
    """Come near the minimum of the profile by secant steps; give the place and the curvature.

    Each mismatch steps by itself: between them the curvature is a few per cent of their own.
    """
    here = np.clip(np.zeros(len(fit.names)), fit.low, fit.high)
    score, fits = fit.score(here, ys)
    there = fit.inside(here - np.sign(score) * FIRST_STEP * fit.width)
    curvature = np.full(len(here), np.inf)
    for i in range(1, APPROACHES):
        before, score_before = here, score
        here = there
        score, fits = fit.score(here, ys, fits)
        slope = (score - score_before) / ((here - before) / fit.width)
        curvature = slope if i == 1 else np.clip(slope, curvature / 3, curvature * 3)
        there = fit.inside(here - score / curvature * fit.width)
    return there, curvature


def match(fit: Fit, ys: Sequence[Array], theta: Array, curvature: Array, seed: int) -> Array:
    """Find where measured and simulated data score alike, by secant steps.

    The same noise is drawn each time, so that the difference of the scores is smooth.
    """
    slope, before, excess_before = curvature, theta, np.zeros(len(theta))
    for i in range(MATCHES):
        excess, fits = fit.score(theta, ys)
        H = fit.forward(theta)
        simulated = [_simulate(H, x, np.random.default_rng([seed, j])) for j, x in enumerate(fits)]
        excess -= fit.score(theta, simulated)[0]
        if i:
            moved = np.where(theta == before, np.inf, (theta - before) / fit.width)
            slope = np.clip((excess - excess_before) / moved, curvature / 4, curvature * 2)
        before, excess_before = theta, excess
        theta = fit.inside(theta - excess / slope * fit.width)
    return theta


def _simulate(H: Forward, x: Array, rng: np.random.Generator) -> Array:
    """Draw data of ``x`` from ``H`` itself; what it lacks of the finer truth is below the noise."""
    return noise_of(H).sample(H(x), rng).astype(np.float32)


def _named(report: Report) -> Report:
    """Report every phase as calibration."""
    return lambda _, fraction: report("Calibrate", fraction)
