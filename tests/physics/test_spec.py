"""A catalogue file that is wrong is refused, and the message says where."""

import re

import numpy as np
import pytest

from modalities.physics import CatalogueError, forward, keys, load, parse, tier_range
from modalities.physics.catalogue import CATALOGUE

from .chains import SYSTEMS, catalogue_text, system

SHAPE, STEPS, ACTS_ON, PERTURBED = SYSTEMS["cassi"]
GOOD = catalogue_text("cassi", SHAPE, STEPS, ACTS_ON, PERTURBED)


def refused(text: str, filename: str = "cassi.toml") -> str:
    with pytest.raises(CatalogueError) as error:
        parse(text, filename)
    return str(error.value)


def changed(old: str, new: str) -> str:
    assert old in GOOD
    return GOOD.replace(old, new, 1)


def test_good_file_is_read():
    spec = parse(GOOD, "cassi.toml")
    assert spec.shape == (5, 12, 12)
    assert spec.perturbed == {"error": 0.1}
    assert spec.mismatch("error").acts_on == "disperse.alpha"


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("[object]", "[object", "cassi.toml: not valid TOML"),
        ("pixel = 1.0", "", "cassi.toml: object.pixel: expected a number, got nothing"),
        ("pixel = 1.0", "pixel = nan", "object.pixel: expected a finite number"),
        ("pixel = 1.0", "pixel = true", "object.pixel: expected a number, got True"),
        ("shape = [5, 12, 12]", "shape = [5, 12, 0]", "object.shape: expected a list of positive"),
        ("shape = [5, 12, 12]", "shape = [12, 12]", "object.axes: expected 2 names, one per axis"),
        ('unit = "µm"', 'unit = " "', "object.unit: expected a text"),
        ('key = "cassi"', 'key = "sissac"', "key: expected the file's own name, 'cassi'"),
        ('primitive = "modulate"', 'primitive = "munge"', "there is no primitive 'munge'"),
        ('model = "mask"', 'model = "task"', "chain[0].model: primitive 'modulate' has no model"),
        ("feature = 2", "fixture = 2", "chain[0].args.fixture is not an argument of modulate/mask"),
        ("feature = 2", "in_shape = 2", "chain[0].args.in_shape is not an argument"),
        ("feature = 2", 'feature = "two"', "chain[0].args.feature: expected int, got 'two'"),
        ("feature = 2", "feature = true", "chain[0].args.feature: expected int, got True"),
        ("alpha = 1.0", 'alpha = "1"', "chain[1].args.alpha: expected float, got '1'"),
        ("axes = [0]", "axes = 0", "chain[2].args: "),
        ("feature = 2", "feature = 0", "chain[0].args: feature must be at least one pixel, got 0."),
        (
            "alpha = 1.0, ",
            "",
            "because error is added to it, there is none and the model has no",
        ),
        ("alpha = 1.0", "alpha = [1.0]", "chain[1].args.alpha: expected float, got [1.0]"),
        (
            "disperse.alpha",
            "accumulate.axes",
            "because error is added to it, got [0]",
        ),
        ("disperse.alpha", "convolve.fwhm", "error acts on convolve.fwhm, which the chain lacks"),
        ("margin = 3", "margin = -3", "chain[1].args: aperture and margin are not negative"),
        ("axes = [0]", "axes = [7]", "chain[2].args: axes must name axes of (5, 12, 18), got [7]"),
        ("dose = 200.0", "dose = 0.0", "chain[3].args: dose must be positive"),
        ('name = "error"', 'name = "E r"', "mismatch[0].name: expected lower case, digits and"),
        ('name = "error"', 'name = "error"\ncolour = 1', "mismatch[0].colour: not a known field"),
        ("disperse.alpha", "disperse.beta", "error acts on disperse.beta, which the chain lacks"),
        ("perturbed = 0.1", "perturbed = 0.0", "mismatch[0].perturbed: expected a value that diff"),
        ("[[scene]]", "[[cene]]", "scene: expected a list of tables"),
        (
            'model = "mask"',
            'model = "mask"\nname = "detect"',
            "chain[3].name: 'detect' is there twice",
        ),
    ],
)
def test_mistake_is_refused_with_file_and_field(old: str, new: str, said: str):
    message = refused(changed(old, new))
    assert said in message
    assert "cassi.toml" in message
    assert message.endswith(".")


def test_missing_argument_is_refused_by_name():
    text = catalogue_text("ct", [8, 8], [("project/radon", {}), *STEPS[-1:]], "detect.dose", 1.0)
    assert "ct.toml: chain[0].args: " in refused(text, "ct.toml")
    assert "'angles'" in refused(text, "ct.toml")


def test_steps_whose_shapes_do_not_meet_are_refused():
    text = catalogue_text("ct", [8, 8, 8], SYSTEMS["ct"][1], "rotate.angle", 1.0)
    assert "ct.toml: chain[1].args: expected an object of 2 axes" in refused(text, "ct.toml")


