"""The starter programs run as they are, and the server accepts and scores what they write."""

from __future__ import annotations

import os
import runpy
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from django.core.files.storage import default_storage
from scipy import sparse

from leaderboards.expected import expectation
from leaderboards.intake.reader import read_submission
from leaderboards.scoring.score import score_tier
from modalities import challenge_files, datasets, physics
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
    settings.MEASUREMENTS_DIR = tmp_path / "measurements"
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


def starter(key: str) -> dict[str, Any]:
    return runpy.run_path(str(STARTERS / f"{key}.py"))


@pytest.fixture
def ideal(key: str, tmp_path: Path) -> Iterator[h5py.Group]:
    """The group H_ideal of a challenge file."""
    with h5py.File(tmp_path / "ideal.h5", "w", libver=("v110", "v110")) as h5:
        group = h5.create_group("H_ideal")
        challenge_files._fill_operator(group, load(key), physics.forward(load(key)))
        yield group


@pytest.mark.parametrize("key", REACHED)
def test_operator_of_the_starter_is_that_of_the_physics(key: str, ideal: h5py.Group, rng) -> None:
    H, mine = physics.forward(load(key)), starter(key)["Operator"](ideal)
    x, y = rng.random(H.in_shape), rng.random(H.out_shape)
    assert relative(mine.forward(x), H(x)) < 1e-6
    assert relative(mine.adjoint(y), H.H(y)) < 1e-6


@pytest.mark.parametrize("key", REACHED)
def test_small_example_is_the_same_chain_in_small(key: str, ideal: h5py.Group, rng) -> None:
    small = ideal["small"]
    spec = replace(load(key), shape=tuple(int(n) for n in small.attrs["in_shape"]))
    H, x = physics.forward(spec), small["x"][:]
    parts = [small[f"matrix_{part}"][:] for part in ("data", "indices", "indptr")]
    matrix = sparse.csr_array(tuple(parts), shape=tuple(small.attrs["matrix_shape"]))
    y = rng.random(H.out_shape)
    assert relative(small["y"][:], H(x)) < 1e-12
    assert relative(matrix @ x.ravel(), H(x).ravel()) < 1e-12
    assert relative(matrix.T @ y.ravel(), H.H(y).ravel()) < 1e-12
    for m in spec.mismatches:
        there = physics.forward(spec, **{m.name: m.perturbed})(x)
        assert relative(small[f"y_{m.name}"][:], there) < 1e-12
        assert relative(there, H(x)) > 1e-6
    starter(key)["check"](small)


@pytest.mark.parametrize("key", REACHED)
@pytest.mark.parametrize("name", ["y", "matrix_data"])
def test_starter_finds_that_an_operator_is_wrong(key: str, name: str, ideal: h5py.Group) -> None:
    ideal["small"][name][...] *= 1.001
    with pytest.raises(SystemExit, match=r"is wrong: .* relative error of 1\.0e-03"):
        starter(key)["check"](ideal["small"])


@pytest.mark.parametrize("key", REACHED)
def test_small_example_takes_less_than_a_megabyte(key: str, ideal: h5py.Group) -> None:
    assert sum(item.id.get_storage_size() for item in ideal["small"].values()) < 1 << 20


def relative(a: Any, b: Any) -> float:
    return float(np.linalg.norm(a - b) / np.linalg.norm(b))


def test_every_modality_has_a_starter() -> None:
    assert {path.stem for path in STARTERS.glob("*.py")} == set(physics.keys())
