"""What must hold of boards and credits is noticed when it does not."""

import pytest

from leaderboards import invariants
from leaderboards.catalogue import sync_everything
from leaderboards.credits import CreditAccount
from leaderboards.models import Entry, Origin
from modalities.jobs.invariants import CHECKS
from tests.factories import make_entry, make_tier_score, make_user

pytestmark = pytest.mark.django_db
TIERS = {"public": (0.7, 28.0, 0.85), "dev": (0.6, 25.0, 0.8), "hidden": (0.5, 22.0, 0.7)}


def problems() -> list[str]:
    checks = (invariants.ledgers, invariants.scores, invariants.methods)
    return [problem for check in checks for problem in check()]


def test_checks_are_run_with_all_others() -> None:
    assert {invariants.ledgers, invariants.scores, invariants.methods} <= set(CHECKS)


def test_catalogue_and_its_reported_results_hold() -> None:
    sync_everything()
    assert Entry.objects.count() == 26
    assert problems() == []


def test_incomplete_entry_without_a_score_holds() -> None:
    make_entry(tiers={"public": TIERS["public"]})
    assert problems() == []


def test_balance_that_nobody_booked_is_noticed() -> None:
    account = CreditAccount.objects.of(make_user(username="eve"))
    CreditAccount.objects.filter(pk=account.pk).update(balance=1000)
    assert problems() == ["eve: 1000 credits: the ledger adds up to 30."]


@pytest.mark.parametrize("score", [0.6001, None])
def test_score_that_its_tiers_do_not_give_is_noticed(score: float | None) -> None:
    entry = make_entry(tiers=TIERS)
    Entry.objects.filter(pk=entry.pk).update(score=score)
    assert "which its tiers do not give" in problems()[0]


def test_reported_score_may_differ_by_its_rounding() -> None:
    make_entry(tiers=TIERS, score=0.601, origin=Origin.REPORTED)
    assert problems() == []


def test_score_on_another_board_is_noticed() -> None:
    make_tier_score(make_entry(tiers=TIERS), "standard", 0.5)
    assert "has a score on standard, which is not its board" in problems()[0]


def test_entry_of_a_method_that_is_not_registered_for_its_modality_is_noticed() -> None:
    make_entry(tiers=TIERS).method.modalities.clear()
    assert "is not registered for" in problems()[0]
