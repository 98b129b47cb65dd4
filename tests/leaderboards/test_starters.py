"""The starter programs run as they are, and the server accepts and scores what they write."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from django.core.files.storage import default_storage

from leaderboards.expected import expectation
from leaderboards.intake.reader import read_submission
from leaderboards.scoring.score import score_tier
from modalities import datasets, physics
from tests.needs import FULL

STARTERS = Path(__file__).parents[2] / "leaderboards" / "starters"
# PSNR in dB and SSIM that a starter reaches on its public tier, less a margin.
REACHED = {"stem": (25.0, 0.83), "electron_tomography": (18.0, 0.5)}
ALLOWED = {"json", "sys", "h5py", "numpy", "scipy"}


def load(key: str) -> physics.Spec:
    """Load a modality; the volume of the tomograph is an eighth, but for the full tests."""
    spec = physics.load(key)
    return spec if FULL or key == "stem" else replace(spec, shape=(32, 128, 32))


@pytest.fixture
def challenge(key: str, tmp_path: Path, settings) -> Path:
    """The public tier's file, built in a folder of its own."""
    settings.TRUTH_DIR, settings.VAR_DIR = tmp_path / "truth", tmp_path
    settings.STORAGES = settings.STORAGES | {
        "default": {
            "BACKEND": "django.core.files.storage.FileSystemStorage",
            "OPTIONS": {"location": tmp_path / "media"},
        }
    }
    written = datasets.build(load(key), "public")
    path = tmp_path / "challenge.h5"
    with default_storage.open(written.name) as stored:
        path.write_bytes(stored.read())
    return path


@pytest.mark.parametrize("key", REACHED)
def test_starter_writes_a_file_that_is_accepted_and_scores(key: str, challenge: Path) -> None:
    spec = load(key)
    submission = challenge.with_name("submission.h5")
    subprocess.run(
        [sys.executable, "-I", STARTERS / f"{key}.py", challenge, submission],
        check=True,
        cwd=challenge.parent,
        env={"PATH": os.environ["PATH"], "OMP_NUM_THREADS": "1"},
    )
    with submission.open("rb") as upload:
        reading = read_submission(upload, expectation(spec, "public"))
    result = score_tier(spec, "public", reading.x_hat, reading.corrected_spec)
    psnr, ssim = REACHED[key]
    assert result.psnr > psnr
    assert result.ssim > ssim


@pytest.mark.parametrize("key", REACHED)
def test_starter_needs_no_code_of_this_project(key: str) -> None:
    lines = (STARTERS / f"{key}.py").read_text("utf-8").splitlines()
    imported = {line.split()[1] for line in lines if line.startswith(("import ", "from "))}
    assert imported <= ALLOWED


def test_every_modality_has_a_starter() -> None:
    assert {path.stem for path in STARTERS.glob("*.py")} == set(physics.keys())
