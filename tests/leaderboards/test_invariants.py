"""What must hold of boards and credits is noticed when it does not."""

import pytest

from leaderboards import invariants
from leaderboards.catalogue import sync_everything
from leaderboards.models import CreditAccount, Entry, Origin, Ranking, TierScore
from modalities.jobs.invariants import CHECKS
from tests.factories import make_attempt, make_entry, make_user

pytestmark = pytest.mark.django_db
TIERS = {"public": (0.7, 28.0, 0.85), "dev": (0.6, 25.0, 0.8), "hidden": (0.5, 22.0, 0.7)}
OURS = (
    invariants.attempts,
    invariants.certificates,
    invariants.ledgers,
    invariants.methods,
    invariants.scores,
)


def problems() -> list[str]:
    return [problem for check in OURS for problem in check()]


def test_checks_are_run_with_all_others() -> None:
    assert set(OURS) <= set(CHECKS)


def test_catalogue_and_its_reported_results_hold() -> None:
    sync_everything()
    assert Entry.objects.count() == 26
    assert problems() == []


def test_what_attempts_gave_holds() -> None:
    make_entry(tiers=TIERS)
    assert problems() == []


def test_incomplete_entry_without_a_score_holds() -> None:
    make_entry(tiers={"public": TIERS["public"]})
    assert problems() == []


def test_balance_that_nobody_booked_is_noticed() -> None:
    account = CreditAccount.objects.of(make_user(username="eve"))
    CreditAccount.objects.filter(pk=account.pk).update(balance=1000)
    assert problems() == ["eve: 1000 credits: the ledger adds up to 100."]


@pytest.mark.parametrize("score", [0.6001, None])
def test_score_that_its_tiers_do_not_give_is_noticed(score: float | None) -> None:
    entry = make_entry(tiers=TIERS)
    Entry.objects.filter(pk=entry.pk).update(score=score)
    assert "which its tiers do not give" in problems()[0]


def test_score_that_is_being_ranked_may_be_behind_its_tiers() -> None:
    entry = make_entry(tiers=TIERS)
    make_attempt(entry.modality, entry.method, "dev", (0.8, 30.0, 0.9))
    assert problems() == []
    ranking = Ranking.objects.get()
    Ranking.objects.update(
        ranked=ranking.wanted
    )  # somebody says that it was ranked, and it was not
    assert "which its tiers do not give" in problems()[0]


def test_reported_score_may_differ_by_its_rounding() -> None:
    make_entry(tiers=TIERS, score=0.601, origin=Origin.REPORTED)
    assert problems() == []


def test_score_on_another_board_is_noticed() -> None:
    entry = make_entry(tiers=TIERS)
    TierScore.objects.create(entry=entry, tier="standard", score=0.5, psnr=25.0, ssim=0.8)
    assert any("has a score on standard, which is not its board" in told for told in problems())


def test_figure_that_its_attempt_did_not_give_is_noticed() -> None:
    make_entry(tiers=TIERS)
    TierScore.objects.filter(tier="dev").update(psnr=25.004)
    (problem,) = problems()
    assert "psnr differ from its attempt's" in problem


def test_attempt_that_counts_against_the_rule_is_noticed() -> None:
    entry = make_entry(tiers=TIERS)
    worse = make_attempt(entry.modality, entry.method, "public", (0.6, 28.0, 0.85))
    TierScore.objects.filter(tier="public").update(attempt=worse, score=0.6, score_low=0.6 - 0.0127)
    TierScore.objects.filter(tier="public").update(score_high=0.6 + 0.0127)
    assert any(f"{worse} counts, and by the rule it is" in told for told in problems())


def test_measured_result_without_an_attempt_is_noticed() -> None:
    make_entry(tiers=TIERS)
    TierScore.objects.filter(tier="dev").update(attempt=None)
    assert "a measured result has an attempt" in problems()[0]


def test_entry_of_a_method_that_is_not_registered_for_its_modality_is_noticed() -> None:
    make_entry(tiers=TIERS).method.modalities.clear()
    assert "is not registered for" in problems()[0]
