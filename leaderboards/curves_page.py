"""Score against spec error as pages show it: which methods reward a wrong spec."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from django.utils.safestring import SafeString

from modalities.figures import fixed
from modalities.models import Modality

from . import charts
from .models import SpecCurve


@dataclass(frozen=True)
class Line:
    """One method's curve over one parameter; ``errors`` are parts of the range.

    peak: the error at which the score is highest, from a parabola through the best point and its
    neighbours. gained: what the score gains there over the truth. peaks: the same for the home and
    the away scenes.
    """

    name: str
    url: str
    errors: Sequence[float]
    scores: Sequence[float]
    peak: float
    gained: float
    peak_home: float | None
    peak_away: float | None

    @property
    def peak_text(self) -> str:
        return percent(self.peak)

    @property
    def home_text(self) -> str:
        return "–" if self.peak_home is None else percent(self.peak_home)

    @property
    def away_text(self) -> str:
        return "–" if self.peak_away is None else percent(self.peak_away)

    @property
    def gained_text(self) -> str:
        return fixed(self.gained, 3)

    @property
    def truth_text(self) -> str:
        return fixed(self.scores[list(self.errors).index(0.0)], 3)


@dataclass(frozen=True)
class Parameter:
    """All methods' curves over one parameter."""

    name: str
    symbol: str
    description: str
    drawing: SafeString
    lines: Sequence[Line]


def of(modality: Modality) -> list[Parameter]:
    """Lay out the curves of ``modality``, in the order of its parameters. One query."""
    curves = SpecCurve.objects.newest(modality)
    parameters = []
    for m in modality.spec.mismatches:
        lines = [_line(curve) for curve in curves if curve.parameter == m.name]
        if lines:
            lines.sort(key=lambda line: -max(line.scores))
            drawing = charts.curves(
                [(line.name, line.errors, line.scores) for line in lines],
                f"{m.description}, % of the range",
            )
            parameters.append(Parameter(m.name, m.symbol, m.description, drawing, lines))
    return parameters


def peak_of(errors: Sequence[float], scores: Sequence[float]) -> float:
    """Say where a curve is highest: the vertex of the parabola through its best three points."""
    best = int(np.argmax(scores))
    if best in (0, len(errors) - 1):
        return float(errors[best])
    a, b, _ = np.polyfit(errors[best - 1 : best + 2], scores[best - 1 : best + 2], 2)
    return float(-b / (2 * a)) if a < 0 else float(errors[best])


def percent(share: float) -> str:
    """Write a part of a range as a signed whole percentage."""
    value = round(100 * share)
    return f"{value:+d} %".replace("-", "−") if value else "0 %"


def _line(curve: SpecCurve) -> Line:
    result = curve.result
    errors, scores = result["errors"], result["score"]
    at_truth = scores[errors.index(0.0)]
    peaks = [
        peak_of(errors, result[name]) if name in result else None
        for name in ("score_home", "score_away")
    ]
    return Line(
        name=curve.method.name,
        url=curve.method.get_absolute_url(),
        errors=errors,
        scores=scores,
        peak=peak_of(errors, scores),
        gained=max(scores) - at_truth,
        peak_home=peaks[0],
        peak_away=peaks[1],
    )
