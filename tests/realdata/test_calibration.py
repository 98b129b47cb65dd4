"""A measured series is calibrated in the background, from its views alone, with its evidence."""

from __future__ import annotations

from dataclasses import replace
from io import StringIO
from pathlib import Path

import numpy as np
import pytest
from django.core.files.storage import default_storage
from django.core.management import call_command
from django.test import Client

from modalities.jobs import State
from modalities.jobs.worker import claim_next, run
from modalities.physics.versions import program_sha256
from realdata.compute import compute
from realdata.models import Calibration
from realdata.series import SERIES
from tests.site.reading import text

from .packages import TURN, install, register

pytestmark = pytest.mark.django_db


def calibrated() -> Calibration:
    """Queue what is missing and compute it as a worker would."""
    call_command("calibrate_real", stdout=StringIO())
    job = claim_next(Calibration, Calibration.default_queue)
    assert isinstance(job, Calibration)
    run(job, compute)
    job.refresh_from_db()
    return job


@pytest.mark.django_db(transaction=True)
def test_turn_is_found_and_kept_with_its_evidence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, client: Client
) -> None:
    series = install(tmp_path, monkeypatch)
    job = calibrated()
    assert job.state == State.SUCCEEDED, job.error_message
    found = job.result["rotation"]
    assert abs(found["value"] - TURN) < max(0.15, 1.5 * found["half_width"])
    assert job.result["residual"]["calibrated"] < job.result["residual"]["nominal"]
    assert job.file_sha256 == series.recorded.sha256
    assert job.program_sha256 == program_sha256()
    assert job.cpu_seconds
    assert all(default_storage.exists(path) for path in job.kept_files())

    html = client.get("/real-data/").content.decode()
    words = text(html)
    assert "Calibrated, not scored" in words
    assert series.recorded.sha256 in words
    assert "The data are not here" not in words
    picture = client.get(f"/real-data/{job.pk}/calibrated_along.webp")
    assert picture.status_code == 200
    assert client.get(f"/real-data/{job.pk}/other.webp").status_code == 404

    asked = StringIO()
    call_command("calibrate_real", stdout=asked)
    assert "nothing to do" in asked.getvalue()


def test_package_that_is_missing_is_said_and_nothing_is_shown_as_measured(
    monkeypatch: pytest.MonkeyPatch, client: Client
) -> None:
    register(replace(SERIES["needle"], package="nobody-has-this"), monkeypatch)
    call_command("calibrate_real", stdout=StringIO())
    assert not Calibration.objects.exists()
    words = text(client.get("/real-data/").content.decode())
    assert "The package nobody-has-this is not installed here." in words
    assert "make realdata" in words
    assert "What the views tell" not in words
    assert "±" not in words


@pytest.mark.django_db(transaction=True)
def test_data_that_changed_since_end_the_job_with_a_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, client: Client
) -> None:
    install(tmp_path, monkeypatch)
    (tmp_path / "rod.mrc").write_bytes(b"something else")
    job = calibrated()
    assert job.state == State.FAILED
    assert "hash differs" in job.error_message
    assert job.result == {}
    assert "hash differs" in text(client.get("/real-data/").content.decode())


def test_package_alignment_does_not_reach_the_blind_part(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ours comes out the same to the last bit when the package's alignment is another."""
    from realdata.compute import blind
    from realdata.series import recorded

    series = install(tmp_path, monkeypatch)
    monkeypatch.setattr("realdata.compute.EVERY", 16)
    y = recorded(series)
    before = blind(series, y, lambda phase, fraction: None)
    (tmp_path / "rod.hspy").write_bytes(b"no alignment at all")
    after = blind(series, recorded(series), lambda phase, fraction: None)
    assert before == after
    assert np.isfinite(before["backlash"]["value"])
