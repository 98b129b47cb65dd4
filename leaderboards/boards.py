"""Ranked rows of every board: the page, the API and the exports show these same objects.

A board is read in two queries, however many entries it has. Ties share a rank; what has no score
comes last, on every database. References (nominal, middle, true spec) and incomplete entries are
listed without a rank; those that a curator took off are not listed.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

from django.db.models import Case, Exists, F, OuterRef, Q, QuerySet, Subquery, When
from django.db.models.functions import JSONObject

from modalities.models import Modality

from .board_rows import Cell, Row, Scored, cell, name_of, ranked
from .models import (
    CHALLENGE_TIERS,
    Board,
    Entry,
    Method,
    Origin,
    Ranking,
    ScoreTier,
    TierScore,
)


@dataclass(frozen=True)
class Tables:
    """All boards of one modality, from entries that have been read already."""

    modality: Modality
    entries: Sequence[Any]
    cells: dict[Any, dict[str, Cell]] = field(repr=False)

    def standard(self, origin: str = Origin.MEASURED) -> list[Row]:
        return self._rows(Board.STANDARD, origin, (ScoreTier.STANDARD,))

    def challenge(self, origin: str = Origin.MEASURED) -> list[Row]:
        """The overall board: three cells under each score."""
        return self._rows(Board.CHALLENGE, origin, CHALLENGE_TIERS)

    def tier(self, tier: str, origin: str = Origin.MEASURED) -> list[Row]:
        """One tier's own board: only those who have a score there."""
        return self._rows(Board.CHALLENGE, origin, (ScoreTier(tier),), by_tier=True)

    def methods(self) -> int:
        """Count the methods that have an entry on any board."""
        return len({entry.method_id for entry in self.entries})

    def _rows(
        self, board: str, origin: str, tiers: tuple[str, ...], by_tier: bool = False
    ) -> list[Row]:
        found = [
            (entry, tuple(self.cells[entry.id].get(tier, _NO_CELL[tier]) for tier in tiers))
            for entry in self.entries
            if entry.board == board and entry.origin == origin
        ]
        scored: list[Scored] = [
            (entry, cells, cells[0].score if by_tier else entry.score) for entry, cells in found
        ]
        if by_tier:
            scored = [row for row in scored if row[2] is not None]
        else:
            scored = [row for row in scored if any(c.score is not None for c in row[1])]
        scored.sort(key=_best_first)
        return ranked(scored, by_tier, self.modality.best_method)


def load(modality: Modality) -> Tables:
    """Read all boards of a modality, in two queries."""
    return load_many([modality])[modality.pk]


def load_many(modalities: Iterable[Modality]) -> dict[int, Tables]:
    """Read all boards of several modalities, in two queries; give them by primary key."""
    wanted = {modality.pk: modality for modality in modalities}
    entries = defaultdict(list)
    for row in _entries(Q(modality__in=wanted)):
        entries[row.modality_id].append(row)
    cells = _cells(Q(entry__modality__in=wanted))
    return {pk: Tables(modality, entries[pk], cells) for pk, modality in wanted.items()}


def standard(modality: Modality, origin: str = Origin.MEASURED) -> list[Row]:
    """Give the standard board of one origin."""
    return _load(modality, Board.STANDARD, origin).standard(origin)


def challenge(modality: Modality, origin: str = Origin.MEASURED) -> list[Row]:
    """Give the blind challenge's overall board of one origin."""
    return _load(modality, Board.CHALLENGE, origin).challenge(origin)


def tier(modality: Modality, name: str, origin: str = Origin.MEASURED) -> list[Row]:
    """Give the board of one tier and origin."""
    return _load(modality, Board.CHALLENGE, origin).tier(name, origin)


def being_ranked(modality: Modality) -> set[str]:
    """Name the boards that changed and are not ranked yet, which takes seconds."""
    waiting = Ranking.objects.filter(modality=modality, ranked__lt=F("wanted"))
    return set(waiting.values_list("board", flat=True))


