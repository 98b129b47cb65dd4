"""What a tier's file tells of the nominal operator: enough to use it without our code."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import h5py
import numpy as np
import pytest

from modalities import challenge_files, physics
from tests import other_systems
from tests.physics.chains import SYSTEMS, system

SPECS = {key: system(key) for key in SYSTEMS} | {
    f"other_{key}": other_systems.load(key) for key in other_systems.OTHERS
}


@pytest.fixture
def ideal(key: str, tmp_path: Path) -> Iterator[h5py.Group]:
    with h5py.File(tmp_path / "ideal.h5", "w", libver=("v110", "v110")) as h5:
        group = h5.create_group("H_ideal")
        challenge_files._fill_operator(group, SPECS[key], physics.forward(SPECS[key]))
        yield group


@pytest.mark.parametrize("key", SPECS)
def test_every_system_has_an_example_with_data_of_every_mismatch(key, ideal):
    spec, H = SPECS[key], physics.forward(SPECS[key])
    small = ideal["small"]
    assert {"x", "y", *(f"y_{m.name}" for m in spec.mismatches)} <= set(small)
    assert small["x"].shape == tuple(small.attrs["in_shape"])
    assert small["y"].shape == tuple(small.attrs["out_shape"])
    assert np.iscomplexobj(small["x"][:]) is (H.in_dtype is complex)
    assert np.iscomplexobj(small["y"][:]) is (H.out_dtype is complex)
    assert ("matrix_data" in small) is H.is_linear


@pytest.mark.parametrize("key", ["other_mri"])
def test_chain_is_written_with_the_arguments_that_the_catalogue_leaves_out(key, ideal):
    sampling, receiver = json.loads(ideal.attrs["chain"])
    assert sampling["args"] == {
        "acceleration": 1,
        "centre": 0,
        "shift_y": 0.0,
        "shift_x": 0.0,
        "real": True,
    }
    assert receiver["args"] == {"sigma": other_systems.SIGMA, "gain": 1.0, "real": False}
    assert list(ideal.attrs["in_shape"]) == [32, 32]
