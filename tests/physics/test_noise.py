"""Noise has the mean and the variance that it declares."""

import numpy as np
import pytest

from modalities.physics import PRIMITIVES, Chain, measure
from modalities.physics.noise import Gaussian, PoissonGaussian


@pytest.mark.parametrize(
    "noise",
    [
        PoissonGaussian(dose=300.0, read_noise=2.0),
        PoissonGaussian(dose=20.0, read_noise=3.0, background=0.2),
        Gaussian(0.3),
    ],
)
def test_mean_is_the_signal_and_scatter_the_declared_variance(noise, rng):
    signal = np.full(200_000, 0.4)
    y = noise.sample(signal, rng)
    variance = noise.variance(signal)[0]
    assert y.mean() == pytest.approx(0.4, abs=5 * np.sqrt(variance / y.size))
    assert y.var() == pytest.approx(variance, rel=0.02)


def test_counts_without_read_noise_are_whole_numbers(rng):
    y = PoissonGaussian(dose=50.0, background=0.1).sample(np.full(100, 0.3), rng)
    counts = 50.0 * (y + 0.1)
    assert counts == pytest.approx(np.round(counts), abs=1e-9)


def test_background_counts_but_is_subtracted(rng):
    y = PoissonGaussian(dose=100.0, background=0.5).sample(np.zeros(50_000), rng)
    assert y.mean() == pytest.approx(0.0, abs=2e-3)
    assert y.var() == pytest.approx(0.5 / 100, rel=0.03)


def test_negative_signal_counts_nothing(rng):
    assert np.array_equal(PoissonGaussian(dose=10.0).sample(np.full(9, -1.0), rng), np.zeros(9))


def test_complex_noise_is_in_both_parts(rng):
    signal = np.full(100_000, 1 + 2j)
    y = Gaussian(0.5).sample(signal, rng)
    assert y.real.var() == pytest.approx(0.25, rel=0.03)
    assert y.imag.var() == pytest.approx(0.25, rel=0.03)
    assert Gaussian(0.5).variance(signal)[0] == 0.5


def test_data_come_from_a_finer_grid_than_the_reconstruction(rng):
    radon = PRIMITIVES["project"]["radon"]((12, 12), angles=[0.0, 30.0, 6])
    x = rng.random((12, 12))
    assert not np.allclose(radon.truth()(x), radon(x), rtol=1e-3)


def test_gain_scales_the_data_and_their_noise_alike(rng):
    def bright(gain):
        H = PRIMITIVES["detect"]["counts"]((100_000,), dose=100.0, gain=gain)
        return measure(H, np.full(100_000, 0.5), rng)

    assert bright(2.0).mean() == pytest.approx(1.0, rel=1e-2)
    assert bright(2.0).var() == pytest.approx(1.0 / 100, rel=0.03)


def test_counts_of_a_complex_signal_are_refused(rng):
    noise = PoissonGaussian(dose=10.0)
    for call in (lambda: noise.sample(np.ones(3, complex), rng), lambda: noise.variance(1j)):
        with pytest.raises(TypeError, match="real signal"):
            call()


def test_real_signal_in_a_complex_receiver_gets_complex_noise(rng):
    H = Chain([PRIMITIVES["detect"]["additive"]((9_999,), sigma=0.5, real=False)])
    y = measure(H, np.ones(9_999), rng)
    assert y.imag.std() == pytest.approx(0.5, rel=0.05)


def test_complex_object_of_a_chain_of_real_ones_is_refused(rng):
    H = PRIMITIVES["detect"]["counts"]((5,), dose=1.0)
    with pytest.raises(TypeError, match="takes a real object, got complex128"):
        measure(H, np.ones(5, complex), rng)
