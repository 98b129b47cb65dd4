"""The four specimens for STEM."""

import numpy as np
import pytest

from modalities import physics
from modalities.physics.phantoms.stem import ELEMENTS

SPEC = physics.load("stem")


@pytest.mark.parametrize("index", range(4))
@pytest.mark.parametrize("seed", [0, 1, 77])
def test_scene_fills_its_range_and_keeps_a_margin_of_vacuum(index, seed):
    x = physics.scene(SPEC, index, seed)
    assert x.shape == SPEC.shape
    assert x.dtype == np.float64
    assert x.min() == 0.0
    assert x.max() == 1.0
    inner = np.zeros_like(x)
    inner[12:-12, 12:-12] = x[12:-12, 12:-12]
    np.testing.assert_array_equal(x, inner)


@pytest.mark.parametrize("index", range(4))
def test_seed_decides_the_specimen(index):
    np.testing.assert_array_equal(physics.scene(SPEC, index, 3), physics.scene(SPEC, index, 3))
    again = physics.scene(SPEC, index, 4)
    assert np.corrcoef(physics.scene(SPEC, index, 3).ravel(), again.ravel())[0, 1] < 0.5


@pytest.mark.parametrize("index", range(4))
def test_black_image_scores_badly(index):
    assert physics.psnr(physics.scene(SPEC, index), np.zeros(SPEC.shape)) < 20.5


def test_elements_differ_in_width_within_the_class():
    widths = {width for _, width in ELEMENTS.values()}
    assert min(widths) == 0.26
    assert max(widths) == 0.34
    assert len(widths) > 5
