"""The specimens for STEM, at home and away."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial import cKDTree

from modalities import physics
from modalities.physics.phantoms.stem import ELEMENTS
from modalities.physics.phantoms.stem_away import Foil, packed, seen, stacked

SPEC = physics.load("stem")
SAMPLES = [("public", i) for i in range(8)] + [("dev", i) for i in range(4, 8)]


@pytest.mark.parametrize(("tier", "index"), SAMPLES)
@pytest.mark.parametrize("seed", [0, 1, 77])
def test_scene_fills_its_range_and_keeps_a_margin_of_vacuum(tier, index, seed):
    x = physics.scene(SPEC, index, seed, tier)
    assert x.shape == SPEC.shape
    assert x.dtype == np.float64
    assert x.min() == 0.0
    assert x.max() == 1.0
    inner = np.zeros_like(x)
    inner[12:-12, 12:-12] = x[12:-12, 12:-12]
    np.testing.assert_array_equal(x, inner)


@pytest.mark.parametrize(("tier", "index"), SAMPLES)
def test_seed_decides_the_specimen(tier, index):
    x = physics.scene(SPEC, index, 3, tier)
    np.testing.assert_array_equal(x, physics.scene(SPEC, index, 3, tier))
    again = physics.scene(SPEC, index, 4, tier)
    assert np.corrcoef(x.ravel(), again.ravel())[0, 1] < 0.75


@pytest.mark.parametrize(("tier", "index"), SAMPLES)
def test_black_image_scores_badly(tier, index):
    is_home = index < len(SPEC.scenes)
    x = physics.scene(SPEC, index, 0, tier)
    assert physics.psnr(x, np.zeros(SPEC.shape)) < (20.5 if is_home else 26)


def test_kinds_away_differ_between_the_public_tier_and_the_blind_ones():
    kinds = {t: {s.phantom for s in SPEC.samples(t) if s.is_away} for t in physics.TIERS}
    assert len(kinds["public"]) == len(kinds["dev"]) == 4
    assert kinds["dev"] == kinds["hidden"]
    assert not kinds["public"] & kinds["dev"]


@pytest.mark.parametrize(("tier", "index"), SAMPLES)
def test_scene_fits_a_smaller_field(tier, index):
    spec = replace(SPEC, shape=(150, 178))
    x = physics.scene(spec, index, 5, tier)
    assert x.shape == spec.shape
    assert x.max() == 1.0
    assert not x[:12].any()
    assert not x[:, -12:].any()


def test_glass_has_hardly_two_atoms_within_the_distance_of_its_packing():
    foil = Foil(SPEC, np.random.default_rng(2))
    atoms = packed(foil, 30.0, 0.066, 2.4)
    distance = cKDTree(atoms).query(atoms, k=2)[0][:, 1]
    assert np.quantile(distance, 0.01) > 0.9 * 2.4


def test_a_bent_foil_draws_a_column_out_along_its_tilt():
    foil = Foil(SPEC, np.random.default_rng(3))
    foil.tilt = np.array([0.02, 0.0])
    foil.put("Ga", stacked(np.zeros((1, 2)), 13, 3.9)[0])
    share = foil.image / foil.image.sum()
    spread = [np.sqrt((share * u**2).sum()) for u in (foil.x, foil.y)]
    assert spread[1] == pytest.approx(seen("Ga")[1], rel=0.01)
    assert spread[0] == pytest.approx(np.hypot(spread[1], 0.02 * 3.9 * np.sqrt(168 / 12)), rel=0.01)


def test_elements_differ_in_width_within_the_class():
    widths = {width for _, width in ELEMENTS.values()}
    assert min(widths) == 0.26
    assert max(widths) == 0.34
    assert len(widths) > 5
