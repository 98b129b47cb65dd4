"""The spec that a baseline believes; the blind calibration of a tier is computed once and kept."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass

from leaderboards.models import Attempt, Calibration, Variant
from modalities import datasets, physics
from modalities.physics import Array, Calibrated, Report, Spec

from .score import Intervals


@dataclass(frozen=True)
class Belief:
    """The mismatch that an operator is built with, and the 95 % intervals of a calibration.

    seconds: CPU time that another attempt spent on it.
    """

    values: dict[str, float]
    intervals: Intervals | None = None
    seconds: float = 0.0


def belief(
    spec: Spec, attempt: Attempt, ys: list[Array], report: Report, from_nothing: bool
) -> Belief:
    """Give what the variant of ``attempt`` believes; ``from_nothing``: calibrate even if stored."""
    ranges = datasets.ranges(spec, attempt.tier)
    if attempt.variant == Variant.MIDDLE:
        return Belief({name: (low + high) / 2 for name, (low, high) in ranges.items()})
    if attempt.variant == Variant.TRUE_SPEC:
        return Belief(datasets.load_truth(spec, attempt.tier).mismatch)
    if attempt.variant != Variant.GRADIENT:
        return Belief(spec.nominal)
    what = {"modality": attempt.modality, "tier": attempt.tier, "inputs": attempt.inputs}
    known = None if from_nothing else Calibration.objects.filter(**what).first()
    if known:
        return Belief(dict(known.values), known.intervals, known.cpu_seconds)
    start = time.process_time()
    found = physics.calibrate(spec, ys, ranges, seed=0, report=report)
    seconds = time.process_time() - start
    if not from_nothing:
        Calibration.objects.get_or_create(
            **what, defaults=_fields(found) | {"cpu_seconds": seconds}
        )
    return Belief(found.values, _told(found))


def _fields(found: Calibrated) -> dict[str, object]:
    return {
        "values": found.values,
        "intervals": _told(found),
        "abstained": found.abstained,
        "chi2": _known(found.chi2),
        "chi2_expected": _known(found.chi2_expected),
        "chi2_std": _known(found.chi2_std),
    }


def _told(found: Calibrated) -> Intervals:
    """Give the intervals as a participant hands them in: None for what was abstained from."""
    return {n: None if n in found.abstained else ends for n, ends in found.intervals.items()}


def _known(value: float) -> float | None:
    return value if math.isfinite(value) else None
