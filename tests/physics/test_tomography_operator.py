"""The tilt series: geometry, closed forms, and the order of its steps."""

import numpy as np
import pytest
from scipy import sparse

from modalities import physics
from modalities.physics.numerics.bands import ROWS, bands, transposed
from modalities.physics.numerics.footprint import centres, projection, shadow_cdf, times
from modalities.physics.numerics.image_rotation import ImageRotation
from modalities.physics.numerics.kept import kept
from modalities.physics.numerics.resample import refine, shift_matrices, shift_taps
from modalities.physics.operator import Chain
from modalities.physics.primitives import PRIMITIVES, depth_of_field
from modalities.physics.primitives.parallel import Parallel, StripProjection, TiltSeries
from modalities.physics.primitives.tilt import Tilt, tilt_angles

SHAPE = (8, 24, 12)
TILT = {"first": -60.0, "step": 7.0, "views": 17}
PROBE = {"first": -60.0, "step": 7.0, "convergence_angle": 20.0, "field_factor": 32.0}
BEAM = {"scattering": 0.1}


def series(shape=SHAPE, gradient=0.0, **tilt):
    tilt = TILT | tilt
    planned = {"first": tilt["first"], "step": tilt["step"]}
    return TiltSeries(shape, [tilt, PROBE | planned | {"defocus_gradient": gradient}, BEAM])


def ellipsoid(shape, centre, radii, oversample=4):
    """Sample an ellipsoid of density 1 by the share of each voxel that it fills."""
    n = oversample
    offsets = (np.arange(n) - (n - 1) / 2) / n
    total = np.zeros(shape)
    for o in np.stack(np.meshgrid(offsets, offsets, offsets), -1).reshape(-1, 3):
        grids = np.meshgrid(*(centres(s) + d for s, d in zip(shape, o, strict=True)), indexing="ij")
        r2 = sum(((g - c) / r) ** 2 for g, c, r in zip(grids, centre, radii, strict=True))
        total += r2 <= 1
    return total / n**3


def chord(theta, u, v, centre, radii):
    """Integrate an ellipsoid of density 1 along the beam at tilt ``theta``: the closed form."""
    (z0, x0, y0), (a, b, c) = centre, radii
    cos, sin = np.cos(theta), np.sin(theta)
    width2 = (b * cos) ** 2 + (a * sin) ** 2
    du = u - x0 * cos - z0 * sin
    inside = 1 - du**2 / width2 - (v - y0) ** 2 / c**2
    return 2 * a * b / np.sqrt(width2) * np.sqrt(np.maximum(inside, 0))


@pytest.mark.parametrize("degrees", [-60, -33, 0, 14, 45, 60])
def test_projection_of_an_ellipsoid_is_its_closed_form(degrees):
    shape, centre, radii = (36, 96, 40), (3.0, -12.0, 4.0), (11.0, 20.0, 13.0)
    H = StripProjection(shape, [np.deg2rad(degrees)])
    got = H(ellipsoid(shape, centre, radii))[0]
    u, v = np.meshgrid(centres(96), centres(40), indexing="ij")
    within = (np.arange(8) - 3.5) / 8  # a bin reads the mean over its width
    lines = [
        chord(np.deg2rad(degrees), u + a, v + b, centre, radii) for a in within for b in within
    ]
    expected = np.mean(lines, axis=0)
    assert np.linalg.norm(got - expected) < 0.02 * np.linalg.norm(expected)
    assert got.sum() == pytest.approx(4 / 3 * np.pi * np.prod(radii), rel=2e-3)


def test_a_voxel_above_the_middle_moves_towards_positive_u_at_positive_tilt():
    x = np.zeros((9, 33, 3))
    x[8, 16, 1] = 1.0  # z = +4
    u = centres(33)
    profile = StripProjection(x.shape, [np.deg2rad(30.0)])(x)[0, :, 1]
    assert u @ profile == pytest.approx(4 * np.sin(np.deg2rad(30)), abs=1e-12)


def test_the_shadow_of_a_square_is_a_trapezoid():
    cos, sin = np.cos(0.4), np.sin(0.4)
    t = np.linspace(-1, 1, 2001)
    density = np.gradient(shadow_cdf(t, np.full(t.shape, cos), np.full(t.shape, sin)), t)
    plateau, foot = (cos - sin) / 2, (cos + sin) / 2
    height = 1 / cos
    expected = np.clip(height * (foot - np.abs(t)) / (foot - plateau), 0, height)
    assert np.abs(density - expected).max() < 3e-3


