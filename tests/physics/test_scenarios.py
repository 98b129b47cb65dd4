"""The scenarios differ in what they should, and in nothing else."""

from dataclasses import replace

import numpy as np
import pytest

from modalities import physics
from modalities.physics import scenarios
from modalities.physics.scenarios import SCENARIOS, believed, measurement, rho, run, violations

from ..needs import FULL
from .slabs import SMALL

METHOD = "wiener"


@pytest.fixture(scope="module")
def spec():
    return physics.load("stem")


@pytest.fixture(scope="module")
def outcomes(spec):
    """One scene in all scenarios; IV is told what a perfect calibration would find."""
    return {s: run(spec, METHOD, 0, s, spec_hat=spec.perturbed) for s in SCENARIOS}


def test_perturbed_scenarios_share_one_measurement(outcomes):
    assert np.array_equal(outcomes["II"].y, outcomes["III"].y)
    assert np.array_equal(outcomes["II"].y, outcomes["IV"].y)
    assert not np.array_equal(outcomes["I"].y, outcomes["II"].y)


def test_all_scenarios_share_one_object(outcomes):
    assert all(np.array_equal(outcomes["I"].x, o.x) for o in outcomes.values())


def test_reconstruction_believes_what_its_scenario_says(spec, outcomes):
    assert outcomes["I"].mismatch_used == outcomes["II"].mismatch_used == spec.nominal
    assert outcomes["III"].mismatch_used == outcomes["IV"].mismatch_used == spec.perturbed


def test_perfect_calibration_is_the_true_spec(outcomes):
    assert np.array_equal(outcomes["III"].x_hat, outcomes["IV"].x_hat)


def test_knowing_the_mismatch_helps(spec):
    psnrs = [{s: run(spec, METHOD, i, s).psnr for s in ("II", "III")} for i in range(4)]
    assert violations(psnrs) == []


def test_figures_are_those_of_the_metrics(spec, outcomes):
    o = outcomes["III"]
    assert o.psnr == physics.psnr(o.x, o.x_hat)
    assert o.ssim == physics.ssim(o.x, o.x_hat)
    H = physics.forward(spec, **o.mismatch_used)
    assert o.consistency == physics.consistency(o.y, H, o.x_hat)


def test_seed_decides_object_and_noise(spec):
    first, again, other = (measurement(spec, 0, "II", seed) for seed in (0, 0, 1))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_seed_as_large_as_a_secret_is_taken(spec):
    assert np.isfinite(measurement(spec, 0, "II", seed=2**255 - 19)).all()


def test_measurement_does_not_depend_on_what_is_believed(spec, outcomes):
    wrong = {name: -value for name, value in spec.perturbed.items()}
    o = run(spec, METHOD, 0, "IV", spec_hat=wrong)
    assert np.array_equal(o.y, outcomes["IV"].y)
    assert o.mismatch_used == wrong
    assert o.psnr < outcomes["IV"].psnr


def test_each_group_is_calibrated_from_its_own_scenes(spec, monkeypatch):
    seen = []
    monkeypatch.setattr(scenarios, "calibrate", lambda spec, ys, *args: seen.append(ys))
    two = replace(spec, scenes=spec.scenes[:2], away=(replace(spec.scenes[2], tiers=("public",)),))
    for group in ("home", "away"):
        scenarios.calibrated(two, group=group)
    assert [len(ys) for ys in seen] == [2, 1]
    np.testing.assert_array_equal(seen[1][0], measurement(two, 2, "IV"))


def test_cancelling_stops_the_reconstruction(spec):
    def stop(phase: str, fraction: float) -> None:
        raise physics.Cancelled("stopped")

    with pytest.raises(physics.Cancelled):
        run(spec, METHOD, 0, "I", report=stop)


