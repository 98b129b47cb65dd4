"""The tiers' data: HDF5 files, written and read, and what each tier reveals.

Two places. The *challenge file* holds what a method may see: measurements, nominal operator,
ranges; in the public tier also the truth. Those of public and dev lie in the site's storage, for
download; that of hidden never leaves the server. The *truth file* holds objects and true mismatch,
lies under ``settings.TRUTH_DIR`` (mode 0700) and only the scorer reads it. The two are written
separately: deleting from HDF5 only unlinks, the bytes stay.

Public data follow from the repository, so that anyone can make them again. Scenes, noise and true
mismatch of dev and hidden follow from the deployment's secret key, and all of them from the task
that the catalogue describes: a changed task shares nothing with the old one, whose truth may be
known. All scenes of a tier, at home and away, share one true mismatch. It is drawn anywhere in the
tier's ranges except near their middles, which guessers try first, and drawn again if it lies so
close to nominal that nobody need calibrate.
"""

from __future__ import annotations

import hashlib
import hmac
import io
import json
import math
import os
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.files.base import ContentFile
from django.core.files.storage import FileSystemStorage, default_storage

from modalities import disk, physics
from modalities.physics import Array, Forward, Spec

VERSION = 1
DOWNLOADABLE = ("public", "dev")
RUNNER = {"public": "upload", "dev": "upload", "hidden": "program"}
# How far a true value lies from the middle and from the ends of its range, as parts of the range.
MIDDLE, ENDS = 0.06, 0.04
# Most entries of the matrix that a file holds of the chain on a small grid; a megabyte at most.
MATRIX_ENTRIES = 1 << 17
# The smallest mismatch of a tier: root mean square over its parts, in perturbed values.
LEAST_MISMATCH = 0.6


@dataclass(frozen=True)
class Draw:
    """What a tier is made from: a seed of 256 bits and the true mismatch; a secret, so no repr.

    Each scene and each scene's noise has a seed of its own, which tells nothing of the others.
    """

    seed: int = field(repr=False)
    mismatch: dict[str, float] = field(repr=False)

    def of_scene(self, index: int) -> int:
        """Give the seed of the object of sample ``index``."""
        return _derived(self.seed, f"scene {index}")

    def of_noise(self, index: int) -> int:
        """Give the seed of the noise of sample ``index``."""
        return _derived(self.seed, f"noise {index}")


@dataclass(frozen=True)
class Truth:
    """What the scorer knows: objects of shape (scenes, *spec.shape) and the true mismatch."""

    x: Array
    mismatch: dict[str, float]


@dataclass(frozen=True)
class Written:
    """A challenge file as written: where it lies, its SHA-256 and its size in bytes."""

    version: str
    name: str
    sha256: str
    size: int


def sample_name(index: int) -> str:
    """Name one sample of a file, counted from 0."""
    return f"sample_{index:02d}"


def sample_names(spec: Spec, tier: str) -> tuple[str, ...]:
    """Name the samples of a tier's file: ``sample_00`` …, those at home, then those away."""
    return tuple(sample_name(i) for i in range(len(spec.samples(tier))))


def ranges(spec: Spec, tier: str) -> dict[str, tuple[float, float]]:
    """Return the range of each unknown in ``tier``, by name."""
    return {m.name: physics.tier_range(spec, m.name, tier) for m in spec.mismatches}


def version_of(spec: Spec, tier: str) -> str:
    """Name what a tier's data follow from: format, task and, for secret tiers, the key.

    A change of phantoms, noise or format that changes the data needs a new VERSION.
    """
    return f"{VERSION}-{_derived(_seed(spec, tier), 'name') >> 208:012x}"


def draw(spec: Spec, tier: str) -> Draw:
    """Draw the tier's seed and true mismatch.

    The seed is HMAC-SHA256 of the whole task under the key, so that a task with another
    perturbation, argument or scene shares neither scenes nor part of the range with this one.
    """
    seed = _seed(spec, tier)
    rng = np.random.default_rng(_derived(seed, "mismatch"))
    while True:
        found = {name: _between(rng, *ends) for name, ends in ranges(spec, tier).items()}
        parts = [(found[m.name] - m.nominal) / (m.perturbed - m.nominal) for m in spec.mismatches]
        if np.sqrt(np.mean(np.square(parts))) >= LEAST_MISMATCH:
            return Draw(seed, found)


