"""The catalogue's chains and those of seven other systems obey the laws, and make data."""

import numpy as np
import pytest

from modalities.physics import PRIMITIVES, Chain, forward, keys, load, measure
from modalities.physics.primitives import FUSED

from .chains import SYSTEMS, perturbed, system
from .laws import adjoint_gap, derivative_gap, is_smooth, linearity_gap

every_system = pytest.mark.parametrize("key", [*keys(), *SYSTEMS])
every_small_system = pytest.mark.parametrize("key", SYSTEMS)


@every_system
def test_chain_or_its_derivative_has_an_exact_adjoint(key: str, rng):
    H = perturbed(key)
    J = H if H.is_linear else H.derivative(rng.random(H.in_shape))
    assert adjoint_gap(J, rng) < 1e-10


@pytest.mark.parametrize("key", keys())
def test_adjoint_is_exact_on_the_full_grid(key: str, rng):
    spec = load(key)
    assert adjoint_gap(forward(spec, **spec.perturbed), rng) < 1e-10


@every_system
def test_chain_is_linear_or_differentiates_itself(key: str, rng):
    H = perturbed(key)
    gap = linearity_gap(H, rng) if H.is_linear else derivative_gap(H, rng)
    assert gap < (1e-12 if H.is_linear else 1e-6)


@every_system
def test_chain_stays_in_single_precision(key: str, rng):
    H = perturbed(key)
    y = H(rng.random(H.in_shape).astype(np.float32))
    assert y.shape == H.out_shape
    assert y.dtype == (np.complex64 if H.out_dtype is complex else np.float32)


@every_system
def test_signal_is_smooth_in_every_mismatch(key: str, rng):
    spec = system(key)
    x = rng.random(spec.shape)
    for m in spec.mismatches:

        def at(h, m=m):
            return forward(spec, **spec.perturbed | {m.name: m.perturbed + h})(x)

        assert is_smooth(at, m.perturbed / 50), m.name


@every_system
def test_same_seed_gives_the_same_measurement(key: str, rng):
    H = perturbed(key)
    x = rng.random(H.in_shape)
    first, again = (measure(H, x, np.random.default_rng(5)) for _ in range(2))
    assert np.array_equal(first, again)


@every_small_system
def test_another_seed_gives_another_measurement(key: str, rng):
    H = perturbed(key)
    x = rng.random(H.in_shape)
    first, other = (measure(H, x, np.random.default_rng(s)) for s in (5, 6))
    assert not np.array_equal(first, other)


@every_small_system
def test_data_scatter_around_the_signal_as_the_noise_says(key: str, rng):
    H = perturbed(key)
    x = rng.random(H.in_shape)
    signal = H.truth()(x)
    draws = np.array([measure(H, x, rng) for _ in range(400)])
    variance = H.steps[-1].noise.variance(signal)
    lit = signal.real > 0 if H.out_dtype is float else np.full(signal.shape, True)
    z2 = np.abs(draws.mean(axis=0) - signal) ** 2 / (variance / 400)
    assert abs(np.mean(z2[lit]) - 1) < 0.3
    assert abs(np.mean((draws.var(axis=0) / variance)[lit]) - 1) < 0.05


@every_system
def test_description_names_the_object_the_mismatch_and_every_step(key: str):
    H = perturbed(key)
    lines = H.describe().splitlines()
    assert len(lines) >= 1 + len(H.steps)
    for m in H.spec.mismatches:
        assert f"{m.name} {m.perturbed:g} {m.unit}" in lines[0]


@pytest.mark.parametrize("key", keys())
def test_each_step_of_the_catalogue_is_found_by_name(key: str):
    H = forward(load(key))
    for step in H.spec.chain:
        assert H.step(step.name) in H.steps


def one_by_one(spec, mismatch) -> Chain:
    """Build the chain of a spec from the models of its steps, without any fused operator."""
    steps, shape = [], spec.shape
    for step in spec.chain:
        args = dict(step.args)
        for m in spec.mismatches:
            if m.step == step.name:
                args[m.argument] += mismatch[m.name]
        steps.append(PRIMITIVES[step.primitive][step.model](shape, **args))
        shape = steps[-1].out_shape
    return Chain(steps)


@every_system
def test_fused_steps_compute_what_the_steps_would(key: str, rng):
    H = perturbed(key)
    steps = one_by_one(H.spec, H.spec.perturbed)
    x = rng.random(H.in_shape)
    assert steps.out_shape == H.out_shape
    assert np.linalg.norm(H(x) - steps(x)) <= 1e-9 * np.linalg.norm(H(x))


def test_fused_operators_are_those_that_the_catalogue_uses():
    chains = [tuple(f"{s.primitive}/{s.model}" for s in load(key).chain) for key in keys()]
    for run in FUSED:
        assert any(run == chain[: len(run)] for chain in chains)
