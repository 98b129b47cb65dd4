"""Noise2Void: how it hides pixels, and what it says where PyTorch is missing."""

from importlib.util import find_spec

import numpy as np
import pytest

from modalities import physics
from modalities.physics.methods import noise2void
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

    def test_network_removes_most_of_the_noise_and_repeats_to_the_bit(monkeypatch):
        monkeypatch.setattr(noise2void, "STEPS", 80)
        y, x = np.mgrid[:96, :96] / 10
        clean = 5 + 3 * np.sin(x) * np.cos(0.7 * y)
        noisy = clean + np.random.default_rng(2).standard_normal(clean.shape)
        first, again = (denoise(noisy[None])[0] for _ in range(2))
        assert np.sqrt(np.mean((first - clean) ** 2)) < 0.5
        assert np.array_equal(first, again)

else:

    def test_without_pytorch_the_error_says_how_to_get_it():
        with pytest.raises(MissingPackage, match="pip install"):
            denoise(np.zeros((1, 64, 64)))