def test_perturbation_that_cannot_be_built_is_refused():
    text = catalogue_text("ct", [8, 8], SYSTEMS["ct"][1], "rotate.angle", 100.0)
    assert "chain[0].args: angle must lie within ±90°, got 100.0" in refused(text, "ct.toml")


def test_unknown_mismatch_is_named_with_those_that_exist():
    spec = load("stem")
    with pytest.raises(CatalogueError, match=r"no mismatch 'gain'; it has probe_size, convergence"):
        forward(spec, gain=0.1)
    with pytest.raises(CatalogueError, match="no step 'sample'; it has propagate"):
        forward(spec).step("sample")
    with pytest.raises(CatalogueError, match="no modality 'xray'; the catalogue has electron_tomo"):
        load("xray")
    with pytest.raises(CatalogueError, match="no tier 'secret'; the tiers are public, dev, hidden"):
        tier_range(spec, "probe_size", "secret")


def test_mismatch_is_added_to_what_the_file_says():
    spec = system("cassi")
    assert forward(spec).step("disperse").alpha == 1.0
    assert forward(spec, error=0.25).step("disperse").alpha == 1.25
    assert forward(spec, error=0.25).mismatch == {"error": 0.25}


def test_mismatch_may_act_on_an_argument_that_the_file_leaves_at_its_default():
    text = changed("disperse.alpha", "disperse.aperture")
    spec = parse(text, "cassi.toml")
    assert forward(spec).step("disperse").aperture == 0.0
    assert forward(spec, error=0.25).step("disperse").aperture == 0.25


def test_two_mismatches_of_one_argument_add_up():
    row = GOOD[GOOD.index("[[mismatch]]") : GOOD.index("[[scene]]")]
    spec = parse(GOOD + "\n" + row.replace('"error"', '"drift"'), "cassi.toml")
    assert forward(spec, error=0.25, drift=0.5).step("disperse").alpha == 1.75


def test_axes_that_are_not_in_space_are_channels():
    assert parse(GOOD, "cassi.toml").channels == ()
    assert parse(changed('"z"', '"λ"'), "cassi.toml").channels == (0,)


def test_nominal_operator_knows_no_error(rng):
    spec = system("cassi")
    x = rng.random(spec.shape)
    assert np.array_equal(forward(spec)(x), forward(spec, error=0.0)(x))


def test_ranges_of_a_tier_are_multiples_of_the_perturbation():
    spec = load("electron_tomography")
    assert tier_range(spec, "tilt_angle", "public") == (-0.5, 1.0)
    assert tier_range(spec, "tilt_axis", "dev") == (-0.36, 0.54)
    assert tier_range(spec, "defocus_gradient", "hidden") == (-7.0, 23.0)


def test_every_file_of_the_catalogue_is_found_by_its_key():
    assert keys() == sorted(re.sub(r"\.toml$", "", p.name) for p in CATALOGUE.glob("*.toml"))
    assert all(load(key).key == key for key in keys())


@pytest.mark.parametrize("key", keys())
def test_steps_of_the_catalogue_agree_with_the_object_on_its_pixel(key: str):
    spec = load(key)
    assert {step.args.get("pixel", spec.pixel) for step in spec.chain} == {spec.pixel}


@pytest.mark.parametrize("key", keys())
def test_catalogue_is_nominal_where_the_mismatch_is_zero(key: str):
    """The mismatch lies in what is added, never in the nominal operator too."""
    spec = load(key)
    assert set(spec.nominal.values()) == {0.0}
    for m in spec.mismatches:
        moved = forward(spec, **{m.name: m.perturbed})
        assert moved.mismatch == spec.nominal | {m.name: m.perturbed}


def test_tilts_that_two_steps_tell_differently_are_refused():
    text = (CATALOGUE / "electron_tomography.toml").read_text(encoding="utf-8")
    assert text.count("step = 2.0") == 2
    message = refused(text.replace("step = 2.0", "step = 1.0", 1), "electron_tomography.toml")
    assert "chain[0] to [2].args: rotate and propagate disagree on step: 1.0 and 2.0" in message


AWAY = """
[[away]]
phantom = "sheet"
name = "A sheet"
description = "Flat."
tiers = ["public"]

[[away]]
phantom = "film"
name = "A film"
description = "Amorphous."
tiers = ["dev", "hidden"]
"""


def test_away_scenes_follow_those_at_home_in_the_tiers_that_they_name():
    spec = parse(GOOD + AWAY, "cassi.toml")
    assert [scene.phantom for scene in spec.samples("public")][len(spec.scenes) :] == ["sheet"]
    for tier in ("dev", "hidden"):
        assert spec.samples(tier)[: len(spec.scenes)] == spec.scenes
        assert [scene.phantom for scene in spec.samples(tier) if scene.is_away] == ["film"]


def test_away_scene_without_a_tier_that_exists_is_refused():
    message = refused(GOOD + AWAY.replace('"public"', '"open"'))
    assert "away[0].tiers: expected at least one of public, dev, hidden" in message
