"""Score against spec error: computed from the public tier's truth, one parameter at a time."""

from __future__ import annotations

import numpy as np
import pytest
from django.core.management import call_command

from leaderboards import calibration_page, curves_page
from leaderboards.models import Bound, SpecCurve
from leaderboards.scoring import studies
from leaderboards.scoring.score import score_tier
from modalities import datasets, physics
from modalities.jobs import State, worker
from tests import challenge

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("curves")


@pytest.fixture
def stem(settings, folder):
    return challenge.open_challenge(settings, folder, catalogue=False)


def computed(curve: SpecCurve) -> SpecCurve:
    curve.claim("test")
    worker.run(curve, studies.curve)
    curve.refresh_from_db()
    return curve


def wiener(stem, parameter: str) -> SpecCurve:
    call_command("run_spec_studies", "stem")
    return SpecCurve.objects.get(method__physics_name="wiener", parameter=parameter)


def test_at_the_truth_a_curve_has_the_score_of_the_true_spec(stem):
    curve = computed(wiener(stem, "probe_size"))
    assert curve.state == State.SUCCEEDED, curve.error_message
    spec, truth = stem.spec, datasets.load_truth(stem.spec, "public").mismatch
    H = physics.forward(spec, **truth)
    x_hats = [
        physics.reconstruct("wiener", H, y) for y in datasets.load_measurements(spec, "public")
    ]
    expected = score_tier(spec, "public", x_hats, [truth] * len(x_hats))
    place = curve.result["errors"].index(0.0)
    assert curve.result["score"][place] == pytest.approx(expected.score, abs=1e-9)
    assert curve.result["psnr"][place] == pytest.approx(expected.psnr, abs=1e-9)
    assert len({round(score, 6) for score in curve.result["score"]}) > 1
    assert curve.program_sha256
    assert curve.cpu_seconds > 0


def test_no_point_lies_outside_the_tiers_range(stem):
    curve = computed(wiener(stem, "scan_distortion"))
    low, high = datasets.ranges(stem.spec, "public")["scan_distortion"]
    true = datasets.load_truth(stem.spec, "public").mismatch["scan_distortion"]
    for error in curve.result["errors"]:
        assert low <= true + error * (high - low) <= high


def test_what_is_queued_or_computed_is_not_queued_again(stem):
    curve = wiener(stem, "probe_size")
    assert studies.queue_missing(stem) == []
    computed(curve)
    assert studies.queue_missing(stem) == []


def test_a_curve_of_other_code_says_so_and_writes_nothing(stem):
    curve = wiener(stem, "probe_size")
    SpecCurve.objects.filter(pk=curve.pk).update(inputs="0" * 64)
    done = computed(SpecCurve.objects.get(pk=curve.pk))
    assert (done.state, done.error_code, done.result) == (State.FAILED, "outdated", {})


def test_page_shows_each_parameter_with_a_line_per_method(settings, folder, client):
    stem = challenge.open_challenge(settings, folder)
    empty = client.get("/modalities/stem/").content.decode()
    assert "The worker computes these curves" in empty
    result = {"errors": [-0.1, 0.0, 0.1], "score": [0.5, 0.6, 0.65], "score_home": [0.5, 0.7, 0.6]}
    curve = wiener(stem, "probe_size")
    curve.claim("test")
    curve.succeed(lambda: SpecCurve.objects.filter(pk=curve.pk).update(result=result))
    assert "Where each method peaks" in client.get("/modalities/stem/").content.decode()
    (parameter,) = curves_page.of(stem)
    (line,) = parameter.lines
    assert (line.peak_text, line.gained_text) == ("+10 %", "0.050")
    assert line.home_text == "+2 %"
    assert line.away_text == "–"
    assert "is best at +10 %" in parameter.drawing
    (told,) = client.get("/api/v1/modalities/stem/spec-curves/").json()
    assert (told["parameter"], told["peak"]) == ("probe_size", 0.1)
    assert told["errors"] == result["errors"]


def test_the_bounds_are_those_of_the_whole_tier(stem, monkeypatch):
    monkeypatch.setattr(studies, "STEPS", 4)
    call_command("run_spec_studies", "stem")
    study = Bound.objects.get()
    study.claim("test")
    worker.run(study, studies.bound)
    study.refresh_from_db()
    assert study.state == State.SUCCEEDED, study.error_message
    truth = datasets.load_truth(stem.spec, "public")
    known = physics.cramer_rao(stem.spec, truth.mismatch, list(truth.x.astype(float)), True)
    assert study.result["known"] == pytest.approx(known)
    for name, value in study.result["unknown"].items():
        assert value >= known[name], "who does not know the object knows the mismatch less well"
    assert [name for name, _, _ in calibration_page.of(stem).bounds] == list(known)


@pytest.mark.parametrize("true", [-0.04, 0.0, 0.013, 0.06])
def test_the_peak_of_a_parabola_is_found_exactly(true):
    errors = list(studies.ERRORS)
    scores = [0.7 - (e - true) ** 2 for e in errors]
    assert curves_page.peak_of(errors, scores) == pytest.approx(true, abs=1e-9)


def test_a_peak_at_the_end_is_the_end():
    assert curves_page.peak_of([-0.1, 0.0, 0.1], [0.1, 0.2, 0.3]) == 0.1
    assert np.isclose(curves_page.peak_of([0.0, 0.1], [0.5, 0.4]), 0.0)
