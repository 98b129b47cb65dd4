"""What a curator can do with an entry: run it again, and decide about it.

The decisions themselves are methods of the entry; here is which of them are possible now.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import IntegrityError, transaction

from .models import (
    Attempt,
    Checkpoint,
    DecisionError,
    Entry,
    Kind,
    Origin,
    TierScore,
    Trust,
    Variant,
    Word,
    disagreement,
    tiers_of,
)


@dataclass(frozen=True)
class Pair:
    """The attempt that counts on a tier, and its second runs.

    second: the newest that succeeded. newest: the newest of all, which may be on its way or failed.
    """

    score: TierScore
    first: Attempt
    second: Attempt | None
    newest: Attempt | None

    @property
    def tier(self) -> str:
        return str(self.score.get_tier_display())

    @property
    def live(self) -> Attempt | None:
        return self.newest if self.newest and self.newest.is_live else None

    @property
    def disagreement(self) -> str:
        """Say why there can be no certificate on this pair; empty where there can."""
        if self.second is None:
            return "There is no second run."
        return disagreement(self.first, self.second)


def pairs(entry: Entry) -> list[Pair]:
    """Give the attempts that count, in the order of the tiers. Two queries."""
    tiers = [str(tier) for tier in tiers_of(entry.board)]
    scores = entry.tier_scores.filter(attempt__isnull=False).select_related(
        "attempt__repeats__started_by", "attempt__started_by"
    )
    seconds: dict[Any, list[Attempt]] = {}
    repeated = entry.tier_scores.order_by().values("attempt")
    runs = Attempt.objects.filter(kind=Kind.RERUN, repeats__in=repeated)
    for run in runs.select_related("started_by").order_by("-queued_at", "-pk"):
        seconds.setdefault(run.repeats_id, []).append(run)
    made = []
    for score in scores:
        first = score.attempt
        assert first is not None  # the query leaves the others out
        first.modality, first.method = entry.modality, entry.method
        mine = seconds.get(first.pk, [])
        for run in mine:
            run.modality, run.method, run.repeats = entry.modality, entry.method, first
        second = next((run for run in mine if run.has_succeeded), None)
        made.append(Pair(score, first, second, mine[0] if mine else None))
    return sorted(made, key=lambda pair: tiers.index(pair.score.tier))


def rerun(entry: Entry, by: Any) -> list[str]:
    """Queue a second run of each result that has none, on its way or matching; name their tiers."""
    queued = []
    for pair in pairs(entry):
        if pair.live or not pair.disagreement:
            continue
        try:
            with transaction.atomic():
                Attempt.objects.repeat(pair.first, by)
        except IntegrityError:
            continue  # somebody else asked a moment ago
        queued.append(pair.tier)
    return queued


def certify(entry: Entry, by: Any, reason: str) -> None:
    """Certify an entry on the newest second run of each result."""
    entry.certify(by, reason, *(pair.second for pair in pairs(entry) if pair.second))


DECISIONS: dict[Word, Callable[[Entry, Any, str], None]] = {
    Word.APPROVED: Entry.approve,
    Word.RETURNED: Entry.send_back,
    Word.CERTIFIED: certify,
    Word.REVOKED: Entry.revoke,
    Word.DISQUALIFIED: Entry.disqualify,
    Word.REINSTATED: Entry.reinstate,
}


def decide(entry: Entry, word: str, by: Any, reason: str) -> None:
    """Make one decision; raise DecisionError where it is not possible."""
    if word not in DECISIONS:
        raise DecisionError("Choose one of the decisions.")
    DECISIONS[Word(word)](entry, by, reason)


def possible(entry: Entry, found: Sequence[Pair], by: Any) -> list[Word]:
    """Name the decisions that ``by`` can make now."""
    is_own = entry.belongs_to(by)
    takes_a_file = entry.variant == Variant.OWN and entry.origin == Origin.MEASURED
    allowed = {
        Word.APPROVED: entry.is_listed and not entry.is_certified and not is_own,
        Word.RETURNED: entry.is_listed and takes_a_file,
        Word.CERTIFIED: not is_own and not obstacles(entry, found),
        Word.REVOKED: entry.is_certified,
        Word.DISQUALIFIED: entry.is_listed,
        Word.REINSTATED: not entry.is_listed,
    }
    return [word for word, is_allowed in allowed.items() if is_allowed]


def obstacles(entry: Entry, found: Sequence[Pair]) -> list[str]:
    """Say what a certificate lacks; nothing where it can be given."""
    if entry.trust == Trust.REPORTED:
        return ["Nothing was run here."]
    if entry.is_certified:
        return ["It is certified."]
    if not entry.is_listed:
        return ["It is off its board."]
    if entry.method.checkpoint == Checkpoint.UNAVAILABLE:
        return ["The checkpoint of the method is not available."]
    if not found:
        return ["It has no result."]
    return [f"{pair.tier}: {pair.disagreement}" for pair in found if pair.disagreement]
