"""Which attempt counts: whatever the order in which they end, are scored again, or are chosen."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from leaderboards import counting, entry_page
from leaderboards.models import Attempt, Entry, Kind, TierScore, Variant
from tests.factories import make_attempt, make_method, make_modality, make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def modality():
    return make_modality()


@pytest.fixture
def method(modality):
    return make_method(modality, owner=make_user())


def ago(minutes: int):
    return timezone.now() - timedelta(minutes=minutes)


def shown(method, tier: str) -> TierScore:
    return TierScore.objects.get(entry__method=method, tier=tier)


def test_the_best_of_a_persons_files_counts_on_public(modality, method):
    best = make_attempt(modality, method, "public", (0.6, 27.57, 0.8))
    make_attempt(modality, method, "public", (0.5, 21.83, 0.7))
    assert shown(method, "public").attempt == best
    assert shown(method, "public").psnr == 27.57


def test_the_newest_file_counts_on_dev(modality, method):
    make_attempt(modality, method, "dev", (0.6, 27.57, 0.8), queued_at=ago(2))
    newest = make_attempt(modality, method, "dev", (0.5, 21.83, 0.7), queued_at=ago(1))
    assert shown(method, "dev").attempt == newest


def test_an_older_file_that_ends_later_does_not_replace_a_newer_one(modality, method):
    newest = make_attempt(modality, method, "dev", (0.6, 27.57, 0.8), queued_at=ago(1))
    make_attempt(modality, method, "dev", (0.5, 21.83, 0.7), queued_at=ago(2))
    assert shown(method, "dev").attempt == newest


def test_a_file_that_is_scored_again_keeps_its_place_in_the_order(modality, method):
    old = make_attempt(
        modality, method, "dev", (0.5, 21.83, 0.7), queued_at=ago(3), metrics_version="old"
    )
    new = make_attempt(
        modality, method, "dev", (0.6, 27.57, 0.8), queued_at=ago(2), metrics_version="old"
    )
    new_again = _again(new)
    assert shown(method, "dev").attempt == new_again
    _again(old)
    assert shown(method, "dev").attempt == new_again


def _again(first: Attempt) -> Attempt:
    figures = (first.score, first.result["psnr"], first.result["ssim"])
    return make_attempt(
        first.modality, first.method, first.tier, figures, kind=Kind.RERUN, repeats=first
    )


def test_a_second_run_by_the_same_metrics_does_not_count(modality, method):
    first = make_attempt(modality, method, "dev", (0.5, 25.0, 0.7))
    _again(first)
    assert shown(method, "dev").attempt == first


def test_the_newest_baseline_counts_even_where_it_is_worse(modality):
    method = make_method(modality)
    how = {"kind": Kind.BASELINE, "variant": Variant.GRADIENT}
    make_attempt(modality, method, "public", (0.6, 27.0, 0.8), queued_at=ago(2), **how)
    newest = make_attempt(modality, method, "public", (0.5, 26.0, 0.8), queued_at=ago(1), **how)
    assert shown(method, "public").attempt == newest


def test_the_owner_chooses_which_result_counts_and_takes_it_back(modality, method):
    best = make_attempt(modality, method, "public", (0.6, 27.0, 0.8))
    other = make_attempt(modality, method, "public", (0.5, 26.0, 0.8))
    counting.choose(best.entry, "public", other, by=method.owner)
    assert shown(method, "public").attempt == other
    make_attempt(modality, method, "public", (0.7, 30.0, 0.8))
    assert shown(method, "public").attempt == other
    counting.choose(best.entry, "public", None, by=method.owner)
    assert shown(method, "public").score == 0.7


def test_nobody_else_chooses_and_nothing_else_is_chosen(modality, method):
    mine = make_attempt(modality, method, "public")
    others = make_attempt(modality, None, "public")
    with pytest.raises(counting.ChoiceError, match="Only the owner"):
        counting.choose(mine.entry, "public", mine, by=make_user())
    with pytest.raises(counting.ChoiceError, match="no score on that tier"):
        counting.choose(mine.entry, "public", others, by=method.owner)


def test_a_method_that_is_renamed_between_two_tiers_keeps_one_entry(modality, method):
    make_attempt(modality, method, "public")
    type(method).objects.filter(pk=method.pk).update(name="Renamed")
    method.refresh_from_db()
    make_attempt(modality, method, "dev")
    entry = Entry.objects.get(method=method)
    assert entry.name == "Renamed"
    assert entry.tier_scores.count() == 2


def test_each_tier_keeps_its_own_evidence(modality, method):
    make_attempt(modality, method, "public", outputs_sha256="a" * 64)
    make_attempt(modality, method, "dev", outputs_sha256="b" * 64)
    outputs = dict(TierScore.objects.values_list("tier", "attempt__outputs_sha256"))
    assert outputs == {"public": "a" * 64, "dev": "b" * 64}


def test_history_says_each_result_when_it_counted(modality, method):
    for minute, score in ((3, 0.305), (2, 0.505), (1, 0.705)):
        make_attempt(modality, method, "dev", (score, 25.0, 0.8), queued_at=ago(minute))
    versions = TierScore.history.order_by("history_id").values_list("score", flat=True)
    assert list(versions) == [0.305, 0.505, 0.705]
    events = [event["what"] for event in entry_page.history(Entry.objects.get())]
    assert sorted(events) == [f"Dev: a result of {s} counts" for s in ("0.305", "0.505", "0.705")]


def test_an_attempts_evidence_is_written_once(modality, method):
    from django.db import IntegrityError, transaction

    attempt = make_attempt(modality, method, "public")
    for change in ({"score": 0.9}, {"outputs_sha256": "f" * 64}, {"result": {}}):
        with pytest.raises(IntegrityError, match="written once"), transaction.atomic():
            Attempt.objects.filter(pk=attempt.pk).update(**change)
    Attempt.objects.filter(pk=attempt.pk).update(arrays="")