def best(rows: Iterable[Row]) -> Row | None:
    """Give the leader of a board, or None while nobody is ranked."""
    return next((row for row in rows if row.rank == 1), None)


@dataclass(frozen=True)
class Standing:
    """A method's row on one board, for the method's page."""

    modality: Modality
    board: str
    board_label: str
    origin: str
    row: Row
    of: int


def of_method(method: Method) -> list[Standing]:
    """Give a method's rows on the boards of its modalities, with their ranks, in three queries."""
    found = []
    for boards in load_many(method.modalities.all()).values():
        for board in Board:
            for origin in (Origin.MEASURED, Origin.REPORTED):
                rows = (
                    boards.standard(origin) if board == Board.STANDARD else boards.challenge(origin)
                )
                ranked = sum(row.rank is not None for row in rows)
                found += [
                    Standing(boards.modality, board.value, board.label, origin.value, row, ranked)
                    for row in rows
                    if row.method_slug == method.slug
                ]
    return found


def with_leaders(modalities: QuerySet[Modality]) -> QuerySet[Modality]:
    """Add ``leading`` to each modality, in the same query: who leads its blind challenge.

    leading: {"method", "variant", "source_name", "score", "origin"}, measured before reported, or
    None while nobody is ranked.
    """
    leads = Q(origin=Origin.MEASURED, rank=1) | Q(origin=Origin.REPORTED, source_rank=1)
    best_first = (
        Entry.objects.listed()
        .on(Board.CHALLENGE)
        .filter(leads, modality=OuterRef("pk"), score__isnull=False)
        .order_by(Case(When(origin=Origin.MEASURED, then=0), default=1), "method__name", "pk")
        .values(
            leading=JSONObject(
                method="method__name",
                variant="variant",
                source_name="source_name",
                score="score",
                origin="origin",
            )
        )
    )
    return modalities.annotate(leading=Subquery(best_first[:1]))


def _load(modality: Modality, board: str, origin: str) -> Tables:
    entries = _entries(Q(modality=modality, board=board, origin=origin))
    cells = _cells(Q(entry__modality=modality, entry__board=board, entry__origin=origin))
    return Tables(modality, entries, cells)


_FIELDS = (
    *("id", "modality_id", "method_id", "method__name", "method__slug", "method__family"),
    *("method__physics_name", "method__checkpoint", "board", "origin", "variant", "trust"),
    *("source", "source_name", "source_label", "score", "score_low", "score_high"),
    *("rank_low", "rank_high", "is_above_true_spec"),
)
# What a cell holds and does not print; a new figure of ``TierScore`` is one more field of ``Cell``.
CELL_FIELDS = [f.name for f in fields(Cell) if f.name != "tier" and not f.name.endswith("_text")]


def _entries(where: Q) -> list[Any]:
    """Read the entries with a figure: a trial has none, nor has what its tier does not tell."""
    has_figures = Exists(TierScore.objects.filter(entry=OuterRef("pk")))
    found = Entry.objects.listed().filter(where, has_figures).order_by()
    return list(found.values_list(*_FIELDS, named=True))


def _cells(where: Q) -> dict[Any, dict[str, Cell]]:
    """Read tier scores: {entry: {tier: cell}}."""
    cells: dict[Any, dict[str, Cell]] = defaultdict(dict)
    found = (
        TierScore.objects.filter(where, entry__is_listed=True)
        .order_by()
        .values_list("entry_id", "entry__origin", "tier", *CELL_FIELDS)
    )
    for entry, origin, tier_name, *values in found:
        cells[entry][tier_name] = cell(
            tier_name, origin, dict(zip(CELL_FIELDS, values, strict=True))
        )
    return cells


def _best_first(scored: Scored) -> tuple[Any, ...]:
    entry, _, score = scored
    return score is None, -(score or 0.0), name_of(entry), str(entry.id)


_NO_CELL = {name: Cell(name) for name in ScoreTier.values}