def test_the_shadow_at_zero_tilt_is_a_box():
    t = np.array([-0.5, -0.25, 0.0, 0.25, 0.5])
    cdf = shadow_cdf(t, np.ones(5), np.zeros(5))
    assert cdf == pytest.approx(t + 0.5, abs=1e-6)


def test_every_voxel_is_counted_once_in_every_view():
    inner = np.zeros((8, 24))
    inner[:, 8:16] = 1.0
    forward, _ = projection(8, 24, tuple(np.deg2rad(tilt_angles(-60, 7, 17))), False)
    views = (forward @ inner.ravel()).reshape(17, 24)
    assert views.sum(axis=1) == pytest.approx(inner.sum())


def test_odd_views_alone_carry_the_backlash():
    assert tilt_angles(-60, 2, 4, 0.5) == pytest.approx([-60, -57.5, -56, -53.5])


@pytest.mark.parametrize("mismatch", [{}, {"backlash": 0.6, "axis": 0.8, "gradient": -14.0}])
def test_the_fused_series_equals_its_three_steps(mismatch):
    rng = np.random.default_rng(0)
    fused = series(**mismatch)
    tilt = Tilt(SHAPE, **fused.args[0])
    probe = PRIMITIVES["propagate"]["depth_of_field"](tilt.out_shape, **fused.args[1])
    steps = Chain([tilt, probe, Parallel(probe.out_shape, **BEAM)])
    x = rng.random(SHAPE)
    assert np.abs(steps(x) - fused(x)).max() < 1e-12
    y = rng.random(fused.out_shape)
    assert np.abs(steps.H(y) - fused.H(y)).max() < 1e-12


def test_series_that_differ_in_one_mismatch_share_the_rest():
    first, tilted, turned, sloped = (
        series(**m) for m in ({}, {"backlash": 1.0}, {"axis": 1.0}, {"gradient": 1.0})
    )
    assert first.blur is tilted.blur is turned.blur is not sloped.blur
    assert first.rotation is tilted.rotation is sloped.rotation is not turned.rotation


def test_turning_the_image_plane_moves_a_point_from_u_towards_v():
    u, v = np.meshgrid(centres(64), centres(64), indexing="ij")
    blob = np.exp(-((u - 20) ** 2 + v**2) / 8)
    turned = ImageRotation((64, 64), 3.0)(blob)
    centroid = [(c * turned).sum() / turned.sum() for c in (u, v)]
    angle = np.deg2rad(3.0)
    assert centroid == pytest.approx([20 * np.cos(angle), 20 * np.sin(angle)], abs=2e-3)


def test_a_shift_does_not_wrap_round():
    line = np.zeros(32)
    line[29:] = 1.0
    moved = shift_matrices(32, np.array([8.0]), float)[0] @ line
    assert np.abs(moved).max() < 1e-12


def test_short_taps_shift_a_wave():
    i = np.arange(64)
    shifts = np.array([-0.4, 0.15, 2.3])
    for shift, taps in zip(shifts, shift_taps(shifts, 11), strict=True):
        moved = np.convolve(np.cos(0.3 * 2 * np.pi * i), taps[::-1], "same")
        expected = np.cos(0.3 * 2 * np.pi * (i - shift))
        assert np.abs(moved - expected)[12:-12].max() < 4e-3


def test_bands_are_the_matrix_near_its_diagonal(rng):
    n, reach = 2 * ROWS + 5, 3
    taps = rng.standard_normal((n, 2 * reach + 1))
    dense = sum(np.diag(taps[max(-d, 0) : n - max(d, 0), d + reach], d) for d in range(-3, 4))
    got = np.zeros((n, n))
    for rows, columns, block in bands(taps):
        got[rows, columns] += block
    assert np.array_equal(got, dense)
    got[:] = 0
    for rows, columns, block in bands(transposed(taps)):
        got[rows, columns] += block
    assert np.array_equal(got, dense.T)


def test_cutting_each_view_s_blur_at_its_own_reach_changes_next_to_nothing(monkeypatch):
    probe = PROBE | {"step": 20.0, "field_factor": 8.0, "defocus_gradient": 10.0}
    blur = PRIMITIVES["propagate"]["depth_of_field"]
    own = blur((7, 512, 8), **probe)
    assert list(own.reach) == [36, 20, 12, 12, 12, 20, 36]
    monkeypatch.setattr(depth_of_field, "SHORTEST", 36)
    wide = blur(own.in_shape, **probe)
    x = np.zeros(own.in_shape)
    x[:, 100:300, 2:6] = 1.0
    assert np.abs(own(x) - wide(x)).max() < 1e-4


