"""Blind calibration of a tilt series. The statistics over many truths are in tests/bench."""

import ast
import inspect

import numpy as np
import pytest

from modalities import physics
from modalities.physics.calibrate import tomography
from modalities.physics.calibrate.tomography import Model, Search

from .slabs import SMALL

RANGES = {"tilt_angle": (-1.0, 2.0), "tilt_axis": (-0.6, 1.2), "defocus_gradient": (-20.0, 40.0)}
TRUTH = {"tilt_angle": 1.1, "tilt_axis": 0.7, "defocus_gradient": 15.0}


@pytest.fixture(scope="module")
def series():
    H = physics.forward(SMALL, **TRUTH)
    return [
        physics.measure(H, physics.scene(SMALL, i), np.random.default_rng(i)).astype(np.float32)
        for i in (0, 2)
    ]


def test_calibration_of_a_small_slab_comes_near_the_truth(series):
    found = physics.calibrate(SMALL, series, RANGES).values
    allowances = {"tilt_angle": 0.03, "tilt_axis": 0.1, "defocus_gradient": 0.2}
    for name, allowed in allowances.items():
        low, high = RANGES[name]
        assert abs(found[name] - TRUTH[name]) < allowed * (high - low), found


def test_the_derivative_of_the_misfit_is_exact(series):
    x = physics.scene(SMALL, 2).astype(np.float64)
    y = series[1].astype(np.float64)
    at = {"tilt_angle": 0.3, "tilt_axis": 0.2, "defocus_gradient": 4.0}
    here = Model(SMALL, at)
    for m, step in zip(SMALL.mismatches, (1e-4, 1e-4, 1e-3), strict=True):
        up, down = (Model(SMALL, at | {m.name: at[m.name] + s * step}) for s in (1, -1))
        misfit = [0.5 * np.sum(model.residual(x, y) ** 2) for model in (up, down)]
        change = here.changed(m.acts_on, up, x, y) - here.changed(m.acts_on, down, x, y)
        got = np.vdot(here.residual(x, y), change)
        assert got == pytest.approx(misfit[0] - misfit[1], rel=1e-5)


def test_the_estimate_stays_inside_the_ranges():
    search = Search(SMALL, RANGES, physics.silent, jobs=1)
    assert search.inside(np.array([5.0, -5.0, 0.0])).tolist() == [2.0, -0.6, 0.0]


def test_the_estimator_cannot_reach_a_specimen():
    tree = ast.parse(inspect.getsource(tomography))
    imported = {n.module for n in ast.walk(tree) if isinstance(n, ast.ImportFrom)}
    assert not any("phantoms" in (module or "") for module in imported)
    assert not any("scenarios" in (module or "") for module in imported)


def test_calibration_stops_when_it_is_cancelled(series):
    heard = []

    def stop(phase, fraction):
        heard.append(fraction)
        if len(heard) == 30:
            raise physics.Cancelled

    with pytest.raises(physics.Cancelled):
        physics.calibrate(SMALL, series[:1], RANGES, report=stop)
    assert len(heard) == 30
    assert heard == sorted(heard)


def test_calibration_refuses_a_chain_whose_mismatch_it_does_not_know():
    model = Model(SMALL, {})
    with pytest.raises(physics.CatalogueError, match=r"detect\.dose"):
        model.changed("detect.dose", model, np.zeros(SMALL.shape), np.zeros(model.fit.out_shape))
