"""Which attempt counts: one rule, and the one place that writes it.

On each tier the result counts that the owner of the entry chose. Without a choice the best file
counts on the public tier, because everybody can download its truth. Elsewhere the result that was
asked for last counts; otherwise a board would give hints about a secret truth. There a result that
somebody sent counts only if its score is told at all. Results of today's metrics and data come
before older ones.

The rule looks at all results each time, so the order in which they end does not matter.
"""

from __future__ import annotations

from typing import Any

from django.db import transaction
from django.db.models import Case, IntegerField, QuerySet, Value, When

from modalities import physics
from modalities.models import Dataset

from . import tells
from .models import (
    Attempt,
    Entry,
    Origin,
    Ranking,
    ScoreTier,
    TierScore,
    Variant,
    board_of,
)

BEST, NEWEST = "best", "newest"
WORDS = {BEST: "the best counts", NEWEST: "the newest counts"}


class ChoiceError(ValueError):
    """This attempt cannot be chosen; the message says why."""


def rule(tier: str, variant: str) -> str:
    """Say which result counts where nobody chose: the best, or the newest."""
    return BEST if tier == ScoreTier.PUBLIC and variant == Variant.OWN else NEWEST


def entry_of(attempt: Attempt) -> Entry:
    """Give the entry that an attempt is for, made if need be."""
    if attempt.repeats:
        return attempt.repeats.entry or entry_of(attempt.repeats)
    entry, _ = Entry.objects.get_or_create(
        modality_id=attempt.modality_id,
        method_id=attempt.method_id,
        board=board_of(attempt.tier),
        origin=Origin.MEASURED,
        variant=attempt.variant,
        defaults={"trust": attempt.trust},
    )
    return entry


def results(entry: Entry, tier: str) -> QuerySet[Attempt]:
    """List the results of an entry on a tier, the one that counts by the rule first."""
    data = Dataset.objects.filter(modality=entry.modality_id, tier=tier).values("version")
    order = ["-asked_at", "-pk"]
    if rule(tier, entry.variant) == BEST:
        order.insert(0, "-score")
    found: QuerySet[Attempt] = Attempt.objects.results_of(entry, tier)
    if entry.variant == Variant.OWN and not tells.is_open(tier):
        known = found.values_list("pk", "result")
        found = found.exclude(pk__in=[pk for pk, r in known if not tells.has_score(tier, r)])
    return found.annotate(
        by_todays_metrics=_one_if(metrics_version=physics.METRICS_VERSION),
        on_todays_data=_one_if(data_version__in=data),
    ).order_by("-by_todays_metrics", "-on_todays_data", *order)


def _one_if(**condition: Any) -> Case:
    return Case(When(**condition, then=Value(1)), default=Value(0), output_field=IntegerField())


def settle(entry: Entry, tier: str) -> None:
    """Let the attempt count that the rule says; call it in the transaction of what changed."""
    with transaction.atomic():
        # Others who settle the same entry wait and then see what this transaction wrote.
        entry = Entry.objects.select_for_update().get(pk=entry.pk)
        row = TierScore.objects.filter(entry=entry, tier=tier).first()
        found = results(entry, tier)
        chosen = found.filter(pk=row.chosen.pk).first() if row and row.chosen else None
        attempt = chosen or found.first()
        if attempt is not None and _write(entry, tier, row, attempt):
            scores = entry.tier_scores.select_related("attempt__repeats")
            entry.follow([score.attempt for score in scores if score.attempt])
            Ranking.ask(entry.modality, entry.board)
            entry.modality.touch()


def choose(entry: Entry, tier: str, attempt: Attempt | None, by: Any) -> None:
    """Let ``attempt`` count, or with None go back to the rule. ``by`` owns the method."""
    if by.pk != entry.method.owner_id:
        raise ChoiceError("Only the owner of the method chooses which of its results counts.")
    if attempt and not results(entry, tier).filter(pk=attempt.pk).exists():
        raise ChoiceError("This attempt has no score on that tier, so it cannot count there.")
    with transaction.atomic():
        row = TierScore.objects.filter(entry=entry, tier=tier)
        if not row.update(chosen=attempt):
            raise ChoiceError("There is no score on that tier yet, so there is nothing to choose.")
        settle(entry, tier)


def _write(entry: Entry, tier: str, row: TierScore | None, attempt: Attempt) -> bool:
    """Let ``attempt`` count on ``tier`` unless it does already; say whether it is new."""
    fields = figures(attempt)
    if row is None:
        row = TierScore.objects.create(entry=entry, tier=tier, **fields)
        return True
    if not TierScore.objects.filter(pk=row.pk).exclude(attempt=attempt).update(**fields):
        return False
    row.refresh_from_db()
    TierScore.history.bulk_history_create([row], update=True)
    return True


def figures(attempt: Attempt) -> dict[str, Any]:
    """Give what a tier tells of an attempt, as the fields of its row."""
    told = tells.to_everybody(
        attempt.tier,
        attempt.result,
        cpu_seconds=attempt.cpu_seconds,
        peak_memory_mb=attempt.peak_memory_mb,
    )
    return told | {
        "attempt": attempt,
        "metrics_version": attempt.metrics_version,
        "scored_at": attempt.finished_at,
    }