def _seed(spec: Spec, tier: str) -> int:
    return _hmac(_key(tier), _task(spec, tier))


def _derived(seed: int, label: str) -> int:
    """Derive one of many independent seeds, each of 256 bits, as HKDF expands a key (RFC 5869)."""
    return _hmac(seed.to_bytes(32, "big"), label)


def _hmac(key: bytes, text: str) -> int:
    return int.from_bytes(hmac.new(key, text.encode(), "sha256").digest(), "big")


def _task(spec: Spec, tier: str) -> str:
    """Write down, in one way only, all of the catalogue that a tier's task consists of.

    Names and descriptions for readers are left out; correcting them keeps the data.
    """
    task = {
        "version": VERSION,
        "tier": tier,
        "modality": spec.key,
        "object": [spec.shape, spec.pixel, spec.unit],
        "chain": [(step.name, step.primitive, step.model, dict(step.args)) for step in spec.chain],
        "mismatch": [(m.name, m.acts_on, m.unit, m.nominal, m.perturbed) for m in spec.mismatches],
        "ranges": ranges(spec, tier),
        "scenes": [(scene.phantom, scene.is_away) for scene in spec.samples(tier)],
    }
    return json.dumps(task, sort_keys=True)


def _key(tier: str) -> bytes:
    if tier == "public":
        return b"pwm public"
    if not settings.DATA_KEY:
        raise ImproperlyConfigured(
            f"PWM_DATA_KEY is not set here, and the {tier} tier follows from it. Workers that "
            "score and build_datasets must have it, all with the same value; web servers do not."
        )
    return settings.DATA_KEY.encode()


def _between(rng: np.random.Generator, low: float, high: float) -> float:
    part = rng.uniform(ENDS, 0.5 - MIDDLE) + rng.integers(2) * (0.5 + MIDDLE - ENDS)
    return float(round(low + part * (high - low), 6))


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
    return _write_challenge(spec, tier, ys, truth if tier == "public" else None)


def challenge_name(spec: Spec, tier: str) -> str:
    """Name a downloadable challenge file in the site's storage."""
    return f"datasets/{spec.key}/{version_of(spec, tier)}/{tier}.h5"


def hidden_challenge_path(spec: Spec) -> Path:
    """Say where the hidden tier's challenge file lies."""
    return _secret_path(spec, "hidden", "challenge")


def is_built(spec: Spec, tier: str) -> bool:
    """Say whether both files of the tier are there, made from today's spec and key."""
    challenge = (
        default_storage.exists(challenge_name(spec, tier))
        if tier in DOWNLOADABLE
        else hidden_challenge_path(spec).exists()
    )
    return challenge and has_truth(spec, tier)


def has_truth(spec: Spec, tier: str) -> bool:
    """Say whether the tier's truth lies on this machine; the tier's key must be set."""
    return _secret_path(spec, tier, "truth").exists()


def load_truth(spec: Spec, tier: str) -> Truth:
    """Read the truth of a tier. Only the scorer may; raise FileNotFoundError if there is none."""
    with h5py.File(_secret_path(spec, tier, "truth"), "r") as h5:
        return Truth(h5["x_true"][:], json.loads(h5.attrs["true_spec"]))


def load_measurements(spec: Spec, tier: str) -> list[Array]:
    """Read the measurements of a tier, one per scene, as float64 or complex128."""
    if tier in DOWNLOADABLE:
        with default_storage.open(challenge_name(spec, tier)) as stored, h5py.File(stored) as h5:
            return _measurements(spec, tier, h5)
    with h5py.File(hidden_challenge_path(spec), "r") as h5:
        return _measurements(spec, tier, h5)


