"""What waits for a curator: entries whose result changed since one last looked at them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from django.db.models import Exists, OuterRef, Prefetch, QuerySet
from django.urls import reverse

from modalities.figures import fixed
from modalities.models import Modality

from . import flags
from .flags import Flag
from .models import Board, Entry, TierScore, Trust, Variant

WAITING, REVIEWED, CERTIFIED, OFF, ALL = "waiting", "reviewed", "certified", "off", "all"
STATES = {
    WAITING: "Waiting for a curator",
    REVIEWED: "Reviewed",
    CERTIFIED: "Certified",
    OFF: "Off its board",
    ALL: "All measured entries",
}
_WHERE: dict[str, dict[str, Any]] = {
    WAITING: {"reviewed_at__isnull": True},
    REVIEWED: {"reviewed_at__isnull": False},
    CERTIFIED: {"trust": Trust.CERTIFIED},
    OFF: {"is_listed": False},
    ALL: {},
}


@dataclass(frozen=True)
class Filter:
    """Which part of the queue is asked for, as its address has it."""

    modality: str = ""
    flagged: bool = False
    state: str = WAITING

    @classmethod
    def of(cls, asked: Mapping[str, str]) -> Filter:
        """Read an address; what it does not say, or says wrongly, is the default."""
        state = asked.get("state", WAITING)
        return cls(
            modality=asked.get("modality", "")[:40],
            flagged=asked.get("flagged") == "1",
            state=state if state in STATES else WAITING,
        )

    def query(self, **changes: Any) -> str:
        """Write the address's question mark and all after it; empty for the default."""
        wanted = Filter(**(vars(self) | changes))
        asked = {
            "modality": wanted.modality,
            "flagged": "1" if wanted.flagged else "",
            "state": "" if wanted.state == WAITING else wanted.state,
        }
        given = urlencode({name: value for name, value in asked.items() if value})
        return f"?{given}" if given else ""


@dataclass(frozen=True)
class Line:
    """One entry of the queue."""

    entry: Entry
    flags: Sequence[Flag]
    scores: Sequence[tuple[str, str]]
    changed_at: datetime
    url: str

    @property
    def is_persons(self) -> bool:
        return self.entry.variant == Variant.OWN

    @property
    def board(self) -> str:
        return str(Board(self.entry.board).label)

    @property
    def owner(self) -> str:
        if not self.is_persons:
            return "the site"
        return self.entry.method.owner.get_username() if self.entry.method.owner else "nobody now"

    def place(self) -> tuple[Any, ...]:
        """Sort the flagged first, then people's, then those that have waited longest."""
        return not self.flags, not self.is_persons, self.changed_at, str(self.entry.pk)


def lines(wanted: Filter) -> list[Line]:
    """Give the part of the queue that is asked for, in its order.

    A constant number of queries.
    """
    entries = _entries(wanted)
    found = flags.of(entries)
    made = [
        _line(entry, found.get(entry.pk, []), wanted)
        for entry in entries
        if entry.pk in found or not wanted.flagged
    ]
    return sorted(made, key=Line.place)


def _entries(wanted: Filter) -> QuerySet[Entry]:
    scores = TierScore.objects.filter(attempt__isnull=False)
    entries = Entry.objects.measured().filter(
        Exists(scores.filter(entry=OuterRef("pk"))), **_WHERE[wanted.state]
    )
    if wanted.modality:
        entries = entries.filter(modality__key=wanted.modality)
    return (
        entries.order_by()
        .select_related("modality", "method__owner", "decision")
        .prefetch_related(Prefetch("tier_scores", scores.order_by("pk")))
    )


def _line(entry: Entry, found: Sequence[Flag], wanted: Filter) -> Line:
    scores = entry.tier_scores.all()
    return Line(
        entry=entry,
        flags=found,
        scores=[(score.get_tier_display(), fixed(score.score, 3)) for score in scores],
        changed_at=max(score.scored_at or entry.created_at for score in scores),
        url=reverse("leaderboards:desk", args=[entry.pk]) + wanted.query(),
    )


def neighbours(entry: Entry, wanted: Filter) -> dict[str, Any]:
    """Say where in the queue an entry is, and what comes before and after it.

    After a decision the entry is out of the queue, and the first that waits comes next.
    """
    queue = lines(wanted)
    urls = [line.url for line in queue]
    at = next((i for i, line in enumerate(queue) if line.entry.pk == entry.pk), None)
    if at is None:
        return {"of": len(queue), "after": next(iter(urls), "")}
    after = next(iter(urls[at + 1 :]), "")
    return {"place": at + 1, "of": len(queue), "before": urls[at - 1] if at else "", "after": after}


def chips(wanted: Filter) -> dict[str, list[dict[str, Any]]]:
    """Give the links that narrow the queue. One query."""
    modalities = Modality.objects.filter(entries__isnull=False).distinct().order_by("name")
    names = [("", "All modalities"), *modalities.values_list("key", "short_name")]
    return {
        "states": [
            _chip(label, wanted.query(state=state), state == wanted.state)
            for state, label in STATES.items()
        ],
        "modalities": [
            _chip(label, wanted.query(modality=key), key == wanted.modality) for key, label in names
        ],
        "flagged": [
            _chip("With or without flags", wanted.query(flagged=False), not wanted.flagged),
            _chip("Flagged only", wanted.query(flagged=True), wanted.flagged),
        ],
    }


def _chip(label: str, query: str, is_chosen: bool) -> dict[str, Any]:
    return {"label": label, "url": reverse("leaderboards:curate") + query, "is_chosen": is_chosen}
