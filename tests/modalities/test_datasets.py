"""What the tiers' files hold, and what they never hold."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from dataclasses import replace
from itertools import combinations
from pathlib import Path

import h5py
import numpy as np
import pytest
from django.core.files.storage import default_storage
from scipy import stats

from modalities import challenge_files, datasets, draws, physics
from modalities.physics import TIERS, Scene, Spec, load
from modalities.physics.spec import TIER_SPAN

KEYS = physics.keys()


@pytest.fixture
def spec(settings, tmp_path):
    settings.TRUTH_DIR = tmp_path / "truth"
    settings.MEASUREMENTS_DIR = tmp_path / "measurements"
    settings.STORAGES = {
        **settings.STORAGES,
        "default": {
            "BACKEND": "modalities.storage.WholeFileStorage",
            "OPTIONS": {"location": str(tmp_path / "media")},
        },
    }
    return load("stem")


def open_download(spec, tier: str) -> h5py.File:
    return h5py.File(default_storage.open(datasets.challenge_name(spec, tier)), "r")


def names_of(h5: h5py.File) -> set[str]:
    found: set[str] = set()
    h5.visititems(lambda name, item: found.update({name, *(f"{name}@{a}" for a in item.attrs)}))
    return found


def test_the_public_file_holds_all_that_its_tier_reveals(spec):
    datasets.build(spec, "public")
    with open_download(spec, "public") as h5:
        assert dict(h5.attrs)["variant"] == "stem"
        assert {"tier", "version", "runner_type", "description"} <= set(h5.attrs)
        for name in datasets.sample_names(spec, "public"):
            sample = h5[name]
            assert sample["y"].shape == physics.forward(spec).out_shape
            assert sample["x_true"].shape == spec.shape
            assert json.loads(sample.attrs["true_spec"]) == datasets.draw(spec, "public").mismatch
            ranges = json.loads(sample.attrs["spec_ranges"])
            assert ranges["probe_size"] == [-0.1, 0.2, "Å"]
            assert json.loads(sample.attrs["metadata"])["x_hat_shape"] == list(spec.shape)
            assert "chain" in sample["H_ideal"].attrs
            assert all("description" in d.attrs for d in (sample["y"], sample["x_true"]))


SHEET = Scene("copper_boundary", "Sheet", "A kind that only the public tier has.", ("public",))
FILM = Scene("platinum_ceria", "Film", "A kind that only the secret tiers have.", ("dev", "hidden"))


@pytest.fixture
def small(spec):
    """STEM on a sixteenth of the area, with one scene away in each tier."""
    return replace(spec, shape=(64, 64), away=(SHEET, FILM))


@pytest.mark.parametrize("tier", TIERS)
def test_a_tier_holds_its_scenes_at_home_and_then_those_away(small, tier):
    datasets.build(small, tier)
    count = len(small.samples(tier))
    assert count == len(small.scenes) + 1
    assert len(datasets.load_measurements(small, tier)) == count
    x = datasets.load_truth(small, tier).x
    assert len(x) == count
    away = physics.scene(small, count - 1, datasets.draw(small, tier).of_scene(count - 1), tier)
    np.testing.assert_array_equal(x[-1], away.astype("f4"))


def test_metadata_tell_the_group_and_on_the_public_tier_the_kind(small):
    told = {}
    for tier in ("public", "dev"):
        datasets.build(small, tier)
        with open_download(small, tier) as h5:
            told[tier] = [json.loads(sample.attrs["metadata"]) for sample in h5.values()]
    groups = ["home"] * len(small.scenes) + ["away"]
    assert [row["group"] for row in told["public"]] == groups
    assert [row["group"] for row in told["dev"]] == groups
    assert told["public"][-1]["scene"] == "Sheet"
    assert not any("scene" in row for row in told["dev"])


def test_a_tier_whose_kinds_change_gets_a_new_version_and_the_others_do_not(small):
    other = replace(small, away=(SHEET, replace(FILM, phantom="strontium_titanate")))
    same = [datasets.version_of(small, t) == datasets.version_of(other, t) for t in TIERS]
    assert same == [True, False, False]


def test_a_modality_may_have_no_scenes_away(small):
    home = replace(small, away=())
    datasets.build(home, "public")
    assert len(datasets.load_truth(home, "public").x) == len(home.scenes)
    assert list(home.group("away")) == []


def test_the_dev_file_says_nothing_about_the_truth(spec):
    datasets.build(spec, "dev")
    with open_download(spec, "dev") as h5:
        assert not [n for n in names_of(h5) if "true" in n]
        assert "scene" not in json.loads(h5["sample_00"].attrs["metadata"])
    content = Path(default_storage.path(datasets.challenge_name(spec, "dev"))).read_bytes()
    truth = datasets.load_truth(spec, "dev")
    for value in truth.mismatch.values():
        assert repr(value).encode() not in content
        assert np.float64(value).tobytes() not in content
    for x in truth.x:
        for start in range(0, x.size - 64, x.size // 16):
            piece = x.ravel()[start : start + 64]
            if np.ptp(piece) > 0:
                assert piece.astype("<f4").tobytes() not in content


def test_the_hidden_tier_has_no_download(spec):
    written = datasets.build(spec, "hidden")
    assert written.name == ""
    assert not list(Path(default_storage.location).rglob("*hidden*"))
    assert datasets.measurements_path("stem", "hidden", written.version).exists()


def test_truth_lies_where_only_the_scorer_reads(spec, settings):
    datasets.build(spec, "hidden")
    for folder in (settings.TRUTH_DIR, settings.MEASUREMENTS_DIR):
        assert Path(folder).stat().st_mode & 0o077 == 0
        for secret in Path(folder).rglob("*.h5"):
            assert secret.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("tier", datasets.RUN)
def test_measurements_lie_away_from_the_truth_and_hold_none(small, settings, tier):
    written = datasets.build(small, tier)
    path = datasets.measurements_path("stem", tier, written.version)
    assert not path.is_relative_to(settings.TRUTH_DIR)
    assert not path.is_relative_to(default_storage.location)
    with h5py.File(path) as h5:
        assert not [name for name in names_of(h5) if "true" in name]
    assert not [p for p in Path(settings.TRUTH_DIR).rglob("*") if "challenge" in p.name]


def test_measurements_are_found_without_the_key_of_the_data(small, settings):
    written = datasets.build(small, "hidden")
    settings.DATA_KEY = ""
    settings.TRUTH_DIR = Path("/nowhere")
    path = datasets.measurements_path("stem", "hidden", written.version)
    assert challenge_files.groups_of(path) == ["home"] * len(small.scenes) + ["away"]


def test_measurements_of_an_older_release_move_away_from_the_truth(small, settings):
    written = datasets.build(small, "hidden")
    path = datasets.measurements_path("stem", "hidden", written.version)
    old = Path(settings.TRUTH_DIR) / "stem" / f"{written.version}-hidden-challenge.h5"
    path.rename(old)
    assert not datasets.is_built(small, "hidden")
    assert datasets.build(small, "hidden").sha256 == written.sha256
    assert path.exists()
    assert not old.exists()


def test_a_program_gets_the_samples_in_another_order_and_never_their_kinds(small):
    written = datasets.build(small, "hidden")
    path = datasets.measurements_path("stem", "hidden", written.version)
    ys = datasets.load_measurements(small, "hidden")
    order = [2, 0, *range(3, len(ys)), 1]
    content = challenge_files.for_program(path, order)
    with h5py.File(io.BytesIO(content)) as given, h5py.File(path) as whole:
        assert sorted(given) == sorted(whole)
        for place, index in enumerate(order):
            sample = given[datasets.sample_name(place)]
            assert np.array_equal(sample["y"][:], ys[index].astype("f4"))
            assert "scene" not in json.loads(sample.attrs["metadata"])
        assert given["sample_00/H_ideal"] == given["sample_01/H_ideal"]
        assert names_of(given) == names_of(whole)
    same = challenge_files.for_program(path, [*range(len(ys))])
    assert abs(len(same) - len(content)) < 4096


@pytest.mark.parametrize("key", KEYS)
def test_scenes_and_truths_differ_between_the_tiers(key):
    drawn = [datasets.draw(load(key), tier) for tier in TIERS]
    assert len({d.seed for d in drawn}) == 3
    assert len({json.dumps(d.mismatch) for d in drawn}) == 3


@pytest.mark.parametrize("key", KEYS)
def test_a_true_value_lies_in_its_range_and_away_from_the_middle(key, settings):
    spec = load(key)
    for i in range(40):
        settings.DATA_KEY = f"another key {i}"
        for tier in ("dev", "hidden"):
            found = datasets.draw(spec, tier).mismatch
            for name, (low, high) in datasets.ranges(spec, tier).items():
                assert low < found[name] < high
                assert abs(found[name] - (low + high) / 2) > 0.05 * (high - low)


@pytest.mark.parametrize("key", KEYS)
def test_neither_the_middle_nor_the_nominal_values_are_a_good_guess(key, settings):
    spec = load(key)
    for i in range(40):
        settings.DATA_KEY = f"another key {i}"
        found = datasets.draw(spec, "hidden").mismatch
        parts = [found[m.name] / m.perturbed for m in spec.mismatches]
        assert np.sqrt(np.mean(np.square(parts))) >= draws.LEAST_MISMATCH


def test_public_data_do_not_depend_on_the_secret_and_the_others_do(settings):
    spec = load("stem")
    before = {tier: datasets.draw(spec, tier) for tier in TIERS}
    versions = {tier: datasets.version_of(spec, tier) for tier in TIERS}
    settings.DATA_KEY = "another key altogether"
    assert datasets.draw(spec, "public") == before["public"]
    assert datasets.version_of(spec, "public") == versions["public"]
    for tier in ("dev", "hidden"):
        assert datasets.draw(spec, tier) != before[tier]
        assert datasets.version_of(spec, tier) != versions[tier]


def test_building_twice_gives_the_same_bytes(spec):
    assert datasets.build(spec, "public").sha256 == datasets.build(spec, "public").sha256


def test_the_measurement_is_the_one_that_anyone_can_make_again(spec):
    datasets.build(spec, "public")
    drawn = datasets.draw(spec, "public")
    H = physics.forward(spec, **drawn.mismatch)
    x = physics.scene(spec, 2, seed=drawn.of_scene(2))
    y = physics.measure(H, x, np.random.default_rng(drawn.of_noise(2)))
    np.testing.assert_array_equal(
        datasets.load_measurements(spec, "public")[2].astype("f4"), y.astype("f4")
    )


def perturbed_more(spec: Spec) -> Spec:
    first = replace(spec.mismatches[0], perturbed=2 * spec.mismatches[0].perturbed)
    return replace(spec, mismatches=(first, *spec.mismatches[1:]))


def other_argument(spec: Spec) -> Spec:
    last = spec.chain[-1]
    step = replace(last, args={**last.args, "dose": 2 * last.args["dose"]})
    return replace(spec, chain=(*spec.chain[:-1], step))


CHANGES: dict[str, Callable[[Spec], Spec]] = {
    "the perturbation": perturbed_more,
    "an argument of the chain": other_argument,
    "the grid": lambda spec: replace(spec, pixel=2 * spec.pixel),
    "the scenes": lambda spec: replace(spec, scenes=spec.scenes[::-1]),
    "the scenes away": lambda spec: replace(
        spec, away=(replace(spec.scenes[0], tiers=("dev",)), *spec.away)
    ),
}


def parts(spec: Spec, tier: str) -> list[float]:
    """Give the true values as parts of their ranges."""
    found, ends = datasets.draw(spec, tier).mismatch, datasets.ranges(spec, tier)
    return [(found[name] - low) / (high - low) for name, (low, high) in ends.items()]


def shared(some: list[float], others: list[float]) -> int:
    """Count the parts that agree to a thousandth of the range."""
    return sum(abs(a - b) < 1e-3 for a, b in zip(some, others, strict=True))


def seeds(spec: Spec, tier: str) -> set[int]:
    drawn, count = datasets.draw(spec, tier), range(len(spec.samples(tier)))
    return {drawn.seed, *map(drawn.of_scene, count), *map(drawn.of_noise, count)}


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("what", CHANGES)
def test_a_changed_task_shares_nothing_with_the_old_one(key, what):
    old, new = load(key), CHANGES[what](load(key))
    assert datasets.version_of(old, "dev") != datasets.version_of(new, "dev")
    assert not seeds(old, "dev") & seeds(new, "dev")
    assert shared(parts(old, "dev"), parts(new, "dev")) <= 1, "one may happen to agree"


def test_a_corrected_description_keeps_the_data():
    spec = load("stem")
    told = replace(spec.mismatches[0], description="In other words.", symbol="d")
    same = replace(spec, mismatches=(told, *spec.mismatches[1:]))
    assert datasets.draw(same, "dev") == datasets.draw(spec, "dev")
    assert datasets.version_of(same, "dev") == datasets.version_of(spec, "dev")


@pytest.mark.parametrize("key", KEYS)
def test_two_tiers_share_neither_seeds_nor_truths(key):
    for a, b in combinations(TIERS, 2):
        assert not seeds(load(key), a) & seeds(load(key), b)
        assert shared(parts(load(key), a), parts(load(key), b)) <= 1


@pytest.mark.parametrize("tier", TIERS)
def test_seeds_have_256_bits_and_differ(tier):
    spec = load("stem")
    found = seeds(spec, tier)
    assert len(found) == 1 + 2 * len(spec.samples(tier))
    assert min(seed.bit_length() for seed in found) > 256 - 32


def test_a_scenes_noise_says_nothing_of_the_scenes(spec):
    """Noise and objects come from streams of their own: the one is no help with the other."""
    drawn = datasets.draw(spec, "dev")
    streams = [drawn.of_scene(0), drawn.of_noise(0), drawn.of_noise(1), drawn.seed]
    numbers = np.array([np.random.default_rng(s).random(4000) for s in streams])
    assert np.abs(np.corrcoef(numbers) - np.eye(len(streams))).max() < 0.08


def test_a_truth_does_not_show_when_it_is_printed(spec):
    drawn = datasets.draw(spec, "dev")
    assert str(drawn.seed) not in repr(drawn)
    assert not [value for value in drawn.mismatch.values() if str(value) in repr(drawn)]


def test_true_values_are_uniform_over_what_is_allowed(settings):
    """One draw in a range, then draws of a whole tier against plain rejection sampling."""
    rng = np.random.default_rng(1)
    lows, highs = (draws.ENDS, 0.5 - draws.MIDDLE), (0.5 + draws.MIDDLE, 1 - draws.ENDS)

    def allowed(count: int) -> np.ndarray:
        u = rng.uniform(size=(count, 3))
        ok = (u > lows[0]) & (u < highs[1]) & ((u < lows[1]) | (u > highs[0]))
        return u[ok.all(axis=1)]

    one = np.array([draws._between(rng, 0.0, 1.0) for _ in range(4000)])
    assert stats.ks_2samp(one, allowed(20_000)[:, 0]).pvalue > 1e-5
    spec, drawn = load("stem"), []
    for i in range(1500):
        settings.DATA_KEY = f"key {i}"
        drawn.append(parts(spec, "dev"))
    low, high = TIER_SPAN["dev"]
    expected = allowed(20_000)
    far = np.sqrt(np.mean((low + expected * (high - low)) ** 2, axis=1)) >= draws.LEAST_MISMATCH
    for column, wanted in zip(np.transpose(drawn), expected[far].T, strict=True):
        assert stats.ks_2samp(column, wanted).pvalue > 1e-5
