"""One value of each general model that is known without computing it."""

from math import e, erf, exp, factorial, pi, sqrt

import numpy as np
import pytest

from modalities.physics import PRIMITIVES, Array, Operator


def model(kind: str, in_shape: tuple[int, ...], **args) -> Operator:
    primitive, name = kind.split("/")
    return PRIMITIVES[primitive][name](in_shape, **args)


def grid(n: int) -> tuple[Array, Array]:
    c = np.arange(n) - (n - 1) / 2
    return c[:, None], c[None, :]


def blob(n: int, y0: float, x0: float, width: float = 2.0) -> Array:
    y, x = grid(n)
    return np.exp(-((y - y0) ** 2 + (x - x0) ** 2) / (2 * width**2))


def disc(n: int, radius: float, fine: int = 8) -> Array:
    """Draw a disc whose border pixels are as bright as they are covered."""
    c = (np.arange(fine * n) - (fine * n - 1) / 2) / fine
    inside = (c[:, None] ** 2 + c[None, :] ** 2 < radius**2).astype(float)
    return inside.reshape(n, fine, n, fine).mean(axis=(1, 3))


def middle(image: Array) -> tuple[float, float]:
    """Give the centre of mass (y, x) from the middle of the image."""
    y, x = grid(len(image))
    return float((image * y).sum() / image.sum()), float((image * x).sum() / image.sum())


@pytest.mark.parametrize("name", ["fresnel", "rayleigh_sommerfeld"])
def test_gaussian_beam_spreads_by_its_rayleigh_range(name: str):
    """Saleh & Teich 2007, sec. 3.1: on the axis I(z)/I(0) = 1/(1 + (z/z_R)²)."""
    wavelength, waist, distance = 0.5, 8.0, 200.0
    y, x = grid(129)
    beam = np.exp(-(x**2 + y**2) / waist**2)
    carry = model(
        f"propagate/{name}", beam.shape, wavelength=wavelength, distance=distance, pixel=1
    )
    intensity = np.abs(carry(beam.astype(complex))) ** 2
    rayleigh_range = pi * waist**2 / wavelength
    assert intensity[64, 64] == pytest.approx(1 / (1 + (distance / rayleigh_range) ** 2), rel=2e-3)


