"""Measured tilt series that packages ship, and how to read them.

Data are never copied here. A series names the package, its version and the hash of each file; what
is installed is read where it lies, without importing the package.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping
from dataclasses import dataclass, replace
from importlib import metadata
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from modalities import physics

Array = NDArray[np.float32]

# MRC 2014: what MODE says of a number.
MODES = {0: "i1", 1: "i2", 2: "f4", 6: "u2"}
HEADER = 1024


class NotThere(Exception):
    """The data are not installed, or not those that the page speaks of; the message says more."""


@dataclass(frozen=True)
class File:
    """A file of an installed package: its path there and its SHA-256."""

    path: str
    sha256: str


@dataclass(frozen=True)
class TiltSeries:
    """A measured tilt series, and how the site's model of a tilt series takes it.

    ``first``, ``step`` and ``views`` are the tilts (degrees), ``pixel`` is in nm. The tilt axis
    runs along the images' rows. ``slices`` bound, along the axis, what every view shows whole;
    ``width`` pixels across it hold the specimen once it does not drift, and ``vacuum`` rows at
    either edge hold none of it.
    """

    key: str
    name: str
    specimen: str
    instrument: str
    package: str
    version: str
    licence: str
    recorded: File
    aligned: File
    modality: str
    first: float
    step: float
    views: int
    pixel: float
    slices: tuple[int, int]
    width: int
    vacuum: int

    @property
    def angles(self) -> NDArray[Any]:
        return self.first + self.step * np.arange(self.views)


@dataclass(frozen=True)
class StoredAlignment:
    """What the package itself found: the series after it, the turn (degrees), shifts in pixels.

    ``shifts`` (views, 2) across and along the axis.
    """

    series: Array
    rotation: float
    shifts: NDArray[np.float64]


SERIES: Mapping[str, TiltSeries] = {
    s.key: s
    for s in (
        TiltSeries(
            key="needle",
            name="A needle with layers",
            specimen="A needle about 290 nm wide that ends in a tip, with bright and dark layers "
            "across it",
            instrument="HAADF-STEM at 300 kV, 77 views from −76° to 76° in steps of 2°, taken in "
            "one pass on 18 November 2011; 256 × 256 pixels of 3.36 nm",
            package="etspy",
            version="1.3.0",
            licence="NIST Public License: a work of the US government, free to use",
            recorded=File(
                "etspy/tests/test_data/HAADF.mrc",
                "1a5b441a9ee449d68f7ec01384122f70a7c2e2557eb6de6226dc8251f08596c6",
            ),
            aligned=File(
                "etspy/tests/test_data/HAADF_Aligned.hspy",
                "9516accf8b273e21a2426ac9f902f5f7b46b6a5120223bb5a5d5a648b9a65b84",
            ),
            modality="electron_tomography",
            first=-76.0,
            step=2.0,
            views=77,
            pixel=3.36,
            slices=(28, 188),
            width=112,
            vacuum=30,
        ),
    )
}


def recorded(series: TiltSeries) -> Array:
    """Read the series as the microscope wrote it: y[t, u, v], dark level 0, bright about 1."""
    views = read_mrc(_content(series, series.recorded))
    if len(views) != series.views:
        raise NotThere(f"{series.recorded.path} holds {len(views)} views, not {series.views}.")
    return levelled(views, series.vacuum)


def stored_alignment(series: TiltSeries) -> StoredAlignment:
    """Read what the package's own alignment made of the series (a HyperSpy file, HDF5)."""
    with h5py.File(io.BytesIO(_content(series, series.aligned))) as file:
        experiment = file["Experiments/__unnamed__"]
        found = experiment["metadata/Tomography"]
        return StoredAlignment(
            levelled(experiment["data"][()], series.vacuum),
            float(found.attrs["tiltaxis"]),
            np.asarray(found["_sig_shifts/data"][()], float),
        )


def levelled(views: NDArray[np.generic], vacuum: int) -> Array:
    """Take each view's dark level off, found at its upper and lower edge; scale all views alike."""
    y = np.asarray(views, np.float32)
    edges = np.concatenate([y[:, :vacuum], y[:, -vacuum:]], 1)
    y = y - np.median(edges, axis=(1, 2), keepdims=True)
    return np.asarray(y / np.percentile(y, 99.5), np.float32)


def read_mrc(content: bytes) -> NDArray[np.generic]:
    """Read the images of an MRC file: (views, rows, columns)."""
    if len(content) < HEADER:
        raise NotThere("This is no MRC file: it is shorter than its header.")
    nx, ny, nz, mode = np.frombuffer(content, "<i4", 4)
    extended = int(np.frombuffer(content, "<i4", 1, 92)[0])
    if mode not in MODES or min(nx, ny, nz) < 1 or extended < 0:
        raise NotThere(f"This is no MRC file of images: {nx} × {ny} × {nz}, mode {mode}.")
    kind = np.dtype("<" + MODES[int(mode)])
    if len(content) < HEADER + extended + int(nx) * int(ny) * int(nz) * kind.itemsize:
        raise NotThere("The MRC file ends before its last image.")
    images = np.frombuffer(content, kind, int(nx) * int(ny) * int(nz), HEADER + extended)
    return images.reshape(nz, ny, nx)


def why_not(series: TiltSeries) -> str:
    """Say why the series cannot be read here; empty where it can."""
    try:
        _path(series, series.recorded)
        _path(series, series.aligned)
    except NotThere as problem:
        return str(problem)
    return ""


def spec_of(series: TiltSeries, length: int) -> physics.Spec:
    """Return the catalogue's model of a tilt series with this one's grid, tilts and pixel.

    The convergence angle is not recorded, so the model has no blur out of focus.
    """
    spec = physics.load(series.modality)
    ours = {
        "first": series.first,
        "step": series.step,
        "views": series.views,
        "pixel": series.pixel,
        "convergence_angle": 0.0,
    }
    chain = tuple(
        replace(step, args={name: ours.get(name, value) for name, value in step.args.items()})
        for step in spec.chain
    )
    shape = (series.width, series.width, length)
    return replace(spec, shape=shape, pixel=series.pixel, unit="nm", chain=chain)


def _content(series: TiltSeries, file: File) -> bytes:
    content = _path(series, file).read_bytes()
    if hashlib.sha256(content).hexdigest() != file.sha256:
        raise NotThere(
            f"{file.path} is not the file of {series.package} {series.version}: its hash differs."
        )
    return content


def _path(series: TiltSeries, file: File) -> Path:
    try:
        package = metadata.distribution(series.package)
    except metadata.PackageNotFoundError:
        raise NotThere(f"The package {series.package} is not installed here.") from None
    if package.version != series.version:
        raise NotThere(
            f"{series.package} {package.version} is installed here, and the page speaks of "
            f"{series.version}."
        )
    path = Path(str(package.locate_file(file.path)))
    if not path.is_file():
        raise NotThere(f"{series.package} {series.version} lacks its file {file.path} here.")
    return path
