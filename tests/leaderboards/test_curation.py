"""Curators decide with a reason, and every decision stays on record."""

import pytest
from django.contrib.auth.models import User
from django.test import Client

from leaderboards import boards, ranking
from leaderboards.models import Attempt, DecisionError, Entry, Kind, Origin, Trust
from tests.factories import make_attempt, make_entry, make_method, make_modality, make_user

pytestmark = pytest.mark.django_db
TIERS = dict.fromkeys(("public", "dev", "hidden"), (0.5, 25.0, 0.8))


@pytest.fixture
def curator() -> User:
    return make_user(is_staff=True)


@pytest.fixture
def entry() -> Entry:
    """An entry that the server ran on all tiers."""
    method = make_method(make_modality(), physics_name="wiener")
    return make_entry(None, method, kind=Kind.BASELINE, trust=Trust.RERUN, tiers=TIERS)


def again(entry: Entry) -> list[Attempt]:
    """Second runs of all that counts, which agree with the first."""
    figures = (0.5, 25.0, 0.8)
    return [
        make_attempt(
            entry.modality,
            entry.method,
            score.tier,
            figures,
            kind=Kind.RERUN,
            repeats=score.attempt,
        )
        for score in entry.tier_scores.all()
    ]


def fresh(entry: Entry) -> Entry:
    return Entry.objects.get(pk=entry.pk)


def test_every_decision_is_kept_with_its_reason_and_its_curator(
    entry: Entry, curator: User
) -> None:
    entry.approve(curator, "Nothing is wrong with it.")
    entry.certify(curator, "It matches.", *again(entry))
    entry.revoke(curator, "The data were wrong.")
    entry.disqualify(curator, "It read the truth.")
    entry.reinstate(curator, "It did not.")
    entry.send_back(curator, "Which spec is it?")
    told = [
        "Approved: Nothing is wrong with it.",
        "Certified: It matches.",
        "Certificate revoked: The data were wrong.",
        "Disqualified: It read the truth.",
        "Reinstated: It did not.",
        "Returned to its owner: Which spec is it?",
    ]
    assert [str(decision) for decision in entry.decisions.order_by("pk")] == told
    versions = entry.history.exclude(history_change_reason=None).order_by("history_id")
    assert [version.history_change_reason for version in versions] == told
    assert {version.history_user for version in versions} == {curator}


@pytest.mark.parametrize("decision", ["approve", "send_back", "revoke", "disqualify", "reinstate"])
def test_decision_without_a_reason_is_refused(entry: Entry, curator: User, decision: str) -> None:
    with pytest.raises(DecisionError, match="Give a reason"):
        getattr(entry, decision)(curator, "  ")


@pytest.mark.parametrize("decision", ["revoke", "reinstate"])
def test_there_is_nothing_to_take_back_of_an_ordinary_entry(
    entry: Entry, curator: User, decision: str
) -> None:
    with pytest.raises(DecisionError, match="an entry that is listed and re-run"):
        getattr(entry, decision)(curator, "Just so.")
    assert not entry.decisions.exists()


def test_reported_entry_cannot_be_certified(curator: User) -> None:
    entry = make_entry(origin=Origin.REPORTED, tiers=TIERS)
    with pytest.raises(DecisionError):
        entry.certify(curator, "Please.")
    assert fresh(entry).trust == Trust.REPORTED


def test_second_certificate_is_refused(entry: Entry, curator: User) -> None:
    seconds = again(entry)
    entry.certify(curator, "It matches.", *seconds)
    with pytest.raises(DecisionError, match="an entry that is listed and certified"):
        entry.certify(curator, "It still does.", *seconds)
    assert entry.decisions.count() == 1


def test_disqualification_takes_the_certificate_and_the_rank_away(
    entry: Entry, curator: User
) -> None:
    entry.certify(curator, "It matches.", *again(entry))
    entry.disqualify(curator, "It read the truth.")
    ranking.rank_what_waits()
    found = fresh(entry)
    assert (found.trust, found.certificates(), found.rank) == (Trust.RERUN, [], None)
    assert boards.challenge(entry.modality) == []


def test_reinstated_entry_is_ranked_again(entry: Entry, curator: User) -> None:
    entry.disqualify(curator, "It read the truth.")
    ranking.rank_what_waits()
    entry.reinstate(curator, "It did not.")
    ranking.rank_what_waits()
    assert [row.rank for row in boards.challenge(entry.modality)] == [1]
    assert fresh(entry).rank_low == 1


def test_decision_changes_the_page(entry: Entry, curator: User) -> None:
    before = entry.modality.version
    entry.disqualify(curator, "It read the truth.")
    entry.modality.refresh_from_db()
    assert entry.modality.version > before


def test_uploaded_result_does_not_inherit_the_trust_of_a_rerun_one(entry: Entry) -> None:
    assert entry.trust == Trust.RERUN
    make_attempt(entry.modality, entry.method, "dev", kind=Kind.FILE)
    assert fresh(entry).trust == Trust.SCORED


def test_one_run_by_the_server_does_not_raise_the_trust_of_the_other_tiers() -> None:
    entry = make_entry(tiers={tier: TIERS[tier] for tier in ("public", "dev")})
    make_attempt(entry.modality, entry.method, "hidden", kind=Kind.BASELINE)
    assert fresh(entry).trust == Trust.SCORED


def test_newer_result_puts_an_entry_back_among_those_to_look_at(
    entry: Entry, curator: User
) -> None:
    entry.approve(curator, "Fine.")
    assert entry.reviewed_at is not None
    make_attempt(entry.modality, entry.method, "dev", kind=Kind.BASELINE)
    assert fresh(entry).reviewed_at is None


def test_reported_row_can_be_taken_off_the_board(curator: User, client: Client) -> None:
    entry = make_entry(origin=Origin.REPORTED, tiers=TIERS)
    entry.disqualify(curator, "The source withdrew it.")
    assert boards.challenge(entry.modality, Origin.REPORTED) == []
    assert fresh(entry).trust == Trust.REPORTED
    assert "The source withdrew it." in client.get(entry.get_absolute_url()).content.decode()
