"""Blind calibration of any chain. Statistics over many truths and specimens are in tests/bench."""

import ast
import inspect
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage

from modalities import physics
from modalities.physics.calibrate import variable_projection
from modalities.physics.calibrate.variable_projection import (
    Equations,
    Scenes,
    compared,
    doubt,
    entangled,
    needed,
    secant,
    spread,
)
from modalities.physics.progress import silent
from modalities.physics.projections import NO_FILTER, preconditioner

from .chains import SYSTEMS, one_source, system
from .slabs import SMALL

STEM = replace(physics.load("stem"), shape=(128, 144))
ONE_SOURCE = one_source(STEM)
# What no data of such a chain can tell: turning the gantry by one angle turns the object, a shift
# of all patterns shifts it, and one snapshot has fewer data than the object has unknowns.
UNTOLD = {"ct", "single_pixel", "cassi", "holography"}

NOTHING = np.zeros(1)
EQUATIONS = Equations(
    A=physics.forward(STEM),
    fit=NOTHING,
    filter=NOTHING,
    derivatives=[],
    weights=NOTHING,
    score=NOTHING,
    energy=np.eye(1),
    chi2=1.0,
)


def objects(spec, count):
    """Smooth random objects between 0 and 1, zero at their border."""
    rng = np.random.default_rng(7)
    for _ in range(count):
        x = ndimage.gaussian_filter(rng.standard_normal(spec.shape), 0.8)
        x = np.clip(0.5 + 0.5 * x / x.std(), 0, 1)
        for axis, n in enumerate(spec.shape):
            line = np.minimum(1, np.minimum(np.arange(n), np.arange(n)[::-1]) / 2)
            x = x * line.reshape([-1 if a == axis else 1 for a in range(x.ndim)])
        yield x


def ranges(spec):
    return {m.name: physics.tier_range(spec, m.name, "public") for m in spec.mismatches}


def measured(spec, truth, xs, seed=0):
    H = physics.forward(spec, **truth)
    return [physics.measure(H, x, np.random.default_rng([seed, i])) for i, x in enumerate(xs)]


@pytest.mark.parametrize("key", SYSTEMS)
def test_a_chain_of_any_kind_finds_its_mismatch_or_says_that_it_cannot(key):
    spec = system(key)
    truth = {"error": 0.7 * spec.perturbed["error"]}
    ends = ranges(spec)
    found = physics.calibrate(spec, measured(spec, truth, objects(spec, 4)), ends)
    assert set(found.abstained) == ({"error"} if key in UNTOLD else set())
    low, high = found.intervals["error"]
    assert low <= truth["error"] <= high
    if key in UNTOLD:
        assert found.values == spec.nominal
        assert found.intervals == ends


def test_intervals_hold_the_truth_as_often_as_they_say():
    spec, hits, far = system("mri"), 0, 0.0
    rng = np.random.default_rng(11)
    for k in range(30):
        truth = {"error": float(rng.uniform(*ranges(spec)["error"]))}
        found = physics.calibrate(spec, measured(spec, truth, objects(spec, 3), k), ranges(spec))
        low, high = found.intervals["error"]
        hits += low <= truth["error"] <= high
        far = max(far, abs(found.values["error"] - truth["error"]) / found.std["error"])
    assert hits >= 26  # 28.5 of 30 expected; fewer than 26 happen once in 60 times
    assert far > 0.7  # intervals that are far too wide hold it too


@pytest.fixture(scope="module")
def frames():
    truth = {"probe_size": 0.12, "convergence_angle": -0.3, "scan_distortion": 0.6}
    return truth, measured(STEM, truth, [physics.scene(STEM, i, 3) for i in range(3)])


def test_stem_tells_all_three_by_two_sizes_of_the_source(frames):
    truth, ys = frames
    found = physics.calibrate(STEM, ys, ranges(STEM))
    assert found.abstained == {}
    assert found.fits
    for name, value in truth.items():
        low, high = ranges(STEM)[name]
        assert abs(found.values[name] - value) < 0.25 * (high - low), found
        assert abs(found.values[name] - value) < 3 * found.std[name], found