def test_unknown_names_are_refused(spec):
    with pytest.raises(
        physics.CatalogueError, match="no scenario 'V'; the scenarios are I, II, III, IV"
    ):
        run(spec, METHOD, 0, "V")
    with pytest.raises(physics.CatalogueError, match="no method 'magic'; it has"):
        run(spec, "magic", 0, "I")
    with pytest.raises(physics.CatalogueError, match="no scene 8; its scenes are 0 to 7"):
        physics.scene(spec, 8)
    with pytest.raises(
        physics.CatalogueError, match="one range for each of convergence_angle, probe"
    ):
        physics.calibrate(spec, [], {"probe_size": (0, 1)})
    with pytest.raises(KeyError, match="no modality 'xray' in METHODS; it has"):
        physics.METHODS["xray"]


def test_true_spec_scenario_believes_the_truth_without_calibrating(spec):
    assert believed(spec, "III") == spec.perturbed


@pytest.mark.parametrize("key", physics.keys())
def test_catalogue_names_only_scenes_and_methods_that_exist(key: str):
    spec = physics.load(key)
    assert {s.phantom for s in spec.scenes + spec.away} <= set(physics.PHANTOMS[key])
    assert spec.gallery_method in physics.METHODS[key]


@pytest.mark.parametrize("spec", [physics.load("stem"), SMALL], ids=lambda spec: spec.key)
def test_no_method_with_the_true_operator_beats_the_gallery_method(spec):
    """Its true-spec row is what the board compares entries with."""
    names = [name for name, method in physics.METHODS[spec.key].items() if not method.requires]
    scenes = (0, 2) if FULL else (0,)
    psnrs = {name: np.mean([run(spec, name, i, "III").psnr for i in scenes]) for name in names}
    assert max(psnrs, key=psnrs.__getitem__) == spec.gallery_method


@pytest.mark.parametrize("key", physics.keys())
def test_scene_fills_the_object_within_zero_and_one(key: str):
    spec = physics.load(key)
    x = physics.scene(spec, 0)
    assert x.shape == spec.shape
    assert x.dtype == np.float64
    assert 0 <= x.min() < 0.2 < 0.8 < x.max() <= 1


def test_part_won_back_is_a_share_of_the_loss():
    assert rho(26.0, 28.0, 27.5) == pytest.approx(0.75)
    assert rho(26.0, 28.0, 25.0) == pytest.approx(-0.5)


@pytest.mark.parametrize("true_spec", [26.0, 26.09, 25.0])
def test_part_won_back_is_not_given_where_nothing_was_lost(true_spec):
    assert rho(26.0, true_spec, 26.05) is None


def test_order_of_the_scenarios_is_checked_within_a_twentieth_of_a_decibel():
    good = {"I": 30.0, "II": 28.0, "III": 29.0}
    assert violations([good, scores(good, II=29.04), scores(good, II=29.04, IV=29.0)]) == []
    found = violations(
        [good, scores(good, II=29.2), scores(good, IV=27.9), scores(good, IV=29.1)],
    )
    assert found == [
        "Scene 1: scenario II reaches 29.20 dB, more than scenario III with 29.00 dB.",
        "Scene 2: scenario II reaches 28.00 dB, more than scenario IV with 27.90 dB.",
        "Scene 3: scenario IV reaches 29.10 dB, more than scenario III with 29.00 dB.",
    ]


def test_a_perturbed_instrument_may_be_the_better_one():
    assert violations([{"I": 30.0, "II": 28.0, "III": 30.7, "IV": 30.6}]) == []


def test_a_smaller_source_is_a_better_microscope(spec):
    smaller = replace(
        spec, mismatches=tuple(replace(m, perturbed=-m.perturbed) for m in spec.mismatches)
    )
    psnr = {s: run(smaller, METHOD, 0, s).psnr for s in ("I", "II", "III")}
    assert psnr["III"] > psnr["I"] > psnr["II"]
    assert violations([psnr]) == []


def scores(good: dict[str, float], **new: float) -> dict[str, float]:
    return good | new


def test_unknown_phantom_is_refused(spec):
    wrong = replace(spec, scenes=(replace(spec.scenes[0], phantom="none"),))
    with pytest.raises(physics.CatalogueError, match="stem has no phantom 'none'; it has"):
        physics.scene(wrong, 0)
