"""What a curator should look at in an entry: signs, not proofs, one sentence each.

All are computed when the desk is looked at, in as many queries for many entries as for one.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from heapq import nlargest
from math import inf
from statistics import median
from typing import Any
from uuid import UUID

from django.db.models import OuterRef, QuerySet, Subquery

from modalities import datasets, physics
from modalities.figures import decibels, fixed

from .models import (
    Attempt,
    Board,
    Entry,
    Kind,
    Origin,
    ScoreTier,
    TierScore,
    Variant,
    entry_name,
)

# Beyond these nobody gets by small improvements: what 3 dB of PSNR and the SSIM that comes with it
# make of a score is about 0.1.
MOST_DB, MOST_SCORE = 3.0, 0.1
# A value so near an end of its range, in parts of the range, is where a search was stopped.
BORDER = 0.001

_FIELDS = (
    *("entry", "entry__modality", "entry__modality__key", "entry__board", "entry__variant"),
    *("entry__method", "entry__method__owner", "entry__is_above_true_spec"),
    *("tier", "psnr", "score"),
    *("attempt__corrected_spec", "attempt__outputs_sha256", "attempt__queued_at"),
)
_OTHERS = (
    *("outputs_sha256", "queued_at", "kind", "variant", "method", "method__name"),
    *("method__owner", "method__owner__username"),
)


@dataclass(frozen=True)
class Flag:
    """One thing to look at; ``word`` names it where there is little room."""

    word: str
    text: str


Figures = dict[UUID, tuple[float, float]]  # (psnr, score) by entry


class _Board:
    """One blind challenge: its public figures, and by how much public is better than dev."""

    def __init__(self, public: Figures, dev: Figures) -> None:
        self.public = public
        self.best = [
            nlargest(2, ((figures[i], pk) for pk, figures in public.items())) for i in (0, 1)
        ]
        self.gaps = {pk: public[pk][0] - dev[pk][0] for pk in public.keys() & dev.keys()}
        self.in_order = sorted(self.gaps.values())

    def lead(self, entry: UUID) -> tuple[float, float]:
        """Say how far an entry is ahead of all others, in dB and in score."""
        best = [next((value for value, pk in top if pk != entry), inf) for top in self.best]
        psnr, score = self.public[entry]
        return psnr - best[0], score - best[1]

    def usual_gap(self, entry: UUID) -> float:
        """Give the median gap of all others: one tier may simply be harder."""
        others = self.in_order.copy()
        others.remove(self.gaps[entry])
        return median(others) if others else 0.0


@dataclass(frozen=True)
class _Around:
    """What the scores of an entry are compared with.

    boards: by modality. previous: the public result that counted before. same: attempts by the
    hash of their outputs, the first one first.
    """

    boards: dict[int, _Board]
    previous: Figures
    same: dict[str, list[Any]]


def of(entries: QuerySet[Entry]) -> dict[UUID, list[Flag]]:
    """Give the flags of each of ``entries`` that has any."""
    counted = TierScore.objects.filter(
        entry__in=entries.order_by().values("pk"), attempt__isnull=False
    ).order_by("entry", "pk")
    around = _Around(_boards(counted), _previous(counted), _same(counted))
    scores = defaultdict(list)
    for row in counted.values_list(*_FIELDS, named=True):
        scores[row.entry].append(row)
    found = {pk: list(_flags(rows, around)) for pk, rows in scores.items()}
    return {pk: flags for pk, flags in found.items() if flags}


def _flags(rows: list[Any], around: _Around) -> Iterator[Flag]:
    is_persons = rows[0].entry__variant == Variant.OWN
    if rows[0].entry__is_above_true_spec:
        yield Flag(
            "above the true-spec row",
            "Its public score is above that of the site's best method with the true spec: "
            "see whether the method knew the truth.",
        )
    for row in rows:
        yield from _spec(row)
        if is_persons:
            yield from _copied(row, around)
        if row.tier == ScoreTier.PUBLIC:
            yield from _jump(row, around)
    if is_persons and rows[0].entry__board == Board.CHALLENGE:
        yield from _ahead(rows[0], around)
        yield from _gap(rows[0], around)


def _spec(row: Any) -> Iterator[Flag]:
    """Look for corrected values outside their range, or where a search must have been stopped."""
    ranges = _ranges(row.entry__modality__key, row.tier)
    outside, border = set(), set()
    for spec in row.attempt__corrected_spec:
        for name in ranges.keys() & spec.keys():
            low, high = ranges[name]
            inside = min(spec[name] - low, high - spec[name]) / (high - low)
            if inside < -BORDER:
                outside.add(name)
            elif inside < BORDER:
                border.add(name)
    tier = ScoreTier(row.tier).label
    if outside:
        yield Flag(
            "outside its range",
            f"{tier}: the corrected {_names(outside)} lies outside its range: "
            "see where the estimate came from.",
        )
    if border - outside:
        yield Flag(
            "at the border",
            f"{tier}: the corrected {_names(border - outside)} lies at the border of its range: "
            "see whether the calibration stopped there.",
        )


def _copied(row: Any, around: _Around) -> Iterator[Flag]:
    others = around.same.get(row.attempt__outputs_sha256, ())
    other = next((other for other in others if _is_foreign(other, row)), None)
    if other is None:
        return
    if other.kind == Kind.BASELINE:
        board = Board.STANDARD if row.tier == ScoreTier.STANDARD else Board.CHALLENGE
        whose = f"the baseline “{entry_name(other.method__name, board, other.variant)}”"
    else:
        whose = f"“{other.method__name}” by {other.method__owner__username or 'a closed account'}"
    when = "earlier" if other.queued_at <= row.attempt__queued_at else "later"
    yield Flag(
        "same outputs",
        f"{ScoreTier(row.tier).label}: its outputs are byte for byte those of {whose}, which came "
        f"{when}: see why.",
    )


def _is_foreign(other: Any, row: Any) -> bool:
    """Tell whether a baseline, or another person, made these outputs too."""
    if other.kind == Kind.BASELINE:
        return True
    is_same_owner = other.method__owner and other.method__owner == row.entry__method__owner
    return other.method != row.entry__method and not is_same_owner


def _jump(row: Any, around: _Around) -> Iterator[Flag]:
    if row.entry not in around.previous:
        return
    psnr, score = around.previous[row.entry]
    if by := _by(row.psnr - psnr, row.score - score):
        yield Flag(
            "sudden jump",
            f"Public: {by} better than the result that counted before: see what changed.",
        )


def _ahead(row: Any, around: _Around) -> Iterator[Flag]:
    board = around.boards.get(row.entry__modality)
    if board is None or row.entry not in board.public:
        return
    if by := _by(*board.lead(row.entry)):
        yield Flag(
            "far ahead",
            f"Public: {by} better than everything else on the board: see how that is possible.",
        )


def _gap(row: Any, around: _Around) -> Iterator[Flag]:
    board = around.boards.get(row.entry__modality)
    if board is None or row.entry not in board.gaps:
        return
    own, usual = board.gaps[row.entry], board.usual_gap(row.entry)
    if own - usual > MOST_DB:
        yield Flag(
            "better on public",
            f"Public is {decibels(own)} better than dev, and {decibels(usual)} for others: "
            "see whether the method was fitted to the public truth.",
        )


def _by(decibel: float, score: float) -> str:
    if decibel > MOST_DB:
        return decibels(decibel)
    return f"{fixed(score, 3)} of score" if score > MOST_SCORE else ""


@cache
def _ranges(key: str, tier: str) -> dict[str, tuple[float, float]]:
    """Give the ranges of a tier; empty on the standard board, and for what the catalogue lacks."""
    known = set(physics.keys())
    return (
        datasets.ranges(physics.load(key), tier) if key in known and tier in physics.TIERS else {}
    )


def _names(names: Iterable[str]) -> str:
    return ", ".join(sorted(names))


def _boards(counted: QuerySet[TierScore]) -> dict[int, _Board]:
    """Read the public and dev figures of every measured entry on the boards concerned."""
    rows = TierScore.objects.filter(
        entry__modality__in=counted.order_by().values("entry__modality"),
        entry__board=Board.CHALLENGE,
        entry__origin=Origin.MEASURED,
        entry__is_listed=True,
        tier__in=(ScoreTier.PUBLIC, ScoreTier.DEV),
    ).order_by()
    found: dict[int, dict[str, Figures]] = defaultdict(lambda: defaultdict(dict))
    for modality, tier, entry, psnr, score in rows.values_list(
        "entry__modality", "tier", "entry", "psnr", "score"
    ):
        found[modality][tier][entry] = psnr, score
    return {
        modality: _Board(tiers[ScoreTier.PUBLIC], tiers[ScoreTier.DEV])
        for modality, tiers in found.items()
    }


def _previous(counted: QuerySet[TierScore]) -> Figures:
    """Read what counted before on the public tier, by the same metrics."""
    before = (
        TierScore.history.filter(id=OuterRef("pk"), metrics_version=OuterRef("metrics_version"))
        .exclude(attempt=OuterRef("attempt"))
        .order_by("-history_id")
    )
    rows = counted.filter(tier=ScoreTier.PUBLIC).annotate(
        was_psnr=Subquery(before.values("psnr")[:1]),
        was_score=Subquery(before.values("score")[:1]),
    )
    found = rows.filter(was_psnr__isnull=False).values_list("entry", "was_psnr", "was_score")
    return {entry: (psnr, score) for entry, psnr, score in found}


def _same(counted: QuerySet[TierScore]) -> dict[str, list[Any]]:
    """Read which attempts made outputs that somebody's entry has, second runs left out."""
    theirs = counted.filter(entry__variant=Variant.OWN).order_by()
    attempts = (
        Attempt.objects.filter(outputs_sha256__in=theirs.values("attempt__outputs_sha256"))
        .exclude(kind=Kind.RERUN)
        .exclude(outputs_sha256="")
        .order_by("queued_at", "pk")
    )
    same = defaultdict(list)
    for row in attempts.values_list(*_OTHERS, named=True):
        same[row.outputs_sha256].append(row)
    return same
