"""The calibration board: how near each spec comes to the truth, on the tier whose truth is open."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from modalities.figures import fixed
from modalities.models import Modality
from modalities.physics import tier_range

from .models import REFERENCES, Board, Bound, Calibration, Origin, ScoreTier, TierScore, Variant


@dataclass(frozen=True)
class Cell:
    """One parameter of one spec: its error as a part of the range, and in bounds.

    ratio: the error over the Cramér-Rao bound with an unknown object; None without a bound.
    covered: the share of the 95 % intervals that hold the truth; abstained: of the samples without.
    """

    error: float
    ratio: float | None
    covered: float | None
    abstained: float

    @property
    def error_text(self) -> str:
        return f"{fixed(100 * self.error, 1)} %"

    @property
    def ratio_text(self) -> str:
        return "" if self.ratio is None else f"{fixed(self.ratio, 1)} bounds"

    @property
    def interval_text(self) -> str:
        if self.abstained == 1:
            return "abstains"
        return "" if self.covered is None else ("inside" if self.covered == 1 else "outside")


@dataclass(frozen=True)
class Row:
    """One spec that somebody handed in, or that the site found or chose.

    error: root mean square over the parameters, as a part of their ranges. fit: what χ² says.
    """

    name: str
    url: str
    is_reference: bool
    error: float
    cells: Sequence[Cell]
    covered_text: str
    abstained: Sequence[str]
    fit: str = ""

    @property
    def error_text(self) -> str:
        return f"{fixed(100 * self.error, 1)} %"


@dataclass(frozen=True)
class CalibrationBoard:
    """The board, and the Cramér-Rao bounds as parts of the range, by parameter."""

    parameters: Sequence[str]
    rows: Sequence[Row]
    bounds: Sequence[tuple[str, str, str]]


def of(modality: Modality) -> CalibrationBoard:
    """Lay out the specs of the public tier, the nearest first. Three queries."""
    widths = _widths(modality)
    bounds = _newest_bounds(modality)
    limits = _limits(bounds, widths)
    found = Calibration.objects.filter(modality=modality, tier=ScoreTier.PUBLIC).last()
    scores = (
        TierScore.objects.filter(
            entry__modality=modality,
            entry__board=Board.CHALLENGE,
            entry__origin=Origin.MEASURED,
            tier=ScoreTier.PUBLIC,
        )
        .exclude(spec_error={})
        .select_related("entry__method", "entry__modality")
        .order_by("-score")
    )
    rows, seen = [], set()
    for score in scores:
        variant = score.entry.variant
        if variant == Variant.TRUE_SPEC or (variant != Variant.OWN and variant in seen):
            continue  # the site's specs are the same for every method; the true one is the truth
        seen.add(variant)
        rows.append(_row(score, limits, found))
    rows.sort(key=lambda row: row.error)
    return CalibrationBoard(
        parameters=list(widths),
        rows=rows,
        bounds=[
            (name, _share(bounds, "known", name, width), _share(bounds, "unknown", name, width))
            for name, width in widths.items()
            if bounds
        ],
    )


def bounds_of(modality: Modality) -> dict[str, float]:
    """Give the Cramér-Rao bounds of the public tier, the object being unknown, as parts of the
    range; parameters without one are left out. One query."""
    return _limits(_newest_bounds(modality), _widths(modality))


def _limits(
    bounds: Mapping[str, Mapping[str, float | None]], widths: Mapping[str, float]
) -> dict[str, float]:
    told = bounds.get("unknown", {})
    found = {name: told.get(name) for name in widths}
    return {name: value / widths[name] for name, value in found.items() if value is not None}


def _newest_bounds(modality: Modality) -> dict[str, dict[str, float | None]]:
    found = Bound.objects.succeeded().filter(modality=modality).order_by("finished_at").last()
    return found.result if found else {}


def _widths(modality: Modality) -> dict[str, float]:
    spec = modality.spec
    ends = {m.name: tier_range(spec, m.name, ScoreTier.PUBLIC) for m in spec.mismatches}
    return {name: high - low for name, (low, high) in ends.items()}


def _share(bounds: Mapping[str, Any], which: str, name: str, width: float) -> str:
    value = bounds.get(which, {}).get(name)
    return "–" if value is None else f"{fixed(100 * value / width, 2)} %"


def _row(score: TierScore, limits: Mapping[str, float], found: Calibration | None) -> Row:
    told = score.calibration
    cells = {
        name: Cell(
            error=error,
            ratio=error / limits[name] if limits.get(name) else None,
            covered=told.get("covered", {}).get(name),
            abstained=told.get("abstained", {}).get(name, 0.0),
        )
        for name, error in score.spec_error.items()
    }
    variant, entry = score.entry.variant, score.entry
    is_ours = variant == Variant.GRADIENT
    name = entry.method.name if variant == Variant.OWN else str(Variant(variant).label)
    given = [c.covered for c in cells.values() if c.covered is not None]
    return Row(
        name=name,
        url=entry.get_absolute_url(),
        is_reference=variant in REFERENCES,
        error=math.sqrt(sum(c.error**2 for c in cells.values()) / len(cells)),
        cells=list(cells.values()),
        covered_text=f"{sum(c == 1 for c in given)} of {len(given)}" if given else "none given",
        abstained=[
            f"{n}: {found.abstained[n]}" if is_ours and found and n in found.abstained else n
            for n, c in cells.items()
            if c.abstained == 1
        ],
        fit=_fit(found) if is_ours and found else "",
    )


def _fit(found: Calibration) -> str:
    if found.chi2 is None or found.chi2_expected is None:
        return ""
    text = f"χ² {fixed(found.chi2, 3)} per datum, expected {fixed(found.chi2_expected, 3)}"
    return f"{text} ± {fixed(found.chi2_std, 3)}" if found.chi2_std is not None else text
