"""The microscope: its probe, its distorted scan, and both at once."""

import numpy as np
import pytest
from scipy import fft, special

from modalities import physics
from modalities.physics.operator import Chain
from modalities.physics.primitives.convolve import Gaussian
from modalities.physics.primitives.electron_probe import ElectronProbe, wavelength
from modalities.physics.primitives.scan import Scan
from modalities.physics.primitives.stem import ScannedProbe

SPEC = physics.load("stem")


def gap(H, rng):
    x, y = rng.standard_normal(H.in_shape), rng.standard_normal(H.out_shape)
    forth, back = np.vdot(H(x), y), np.vdot(x, H.H(y))
    return abs(forth - back) / abs(forth)


def spot(shape, y, x, sigma):
    rows, columns = (np.arange(n) - (n - 1) / 2 for n in shape)
    return np.exp(-((rows[:, None] - y) ** 2 + (columns - x) ** 2) / (2 * sigma**2))


def test_wavelength_at_200_kv_is_the_tabulated_one():
    assert wavelength(200.0) == pytest.approx(0.02508, abs=1e-5)


@pytest.mark.parametrize("angle", [15.0, 21.4, 27.0])
def test_first_dark_ring_lies_where_airy_puts_it(angle):
    probe = ElectronProbe((512, 512), 200.0, angle, [0.0], 0.0, 0.0, pixel=0.08).intensity()[0]
    line = fft.irfft(fft.rfft(probe[256]), 512 * 16)[256 * 16 :]
    zero = np.argmax(np.diff(line) > 0) * 0.08 / 16
    airy = special.jn_zeros(1, 1)[0] / (2 * np.pi) * wavelength(200.0) / (angle * 1e-3)
    assert airy == pytest.approx(0.61 * wavelength(200.0) / (angle * 1e-3), rel=1e-3)
    assert zero == pytest.approx(airy, rel=0.02)


def test_each_probe_sums_to_one_and_defocus_widens_it():
    H = physics.forward(SPEC).step("propagate")
    sharp, blurred = H.probe.intensity()
    assert sharp.sum() == pytest.approx(1)
    assert blurred.sum() == pytest.approx(1)
    assert blurred.max() < 0.9 * sharp.max()


@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
def test_scan_reads_where_the_distortion_says(rotation):
    shape, s, at = (64, 64), 2.0, (7.3, -11.6)
    scan = Scan((1, *shape), 100.0, distortion=s, rotations=[rotation])
    frame = scan(spot(shape, *at, 3.0)[None])[0]
    rows, columns = np.indices(shape) - 31.5
    phi = np.deg2rad(rotation)
    u, v = columns * np.cos(phi) + rows * np.sin(phi), rows * np.cos(phi) - columns * np.sin(phi)
    read_u = u + s / 100 * (u + v)
    read_x = read_u * np.cos(phi) - v * np.sin(phi)
    read_y = read_u * np.sin(phi) + v * np.cos(phi)
    expected = np.exp(-((read_y - at[0]) ** 2 + (read_x - at[1]) ** 2) / (2 * 3.0**2))
    np.testing.assert_allclose(frame, expected, atol=2e-4)


def test_straight_scan_reads_the_image_unchanged():
    x = np.random.default_rng(1).random((2, 24, 20))
    near = Scan(x.shape, 100.0, distortion=1e-9, rotations=[0, 90])(x)
    np.testing.assert_array_equal(Scan(x.shape, 100.0, rotations=[0, 90])(x), x)
    np.testing.assert_allclose(near, x, atol=1e-8)


@pytest.mark.parametrize("distortion", [0.0, 0.37, -1.1])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_one_operator_equals_the_three_steps(distortion, dtype):
    a = [dict(step.args) for step in SPEC.chain]
    a[2]["distortion"] = distortion
    shape = (48, 40)
    steps = [ElectronProbe(shape, **a[0]), Gaussian((2, *shape), **a[1]), Scan((2, *shape), **a[2])]
    rng = np.random.default_rng(2)
    x, y = rng.random(shape).astype(dtype), rng.random((2, *shape)).astype(dtype)
    whole, parts = ScannedProbe(shape, a), Chain(steps)
    tolerance = 1e-5 if dtype is np.float32 else 1e-12
    np.testing.assert_allclose(whole(x), parts(x), atol=tolerance)
    np.testing.assert_allclose(whole.H(y), parts.H(y), atol=tolerance)
    assert whole(x).dtype == whole.H(y).dtype == dtype


@pytest.mark.parametrize("seed", range(5))
def test_adjoint_is_exact_at_any_mismatch(seed):
    rng = np.random.default_rng(seed)
    ranges = {m.name: physics.tier_range(SPEC, m.name, "public") for m in SPEC.mismatches}
    H = physics.forward(SPEC, **{name: rng.uniform(*ends) for name, ends in ranges.items()})
    assert gap(H, rng) < 1e-12


@pytest.mark.parametrize("name", [m.name for m in SPEC.mismatches])
def test_signal_is_smooth_in_each_mismatch(name):
    x = physics.scene(SPEC, 0)
    h, at = 0.02 * SPEC.perturbed[name], 0.6 * SPEC.perturbed[name]

    def derivative(step):
        ends = [physics.forward(SPEC, **{name: at + d})(x) for d in (step, -step)]
        return (ends[0] - ends[1]) / (2 * step)

    wide, narrow = derivative(2 * h), derivative(h)
    assert np.linalg.norm(wide - narrow) < 0.02 * np.linalg.norm(narrow)


def test_too_wide_an_aperture_for_the_pixels_is_refused():
    with pytest.raises(ValueError, match="sample a convergence_angle below"):
        ElectronProbe((64, 64), 200.0, 35.0, [0.0], 1.0, 2.0, pixel=0.2)
