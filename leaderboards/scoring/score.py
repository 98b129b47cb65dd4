"""Score a reconstruction against the truth of a tier. Runs where the truth is, nowhere else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np

from leaderboards.uncertainty import by_group, interval, weights_of
from modalities import datasets, physics
from modalities.physics import AWAY, HOME, Array, Spec

Intervals = Mapping[str, tuple[float, float] | None]


@dataclass(frozen=True)
class SceneScore:
    """One scene: its metrics, its score, and the consistency that the truth itself would reach.

    spec_error: |Δθ̂ − Δθ| of each unknown, as a part of its range. group: home or away.
    """

    psnr: float
    ssim: float
    consistency: float
    ceiling: float
    score: float
    spec_error: dict[str, float]
    group: str = HOME


@dataclass(frozen=True)
class TierResult:
    """A tier: the means over its scenes, the interval of the score, and the scenes.

    score_home, score_away: the score over the scenes of one group; None where there are none.
    calibration: what the truth says of the intervals of the spec, see ``coverage``; empty where
    none were given.
    """

    score: float
    score_home: float | None
    score_away: float | None
    score_low: float | None
    score_high: float | None
    psnr: float
    ssim: float
    consistency: float
    ceiling: float
    spec_error: dict[str, float]
    scenes: tuple[SceneScore, ...]
    metrics_version: str
    calibration: dict[str, dict[str, float | None]] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """Give all of it as JSON data."""
        return asdict(self)


def score_tier(
    spec: Spec,
    tier: str,
    x_hats: Sequence[Array],
    specs: Sequence[Mapping[str, float]],
    intervals: Sequence[Intervals | None] = (),
    report: physics.Report = physics.silent,
) -> TierResult:
    """Score one reconstruction, one corrected spec and its intervals per scene of ``tier``.

    The consistency's operator is built here from the submitted spec, clipped to the tier's range.
    Raise FileNotFoundError where the tier's truth is not on this machine.
    """
    truth = datasets.load_truth(spec, tier)
    ys = datasets.load_measurements(spec, tier)
    true_H = physics.forward(spec, **truth.mismatch)
    samples, scenes = spec.samples(tier), []
    for i, (x_hat, corrected) in enumerate(zip(x_hats, specs, strict=True)):
        report(f"scoring scene {i + 1} of {len(ys)}", i / len(ys))
        x = physics.double(truth.x[i])
        ceiling = physics.consistency(ys[i], true_H, x)
        scored = score_scene(spec, tier, x, ys[i], physics.double(x_hat), corrected, truth, ceiling)
        scenes.append(replace(scored, group=samples[i].group))
    found = summary(scenes)
    if not any(intervals):
        return found
    return replace(found, calibration=coverage(intervals, truth.mismatch))


def score_scene(
    spec: Spec,
    tier: str,
    x: Array,
    y: Array,
    x_hat: Array,
    corrected: Mapping[str, float],
    truth: datasets.Truth,
    ceiling: float,
) -> SceneScore:
    """Score one scene of a tier."""
    ends = datasets.ranges(spec, tier)
    used = {name: float(np.clip(corrected[name], *ends[name])) for name in ends}
    psnr, ssim = physics.psnr(x, x_hat), physics.ssim(x, x_hat, spec.channels)
    consistency = physics.consistency(y, physics.forward(spec, **used), x_hat)
    return SceneScore(
        psnr=psnr,
        ssim=ssim,
        consistency=consistency,
        ceiling=ceiling,
        score=physics.tier_score(psnr, ssim, consistency),
        spec_error=datasets.spec_errors(spec, tier, used, truth.mismatch),
    )


def summary(scenes: Sequence[SceneScore]) -> TierResult:
    """Take the means over the scenes; the tier's score is the mean of the scenes' scores."""

    def mean(part: str) -> float:
        return float(np.mean([getattr(scene, part) for scene in scenes]))

    def mean_of(group: str) -> float | None:
        scores = [scene.score for scene in scenes if scene.group == group]
        return float(np.mean(scores)) if scores else None

    strata = by_group([scene.score for scene in scenes], [scene.group for scene in scenes])
    found = interval(strata, weights_of([strata]))
    sure = len(scenes) > 1
    return TierResult(
        score=found.mean,
        score_home=mean_of(HOME),
        score_away=mean_of(AWAY),
        score_low=found.low if sure else None,
        score_high=found.high if sure else None,
        psnr=mean("psnr"),
        ssim=mean("ssim"),
        consistency=mean("consistency"),
        ceiling=mean("ceiling"),
        spec_error={
            name: float(np.mean([scene.spec_error[name] for scene in scenes]))
            for name in scenes[0].spec_error
        },
        scenes=tuple(scenes),
        metrics_version=physics.METRICS_VERSION,
    )


def coverage(
    intervals: Sequence[Intervals | None], truth: Mapping[str, float]
) -> dict[str, dict[str, float | None]]:
    """Hold the intervals of each sample against the truth, parameter by parameter.

    covered: the share of the intervals that hold the truth, None where there is none.
    abstained: the share of the samples without an interval for the parameter.
    """
    given = [i for i in intervals if i is not None]
    covered: dict[str, float | None] = {}
    abstained: dict[str, float | None] = {}
    for name, true in truth.items():
        ends = [e for e in (i[name] for i in given) if e is not None]
        held = [low <= true <= high for low, high in ends]
        covered[name] = float(np.mean(held)) if held else None
        abstained[name] = 1 - len(ends) / len(intervals)
    return {"covered": covered, "abstained": abstained}
