"""The server makes the second run itself: from recorded inputs, or from stored bytes."""

from __future__ import annotations

import pytest
from django.db import IntegrityError, transaction
from django.test import Client

from leaderboards.models import Attempt, Calibration, Entry, Kind, Variant, private_storage
from leaderboards.scoring import baselines, compute, uploads
from modalities import draws
from modalities.jobs import JobFailed, State, worker
from tests import challenge
from tests.factories import make_user

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("challenge")


@pytest.fixture
def stem(settings, folder):
    return challenge.open_challenge(settings, folder, catalogue=False)


def done(attempt: Attempt) -> Attempt:
    """Do an attempt as a worker does; give it as it is afterwards."""
    assert attempt.claim("here:1")
    worker.run(attempt, compute.compute)
    attempt.refresh_from_db()
    return attempt


def run_baseline(stem, variant: Variant, tier: str) -> Attempt:
    baselines.queue_missing(stem)
    wanted = Attempt.objects.filter(method__physics_name="wiener", variant=variant)
    return done(wanted.get(tier=tier))


@pytest.fixture
def baseline(stem) -> Attempt:
    return run_baseline(stem, Variant.GRADIENT, "dev")


@pytest.fixture
def quick_baseline(stem) -> Attempt:
    """One that calibrates nothing."""
    return run_baseline(stem, Variant.NOMINAL, "public")


@pytest.fixture
def file(stem, folder) -> Attempt:
    ada = make_user()
    method, client = challenge.own_method(ada, stem), Client()
    client.force_login(ada)
    written = challenge.starter_writes(challenge.download(client, "public"))
    client.post("/submissions/new/", challenge.form_data(method, written))
    return done(Attempt.objects.files().get())


def test_a_baseline_is_run_again_and_certified(baseline):
    assert baseline.cpu_seconds > 0
    assert baseline.peak_memory_mb > 0
    Calibration.objects.update(values={"probe_size": 9.0})  # what is kept is not asked again
    second = done(Attempt.objects.repeat(baseline, make_user()))
    assert second.outputs_sha256 == baseline.outputs_sha256
    assert second.score == baseline.score
    baseline.entry.certify(make_user(), "Same bytes.", second)
    assert Entry.objects.get(pk=baseline.entry_id).is_certified


def test_a_file_is_read_and_scored_again_and_certified(file):
    second = done(Attempt.objects.repeat(file))
    assert (second.kind, second.score) == (Kind.RERUN, file.score)
    file.entry.certify(make_user(), "Same score.", second)
    assert Entry.objects.get().is_certified


def test_stored_bytes_that_have_changed_are_noticed(file):
    name = file.file.name
    with private_storage().open(name, "rb") as stored:
        content = bytearray(stored.read())
    content[-1] ^= 1
    private_storage().delete(name)
    with private_storage().open(name, "wb") as stored:
        stored.write(content)
    second = done(Attempt.objects.repeat(file))
    assert (second.state, second.error_code) == (State.FAILED, "changed")


def test_a_baseline_of_other_code_or_data_is_not_run_as_if_it_were_the_same(
    quick_baseline, monkeypatch
):
    monkeypatch.setattr(draws, "VERSION", draws.VERSION + 1)
    again = Attempt.objects.repeat(quick_baseline)
    with pytest.raises(JobFailed, match="changed after"):
        compute.compute(again, lambda phase, fraction: None)


def test_one_second_run_at_a_time(file):
    Attempt.objects.repeat(file)
    with pytest.raises(IntegrityError), transaction.atomic():
        Attempt.objects.repeat(file)


def test_files_of_older_metrics_are_scored_again_once(file, monkeypatch):
    assert not uploads.outdated().exists()
    monkeypatch.setattr(uploads, "METRICS_VERSION", "newer")
    assert list(uploads.outdated()) == [file]
