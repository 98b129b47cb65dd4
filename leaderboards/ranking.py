"""The ranks of a board, computed after the change that asks for them, never within it.

``Ranking.ask`` notes a change in its own transaction. The worker that ended an attempt ranks right
after its commit, or any process's sweep does. Two processes may rank at once: only the one that
read the newer state writes.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from django.db import connection, transaction
from django.db.models import F
from django.db.models.functions import Now

from modalities.models import Modality

from . import tells
from .models import (
    Entry,
    Ranking,
    ScoreTier,
    TierScore,
    Variant,
    is_reference,
    tiers_of,
)
from .uncertainty import SAME, by_group, interval, rank_bounds, weights_of

# The true-spec row may be beaten by this much, 0.05 dB of PSNR, before an entry is marked. The row
# is no ceiling: PSNR is no proper score of a spec, and a method may gain by a wrong one.
LUCK = 0.0005
FIGURES = (
    *("score", "score_low", "score_high", "rank", "rank_low", "rank_high"),
    "is_above_true_spec",
)


def rank_what_waits() -> int:
    """Rank every board that has changed since it was ranked; say how many."""
    waiting = Ranking.objects.filter(ranked__lt=F("wanted")).select_related("modality")
    return sum(refresh(row.modality, row.board) for row in waiting)


def refresh(modality: Modality, board: str) -> bool:
    """Rank a board again; say whether this process did.

    A constant number of queries, however many entries there are.
    """
    row = Ranking.objects.filter(modality=modality, board=board, ranked__lt=F("wanted")).first()
    if row is None:
        return False
    lines = _read(modality, board)
    rank(lines, tiers_of(board))
    with transaction.atomic():
        newer = Ranking.objects.filter(pk=row.pk, ranked__lt=row.wanted)
        if not newer.update(ranked=row.wanted, ranked_at=Now()):
            return False
        _write([line for line in lines if line.figures() != line.before])
        modality.touch()
    return True


@dataclass
class Line:
    """One entry while its board is ranked.

    scenes: exact scores of each tier's scenes, by group. told: rounded scores of the tiers.
    """

    pk: Any
    competes: bool
    is_true_spec: bool
    scenes: dict[str, list[list[float]]] = field(default_factory=dict)
    told: dict[str, float] = field(default_factory=dict)
    before: tuple[Any, ...] = ()
    score: float | None = None
    score_low: float | None = None
    score_high: float | None = None
    rank: int | None = None
    rank_low: int | None = None
    rank_high: int | None = None
    is_above_true_spec: bool = False

    def figures(self) -> tuple[Any, ...]:
        return tuple(getattr(self, name) for name in FIGURES)

    def add(self, tier: str, told: float, result: dict[str, Any] | None) -> None:
        """Note what counts on a tier: the score that everybody knows, and the exact result."""
        self.told[tier] = told
        scenes = result["scenes"] if result else []
        self.scenes[tier] = by_group(
            [scene["score"] for scene in scenes], [scene["group"] for scene in scenes]
        )


def _read(modality: Modality, board: str) -> list[Line]:
    """Read the measured entries of a board and the results that count, in two queries."""
    entries = Entry.objects.for_modality(modality).on(board).measured()
    fields = ("pk", "variant", "is_listed", "method__physics_name", *FIGURES)
    lines = {}
    for pk, variant, is_listed, name, *before in entries.values_list(*fields):
        reference = is_reference(board, variant, is_best=name == modality.best_method)
        lines[pk] = Line(
            pk=pk,
            competes=is_listed and not reference,
            is_true_spec=variant == Variant.TRUE_SPEC,
            before=tuple(before),
        )
    scores = TierScore.objects.filter(entry__in=entries.order_by().values("pk"))
    for pk, tier, score, result in scores.values_list("entry", "tier", "score", "attempt__result"):
        lines[pk].add(tier, score, result)
    return list(lines.values())


def rank(lines: list[Line], tiers: tuple[ScoreTier, ...]) -> None:
    """Fill in scores, intervals and ranks. Only complete entries that compete are ranked."""
    complete = [line for line in lines if all(tier in line.told for tier in tiers)]
    for line in complete:
        _score(line, tiers)
    for line, place in _ranks([line for line in complete if line.competes]):
        line.rank = place
    _bounds([line for line in complete if line.competes], tiers)
    true_spec = [_public(line) for line in lines if line.is_true_spec]
    limit = max(true_spec, default=float("inf")) + LUCK
    for line in lines:
        line.is_above_true_spec = line.competes and _public(line) > limit


def _score(line: Line, tiers: tuple[ScoreTier, ...]) -> None:
    told = [line.told[tier] for tier in tiers]
    line.score = told[0] if len(tiers) == 1 else tells.overall(told)
    strata = [part for tier in tiers for part in line.scenes[tier]]
    if all(len(scenes) > 1 for scenes in strata):
        found = interval(strata, weights_of([line.scenes[tier] for tier in tiers]))
        digits = 12 if len(tiers) == 1 else tells.DIGITS["score"]
        line.score_low, line.score_high = round(found.low, digits), round(found.high, digits)


def _ranks(lines: list[Line]) -> Iterable[tuple[Line, int]]:
    """Give one more than the number of better scores; equal ones share a rank."""
    rank, before = 0, float("inf")
    ordered = sorted(lines, key=lambda line: -(line.score or 0.0))
    for place, line in enumerate(ordered, start=1):
        assert line.score is not None  # only complete entries come here
        if before - line.score > SAME:
            rank, before = place, line.score
        yield line, rank


def _bounds(lines: list[Line], tiers: tuple[ScoreTier, ...]) -> None:
    """Fill in the best and worst rank of those that were measured on the same scenes."""
    strata = {line.pk: [part for tier in tiers for part in line.scenes[tier]] for line in lines}
    shapes = {pk: tuple(map(len, parts)) for pk, parts in strata.items()}
    usual = Counter(shape for shape in shapes.values() if min(shape) > 1).most_common(1)
    alike = [line for line in lines if usual and shapes[line.pk] == usual[0][0]]
    if not alike:
        return
    parts = zip(*(strata[line.pk] for line in alike), strict=True)
    weights = weights_of([alike[0].scenes[tier] for tier in tiers])
    low, high = rank_bounds([np.array(part) for part in parts], weights)
    sharing = Counter(line.rank for line in alike)
    for line, best, worst in zip(alike, low, high, strict=True):
        assert line.rank is not None
        # Scores that are told as equal share a rank, however surely their digits beyond differ.
        line.rank_low = min(int(best), line.rank)
        line.rank_high = max(int(worst), line.rank + sharing[line.rank] - 1)


def _public(line: Line) -> float:
    return line.told.get(ScoreTier.PUBLIC, float("-inf"))


def _write(lines: list[Line]) -> None:
    """Write the figures of entries in one UPDATE."""
    if not lines:
        return
    rows = [dict(zip(FIGURES, line.figures(), strict=True)) for line in lines]
    for row, line in zip(rows, lines, strict=True):
        row["id"] = str(line.pk) if connection.vendor == "postgresql" else line.pk.hex
    with connection.cursor() as cursor:
        cursor.execute(_UPDATE[connection.vendor], [json.dumps(rows)])


# All rows as one parameter: bulk_update would split them by the number of its parameters.
_UPDATE = {
    "postgresql": """
        UPDATE leaderboards_entry AS e SET
            score = j.score, score_low = j.score_low, score_high = j.score_high,
            rank = j.rank, rank_low = j.rank_low, rank_high = j.rank_high,
            is_above_true_spec = j.is_above_true_spec
        FROM json_to_recordset(%s) AS j(
            id uuid, score float8, score_low float8, score_high float8,
            rank int, rank_low int, rank_high int, is_above_true_spec bool
        ) WHERE e.id = j.id
    """,
    "sqlite": """
        UPDATE leaderboards_entry SET
            score = j.value ->> 'score',
            score_low = j.value ->> 'score_low',
            score_high = j.value ->> 'score_high',
            rank = j.value ->> 'rank',
            rank_low = j.value ->> 'rank_low',
            rank_high = j.value ->> 'rank_high',
            is_above_true_spec = j.value ->> 'is_above_true_spec'
        FROM json_each(%s) AS j WHERE leaderboards_entry.id = j.value ->> 'id'
    """,
}
