"""A worker that cannot score does not start, or leaves people's files to one that can."""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
from pathlib import Path

import pytest

from leaderboards import can_score, tasks
from leaderboards.models import QUEUES, Attempt, Kind
from leaderboards.scoring.evidence import inputs_of
from modalities import datasets
from modalities.jobs import State
from modalities.physics import load
from tests import challenge
from tests.factories import make_method

ROOT = Path(__file__).resolve().parents[2]
SCORING = QUEUES[Kind.FILE]


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("challenge")


@pytest.fixture
def production(settings, tmp_path):
    settings.PRODUCTION, settings.TRUTH_DIR = True, tmp_path
    return settings


@pytest.mark.parametrize("key", ["DATA_KEY", "SIGNING_KEY"])
def test_a_worker_of_scored_queues_needs_both_keys(production, key):
    setattr(production, key, "")
    assert f"PWM_{key} is not set here" in can_score.why_not([SCORING, "gallery"])
    assert f"PWM_{key} is not set here" in can_score.why_not(["hidden"])
    assert can_score.why_not(["gallery"]) == ""


def test_a_worker_of_scored_queues_needs_truth_that_follows_from_its_key(production):
    spec = load("stem")
    assert "build_datasets" in can_score.why_not([SCORING])
    for tier in ("public", "dev"):
        path = datasets._truth_path(spec, tier)
        path.parent.mkdir(exist_ok=True)
        path.touch()
        assert bool(can_score.why_not([SCORING])) == (tier == "public")
    assert can_score.why_not([SCORING]) == ""
    production.DATA_KEY = "another key, from which another truth follows"
    assert "build_datasets" in can_score.why_not([SCORING])


def test_at_home_a_worker_may_start_before_the_data_are_made(settings, tmp_path):
    settings.TRUTH_DIR = tmp_path
    assert can_score.why_not([SCORING]) == ""


@pytest.fixture
def runner(settings, monkeypatch):
    for name in can_score.KEYS:
        monkeypatch.delenv(name, raising=False)
    settings.RUNNER = True
    return settings


def test_a_runner_serves_programs_and_nothing_else(runner):
    assert can_score.why_not(["programs"]) == ""
    assert "in a process that does nothing else" in can_score.why_not(["programs", SCORING])
    runner.RUNNER = False
    assert "PWM_RUNNER=1" in can_score.why_not(["programs"])


@pytest.mark.parametrize("name", can_score.KEYS)
def test_a_runner_that_was_given_a_key_does_not_start(runner, monkeypatch, name):
    monkeypatch.setenv(name, "x" * 60)
    assert can_score.why_not(["programs"]).startswith(f"{name} must not be set here")


def test_a_runner_has_no_key_even_where_one_lies(tmp_path):
    (tmp_path / "data_key").write_text(secrets.token_urlsafe(48))
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("PWM_", "PYTEST"))}
    environment |= {"PWM_VAR": str(tmp_path), "DJANGO_SETTINGS_MODULE": "pwmsite.settings"}
    code = (
        "from django.conf import settings as s; from pathlib import Path; "
        "print(repr(s.DATA_KEY), repr(s.SIGNING_KEY), Path(s.TRUTH_DIR).exists())"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env=environment | {"PWM_RUNNER": "1"},
        capture_output=True,
        text=True,
    )
    assert done.stdout == "'' '' False\n", done.stderr


def test_the_worker_itself_ends_with_the_sentence(tmp_path):
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("PWM_", "PYTEST"))}
    environment |= {
        "PWM_DEBUG": "0",
        "PWM_VAR": str(tmp_path),
        "PWM_ALLOWED_HOSTS": "pwm.example.org",
        "PWM_SECRET_KEY": secrets.token_urlsafe(48),
    }
    command = [sys.executable, "-m", "celery", "--quiet", "-A", "pwmsite", "worker"]
    done = subprocess.run(
        [*command, "--queues", "scoring"], cwd=ROOT, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 1
    assert "PWM_SIGNING_KEY is not set here" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.fixture
def stem(settings, folder):
    return challenge.open_challenge(settings, folder, catalogue=False)


@pytest.mark.django_db(transaction=True)
def test_a_file_waits_where_the_truth_is_not_and_costs_no_try(stem, settings, tmp_path):
    what = {"modality": stem, "method": make_method(stem), "queue": SCORING, "kind": Kind.FILE}
    dev = Attempt.objects.enqueue(tier="dev", sha256="1" * 64, **what)
    public = Attempt.objects.enqueue(tier="public", sha256="2" * 64, **what)
    datasets._truth_path(stem.spec, "dev").rename(tmp_path / "away")
    tasks.attempt(str(dev.pk), SCORING)
    for attempt in (dev, public):
        attempt.refresh_from_db()
    assert (dev.state, dev.token, dev.tries) == (State.QUEUED, 0, 0)
    assert public.token == 1, "the next one, whose truth is here, is done meanwhile"
    (tmp_path / "away").rename(datasets._truth_path(stem.spec, "dev"))
    tasks.attempt(str(dev.pk), SCORING)
    dev.refresh_from_db()
    assert dev.token == 1


@pytest.mark.django_db(transaction=True)
def test_a_job_whose_data_vanish_after_it_was_taken_goes_back(stem, settings, tmp_path):
    inputs = inputs_of(stem.spec, "hidden")
    what = {"modality": stem, "method": make_method(stem), "inputs": inputs, "tier": "hidden"}
    attempt = Attempt.objects.enqueue(kind=Kind.BASELINE, queue=QUEUES[Kind.BASELINE], **what)
    settings.TRUTH_DIR = settings.MEASUREMENTS_DIR = tmp_path
    challenge.run(attempt)
    assert (attempt.state, attempt.tries) == (State.QUEUED, 0)
    assert [e.event for e in attempt.events.all()] == ["queued", "claimed", "released"]