def load_public_truth(spec: Spec, scene: int) -> Array:
    """Read one object of the public tier from the file that anybody can download."""
    name = sample_names(spec, "public")[scene]
    with (
        default_storage.open(challenge_name(spec, "public")) as stored,
        h5py.File(stored) as h5,
    ):
        return physics.double(h5[name]["x_true"][:])


def _measurements(spec: Spec, tier: str, h5: h5py.File) -> list[Array]:
    return [physics.double(h5[name]["y"][:]) for name in sample_names(spec, tier)]


def _secret_path(spec: Spec, tier: str, what: str) -> Path:
    return Path(settings.TRUTH_DIR) / spec.key / f"{version_of(spec, tier)}-{tier}-{what}.h5"


def _write_truth(spec: Spec, tier: str, truth: Truth) -> None:
    def fill(h5: h5py.File) -> None:
        _dataset(h5, "x_true", truth.x, f"object {', '.join(spec.axes)}; {_range(truth.x)}")
        h5.attrs["true_spec"] = json.dumps(truth.mismatch)

    _keep_secret(_secret_path(spec, tier, "truth"), _hdf5(fill))


def _write_challenge(spec: Spec, tier: str, ys: list[Array], truth: Truth | None) -> Written:
    nominal = physics.forward(spec)

    def fill(h5: h5py.File) -> None:
        h5.attrs.update(
            variant=spec.key, tier=tier, version=version_of(spec, tier), runner_type=RUNNER[tier]
        )
        h5.attrs["description"] = (
            f"PWM {spec.key}, {tier} tier: measurements y, nominal operator H_ideal and the range "
            "of each unknown of the forward model. Estimate the unknowns and the object. "
            "H_ideal/small is the same chain on a small grid, with its matrix, to check your own "
            "implementation of the operator; the starter program does."
        )
        for i, name in enumerate(sample_names(spec, tier)):
            _fill_sample(h5.create_group(name), spec, tier, i, ys[i], nominal, truth)

    content = _hdf5(fill)
    name = "" if tier not in DOWNLOADABLE else challenge_name(spec, tier)
    if name:
        default_storage.delete(name)
        default_storage.save(name, ContentFile(content))
    else:
        _keep_secret(hidden_challenge_path(spec), content)
    return Written(version_of(spec, tier), name, hashlib.sha256(content).hexdigest(), len(content))


def _fill_sample(
    group: h5py.Group,
    spec: Spec,
    tier: str,
    index: int,
    y: Array,
    nominal: Forward,
    truth: Truth | None,
) -> None:
    _dataset(group, "y", y, "measurement in units of the object's signal (counts / dose)")
    if index == 0:
        _fill_operator(group.create_group("H_ideal"), spec, nominal)
    else:
        group["H_ideal"] = group.parent["sample_00/H_ideal"]
    group.attrs["spec_ranges"] = json.dumps(
        {m.name: [*physics.tier_range(spec, m.name, tier), m.unit] for m in spec.mismatches}
    )
    group.attrs["metadata"] = json.dumps(_metadata(spec, tier, index))
    if truth:
        x = truth.x[index]
        _dataset(group, "x_true", x, f"the object that was measured; {_range(x)}")
        group.attrs["true_spec"] = json.dumps(truth.mismatch)


def _fill_operator(group: h5py.Group, spec: Spec, nominal: Forward) -> None:
    """Write the nominal operator, and the same chain on a small grid to check one's own by."""
    _fill_chain(group, nominal)
    small = physics.cut_down(spec, MATRIX_ENTRIES)
    if small:
        _fill_small(group.create_group("small"), small)


def _fill_chain(group: h5py.Group, H: Forward) -> None:
    """Write an operator: the chain with all its arguments, and the arrays that apply it."""
    spec = H.spec
    args = [{"args": physics.arguments(spec, i)} for i in range(len(spec.chain))]
    steps = [asdict(step) | a for step, a in zip(spec.chain, args, strict=True)]
    group.attrs["description"] = H.describe()
    group.attrs["chain"] = json.dumps(steps)
    group.attrs["mismatch"] = json.dumps([asdict(m) for m in spec.mismatches])
    group.attrs["in_shape"], group.attrs["out_shape"] = H.in_shape, H.out_shape
    for step in H.steps:
        for name, (array, description) in step.arrays().items():
            _dataset(group, name, array, description)


