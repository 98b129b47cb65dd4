"""The site's own baselines: what runs, what it costs, and what it is held against."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from django.core.management import CommandError, call_command

from leaderboards import boards, tells
from leaderboards.models import Attempt, Calibration, Entry, TierScore, Trust, Variant
from leaderboards.scoring import baselines, evidence
from modalities import datasets, physics
from modalities.jobs import State
from tests import challenge

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("challenge")


@pytest.fixture
def stem(settings, folder):
    return challenge.open_challenge(settings, folder, catalogue=False)


def calibrate(modality) -> None:
    """Keep a calibration of each tier, which takes a worker a while: the truth, a little off."""
    for tier in physics.TIERS:
        values = datasets.load_truth(modality.spec, tier).mismatch
        values = {name: 1.01 * value for name, value in values.items()}
        inputs = evidence.inputs_of(modality.spec, tier)
        Calibration.objects.create(
            modality=modality, tier=tier, inputs=inputs, values=values, cpu_seconds=1.0
        )


def test_baselines_fill_the_boards_and_are_never_mixed_with_references(stem):
    calibrate(stem)
    queued = baselines.queue_missing(stem)
    assert baselines.queue_missing(stem) == [], "what is queued is not queued again"
    done = challenge.run_baselines(method__physics_name="wiener", variant=Variant.GRADIENT)
    assert {attempt.tier for attempt in done} == {"public", "dev", "hidden"}
    assert {attempt.state for attempt in done} == {State.SUCCEEDED}
    entry = Entry.objects.measured().on("challenge").get()
    assert entry.name == "Wiener filter + gradient"
    assert entry.trust == Trust.RERUN
    assert entry.score == pytest.approx(
        np.mean([s.score for s in entry.tier_scores.all()]), abs=5e-4
    )
    assert (entry.rank, entry.rank_low) == (1, 1)
    assert entry.score_low < entry.score < entry.score_high
    assert baselines.queue_missing(stem) == [], "what has run is not queued again"
    true_spec = [a for a in queued if a.variant == Variant.TRUE_SPEC and a.tier == "public"]
    assert [attempt.method.physics_name for attempt in true_spec] == [stem.best_method]
    challenge.run_baselines(tier="public", variant=Variant.TRUE_SPEC)
    (reference,) = [row for row in boards.challenge(stem) if row.is_reference]
    assert (reference.variant, reference.rank) == ("true_spec", None)


def test_run_baselines_measures_what_a_baseline_costs(stem):
    calibrate(stem)
    call_command("run_baselines", "stem")
    for attempt in challenge.run_baselines(method__physics_name="wiener", variant=Variant.GRADIENT):
        assert attempt.state == State.SUCCEEDED, attempt.error_message
        assert attempt.cpu_seconds > 0
        assert attempt.peak_memory_mb > 0
        told = TierScore.objects.get(attempt=attempt)
        costs = {"cpu_seconds": told.cpu_seconds, "peak_memory_mb": told.peak_memory_mb}
        assert costs == tells.costs(attempt)


def test_run_baselines_of_an_unknown_modality_says_so(stem):
    with pytest.raises(CommandError, match="There is no modality sonar"):
        call_command("run_baselines", "sonar")


def test_the_standard_boards_ceiling_is_what_the_truth_would_reach(stem):
    baselines.queue_missing(stem)
    (done,) = challenge.run_baselines(method__physics_name="wiener", tier="standard")
    H, ceilings = physics.forward(stem.spec), []
    for i in range(len(stem.spec.scenes)):
        y = physics.scenarios.measurement(stem.spec, i, "I")
        misfit = np.linalg.norm(y - H(physics.scene(stem.spec, i, 0))) / np.linalg.norm(y)
        ceilings.append(1 - misfit)
    assert done.result["ceiling"] == pytest.approx(np.mean(ceilings), abs=1e-9)
    assert done.result["ceiling"] != pytest.approx(done.result["consistency"], abs=1e-4)


def test_a_baseline_of_other_code_says_so_and_writes_nothing(stem):
    queued = baselines.queue_missing(stem)[0]
    Attempt.objects.filter(pk=queued.pk).update(inputs="0" * 64)
    done = challenge.run(Attempt.objects.get(pk=queued.pk))
    assert (done.state, done.error_code) == (State.FAILED, "outdated")
    assert not Entry.objects.measured().exists()
    assert not Calibration.objects.exists()


def test_a_secret_tier_has_no_row_of_a_spec_that_ignores_the_mismatch(stem):
    """Its score would tell everybody how large the mismatch is."""
    for attempt in baselines.queue_missing(stem):
        if attempt.tier in ("dev", "hidden"):
            assert attempt.variant in (Variant.GRADIENT, Variant.TRUE_SPEC)
    told = Attempt.objects.filter(tier="public").values_list("variant", flat=True)
    assert {Variant.NOMINAL, Variant.MIDDLE} < set(told)


def test_the_second_run_of_a_baseline_gives_the_same_bytes(stem):
    baselines.queue_missing(stem)
    (first,) = challenge.run_baselines(
        method__physics_name="wiener", tier="public", variant=Variant.NOMINAL
    )
    second = challenge.run(Attempt.objects.repeat(first))
    assert second.outputs_sha256 == first.outputs_sha256
    assert second.score == first.score
    assert TierScore.objects.get(attempt__isnull=False).attempt == first
