"""Noise2Void: how it hides pixels, and what it says where PyTorch is missing."""

from importlib.util import find_spec

import numpy as np
import pytest

from modalities import physics
from modalities.physics.methods.noise2void import HIDDEN, NEIGHBOURS, MissingPackage, hide
from modalities.physics.methods.noise2void import noise2void as denoise

HAS_TORCH = find_spec("torch") is not None


def test_hidden_pixels_show_a_near_neighbour_and_never_themselves():
    patches = np.arange(4 * 40 * 40, dtype=np.float32).reshape(4, 40, 40)
    hidden, mask = hide(patches, np.random.default_rng(0))
    assert mask.mean() == pytest.approx(HIDDEN, rel=0.4)
    np.testing.assert_array_equal(hidden[~mask], patches[~mask])
    inner = mask.copy()
    inner[:, : 2 * NEIGHBOURS] = inner[:, -2 * NEIGHBOURS :] = False
    inner[:, :, : 2 * NEIGHBOURS] = inner[:, :, -2 * NEIGHBOURS :] = False
    n, y, x = np.nonzero(inner)
    from_n, rest = np.divmod(hidden[inner].astype(int), 1600)
    from_y, from_x = np.divmod(rest, 40)
    away = np.maximum(np.abs(from_y - y), np.abs(from_x - x))
    np.testing.assert_array_equal(from_n, n)
    assert away.min() >= 1
    assert away.max() <= NEIGHBOURS


def test_method_says_what_it_requires():
    method = physics.METHODS["stem"]["noise2void"]
    assert method.requires == "torch"
    assert method.is_available() == HAS_TORCH


if HAS_TORCH:

    def test_stop_reaches_the_training():
        def stop(phase, fraction):
            raise physics.Cancelled

        with pytest.raises(physics.Cancelled):
            denoise(np.random.default_rng(1).random((1, 64, 64)), stop)

else:

    def test_without_pytorch_the_error_says_how_to_get_it():
        with pytest.raises(MissingPackage, match="pip install"):
            denoise(np.zeros((1, 64, 64)))