def _fill_small(group: h5py.Group, H: Forward) -> None:
    """Write a small operator with an object, its data at several mismatches, and the matrix."""
    _fill_chain(group, H)
    rng = np.random.default_rng(0)
    x = rng.random(H.in_shape)
    if H.in_dtype is complex:
        x = x * np.exp(2j * np.pi * rng.random(H.in_shape))
    _dataset(group, "x", x, "any object")
    _dataset(group, "y", H(x), "its signal without noise, from the nominal operator")
    for m in H.spec.mismatches:
        y = physics.forward(H.spec, **{m.name: m.perturbed})(x)
        about = f"the same where {m.name} is {m.perturbed:g} {m.unit}, the others nominal"
        _dataset(group, f"y_{m.name}", y, about)
    if not H.is_linear:
        return
    rows = "the nominal operator as a SciPy CSR matrix, y.ravel() = H @ x.ravel(): "
    csr = physics.matrix(H)
    _dataset(group, "matrix_data", csr.data, rows + "the values")
    _dataset(group, "matrix_indices", csr.indices, rows + "the columns")
    _dataset(group, "matrix_indptr", csr.indptr, rows + "where each row begins")
    group.attrs["matrix_shape"] = csr.shape


def _range(x: Array) -> str:
    return "complex, magnitude 0 to 1" if np.iscomplexobj(x) else "0 to 1"


def _metadata(spec: Spec, tier: str, index: int) -> dict[str, Any]:
    """Say what every tier tells of a sample, and on the public tier what its object is."""
    scene = spec.samples(tier)[index]
    facts: dict[str, Any] = {
        "group": scene.group,
        "x_hat_shape": spec.shape,
        "x_hat_dtype": "float32" if physics.forward(spec).in_dtype is float else "complex64",
        "axes": spec.axes,
        "channels": [spec.axes[i] for i in spec.channels],
        "pixel": spec.pixel,
        "pixel_unit": spec.unit,
        "data_range": [0.0, 1.0],
    }
    return facts | ({"scene": scene.name} if tier == "public" else {})


def _dataset(group: h5py.Group, name: str, values: Array, description: str) -> None:
    kind = {"shuffle": True, "compression": 4} if values.size > 64 else {}
    made = group.create_dataset(name, data=values, track_times=False, **kind)
    made.attrs["description"] = description


def _keep_secret(path: Path, content: bytes) -> None:
    """Write a file that only the scorer may read."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    os.chmod(Path(settings.TRUTH_DIR), 0o700)
    disk.replace(path, content)


def _hdf5(fill: Callable[[h5py.File], None]) -> bytes:
    """Make an HDF5 file in memory: where a disk gets full, HDF5 itself crashes instead of failing.

    That is as much memory as the file is large, tens of megabytes.
    """
    made = io.BytesIO()
    with h5py.File(made, "w", libver=("v110", "v110")) as h5:
        fill(h5)
    return made.getvalue()


def _check_room(spec: Spec, tier: str) -> None:
    """Raise OSError where the tier's files will not fit; they are compressed, so they take less."""
    H = physics.forward(spec)
    numbers = math.prod(H.in_shape) + math.prod(H.out_shape)
    size = len(spec.samples(tier)) * numbers * (4 if H.in_dtype is float else 8)
    disk.need(Path(settings.TRUTH_DIR), size)
    if isinstance(default_storage, FileSystemStorage):
        disk.need(Path(default_storage.location), size)


def spec_errors(
    spec: Spec, tier: str, estimate: Mapping[str, float], truth: Mapping[str, float]
) -> dict[str, float]:
    """Return |Δθ̂ − Δθ| of each unknown as a part of its range in the tier."""
    return {
        name: abs(estimate[name] - truth[name]) / (high - low)
        for name, (low, high) in ranges(spec, tier).items()
    }