def test_disc_lit_by_a_plane_wave_is_bright_and_dark_along_its_axis():
    """Osterberg & Smith 1961: U(z) = 1 − z/r·exp(2πi(r − z)/λ), r² = z² + a²."""
    n, a, z, wavelength = 257, 24.0, 84.0, 6.0
    carry = model(
        "propagate/rayleigh_sommerfeld", (n, n), wavelength=wavelength, distance=z, pixel=1.0
    )
    r = sqrt(z**2 + a**2)
    expected = 1 - z / r * np.exp(2j * pi * (r - z) / wavelength)
    assert carry(disc(n, a).astype(complex))[n // 2, n // 2] == pytest.approx(expected, abs=0.01)


def test_plural_losses_of_one_channel_are_poisson_distributed():
    """Egerton 2011, sec. 3.4: the share of n-fold scattering is e^{−τ}τⁿ/n!."""
    single = np.zeros((8, 1))
    single[1] = 1.0
    spectrum = model("propagate/plural_scattering", single.shape, thickness=0.9)(single)[:, 0]
    poisson = [exp(-0.9) * 0.9**n / factorial(n) for n in range(8)]
    assert spectrum == pytest.approx(poisson, abs=1e-8)


def test_mask_moved_by_a_whole_pixel_is_the_same_mask():
    shape = (8, 9)
    still = model("modulate/mask", shape, seed=2)(np.ones(shape))
    moved = model("modulate/mask", shape, seed=2, shift_x=1.0)(np.ones(shape))
    assert set(np.unique(still)) == {0.0, 1.0}
    assert moved == pytest.approx(np.roll(still, 1, axis=1), abs=1e-12)


def test_square_seen_along_its_diagonal_casts_a_triangle():
    """Height √2 and base √2, so that the bin in the middle sees √2 − ½ of the square."""
    x = np.zeros((5, 5))
    x[2, 2] = 1.0
    view = model("project/radon", x.shape, angles=[45.0, 0.0, 1])(x)[0]
    rest = (1 - (sqrt(2) - 0.5)) / 2
    assert view == pytest.approx([0, rest, sqrt(2) - 0.5, rest, 0])


def chords(n: int, radius: float) -> Array:
    """Give the Radon transform of a disc, 2√(R² − u²), averaged over bins of width one."""
    u = np.linspace(-n / 2, n / 2, 64 * n, endpoint=False) + 1 / 128
    return 2 * np.sqrt(np.maximum(radius**2 - u**2, 0)).reshape(n, 64).mean(axis=1)


def test_disc_casts_its_chords_at_every_angle():
    image = disc(64, 20.0)
    series = model("project/radon", image.shape, angles=[0.0, 13.0, 14])(image)
    assert np.linalg.norm(series - chords(64, 20.0)) < 0.01 * np.linalg.norm(series)
    assert series.sum(axis=1) == pytest.approx(20.0**2 * pi, rel=1e-3)


def test_finer_grid_of_the_scanner_sees_the_same_image():
    image = blob(64, 0.0, 5.0, 8.0)
    H = model("project/radon", image.shape, angles=[0.0, 13.0, 14], bins=70)
    truth, coarse = H.truth()(image), H(image)
    assert truth.shape == coarse.shape
    assert 1e-6 < np.linalg.norm(truth - coarse) / np.linalg.norm(coarse) < 2e-3


def test_fan_from_far_away_is_parallel(rng):
    x = rng.random((16, 16))
    parallel = model("project/radon", x.shape, angles=[3.0, 17.0, 9], bins=23)(x)
    far = {"source": 1e7, "detector": 1e7, "bins": 23}
    assert model("project/fan", x.shape, angles=[3.0, 17.0, 9], **far)(x) == pytest.approx(
        parallel, abs=1e-5
    )


def test_fan_magnifies_by_detector_over_source():
    x = blob(33, 0.0, 6.0)
    fan = model("project/fan", x.shape, angles=[0.0, 0.0, 1], source=200, detector=400, bins=81)
    u = np.arange(81) - 40
    view = fan(x)[0]
    assert (view * u).sum() / view.sum() == pytest.approx(12.0, rel=2e-3)
    assert view.max() == pytest.approx(sqrt(2 * pi) * 2.0, rel=0.02)


def test_middle_row_of_a_cone_is_a_fan(rng):
    image = rng.random((12, 12))
    volume = np.broadcast_to(image, (9, 12, 12)).copy()
    beam = {"angles": [3.0, 30.0, 5], "source": 100.0, "detector": 130.0}
    fan = model("project/fan", image.shape, bins=20, **beam)(image)
    cone = model("project/cone", volume.shape, bins=[5, 20], **beam)(volume)
    assert cone[:, 2] == pytest.approx(fan, rel=1e-4, abs=1e-9)


def test_full_sampling_keeps_the_norm_and_puts_the_mean_in_the_middle(rng):
    x = rng.random((8, 10))
    y = model("sample/cartesian", x.shape)(x)
    assert np.linalg.norm(y) == pytest.approx(np.linalg.norm(x))
    assert y[4, 5] == pytest.approx(x.sum() / sqrt(80))


def test_accelerated_sampling_keeps_the_middle_and_each_third_line():
    H = model("sample/cartesian", (12, 10), acceleration=3, centre=4)
    assert H.lines.tolist() == [-6, -3, -2, -1, 0, 1, 3]


def test_first_spoke_is_the_line_through_the_middle(rng):
    x = rng.random((8, 8))
    lines = model("sample/cartesian", x.shape)(x)
    spokes = model("sample/radial", x.shape, spokes=4)(x)
    assert spokes[0] == pytest.approx(lines[4])
    assert spokes[2] == pytest.approx(lines[:, 4])


def test_point_blurred_to_a_gaussian_is_halved_at_half_its_width():
    x = np.zeros((64, 64))
    x[32, 32] = 1.0
    y = model("convolve/gaussian", x.shape, fwhm=4.0, pixel=0.5)(x)
    assert y[32, 36] == pytest.approx(y[32, 32] / 2, rel=1e-9)
    assert y.sum() == pytest.approx(1.0)


def test_point_seen_through_a_psf_is_the_psf():
    x, psf = np.zeros((9, 9)), np.arange(15.0).reshape(3, 5)
    x[4, 4] = 1.0
    y = model("convolve/psf", x.shape, psf=psf)(x)
    assert y[3:6, 2:7] == pytest.approx(psf, abs=1e-12)
    moved = model("convolve/psf", x.shape, psf=psf, shift_y=2.0, shift_x=-1.0)(x)
    assert moved[5:8, 1:6] == pytest.approx(psf, abs=1e-12)


def test_sum_over_a_line_is_its_integral():
    x = np.linspace(0, 1, 1001)[:, None] ** 2
    y = model("accumulate/sum", x.shape, axes=[0], step=0.001)(x)
    assert y[0] == pytest.approx(1 / 3, abs=1e-3)


def test_camera_sees_the_square_of_field_and_reference():
    field = np.full((2, 3), 0.6 + 0.8j)
    y = model("detect/intensity", field.shape, dose=1.0, gain=2.0, reference=0.4)(field)
    assert y == pytest.approx(2 * (1.0**2 + 0.8**2))


def test_full_well_is_approached_exponentially():
    x = np.array([1e-6, 0.25, 1e3])
    y = model("detect/saturating", x.shape, dose=1.0, full_well=0.5, gain=2.0)(x)
    assert y == pytest.approx([2e-6, 0.5 * (1 - 1 / e), 0.5], rel=1e-5)


def test_blocks_light_every_pixel_once():
    H = model("illuminate/block", (8, 12), cells=4)
    assert H.out_shape == (16, 8, 12)
    assert H(np.ones((8, 12))).sum(axis=0) == pytest.approx(1.0)


def test_hadamard_patterns_are_orthogonal():
    """Sylvester's matrix: H Hᵀ = n·1."""
    lit = model("illuminate/hadamard", (4, 4), cells=4)(np.ones((4, 4))).reshape(16, 16)
    signs = 2 * lit - 1
    assert signs @ signs.T == pytest.approx(16 * np.eye(16))


def test_random_patterns_light_half_of_the_blocks():
    lit = model("illuminate/random", (16, 16), cells=16, patterns=64)(np.ones((16, 16)))
    assert set(np.unique(lit)) == {0.0, 1.0}
    assert lit.mean() == pytest.approx(0.5, abs=4 * 0.5 / sqrt(lit.size))


def test_fringes_of_all_phases_add_up_to_even_light():
    lit = model("illuminate/fringes", (9, 9), period=4.3, orientations=2)(np.ones((9, 9)))
    assert lit.reshape(2, 3, 9, 9).sum(axis=1) == pytest.approx(1.5)


def test_prism_moves_each_band_by_its_distance_from_the_middle():
    cube = np.zeros((3, 1, 5))
    cube[:, 0, 2] = 1.0
    y = model("disperse/prism", cube.shape, alpha=2.0, margin=4)(cube)[:, 0]
    assert y.argmax(axis=1).tolist() == [4, 6, 8]
    assert y.max(axis=1) == pytest.approx(1.0)


def test_slit_of_the_prism_keeps_the_light_and_widens_it():
    """A box of width a has variance a²/12."""
    cube = blob(33, 0.0, 0.0)[None]
    y = model("disperse/prism", cube.shape, alpha=0.0, aperture=3.0, margin=8)(cube)[0]
    x = np.arange(49) - 24
    assert y.sum() == pytest.approx(cube.sum())
    assert (y * x**2).sum() / y.sum() == pytest.approx(2.0**2 + 3.0**2 / 12, rel=1e-6)


def test_turn_carries_x_towards_y():
    image = blob(48, 0.0, 10.0)
    turned = model("rotate/in_plane", image.shape, angle=30.0)(image)
    assert middle(turned) == pytest.approx((5.0, 10 * sqrt(3) / 2), abs=1e-6)
    assert turned.sum() == pytest.approx(image.sum())


def test_views_turn_beyond_a_right_angle():
    image = blob(48, 0.0, 10.0)
    series = model("rotate/views", image.shape, angles=[0.0, 60.0, 6])(image)
    for view, angle in zip(series, np.deg2rad(60.0 * np.arange(6)), strict=True):
        assert middle(view) == pytest.approx((10 * np.sin(angle), 10 * np.cos(angle)), abs=1e-6)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_turn_of_a_volume_keeps_what_lies_on_its_axis(axis: int):
    line = np.moveaxis(np.broadcast_to(blob(24, 0.0, 0.0), (24, 24, 24)), 0, axis)
    turned = model("rotate/in_plane", line.shape, angle=40.0, axis=axis)(line)
    assert turned == pytest.approx(line, abs=1e-6)


def test_turned_object_seen_by_the_scanner_is_a_turned_scanner():
    """R(θ − φ) of f is R(θ) of f turned by φ."""
    image = blob(48, 4.0, 9.0, 3.0)
    turned = model("rotate/in_plane", image.shape, angle=10.0)(image)
    still = model("project/radon", image.shape, angles=[20.0, 25.0, 4])(image)
    other = model("project/radon", image.shape, angles=[30.0, 25.0, 4])(turned)
    assert other == pytest.approx(still, abs=5e-3 * still.max())


def test_band_lets_most_through_in_its_middle():
    H = model("select/band", (11, 1), centre=5.0, width=4.0, edge=1.5)
    assert H(np.ones((11, 1)))[5, 0] == pytest.approx(erf(2.0 / (sqrt(2) * 1.5)))


def test_filter_lets_its_width_through_of_an_even_spectrum():
    H = model("select/filters", (80, 1), centres=[18.0, 22.0], width=6.0, edge=1.0, step=0.5)
    assert H(np.ones((80, 1)))[:, 0] == pytest.approx([6.0, 6.0], rel=1e-9)
