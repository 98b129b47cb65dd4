"""Blind calibration of the STEM. The statistics over many truths are in tests/bench."""

import ast
import inspect
from pathlib import Path

import numpy as np
import pytest

from modalities import physics
from modalities.physics import scenarios
from modalities.physics.catalogue import CATALOGUE

from ..needs import FULL

SPEC = physics.load("stem")
ALLOWED = {"probe_size": 0.05, "convergence_angle": 0.06, "scan_distortion": 0.01}


def ranges(tier):
    return {m.name: physics.tier_range(SPEC, m.name, tier) for m in SPEC.mismatches}


def measurements(truth, seed):
    H = physics.forward(SPEC, **truth)
    rng = np.random.default_rng([seed, 9])
    return [physics.measure(H, physics.scene(SPEC, i, seed), rng) for i in range(4)]


def errors(truth, tier, seed):
    found = physics.calibrate(SPEC, measurements(truth, seed), ranges(tier)).values
    return {n: abs(found[n] - truth[n]) / (hi - lo) for n, (lo, hi) in ranges(tier).items()}


@pytest.mark.parametrize("tier", physics.TIERS if FULL else physics.TIERS[-1:])
def test_calibration_finds_a_truth_drawn_anywhere_in_the_range(tier):
    rng = np.random.default_rng([4, physics.TIERS.index(tier)])
    truth = {name: rng.uniform(*ends) for name, ends in ranges(tier).items()}
    found = errors(truth, tier, 400)
    assert all(found[name] < 1.5 * ALLOWED[name] for name in found), (truth, found)


def test_calibration_of_the_nominal_system_finds_no_mismatch():
    found = errors(SPEC.nominal, "public", 401)
    assert all(found[name] < ALLOWED[name] for name in found), found


def test_calibration_repeats_to_the_bit():
    ys = measurements(SPEC.perturbed, 402)[:2]
    first, second = (physics.calibrate(SPEC, ys, ranges("public"), seed=s).values for s in (0, 1))
    assert first == second


def test_calibration_knows_no_phantom():
    for path in Path(inspect.getfile(physics.calibrate)).parent.glob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        modules = {n.module or "" for n in ast.walk(tree) if isinstance(n, ast.ImportFrom)}
        assert not any("phantoms" in m or "scenarios" in m for m in modules), path.name


def test_calibration_stops_when_told_to():
    phases = []

    def stop(phase, fraction):
        phases.append(phase)
        if len(phases) > 150:
            raise physics.Cancelled

    with pytest.raises(physics.Cancelled):
        physics.calibrate(SPEC, measurements(SPEC.perturbed, 403), ranges("public"), report=stop)
    assert len(set(phases)) > 1


def test_blind_calibration_wins_back_nearly_all_that_the_mismatch_cost():
    found, scenes = scenarios.calibrated(SPEC).values, range(4 if FULL else 1)
    outcomes = {
        s: [scenarios.run(SPEC, "richardson_lucy_sieve", i, s, spec_hat=found) for i in scenes]
        for s in ("II", "III", "IV")
    }
    psnr = {s: np.mean([o.psnr for o in os]) for s, os in outcomes.items()}
    assert psnr["IV"] >= max(35.5, psnr["II"] + 4.0)
    assert psnr["IV"] >= psnr["III"] - 0.2
    assert np.mean([o.ssim for o in outcomes["IV"]]) >= 0.975


def test_calibration_takes_another_frame_and_another_microscope():
    text = (CATALOGUE / "stem.toml").read_text(encoding="utf-8")
    changes = {
        "shape = [256, 256]": "shape = [150, 178]",
        "convergence_angle = 21.4": "convergence_angle = 24.0",
        "defocus = [0.0, -6.0]": "defocus = [2.0, -7.0]",
    }
    for old, new in changes.items():
        assert old in text
        text = text.replace(old, new)
    spec = physics.parse(text, "stem.toml")
    truth = {"probe_size": 0.08, "convergence_angle": -0.3, "scan_distortion": 0.6}
    H, rng = physics.forward(spec, **truth), np.random.default_rng(5)
    ys = [physics.measure(H, physics.scene(spec, i, 3), rng) for i in range(4)]
    found = physics.calibrate(spec, ys, ranges("public")).values
    for name, (low, high) in ranges("public").items():
        assert abs(found[name] - truth[name]) < 2.5 * ALLOWED[name] * (high - low)
