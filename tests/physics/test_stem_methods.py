"""What the methods for STEM reach on the catalogue's own scenes, at home and away."""

from dataclasses import replace
from itertools import islice

import numpy as np
import pytest
from scipy import fft

from modalities import physics
from modalities.physics import scenarios
from modalities.physics.methods.held_out import SHARE, held_out
from modalities.physics.methods.richardson_lucy import Step, updates
from modalities.physics.methods.stem_frames import column_transfer, counting_noise, microscope
from modalities.physics.methods.unbiased_risk import unbiased_risk

from ..needs import FULL

SPEC = physics.load("stem")
# A quarter of the field: what is compared here is the same there, at a quarter of the cost.
QUARTER = replace(SPEC, shape=(128, 128))
KINDS = [("public", i) for i in range(8)] + [("dev", i) for i in range(4, 8)]
AWAY = [(tier, i) for tier in ("public", "dev") for i in range(4, 8)]
# Slower than the others: one scene has to do.
SLOW = ("nlm_wiener", "bm3d_wiener", "richardson_lucy_sieve")


def mean(method, scenario, scenes):
    outcomes = [scenarios.run(SPEC, method, i, scenario) for i in scenes]
    return np.mean([o.psnr for o in outcomes]), np.mean([o.ssim for o in outcomes])


@pytest.mark.parametrize(
    ("method", "least"),
    [
        ("wiener", (29.0, 0.84)),
        ("nlm_wiener", (30.0, 0.81)),
        ("bm3d_wiener", (31.5, 0.85)),
        ("fista_tv", (30.8, 0.94)),
        ("richardson_lucy", (33.5, 0.96)),
        ("richardson_lucy_sieve", (39.0, 0.98)),
    ],
)
def test_method_reaches_its_mark_on_the_nominal_system(method, least):
    scenes = [1] if method in SLOW else range(4)
    psnr, ssim = mean(method, "I", scenes)
    assert psnr >= least[0]
    assert ssim >= least[1]


@pytest.mark.parametrize("method", ["wiener", "richardson_lucy", "richardson_lucy_sieve"])
def test_mismatch_costs_and_knowing_it_wins_back(method):
    scenes = range(4) if FULL or method == "wiener" else (0,)
    psnrs = [{s: scenarios.run(SPEC, method, i, s).psnr for s in ("II", "III")} for i in scenes]
    assert scenarios.violations(psnrs) == []
    assert all(p["III"] - p["II"] > 1.0 for p in psnrs)


AVAILABLE = sorted(name for name, m in physics.METHODS["stem"].items() if m.is_available())


@pytest.mark.parametrize("method", AVAILABLE)
def test_method_says_where_it_is_and_can_be_stopped(method):
    H = physics.forward(SPEC)
    y = scenarios.measurement(SPEC, 0, "I")

    def stop(phase, fraction):
        assert phase
        assert 0 <= fraction <= 1
        raise physics.Cancelled

    with pytest.raises(physics.Cancelled):
        physics.reconstruct(method, H, y, stop)


@pytest.mark.parametrize("method", ["wiener", "richardson_lucy", "richardson_lucy_sieve"])
def test_method_is_repeatable_to_the_bit(method):
    _, H, y = measured("public", 1)
    first, second = (physics.reconstruct(method, H, y) for _ in range(2))
    np.testing.assert_array_equal(first, second)
    assert first.shape == H.in_shape
    assert np.isfinite(first).all()


def measured(tier, index, seed=7, spec=QUARTER):
    """Measure a specimen with the perturbed instrument: x, H, y."""
    x = physics.scene(spec, index, seed, tier)
    H = physics.forward(spec, **spec.perturbed)
    return x, H, physics.measure(H, x, np.random.default_rng([seed, index]))


@pytest.mark.parametrize(("tier", "index"), AWAY if FULL else AWAY[::3])
def test_sieve_is_no_worse_away_than_no_sieve(tier, index):
    """On the field that the site scores: a quarter of it has too few counts to choose by."""
    x, H, y = measured(tier, index, spec=SPEC)
    psnr = {
        name: physics.psnr(x, physics.reconstruct(name, H, y))
        for name in ("richardson_lucy", "richardson_lucy_sieve")
    }
    assert psnr["richardson_lucy_sieve"] >= psnr["richardson_lucy"] - 0.1