def test_what_blurs_all_frames_alike_might_be_the_object_and_is_abstained_from(frames):
    truth, _ = frames
    ys = measured(ONE_SOURCE, truth, [physics.scene(STEM, i, 3) for i in range(3)])
    found = physics.calibrate(ONE_SOURCE, ys, ranges(STEM))
    assert "probe_size" in found.abstained
    assert found.values["probe_size"] == 0.0


def test_data_that_the_model_does_not_fit_make_it_abstain(frames):
    _, ys = frames
    strangers = [np.stack([y[0], other[1]]) for y, other in zip(ys, ys[1:] + ys[:1], strict=True)]
    found = physics.calibrate(STEM, strangers, ranges(STEM))
    assert set(found.abstained) == set(found.values)
    assert "model does not fit" in found.abstained["scan_distortion"]
    assert found.values == STEM.nominal
    assert not found.fits


def test_the_same_seed_repeats_to_the_bit_and_another_one_differs_by_noise():
    spec = system("sim")
    ys = measured(spec, spec.perturbed, objects(spec, 3))
    first, second, third = (physics.calibrate(spec, ys, ranges(spec), seed) for seed in (0, 0, 1))
    assert first.values == second.values
    assert np.array_equal(first.covariance, second.covariance)
    assert 0 < abs(third.values["error"] - first.values["error"]) < 4 * first.std["error"]


def test_the_order_in_which_scenes_come_changes_nothing():
    spec = system("sim")
    ys = measured(spec, spec.perturbed, objects(spec, 3))
    first, second = (physics.calibrate(spec, y, ranges(spec)) for y in (ys, ys[1:] + ys[:1]))
    assert first.values == second.values
    assert np.array_equal(first.covariance, second.covariance)


def test_whichever_scenes_lead_errors_are_what_standard_errors_say(monkeypatch):
    """The dimmest and the brightest keep three times as much of their energy as others do."""
    monkeypatch.setattr(variable_projection, "ordered", list)
    truth = {"probe_size": 0.12, "convergence_angle": -0.3, "scan_distortion": 0.6}
    ys = measured(STEM, truth, [physics.scene(STEM, i, 5, tier="public") for i in range(8)])
    for order in ([5, 0, 1, 2, 3, 4, 6, 7], [2, 0, 1, 4, 5, 6, 7, 3]):
        found = physics.calibrate(STEM, [ys[i] for i in order], ranges(STEM))
        for name in found.values.keys() - found.abstained.keys():
            assert abs(found.values[name] - truth[name]) < 3 * found.std[name], found


@pytest.fixture(scope="module")
def tilt_series():
    truth = {"tilt_angle": 0.8, "tilt_axis": 0.45, "defocus_gradient": 12.0}
    spec = replace(SMALL, shape=(12, 96, 16))
    return spec, truth, measured(spec, truth, [physics.scene(spec, i) for i in (0, 2)])


def test_a_small_tilt_series_comes_near_the_truth(tilt_series):
    spec, truth, ys = tilt_series
    found = physics.calibrate(spec, ys, ranges(spec))
    for name, allowed in {"tilt_angle": 0.05, "tilt_axis": 0.15}.items():
        low, high = ranges(spec)[name]
        assert abs(found.values[name] - truth[name]) < allowed * (high - low), found


def test_a_filter_that_does_not_help_a_chain_is_tried_once(tilt_series, monkeypatch):
    spec, _, ys = tilt_series
    made = []
    monkeypatch.setattr(
        variable_projection, "preconditioner", lambda *a: made.append(a) or preconditioner(*a)
    )
    scenes = Scenes(spec, ys, ranges(spec), 0, silent)
    first, second = scenes.measured(np.full(3, 0.5), [0, 1])
    assert len(made) == 1
    assert first.filter is second.filter is NO_FILTER


def test_a_background_that_no_object_explains_makes_a_tilt_series_abstain(tilt_series):
    spec, _, ys = tilt_series
    found = physics.calibrate(spec, [y + 0.1 * y.mean() for y in ys], ranges(spec))
    assert set(found.abstained) == set(found.values)
    assert all("model does not fit" in reason for reason in found.abstained.values())


