"""A package with a small tilt series in it, as pip would have installed it."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest

from modalities.physics.numerics.image_rotation import ImageRotation
from modalities.physics.primitives.parallel import StripProjection
from realdata.series import SERIES, File, TiltSeries

TURN = 1.2
SIZE, LENGTH = 48, 96


def install(folder: Path, monkeypatch: pytest.MonkeyPatch, version: str = "2.0") -> TiltSeries:
    """Put the package ``rods`` on the path, and its series alone in the registry."""
    about = folder / f"rods-{version}.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: rods\nVersion: {version}\n")
    views = recorded()
    (folder / "rod.mrc").write_bytes(mrc(views))
    with h5py.File(folder / "rod.hspy", "w") as file:
        experiment = file.create_group("Experiments/__unnamed__")
        experiment["data"] = ImageRotation(views.shape, TURN).H(views.astype(np.float32))
        found = experiment.create_group("metadata/Tomography")
        found.attrs["tiltaxis"] = TURN
        found["_sig_shifts/data"] = np.zeros((len(views), 2))
    files = [
        File(name, hashlib.sha256((folder / name).read_bytes()).hexdigest())
        for name in ("rod.mrc", "rod.hspy")
    ]
    made = replace(
        SERIES["needle"],
        key="rod",
        package="rods",
        version="2.0",
        recorded=files[0],
        aligned=files[1],
        first=-60.0,
        step=6.0,
        views=21,
        slices=(14, 82),
        width=40,
        vacuum=3,
    )
    monkeypatch.syspath_prepend(str(folder))
    return register(made, monkeypatch)


def register(series: TiltSeries, monkeypatch: pytest.MonkeyPatch) -> TiltSeries:
    """Let the site know this series and no other."""
    for module in ("series", "compute", "page", "management.commands.calibrate_real"):
        monkeypatch.setattr(f"realdata.{module}.SERIES", {series.key: series})
    return series


def recorded() -> np.ndarray:
    """What a microscope wrote of a bent rod, its tilt axis turned by ``TURN``: int16 counts."""
    shape = (SIZE, SIZE, LENGTH)
    z, x, y = np.meshgrid(*(np.arange(n) - (n - 1) / 2 for n in shape), indexing="ij")
    rod = (np.hypot(z - 2 * np.sin(y / 20), x) < 8 + y / 24) * (1.5 + np.sign(np.sin(y / 4)))
    P = StripProjection(shape, np.deg2rad(-60 + 6 * np.arange(21)).tolist())
    views = P(rod.astype(np.float32))
    views = ImageRotation(views.shape, TURN)(views)
    noise = np.random.default_rng(5).normal(0, 60, views.shape)
    return np.asarray(-30000 + 600 * views + noise, np.int16)


def mrc(views: np.ndarray) -> bytes:
    """Write images as an MRC file of int16, with an extended header of 256 bytes."""
    header = np.zeros(256, "<i4")
    header[:4] = (*views.shape[::-1], 1)
    header[23] = 256
    return header.tobytes() + bytes(256) + views.astype("<i2").tobytes()