@pytest.mark.parametrize(
    ("tier", "index"),
    KINDS if FULL else [("public", 0), ("public", 5), ("public", 7), ("dev", 4)],
)
def test_richardson_lucy_stops_near_its_best(tier, index):
    """Within 0.3 dB, but for GaAs between amorphous layers; see docs/decisions/stem-methods.md."""
    x, H, y = measured(tier, index, spec=SPEC)
    images = islice(updates(Step(H, y, counting_noise(H))), 100)
    best = max(physics.psnr(x, image) for image in images)
    loses = best - physics.psnr(x, physics.reconstruct("richardson_lucy", H, y))
    assert loses <= (0.6 if (tier, index) == ("dev", 5) else 0.3)


def test_risk_tells_how_much_nearer_an_image_comes_to_an_object_that_it_does_not_know():
    """Between iterations 4 and 10 of a crystal the error falls; in gold, from 8 to 24, it rises."""
    for index, counts in ((0, (4, 10)), (7, (8, 24))):
        x, H, y = measured("public", index)
        noise = counting_noise(H)
        data = unbiased_risk(microscope(H), y, noise)
        risks, errors = [], []
        images, others = (updates(Step(H, frames, noise)) for frames in (y, data.perturbed))
        for count in range(1, counts[-1] + 1):
            image, other = next(images), next(others)
            if count in counts:
                risks.append(data.risk(image, other) / x.size)
                errors.append(float(np.square(image - x).sum()))
        assert np.diff(risks) == pytest.approx(np.diff(errors), rel=0.25)


@pytest.mark.parametrize(
    ("name", "scenes", "limit"),
    [
        ("probe_size", (0, 1, 2, 3), 0.03),
        ("probe_size", (5, 6), 0.05),
        ("scan_distortion", (0,), 0.03),
        ("scan_distortion", (5,), 0.03),
    ],
)
def test_score_of_the_sieve_peaks_near_the_truth(name, scenes, limit):
    """At home and away, over ± 8 % of the range.

    Away, quarters of two scenes scatter by more than whole ones. The convergence angle hardly
    matters to the score: docs/decisions/stem-methods.md.
    """
    low, high = physics.tier_range(SPEC, name, "public")
    offsets, curve = (-0.08, 0.0, 0.08), np.zeros(3)
    for index in scenes:
        x, _, y = measured("public", index)
        for k, offset in enumerate(offsets):
            believed = SPEC.perturbed[name] + offset * (high - low)
            curve[k] += score(x, y, SPEC.perturbed | {name: believed})
    bend, slope, _ = np.polyfit(offsets, curve, 2)
    assert bend < 0
    assert abs(slope / (2 * bend)) < limit


def score(x, y, mismatch):
    H = physics.forward(QUARTER, **mismatch)
    x_hat = physics.reconstruct("richardson_lucy_sieve", H, y)
    consistency = physics.consistency(y, H, x_hat)
    return physics.tier_score(physics.psnr(x, x_hat), physics.ssim(x, x_hat), consistency)


def test_wiener_learns_that_a_specimen_is_smooth():
    x, H, y = measured("public", 7)
    assert physics.psnr(x, physics.reconstruct("wiener", H, y)) > 35


def test_held_out_counts_share_no_noise_with_the_others():
    H = physics.forward(QUARTER)
    noise, instrument = counting_noise(H), microscope(H)
    mean = H(physics.scene(QUARTER, 2, 1))
    errors = []
    for seed in range(6):
        y = noise.sample(mean, np.random.default_rng(seed))
        data = held_out(instrument, y, noise)
        rest = (y - SHARE * data.y) / (1 - SHARE)
        errors.append([(data.y - mean).ravel(), (rest - mean).ravel()])
    first, rest = np.concatenate(errors, axis=1)
    assert abs(np.corrcoef(first, rest)[0, 1]) < 0.02
    expected = noise.variance(mean).mean()
    assert first.var() == pytest.approx(expected / SHARE, rel=0.03)
    assert rest.var() == pytest.approx(expected / (1 - SHARE), rel=0.03)


def test_held_out_counts_ask_for_the_sharpness_that_an_image_lacks():
    x, H, y = measured("public", 0)
    data = held_out(microscope(H), y, counting_noise(H))
    blurred = fft.rfft2(x) * column_transfer(microscope(H), 0.1)
    variances = np.linspace(0, 0.03, 31)
    risk, off = data.sharpened(blurred, variances)
    assert off == pytest.approx(0.01, abs=0.003)
    assert risk < data.risk(blurred)
    assert risk == pytest.approx(data.risk(fft.rfft2(x)), rel=1e-2)