def test_blur_has_the_modelled_variance():
    H = PRIMITIVES["propagate"]["depth_of_field"]((17, 128, 64), **PROBE, defocus_gradient=9.0)
    t, i = 0, 110
    point = np.zeros(H.out_shape)
    point[t, i, 32] = 1.0
    read = H.H(point)[t]  # the probe at (u, v): the row of the operator
    u, v = np.meshgrid(np.arange(128) - i, np.arange(64) - 32, indexing="ij")
    slope = np.tan(np.deg2rad(-60)) + 32 * 9.0 / 1000
    expected = 0.25 + (0.010 * (i - 63.5) * slope) ** 2
    assert [(read * u**2).sum(), (read * v**2).sum()] == pytest.approx([expected] * 2, rel=0.03)


def test_a_uniform_image_stays_uniform_under_blur():
    H = PRIMITIVES["propagate"]["depth_of_field"]((17, 64, 32), **PROBE)
    middle = H(np.ones(H.in_shape))[:, 20:44, 10:22]
    assert middle == pytest.approx(np.ones(middle.shape), abs=0.02)


def test_refining_goes_through_the_samples_of_a_wave():
    i = np.arange(16)
    fine = refine(np.cos(2 * np.pi * 3 * i / 16), 2)
    j = (np.arange(32) - 0.5) / 2
    assert fine == pytest.approx(np.cos(2 * np.pi * 3 * j / 16))


def test_data_are_not_made_by_the_operator_that_reconstructs_them():
    spec = physics.load("electron_tomography")
    H = series((16, 32, 16), views=3, step=60.0)
    x = np.random.default_rng(1).random(H.in_shape)
    x[:4] = x[-4:] = 0
    x[:, :4] = x[:, -4:] = 0
    smooth = np.clip(x, 0.2, 0.8)
    coarse, fine = H(smooth), H.truth()(smooth)
    assert fine.shape == coarse.shape
    assert 1e-3 < np.linalg.norm(fine - coarse) / np.linalg.norm(fine) < 0.1
    assert spec.chain[0].args["first"] == spec.chain[1].args["first"]
    assert spec.chain[0].args["step"] == spec.chain[1].args["step"]


def test_a_smooth_object_gives_the_same_data_on_both_grids():
    H = series((24, 48, 24), views=17)
    z, x, y = np.meshgrid(centres(24), centres(48), centres(24), indexing="ij")
    blob = np.exp(-((z / 3.5) ** 2 + (x / 6) ** 2 + (y / 3.5) ** 2) / 2)
    coarse, fine = H(blob), H.truth()(blob)
    assert np.linalg.norm(coarse - fine) < 0.02 * np.linalg.norm(fine)


def test_single_precision_stays_single():
    H = series(axis=0.3)
    assert H(np.ones(SHAPE, np.float32)).dtype == np.float32
    assert H.H(np.ones(H.out_shape, np.float32)).dtype == np.float32


@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_compiled_product_is_that_of_scipy(rng, kind):
    """Rows of 0, 1, 3, 4, 5 and 13 entries: none, the remainder, whole groups of four, both."""
    dense = np.zeros((6, 20), kind)
    for row, count in enumerate((0, 1, 3, 4, 5, 13)):
        dense[row, rng.permutation(20)[:count]] = rng.standard_normal(count)
    x = rng.standard_normal((9, 20)).astype(kind).T  # not contiguous
    got = times(sparse.csr_array(dense), x, 0.3)
    assert got.dtype == kind
    tolerance = 8 * np.finfo(kind).eps * np.abs(dense).sum()
    assert np.abs(got - 0.3 * dense @ x).max() < tolerance


def test_large_results_are_kept_up_to_a_number_of_bytes_and_the_last_one_always():
    made = []

    @kept(30, len)
    def text(letter: str, size: int) -> str:
        made.append(letter)
        return letter * size

    for letter in "abca":
        text(letter, 10)
    assert made == ["a", "b", "c"]  # all of them fit
    text("d", 10)
    assert [text(letter, 10)[0] for letter in "cad"] == ["c", "a", "d"]
    assert made == ["a", "b", "c", "d"]  # b was asked for longest ago
    text("e", 100)
    text("e", 100)
    text("a", 10)
    assert made == ["a", "b", "c", "d", "e", "a"]
