"""A certificate takes two runs that agree; nothing is typed, nobody certifies their own."""

from __future__ import annotations

import pytest
from django.db import IntegrityError, transaction

from leaderboards import entry_page, invariants, ranking
from leaderboards.models import (
    Attempt,
    Certificate,
    Checkpoint,
    Decision,
    DecisionError,
    Entry,
    Kind,
    Trust,
    Variant,
    Word,
)
from tests.factories import make_attempt, make_method, make_modality, make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def curator():
    return make_user()


@pytest.fixture
def first() -> Attempt:
    """A baseline's run, whose method is deterministic."""
    modality = make_modality()
    method = make_method(modality, physics_name="wiener")
    how = {"kind": Kind.BASELINE, "variant": Variant.GRADIENT}
    return make_attempt(modality, method, "public", (0.6, 27.0, 0.8), **how)


def again(first: Attempt, score: float | None = None, **fields) -> Attempt:
    """The server's second run of ``first``; its evidence differs by ``fields``."""
    figures = (first.score if score is None else score, first.result["psnr"], first.result["ssim"])
    same = {
        name: getattr(first, name)
        for name in ("variant", "program_sha256", "outputs_sha256", "environment_sha256")
    }
    return make_attempt(
        first.modality,
        first.method,
        first.tier,
        figures,
        **{"kind": Kind.RERUN, "repeats": first} | same | fields,
    )


def test_a_baseline_is_certified_by_its_second_run(first, curator):
    second = again(first)
    first.entry.certify(curator, "Same bytes.", second)
    entry = Entry.objects.get(pk=first.entry_id)
    assert entry.trust == Trust.CERTIFIED
    assert (entry.decision.by, entry.decision.reason) == (curator, "Same bytes.")
    (certificate,) = entry.certificates()
    assert (certificate.attempt, certificate.second) == (first, second)
    assert list(invariants.certificates()) == []


def test_a_file_is_certified_by_scoring_its_bytes_again(curator):
    first = make_attempt(tier="public")
    first.entry.certify(curator, "Same score.", again(first))
    assert Entry.objects.get().is_certified


@pytest.mark.parametrize(
    ("other", "why"),
    [
        ({"outputs_sha256": "f" * 64}, "not the same bytes"),
        ({"score": 0.6011}, "differ by more than 0.001"),
        ({"environment_sha256": "e" * 64, "score": 0.5989}, "differ by more than 0.001"),
    ],
    ids=["one changed byte", "another score", "another environment's differing score"],
)
def test_runs_that_differ_make_no_certificate(first, curator, other, why):
    second = again(first, **other)
    with pytest.raises(DecisionError, match=why):
        first.entry.certify(curator, "Looks fine.", second)
    assert Entry.objects.get().trust == Trust.RERUN
    assert not Decision.objects.exists()


def test_another_environment_may_give_other_bytes_of_the_same_score(first, curator):
    second = again(first, environment_sha256="e" * 64, outputs_sha256="f" * 64)
    first.entry.certify(curator, "Another machine.", second)
    assert Entry.objects.get().is_certified


def test_one_run_is_not_two(first, curator):
    with pytest.raises(DecisionError, match="second run"):
        first.entry.certify(curator, "I trust it.")
    with pytest.raises(DecisionError, match="second run"):
        first.entry.certify(curator, "I trust it.", first)


def test_each_tier_that_counts_needs_its_second_run(first, curator):
    second = again(first)
    how = {"kind": Kind.BASELINE, "variant": first.variant}
    make_attempt(first.modality, first.method, "dev", **how)
    with pytest.raises(DecisionError, match="none was given for Dev"):
        first.entry.certify(curator, "Half of it.", second)


def test_nobody_certifies_their_own_entry(curator):
    method = make_method(make_modality(), owner=curator)
    first = make_attempt(method.modalities.get(), method, "public")
    with pytest.raises(DecisionError, match="your own"):
        first.entry.certify(curator, "Mine is right.", again(first))


def test_no_checkpoint_no_certificate(first, curator):
    first.method.checkpoint = Checkpoint.UNAVAILABLE
    first.method.save()
    with pytest.raises(DecisionError, match="checkpoint"):
        Entry.objects.get().certify(curator, "Same bytes.", again(first))


def test_a_decision_needs_a_reason(first, curator):
    with pytest.raises(DecisionError, match="reason"):
        first.entry.certify(curator, "  ", again(first))


def test_the_database_refuses_a_certificate_of_scores_that_differ(first, curator):
    decision = Decision.objects.create(
        entry=first.entry, word=Word.APPROVED, by=curator, reason="Seen."
    )
    hashes = {"outputs_sha256": "1" * 64, "second_outputs_sha256": "1" * 64}
    row = {"decision": decision, "attempt": first, "outputs_must_match": True, **hashes}
    second = again(first)
    for wrong, rule in (
        ({"second": first, "score": 0.6, "second_score": 0.6}, "two_runs"),
        ({"second": second, "score": 0.6, "second_score": 0.7}, "scores_agree"),
    ):
        with pytest.raises(IntegrityError, match=rule), transaction.atomic():
            Certificate.objects.create(**row | wrong)


def test_the_database_refuses_trust_without_a_decision(first):
    with pytest.raises(IntegrityError, match="entry_decided"), transaction.atomic():
        Entry.objects.update(trust=Trust.CERTIFIED)


def test_a_newer_result_ends_the_certificate(first, curator):
    first.entry.certify(curator, "Same bytes.", again(first))
    how = {"kind": Kind.BASELINE, "variant": first.variant}
    make_attempt(first.modality, first.method, "public", (0.65, 28.0, 0.8), **how)
    entry = Entry.objects.get()
    assert (entry.trust, entry.reviewed_at) == (Trust.RERUN, None)
    words = [decision.word for decision in entry.decisions.all()]
    assert words == [Word.SUPERSEDED, Word.CERTIFIED]
    assert entry.certificates() == []


def test_a_revoked_certificate_leaves_the_evidence_as_it_was(first, curator):
    second = again(first)
    first.entry.certify(curator, "Same bytes.", second)
    Entry.objects.get().revoke(curator, "The phantom was wrong.")
    assert Entry.objects.get().trust == Trust.RERUN
    assert Attempt.objects.get(pk=first.pk).outputs_sha256 == first.outputs_sha256
    assert Certificate.objects.count() == 1


def test_what_is_taken_off_its_board_is_not_ranked_and_can_come_back(first, curator):
    entry = first.entry
    entry.disqualify(curator, "It has seen the truth.")
    ranking.rank_what_waits()
    assert not Entry.objects.listed().exists()
    with pytest.raises(DecisionError, match="not possible"):
        Entry.objects.get().disqualify(curator, "Again.")
    Entry.objects.get().reinstate(curator, "It has not.")
    assert Entry.objects.listed().exists()
    told = [event["what"] for event in entry_page.history(Entry.objects.get())]
    assert told[:2] == ["Reinstated", "Disqualified"]


def test_a_returned_entry_comes_back_with_a_newer_result(curator):
    first = make_attempt(tier="dev")
    first.entry.send_back(curator, "Which spec did you use?")
    assert not Entry.objects.listed().exists()
    make_attempt(first.modality, first.method, "dev")
    assert Entry.objects.listed().exists()


def test_a_disqualified_entry_stays_off_whatever_comes(curator):
    first = make_attempt(tier="dev")
    first.entry.disqualify(curator, "It has seen the truth.")
    make_attempt(first.modality, first.method, "dev")
    assert not Entry.objects.listed().exists()
