"""Curators decide with a reason, on evidence, and every decision stays on record."""

from dataclasses import replace

import pytest
from django.contrib.auth.models import User
from leaderboards.curation import CurationError, Evidence

from leaderboards import boards
from leaderboards.models import Checkpoint, Entry, Origin, Trust
from tests.factories import make_entry, make_method, make_modality, make_user

pytestmark = pytest.mark.django_db

EVIDENCE = Evidence("a" * 64, "b" * 64, "c" * 64, "d" * 64, second_score=0.5004)
TIERS = dict.fromkeys(("public", "dev", "hidden"), (0.5, 25.0, 0.8))


@pytest.fixture
def curator() -> User:
    return make_user(is_staff=True)


@pytest.fixture
def rerun() -> Entry:
    """An entry whose program the server ran."""
    return make_entry(trust=Trust.RERUN, program_sha256="b" * 64, tiers=TIERS)


def fresh(entry: Entry) -> Entry:
    return Entry.objects.get(pk=entry.pk)


def reasons(entry: Entry) -> list[str]:
    return [h.history_change_reason for h in entry.history.order_by("history_id")][1:]


def test_certificate_says_who_when_and_why(rerun: Entry, curator: User) -> None:
    rerun.certify(curator, "The second run matches.", EVIDENCE)
    entry = fresh(rerun)
    assert entry.trust == Trust.CERTIFIED
    assert (entry.certified_by, entry.certified_reason) == (curator, "The second run matches.")
    assert entry.certified_at is not None
    assert entry.environment_sha256 == "d" * 64


def test_every_decision_is_kept_with_its_reason_and_its_curator(
    rerun: Entry, curator: User
) -> None:
    rerun.certify(curator, "It matches.", EVIDENCE)
    rerun.revoke(curator, "The data were wrong.")
    rerun.disqualify(curator, "It read the truth.")
    rerun.reinstate(curator, "It did not.")
    assert reasons(rerun) == [
        "Certified: It matches.",
        "Revoked: The data were wrong.",
        "Disqualified: It read the truth.",
        "Reinstated: It did not.",
    ]
    assert {h.history_user for h in rerun.history.all()[:4]} == {curator}


@pytest.mark.parametrize("decision", ["revoke", "disqualify", "reinstate"])
def test_decision_without_a_reason_is_refused(rerun: Entry, curator: User, decision: str) -> None:
    with pytest.raises(CurationError, match="Give a reason"):
        getattr(rerun, decision)(curator, "  ")


@pytest.mark.parametrize("trust", [Trust.SCORED, Trust.REPORTED])
def test_entry_that_was_not_rerun_cannot_be_certified(trust: str, curator: User) -> None:
    origin = Origin.REPORTED if trust == Trust.REPORTED else Origin.MEASURED
    entry = make_entry(origin=origin, trust=trust, score=0.5)
    with pytest.raises(CurationError):
        entry.certify(curator, "Please.", EVIDENCE)
    assert fresh(entry).trust == trust


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"inputs_sha256": ""}, "hashes of its inputs"),
        ({"outputs_sha256": "not a hash"}, "64 hexadecimal digits"),
        ({"program_sha256": ""}, "Without its program"),
        ({"second_score": 0.6}, "a second run whose score matches"),
    ],
)
def test_evidence_that_is_not_enough_is_refused_with_what_it_lacks(
    rerun: Entry, curator: User, change: dict[str, object], message: str
) -> None:
    with pytest.raises(CurationError, match=message):
        rerun.certify(curator, "It matches.", replace(EVIDENCE, **change))
    assert fresh(rerun).trust == Trust.RERUN


def test_entry_whose_checkpoint_is_gone_cannot_be_certified(curator: User) -> None:
    entry = make_entry(checkpoint=Checkpoint.UNAVAILABLE, tiers=TIERS)
    with pytest.raises(CurationError, match="checkpoint"):
        entry.certify(curator, "It matches.", EVIDENCE)


def test_nobody_certifies_an_entry_of_their_own(curator: User) -> None:
    mine = make_method(make_modality(), owner=curator)
    entry = make_entry(None, mine, trust=Trust.RERUN, program_sha256="b" * 64, tiers=TIERS)
    with pytest.raises(CurationError, match="another curator"):
        entry.certify(curator, "It matches.", EVIDENCE)


def test_second_certificate_is_refused(rerun: Entry, curator: User) -> None:
    rerun.certify(curator, "It matches.", EVIDENCE)
    with pytest.raises(CurationError, match="an entry that is certified"):
        rerun.certify(curator, "It still does.", EVIDENCE)
    assert len(reasons(rerun)) == 1


def test_disqualification_takes_the_certificate_and_the_rank_away(
    rerun: Entry, curator: User
) -> None:
    rerun.certify(curator, "It matches.", EVIDENCE)
    rerun.disqualify(curator, "It read the truth.")
    entry = fresh(rerun)
    assert (entry.trust, entry.certified_by, entry.rank_low) == (Trust.RERUN, None, None)
    assert boards.challenge(entry.modality) == []


def test_reinstated_entry_is_ranked_again(rerun: Entry, curator: User) -> None:
    rerun.disqualify(curator, "It read the truth.")
    rerun.reinstate(curator, "It did not.")
    assert [row.rank for row in boards.challenge(rerun.modality)] == [1]
    assert fresh(rerun).rank_low == 1


def test_decision_changes_the_page(rerun: Entry, curator: User) -> None:
    before = rerun.modality.version
    rerun.disqualify(curator, "It read the truth.")
    rerun.modality.refresh_from_db()
    assert rerun.modality.version > before


def test_newer_result_ends_the_certificate_of_the_older_one(rerun: Entry, curator: User) -> None:
    rerun.certify(curator, "It matches.", EVIDENCE)
    rerun.supersede(Trust.RERUN)
    assert fresh(rerun).trust == Trust.RERUN
    assert reasons(rerun)[-1] == "Superseded: A newer result, which is re-run, took its place."


def test_uploaded_result_does_not_inherit_the_trust_of_a_rerun_one(rerun: Entry) -> None:
    rerun.supersede(Trust.SCORED)
    assert fresh(rerun).trust == Trust.SCORED


def test_newer_result_does_not_raise_the_trust_of_an_older_one() -> None:
    entry = make_entry(tiers=TIERS)
    entry.supersede(Trust.RERUN)
    assert fresh(entry).trust == Trust.SCORED


def test_reported_row_can_be_taken_off_the_board(curator: User) -> None:
    entry = make_entry(origin=Origin.REPORTED, score=0.5)
    entry.disqualify(curator, "The source withdrew it.")
    assert boards.challenge(entry.modality, Origin.REPORTED) == []
