"""The measured boards as they were at the end of a day, read from history alone.

History holds what counted on each tier (``TierScore.history``) and what curators had decided
(``Entry.history``); ranks and intervals follow from them, by the same code as today's. Methods have
the names that they have today. What sources reported is not here: it has no history but its files'.
"""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, date, datetime, time
from types import SimpleNamespace
from typing import Any

from django.db.models.functions import TruncDate

from modalities.models import Modality

from . import board_rows, boards, ranking
from .models import (
    CHALLENGE_TIERS,
    Board,
    Entry,
    Origin,
    TierScore,
    Trust,
    Variant,
    is_reference,
    least_trust,
    tiers_of,
)

# The boards that have a page of their own, by their names in addresses.
BOARDS = {
    "challenge": "Blind challenge",
    "standard": "Standard",
    "public": "Public tier",
    "dev": "Dev tier",
    "hidden": "Hidden tier",
}
MOST_CHANGES = 12
_ENTRY = (
    *("modality_id", "method_id", "method__name", "method__slug", "method__family"),
    *("method__physics_name", "method__checkpoint", "board", "origin", "variant", "trust"),
    *("source", "source_name", "source_label"),
)


class DayError(ValueError):
    """There is no board of that day; the message says why."""


def day_of(text: str) -> date:
    """Read a day; raise DayError for what is none, or has not come yet."""
    try:
        day = datetime.strptime(text, "%Y-%m-%d").date()
    except ValueError:
        raise DayError(f"“{text[:40]}” is not a date. Write it like 2026-03-31.") from None
    if day > datetime.now(UTC).date():
        raise DayError(f"{day} is in the future. Choose today or an earlier day.")
    return day


def read(modality: Modality, name: str, day: date) -> list[board_rows.Row]:
    """Give the rows of one board at the end of ``day`` (UTC). Two queries."""
    board = board_of(name)
    tables = load(modality, board, datetime.combine(day, time.max, UTC))
    if board == Board.STANDARD:
        return tables.standard()
    return tables.challenge() if name == Board.CHALLENGE else tables.tier(name)


def board_of(name: str) -> Board:
    """Name the board that a board or tier of an address belongs to."""
    return Board.STANDARD if name == Board.STANDARD else Board.CHALLENGE


def load(modality: Modality, board: str, moment: datetime) -> boards.Tables:
    """Read one measured board as it was at ``moment``."""
    entries = _entries(modality, board, moment)
    versions = _versions(modality, board, moment)
    lines = [_line(entry, versions[entry.id], modality) for entry in entries]
    ranking.rank(lines, tiers_of(board))
    for entry, line in zip(entries, lines, strict=True):
        vars(entry).update(zip(ranking.FIGURES, line.figures(), strict=True))
        if entry.trust != Trust.CERTIFIED:
            entry.trust = least_trust([v.attempt for v in versions[entry.id].values()])
    listed = [entry for entry in entries if entry.is_listed]
    cells = {
        entry.id: {tier: _cell(version) for tier, version in versions[entry.id].items()}
        for entry in listed
    }
    return boards.Tables(modality, listed, cells)


def changes(modality: Modality, name: str) -> list[date]:
    """Give the last days on which a board changed, the newest first. Two queries."""
    board = board_of(name)
    mine = {"modality": modality, "board": board, "origin": Origin.MEASURED}
    tiers = [name] if name in CHALLENGE_TIERS else tiers_of(board)
    scores = TierScore.history.filter(tier__in=tiers, entry__in=Entry.objects.filter(**mine))
    days: set[date] = set()
    for versions in (scores, Entry.history.filter(**mine)):
        found = versions.annotate(day=TruncDate("history_date")).order_by("-day")
        days |= set(found.values_list("day", flat=True).distinct()[:MOST_CHANGES])
    return sorted(days, reverse=True)[:MOST_CHANGES]


def _entries(modality: Modality, board: str, moment: datetime) -> list[Any]:
    """Read the entries that there were; of two versions of one moment the later one holds."""
    found = Entry.history.as_of(moment).filter(
        modality=modality, board=board, origin=Origin.MEASURED
    )
    rows = found.order_by("history_id").values("id", "is_listed", *_ENTRY)
    newest = {row["id"]: row for row in rows}
    return [SimpleNamespace(**row) for row in newest.values()]


def _versions(modality: Modality, board: str, moment: datetime) -> Any:
    """Read what counted, with its attempt: {entry: {tier: version}}."""
    found = (
        TierScore.history.filter(history_date__lte=moment)
        .latest_of_each()
        .exclude(history_type="-")
        .filter(entry__modality=modality, entry__board=board, attempt__isnull=False)
        .select_related("attempt__repeats")
        .defer("attempt__repeats__result")
    )
    versions: Any = defaultdict(dict)
    for version in found.order_by("history_id"):
        versions[version.entry_id][version.tier] = version
    return versions


def _line(entry: Any, versions: dict[str, Any], modality: Modality) -> ranking.Line:
    is_best = entry.method__physics_name == modality.best_method
    reference = is_reference(entry.board, entry.variant, is_best=is_best)
    line = ranking.Line(
        pk=entry.id,
        competes=entry.is_listed and not reference,
        is_true_spec=entry.variant == Variant.TRUE_SPEC,
    )
    for tier, version in versions.items():
        line.add(tier, version.score, version.attempt.result)
    return line


def _cell(version: Any) -> board_rows.Cell:
    values = {name: getattr(version, name) for name in boards.CELL_FIELDS}
    return board_rows.cell(version.tier, Origin.MEASURED, values)