def test_a_background_that_an_object_explains_does_not_move_stem(frames):
    truth, ys = frames
    found = physics.calibrate(STEM, [y + 0.02 * y.mean() for y in ys], ranges(STEM))
    for name in found.values.keys() - found.abstained.keys():
        assert abs(found.values[name] - truth[name]) < 3 * found.std[name], found


def test_calibration_knows_no_phantom():
    for path in Path(inspect.getfile(variable_projection)).parent.glob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        modules = {n.module or "" for n in ast.walk(tree) if isinstance(n, ast.ImportFrom)}
        assert not any("phantoms" in m or "scenarios" in m for m in modules), path.name


def test_calibration_stops_when_it_is_cancelled(frames):
    heard = []

    def stop(phase, fraction):
        heard.append(fraction)
        if len(heard) == 60:
            raise physics.Cancelled

    with pytest.raises(physics.Cancelled):
        physics.calibrate(STEM, frames[1], ranges(STEM), report=stop)
    assert len(heard) == 60
    assert heard == sorted(heard)


def test_a_secant_maps_the_last_step_to_its_change():
    rng = np.random.default_rng(0)
    matrix, step, change = rng.random((3, 3)), rng.random(3), rng.random(3)
    assert secant(matrix, step, change) @ step == pytest.approx(change)
    across = np.cross(step, change)
    assert secant(matrix, step, change) @ across == pytest.approx(matrix @ across)
    assert np.array_equal(secant(matrix, 0 * step, change), matrix)


@pytest.mark.parametrize(
    ("t", "std", "bias", "chi2", "reason"),
    [
        (0.5, 0.1, 0.05, (1.0, 1.0, 0.01), ""),
        (1.2, 0.1, 0.05, (1.0, 1.0, 0.01), ""),
        (1.4, 0.1, 0.05, (1.0, 1.0, 0.01), "outside its range"),
        (-0.4, 0.1, 0.05, (1.0, 1.0, 0.01), "outside its range"),
        (0.5, 0.1, 0.05, (1.8, 1.0, 0.01), ""),
        (0.5, 0.3, 0.05, (1.0, 1.0, 0.01), "a quarter of its range"),
        (0.5, 0.1, -0.2, (1.0, 1.0, 0.01), "do not give it back"),
        (0.5, 0.1, 0.05, (2.2, 1.0, 0.01), "120% above"),
        (0.5, 0.1, 0.05, (0.01, 0.01, 0.01), "whatever the mismatch is"),
    ],
)
def test_each_doubt_has_its_reason(t, std, bias, chi2, reason):
    said = doubt(t, std, bias, chi2)
    assert reason in said
    assert bool(said) == bool(reason)


def test_what_cannot_be_told_apart_from_an_abstained_parameter_is_abstained_from():
    names, covariance = ("a", "b", "c"), np.array([[4.0, 1.8, 0.1], [1.8, 1.0, 0.1], [0.1, 0.1, 1]])
    found = entangled(names, covariance, {"a": "It lies outside its range."})
    assert list(found) == ["b"]
    assert "apart from a" in found["b"]
    assert entangled(names, covariance, {"c": "It lies outside its range."}) == {}


@pytest.mark.parametrize(
    ("information", "told", "count"),
    [(1e6, True, 4), (1e4, True, 8), (1e3, True, 80), (1, False, 4)],
)
def test_as_many_scenes_take_part_as_precision_needs(information, told, count):
    """Two thirds of the energy is information; a scene's variance is twice its inverse."""
    scene = replace(EQUATIONS, energy=1.5 * information * np.eye(1))
    assert needed(2 / 3 * np.ones((2, 1, 1)), [scene, scene], np.array([told])) == count


def test_scenes_that_take_part_are_spread_over_all():
    assert spread(4, 8) == [0, 2, 5, 7]
    assert spread(80, 8) == list(range(8))
    assert spread(4, 1) == [0]


def test_chi2_is_compared_scene_by_scene():
    found, expected, std = compared([0.95, 0.97, 0.93], [0.94, 0.96, 0.92], 10**6)
    assert (found, expected) == pytest.approx((0.95, 0.94))
    assert std == pytest.approx((4 / 3e6) ** 0.5)
