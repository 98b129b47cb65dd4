"""What must hold of boards and credits at any time; ``manage.py check_invariants`` runs it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from django.db.models import F, Q

from modalities import physics
from modalities.jobs.invariants import changed
from modalities.jobs.rounds import due

from . import counting, tells
from .models import (
    Attempt,
    Board,
    Certificate,
    CreditAccount,
    CreditChange,
    Entry,
    Origin,
    Ranking,
    ScoreTier,
    TierScore,
    is_given_back,
    tiers_of,
)

SAME = 1e-9
# A source prints three decimals: four rounded figures leave this much between them.
PRINTED = 0.001 + SAME


def ledgers() -> Iterator[str]:
    """A balance is the sum of its ledger."""
    for account in CreditAccount.objects.unbalanced().select_related("user"):
        yield f"{account}: the ledger adds up to {account.total}."


def programs() -> Iterator[str]:
    """Every hidden run has the lines in the ledger that its history demands, and no others."""
    runs = Attempt.objects.programs().with_events().select_related("program")
    for run in due("run", runs, changed):
        if not hasattr(run, "program"):
            yield f"{run}: it runs a program and has no row that says which."
        yield from (f"{run}: {wrong}" for wrong in _paid(run))
    paid = CreditChange.objects.filter(subject__startswith="attempt:")
    for line in due("paid run", paid, lambda since: Q(at__gt=since)):
        of = Attempt.objects.filter(pk=line.subject.removeprefix("attempt:")).first()
        if of is None or not of.price:
            yield f"{line}: {line.subject} is no run that costs anything."


def _paid(run: Attempt) -> Iterator[str]:
    lines = CreditChange.objects.filter(subject=run.subject).order_by("pk")
    found = [(line.kind, line.amount) for line in lines]
    expected = []
    if run.price:
        price = -found[0][1] if found else run.price  # prices may change
        expected = [("spend", -price)]
        events = [event.event for event in run.events.all()]
        if run.has_ended and is_given_back(events, run.error_code):
            expected.append(("refund", price))
    if found != expected:
        yield f"the ledger has {found} for it, and should have {expected}."


def scores() -> Iterator[str]:
    """An entry's score follows from its tiers, and its tiers belong to its board."""
    unranked = set(
        Ranking.objects.filter(ranked__lt=F("wanted")).values_list("modality_id", "board")
    )
    entries = Entry.objects.select_related("method", "modality").prefetch_related("tier_scores")
    for entry in due("score", entries, _with_new_results):
        tiers = {tier.tier: tier.score for tier in entry.tier_scores.all()}
        if strange := sorted(set(tiers) - set(tiers_of(entry.board))):
            yield f"{entry}: has a score on {', '.join(strange)}, which is not its board."
        waits = (entry.modality_id, entry.board) in unranked and entry.origin == Origin.MEASURED
        if not waits and not _agree(entry, tiers):
            yield f"{entry}: its score is {entry.score}, which its tiers do not give."


def attempts() -> Iterator[str]:
    """What a tier tells is what the attempt that counts gave, and the rule says that it counts."""
    rows = TierScore.objects.select_related("entry__modality", "entry__method", "attempt", "chosen")
    for row in due("what counts", rows, lambda since: Q(scored_at__gt=since)):
        if (row.attempt is None) != (row.entry.origin == Origin.REPORTED):
            yield f"{row}: a measured result has an attempt, a reported one has none."
        elif row.attempt is not None:
            yield from _attempt(row, row.attempt)


def _attempt(row: TierScore, attempt: Attempt) -> Iterator[str]:
    if attempt.entry_id != row.entry_id or attempt.tier != row.tier:
        yield f"{row}: its attempt is for another entry or tier."
    told = tells.to_everybody(row.tier, attempt.result)
    if wrong := [name for name in tells.DIGITS if getattr(row, name) != told[name]]:
        yield f"{row}: {', '.join(wrong)} differ from its attempt's."
    expected = row.chosen or counting.results(row.entry, row.tier).first()
    if expected and expected.pk != attempt.pk:
        yield f"{row}: {attempt} counts, and by the rule it is {expected}."


def certificates() -> Iterator[str]:
    """A certificate holds what its two attempts hold, and they agree."""
    found = Certificate.objects.select_related("attempt", "second")
    wrong = (
        ~Q(score=F("attempt__score"))
        | ~Q(second_score=F("second__score"))
        | ~Q(outputs_sha256=F("attempt__outputs_sha256"))
        | ~Q(second_outputs_sha256=F("second__outputs_sha256"))
        | ~Q(second__repeats=F("attempt"))
    )
    for certificate in found.filter(wrong):
        yield f"Certificate {certificate.pk} says something else than its attempts."
    for entry in Entry.objects.filter(trust="certified").select_related("decision"):
        certified = {c.attempt_id for c in entry.certificates()}
        if {score.attempt_id for score in entry.tier_scores.all()} != certified:
            yield f"{entry.pk}: is certified, and its certificates are for other results."


def methods() -> Iterator[str]:
    """An entry's method is registered for its modality, so that the method's page shows it."""
    found = Entry.objects.select_related("method", "modality").prefetch_related(
        "method__modalities"
    )
    for entry in due("method", found, _with_new_results):
        if entry.modality not in entry.method.modalities.all():
            yield f"{entry}: {entry.method} is not registered for {entry.modality}."


def _with_new_results(since: datetime) -> Q:
    new = TierScore.objects.filter(scored_at__gt=since)
    return Q(created_at__gt=since) | Q(pk__in=new.values("entry"))


def _agree(entry: Entry, tiers: dict[str, float]) -> bool:
    if entry.board == Board.STANDARD:
        expected = tiers.get(ScoreTier.STANDARD)
    else:
        expected = physics.overall_score(*(tiers.get(tier) for tier in tiers_of(entry.board)))
        if expected is not None and entry.origin == Origin.MEASURED:
            expected = tells.overall([tiers[tier] for tier in tiers_of(entry.board)])
    if expected is None or entry.score is None:
        return expected is None and entry.score is None
    return abs(expected - entry.score) <= (PRINTED if entry.origin == Origin.REPORTED else SAME)
