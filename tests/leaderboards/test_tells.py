"""What a tier tells: all of an open one, little of a secret one, by one rule."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from leaderboards import attempt_page, counting, tells
from leaderboards.models import TierScore
from tests.factories import make_attempt, make_result, make_user

RESULT = {
    "score": 0.61234567,
    "score_home": 0.71234567,
    "score_away": 0.51234567,
    "score_low": 0.60123456,
    "score_high": 0.62345678,
    "psnr": 29.75999614212475,
    "ssim": 0.87654321,
    "consistency": 0.91234567,
    "ceiling": 0.95123456,
    "spec_error": {"probe_size": 0.0712345},
    "scenes": [{"score": 0.6}, {"score": 0.62}],
    "calibration": {"covered": {"probe_size": 1.0}, "abstained": {"probe_size": 0.0}},
    "metrics_version": "0123456789ab",
}


@pytest.mark.parametrize("tier", ["standard", "public"])
def test_an_open_tier_tells_everything(tier):
    told = tells.to_everybody(tier, RESULT, cpu_seconds=12.345)
    assert told["psnr"] == 29.75999614212475
    assert told["spec_error"] == RESULT["spec_error"]
    assert told["cpu_seconds"] == 12.345
    assert tells.to_owner(tier, RESULT) == RESULT


@pytest.mark.parametrize("tier", ["dev", "hidden"])
def test_a_secret_tier_tells_rounded_means_and_no_spec_error(tier):
    told = tells.to_everybody(tier, RESULT, cpu_seconds=12.345, peak_memory_mb=431.2)
    assert told == {
        "score": 0.612,
        "score_home": 0.712,
        "score_away": 0.512,
        "score_low": 0.601,
        "score_high": 0.623,
        "psnr": 29.76,
        "ssim": 0.877,
        "consistency": 0.912,
        "ceiling": 0.951,
        "spec_error": {},
        "calibration": {},
        "cpu_seconds": 10.0 if tier == "dev" else 20.0,
        "peak_memory_mb": 400.0 if tier == "dev" else 500.0,
    }


def test_a_secret_tier_tells_the_day_of_a_job_and_not_how_long_it_took():
    at = datetime(2026, 11, 20, 3, 17, 43, 5, UTC)
    assert tells.when("public", at).isoformat() == "2026-11-20T03:17:43+00:00"
    assert tells.when("hidden", at) == tells.when("dev", at) == date(2026, 11, 20)


def test_the_hidden_tier_tells_costs_and_times_in_coarse_steps():
    costs = [0, 0.03, 0.1, 0.11, 1, 1.01, 4.9, 50, 99, 101]
    assert [tells.step(cost) for cost in costs] == [0, 0.05, 0.1, 0.2, 1, 2, 5, 50, 100, 200]
    at = datetime(2026, 1, 2, 3, 47, 58, 999, tzinfo=UTC)
    assert tells.moment("hidden", at) == datetime(2026, 1, 2, 3, 40, tzinfo=UTC)
    assert tells.moment("dev", at) == at
    assert tells.moment("hidden", None) is None


WRONG = RESULT | {"spec_error": {"probe_size": 0.02, "scan_distortion": 0.11}}


@pytest.mark.parametrize("tier", ["dev", "hidden"])
def test_the_owner_of_a_calibrated_result_gets_its_means(tier):
    told = tells.to_owner(tier, RESULT)
    assert (told["is_calibrated"], told["psnr"]) == (True, 29.76)
    assert told["spec_error"] == {}
    assert "scenes" not in told


@pytest.mark.parametrize("tier", ["dev", "hidden"])
def test_the_owner_of_any_other_result_gets_one_word(tier):
    told = tells.to_owner(tier, WRONG)
    assert told == {"is_calibrated": False, "metrics_version": "0123456789ab"}
    assert tells.to_owner("public", WRONG) == WRONG


@pytest.mark.django_db
def test_a_result_that_is_not_calibrated_is_on_no_board_and_cannot_be_chosen():
    first = make_attempt(tier="dev")
    first.method.owner = make_user()
    first.method.save()
    second = make_attempt(
        first.modality, first.method, tier="dev", result=make_result(0.9, 40, 0.9) | {**WRONG}
    )
    assert TierScore.objects.get().attempt == first
    with pytest.raises(counting.ChoiceError, match="no score on that tier"):
        counting.choose(first.entry, "dev", second, by=first.method.owner)
    page = attempt_page.page(second)
    assert (page["line"]["state"], page["line"]["score"]) == ("Not calibrated", "")
    assert not page["means"]
    assert not page["counting"]


@pytest.mark.django_db
def test_a_result_of_the_site_counts_however_far_its_calibration_is_off():
    """It answers nobody's question: its spec follows from the measurements alone."""
    make_attempt(tier="dev", kind="baseline", variant="gradient", result={**WRONG})
    assert TierScore.objects.get().psnr == 29.76


@pytest.mark.django_db
def test_the_row_of_a_secret_tier_holds_no_more_than_is_told():
    make_attempt(tier="dev", figures=(0.61234567, 29.75999614212475, 0.87654321, 0.912345))
    row = TierScore.objects.get()
    assert (row.score, row.psnr, row.ssim, row.consistency) == (0.612, 29.76, 0.877, 0.912)
    assert row.attempt.result["psnr"] == 29.75999614212475
    version = TierScore.history.get()
    assert (version.psnr, version.spec_error) == (29.76, {})
