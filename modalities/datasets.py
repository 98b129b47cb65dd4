"""The tiers' data: where their files lie, who makes them, and who reads them.

Three places. *Challenge files* hold what a method may see: measurements, nominal operator, ranges;
in the public tier also the truth. Those of public and dev lie in the site's storage, for download.
*Measurement files* are what people's programs are given: the challenge files of hidden, which never
leaves the server, and of public without the truth. They lie under ``settings.MEASUREMENTS_DIR`` and
are named by their version, so that whoever runs programs finds them without the key. The *truth
file* holds objects and true mismatch, lies under ``settings.TRUTH_DIR`` and only the scorer reads
it. All are written separately: deleting from HDF5 only unlinks, the bytes stay.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
from django.conf import settings
from django.core.files.base import ContentFile
from django.core.files.storage import FileSystemStorage, default_storage

from . import challenge_files, disk, physics
from .challenge_files import Truth
from .draws import Draw, draw, ranges, sample_name, sample_names, spec_errors, version_of
from .physics import Array, Spec

__all__ = [
    "DOWNLOADABLE",
    "RUN",
    "Draw",
    "Truth",
    "Written",
    "build",
    "challenge_name",
    "draw",
    "has_truth",
    "is_built",
    "load_measurements",
    "load_public_truth",
    "load_truth",
    "measurements_path",
    "ranges",
    "sample_name",
    "sample_names",
    "spec_errors",
    "version_of",
]

DOWNLOADABLE = ("public", "dev")
RUN = ("public", "hidden")  # people's programs are run on these


@dataclass(frozen=True)
class Written:
    """A challenge file as written: where it lies, its SHA-256 and its size in bytes."""

    version: str
    name: str
    sha256: str
    size: int


def build(spec: Spec, tier: str, report: physics.Report = physics.silent) -> Written:
    """Make a tier's measurements and write its challenge file and its truth file.

    Both are made in memory, written under temporary names and renamed, so that readers see whole
    files only. Raise OSError (ENOSPC) where the disk is full, if possible before computing.
    """
    _check_room(spec, tier)
    drawn = draw(spec, tier)
    H = physics.forward(spec, **drawn.mismatch)
    xs, ys = [], []
    count = len(spec.samples(tier))
    for i in range(count):
        report(f"measuring scene {i + 1} of {count}", i / count)
        x = physics.scene(spec, i, drawn.of_scene(i), tier)
        xs.append(physics.single(x))
        rng = np.random.default_rng(drawn.of_noise(i))
        ys.append(physics.single(physics.measure(H, x, rng)))
    truth = Truth(np.stack(xs), drawn.mismatch)
    _write_truth(spec, tier, truth)
    if tier in RUN:
        _write_measurements(spec, tier, challenge_files.content(spec, tier, ys, None))
    return _write_challenge(spec, tier, ys, truth if tier == "public" else None)


def challenge_name(spec: Spec, tier: str) -> str:
    """Name a downloadable challenge file in the site's storage."""
    return f"datasets/{spec.key}/{version_of(spec, tier)}/{tier}.h5"


def measurements_path(key: str, tier: str, version: str) -> Path:
    """Say where the measurement file of a tier lies; no secret is needed to find it."""
    return Path(settings.MEASUREMENTS_DIR) / key / f"{version}-{tier}.h5"


def is_built(spec: Spec, tier: str) -> bool:
    """Say whether all files of the tier are there, made from today's spec and key."""
    if tier in DOWNLOADABLE and not default_storage.exists(challenge_name(spec, tier)):
        return False
    if tier in RUN and not _measurements_of(spec, tier).exists():
        return False
    return has_truth(spec, tier)


def has_truth(spec: Spec, tier: str) -> bool:
    """Say whether the tier's truth lies on this machine; the tier's key must be set."""
    return _truth_path(spec, tier).exists()


def load_truth(spec: Spec, tier: str) -> Truth:
    """Read the truth of a tier. Only the scorer may; raise FileNotFoundError if there is none."""
    with h5py.File(_truth_path(spec, tier), "r") as h5:
        return Truth(h5["x_true"][:], json.loads(h5.attrs["true_spec"]))


def load_measurements(spec: Spec, tier: str) -> list[Array]:
    """Read the measurements of a tier, one per scene, as float64 or complex128."""
    if tier in DOWNLOADABLE:
        with default_storage.open(challenge_name(spec, tier)) as stored, h5py.File(stored) as h5:
            return challenge_files.measurements(spec, tier, h5)
    with h5py.File(_measurements_of(spec, tier), "r") as h5:
        return challenge_files.measurements(spec, tier, h5)


def load_public_truth(spec: Spec, scene: int) -> Array:
    """Read one object of the public tier from the file that anybody can download."""
    name = sample_names(spec, "public")[scene]
    with (
        default_storage.open(challenge_name(spec, "public")) as stored,
        h5py.File(stored) as h5,
    ):
        return physics.double(h5[name]["x_true"][:])


def _truth_path(spec: Spec, tier: str) -> Path:
    return Path(settings.TRUTH_DIR) / spec.key / f"{version_of(spec, tier)}-{tier}-truth.h5"


def _measurements_of(spec: Spec, tier: str) -> Path:
    return measurements_path(spec.key, tier, version_of(spec, tier))


def _write_truth(spec: Spec, tier: str, truth: Truth) -> None:
    content = challenge_files.truth_content(spec, truth)
    _keep_secret(settings.TRUTH_DIR, _truth_path(spec, tier), content)


def _write_measurements(spec: Spec, tier: str, content: bytes) -> None:
    _keep_secret(settings.MEASUREMENTS_DIR, _measurements_of(spec, tier), content)
    for old in (Path(settings.TRUTH_DIR) / spec.key).glob(f"*-{tier}-challenge.h5"):
        old.unlink()  # where they lay before, beside the truth


def _write_challenge(spec: Spec, tier: str, ys: Sequence[Array], truth: Truth | None) -> Written:
    content = challenge_files.content(spec, tier, ys, truth)
    name = "" if tier not in DOWNLOADABLE else challenge_name(spec, tier)
    if name:
        default_storage.delete(name)
        default_storage.save(name, ContentFile(content))
    return Written(version_of(spec, tier), name, hashlib.sha256(content).hexdigest(), len(content))


def _keep_secret(folder: Path, path: Path, content: bytes) -> None:
    """Write a file of ``folder`` that nobody else on this machine may read."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    os.chmod(folder, 0o700)
    disk.replace(path, content)


def _check_room(spec: Spec, tier: str) -> None:
    """Raise OSError where the tier's files will not fit; they are compressed, so they take less."""
    H = physics.forward(spec)
    numbers = math.prod(H.in_shape) + math.prod(H.out_shape)
    size = len(spec.samples(tier)) * numbers * (4 if H.in_dtype is float else 8)
    disk.need(Path(settings.TRUTH_DIR), size)
    disk.need(Path(settings.MEASUREMENTS_DIR), size)
    if isinstance(default_storage, FileSystemStorage):
        disk.need(Path(default_storage.location), size)
