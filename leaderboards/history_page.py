"""The public history: what curators decided about entries, in words."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from django.db.models import QuerySet

from . import entry_page
from .models import Board, Decision, Origin, Word

# Before and after the name of the entry.
_WORDS = {
    Word.APPROVED: ("approved", ""),
    Word.RETURNED: ("returned", " to its owner"),
    Word.CERTIFIED: ("certified", ""),
    Word.REVOKED: ("revoked the certificate of", ""),
    Word.DISQUALIFIED: ("disqualified", ""),
    Word.REINSTATED: ("reinstated", ""),
    Word.SUPERSEDED: ("let a newer result replace that of", ""),
}
_BOARDS = {Board.STANDARD: "the standard board", Board.CHALLENGE: "the blind challenge"}


@dataclass(frozen=True)
class Line:
    """One decision as a sentence, in parts: who verb entry after, on board of modality."""

    pk: int
    at: datetime
    who: str
    verb: str
    entry: str
    url: str
    after: str
    board: str
    modality: str
    modality_url: str
    reason: str

    @property
    def text(self) -> str:
        return f"{self.who} {self.verb} {self.entry}{self.after} {self.board} of {self.modality}."


def decisions(modality: str = "") -> QuerySet[Decision]:
    """Give all decisions, the newest first; ``modality`` is a key."""
    found = Decision.objects.newest_first().select_related("by", "entry__modality", "entry__method")
    return found.filter(entry__modality__key=modality) if modality else found


def lines(found: Iterable[Decision]) -> list[Line]:
    return [_line(decision) for decision in found]


def _line(decision: Decision) -> Line:
    entry = decision.entry
    verb, after = _WORDS[Word(decision.word)]
    whose = ", reported by a source," if entry.origin == Origin.REPORTED else ""
    return Line(
        pk=decision.pk,
        at=decision.at,
        who=entry_page.who(decision.by, decision.by_id),
        verb=verb,
        entry=entry.name,
        url=entry.get_absolute_url(),
        after=f"{after}{whose}",
        board=f"on {_BOARDS[Board(entry.board)]}",
        modality=entry.modality.name,
        modality_url=entry.modality.get_absolute_url(),
        reason=decision.reason,
    )
