"""Challenge files: HDF5 with what a method may see, and what a person's program gets of them.

Written in memory, because HDF5 itself crashes where a disk gets full: as much memory as the file is
large, tens of megabytes.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from modalities import physics
from modalities.physics import Array, Forward, Spec

from .draws import sample_name, sample_names, version_of

RUNNER = {"public": "upload", "dev": "upload", "hidden": "program"}
# Most entries of the matrix that a file holds of the chain on a small grid; a megabyte at most.
MATRIX_ENTRIES = 1 << 17


@dataclass(frozen=True)
class Truth:
    """What the scorer knows: objects of shape (scenes, *spec.shape) and the true mismatch."""

    x: Array
    mismatch: dict[str, float]


def content(spec: Spec, tier: str, ys: Sequence[Array], truth: Truth | None) -> bytes:
    """Write a challenge file: measurements, nominal operator, ranges, and perhaps the truth."""
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

    return hdf5(fill)


def truth_content(spec: Spec, truth: Truth) -> bytes:
    """Write a truth file."""

    def fill(h5: h5py.File) -> None:
        _dataset(h5, "x_true", truth.x, f"object {', '.join(spec.axes)}; {_range(truth.x)}")
        h5.attrs["true_spec"] = json.dumps(truth.mismatch)

    return hdf5(fill)


def for_program(path: Path, order: Sequence[int]) -> bytes:
    """Write the challenge file of one run: what lies in ``path``, its samples in another order.

    order: at each place, the sample that lies there. Nothing in the file tells a sample from the
    others of its group but its measurement.
    """

    def fill(h5: h5py.File) -> None:
        with h5py.File(path, "r") as source:
            h5.attrs.update(source.attrs)
            for place, index in enumerate(order):
                _copy_sample(source[sample_name(index)], h5.create_group(sample_name(place)))

    return hdf5(fill)


def groups_of(path: Path) -> list[str]:
    """Name the group of each sample of a challenge file, home or away."""
    with h5py.File(path, "r") as h5:
        names = [sample_name(i) for i in range(len(h5))]
        return [json.loads(h5[name].attrs["metadata"])["group"] for name in names]


def _copy_sample(source: h5py.Group, target: h5py.Group) -> None:
    source.copy("y", target)
    if "H_ideal" in target.parent[sample_name(0)]:  # one operator, which all samples share
        target["H_ideal"] = target.parent[f"{sample_name(0)}/H_ideal"]
    else:
        source.copy("H_ideal", target)
    target.attrs["spec_ranges"] = source.attrs["spec_ranges"]
    facts = json.loads(source.attrs["metadata"])
    told = {name: value for name, value in facts.items() if name != "scene"}
    target.attrs["metadata"] = json.dumps(told)


def measurements(spec: Spec, tier: str, h5: h5py.File) -> list[Array]:
    """Read the measurements, as float64 or complex128."""
    return [physics.double(h5[name]["y"][:]) for name in sample_names(spec, tier)]


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


def hdf5(fill: Callable[[h5py.File], None]) -> bytes:
    """Make an HDF5 file in memory: where a disk gets full, HDF5 itself crashes instead of failing.

    That is as much memory as the file is large, tens of megabytes.
    """
    made = io.BytesIO()
    with h5py.File(made, "w", libver=("v110", "v110")) as h5:
        fill(h5)
    return made.getvalue()
