"""What an entry's page tells of each tier, and what it keeps to itself."""

from __future__ import annotations

import pytest

from leaderboards import counting, entry_page
from leaderboards.models import Entry, Kind, Variant
from tests.factories import make_attempt, make_entry, make_method, make_modality, make_user

pytestmark = pytest.mark.django_db


def test_spec_errors_are_told_for_the_public_tier_alone():
    method = make_method(make_modality())
    for tier in ("public", "dev", "hidden"):
        attempt = make_attempt(None, method, tier, kind=Kind.BASELINE, result=result())
    told = {row["name"]: row["spec_error"] for row in entry_page.of(attempt.entry)["tiers"]}
    assert told.pop("Public") == [("probe_size", "12.5 %", "")]
    assert not any(told.values())


def result():
    parts = {"score": 0.5, "psnr": 25.0, "ssim": 0.8, "consistency": 0.9, "ceiling": 0.95}
    return parts | {
        "score_low": 0.49,
        "score_high": 0.51,
        "spec_error": {"probe_size": 0.125},
        "scenes": [parts | {"spec_error": {"probe_size": 0.125}}] * 2,
        "metrics_version": "now",
    }


def why_it_counts(entry: Entry) -> dict[str, str]:
    return {row["name"]: row["counts"] for row in entry_page.of(entry)["tiers"]}


def test_each_tier_says_why_this_result_counts():
    method = make_method(make_modality(), owner=make_user())
    first = make_attempt(None, method, "public", (0.7, 28.0, 0.8))
    other = make_attempt(None, method, "public", (0.6, 28.0, 0.8))
    make_attempt(None, method, "dev")
    entry = first.entry
    assert why_it_counts(entry) == {"Public": "the best counts", "Dev": "the newest counts"}
    counting.choose(entry, "public", other, by=method.owner)
    assert why_it_counts(entry)["Public"] == "its owner chose it"
    nominal = make_attempt(None, method, "public", kind=Kind.BASELINE, variant=Variant.NOMINAL)
    assert why_it_counts(nominal.entry) == {"Public": "the newest run"}


def test_each_tier_has_its_own_evidence():
    entry = make_entry(tiers=dict.fromkeys(("public", "dev"), (0.5, 25.0, 0.8)))
    shown = entry_page.of(entry)["evidence"]
    assert [part["tier"] for part in shown] == ["Public", "Dev"]
    for part, score in zip(shown, entry.tier_scores.all(), strict=True):
        assert dict(part["hashes"])["Inputs"] == score.attempt.inputs_sha256
        assert part["second_ended"] == ""


def test_reported_results_have_no_evidence(client):
    entry = make_entry(origin="reported", tiers={"public": (0.5, 25.0, 0.8)})
    assert entry_page.of(entry)["evidence"] == []
    assert why_it_counts(entry) == {"Public": ""}
    page = client.get(entry.get_absolute_url()).content.decode()
    assert "Nothing was run here" in page
