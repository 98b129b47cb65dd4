"""What a calibration says of itself: values inside the ranges, intervals, abstentions, fit."""

import numpy as np
import pytest
from scipy import stats

from modalities.physics.calibrate.result import concluded

NAMES = ("a", "b")
RANGES = {"a": (-1.0, 2.0), "b": (0.0, 10.0)}
NOMINAL = {"a": 0.0, "b": 0.0}
COVARIANCE = np.diag([0.01, 4.0])


def test_an_interval_is_two_standard_errors_and_ends_at_the_range():
    found = concluded(NAMES, RANGES, NOMINAL, np.array([0.5, 9.0]), COVARIANCE)
    assert found.values == {"a": 0.5, "b": 9.0}
    assert found.std == pytest.approx({"a": 0.1, "b": 2.0})
    assert found.intervals["a"] == pytest.approx((0.5 - 0.196, 0.5 + 0.196), abs=1e-4)
    assert found.intervals["b"] == pytest.approx((9.0 - 3.92, 10.0), abs=1e-4)


def test_few_scenes_make_wider_intervals():
    found = concluded(NAMES, RANGES, NOMINAL, np.array([0.5, 5.0]), COVARIANCE, None, 3)
    assert found.intervals["a"][1] - 0.5 == pytest.approx(0.1 * stats.t.ppf(0.975, 3))


def test_an_estimate_outside_its_range_is_moved_to_the_border():
    found = concluded(NAMES, RANGES, NOMINAL, np.array([2.7, -5.0]), COVARIANCE)
    assert found.values == {"a": 2.0, "b": 0.0}
    assert found.intervals["a"] == pytest.approx((2.0 - 0.196, 2.0), abs=1e-4)
    assert found.intervals["b"] == pytest.approx((0.0, 3.92), abs=1e-4)


def test_an_abstained_parameter_is_nominal_anywhere_in_its_range():
    theta = np.array([0.5, 9.0])
    found = concluded(NAMES, RANGES, NOMINAL, theta, COVARIANCE, {"b": "The data do not tell it."})
    assert found.values == {"a": 0.5, "b": 0.0}
    assert found.intervals["b"] == RANGES["b"]
    assert found.abstained == {"b": "The data do not tell it."}


def test_only_a_misfit_well_above_its_scatter_says_that_the_model_does_not_fit():
    def fits(chi2):
        return concluded(NAMES, RANGES, NOMINAL, np.zeros(2), COVARIANCE, chi2=chi2).fits

    assert fits((1.02, 1.0, 0.01))
    assert fits((0.5, 1.0, 0.01))
    assert not fits((1.2, 1.0, 0.01))
    assert fits((float("nan"), 1.0, float("nan")))
