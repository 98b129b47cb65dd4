"""Operators compose in the order of the diagram, and adjoints are operators."""

import numpy as np
import pytest

from modalities.physics import PRIMITIVES, Chain, ShapeError, noise_of

from .laws import adjoint_gap


def gaussian(shape):
    return PRIMITIVES["convolve"]["gaussian"](shape, fwhm=2.0)


def mask(shape):
    return PRIMITIVES["modulate"]["mask"](shape, seed=1)


def test_chain_applies_its_first_step_first(rng):
    x = rng.random((6, 7))
    first, last = mask(x.shape), gaussian(x.shape)
    assert np.array_equal(Chain([first, last])(x), last(first(x)))


def test_adjoint_of_the_adjoint_is_the_operator():
    chain = Chain([mask((6, 7)), gaussian((6, 7))])
    assert chain.H.H is chain
    assert chain.H.in_shape == chain.out_shape


def test_adjoint_obeys_the_laws_of_an_operator(rng):
    radon = PRIMITIVES["project"]["radon"]((6, 7), angles=[0.0, 30.0, 5])
    assert adjoint_gap(radon.H, rng) < 1e-12
    assert radon.H.describe() == f"adjoint of {radon.describe()}"


def test_steps_that_do_not_fit_are_refused_by_name_and_shape():
    with pytest.raises(ShapeError, match=r"Gaussian takes \(6, 8\), but Mask .* gives \(6, 7\)"):
        Chain([mask((6, 7)), gaussian((6, 8))])


def test_empty_chain_is_refused():
    with pytest.raises(ShapeError, match="at least one step"):
        Chain([])


def test_chain_of_nonlinear_steps_refuses_an_adjoint(rng):
    well = PRIMITIVES["detect"]["saturating"]((6, 7), dose=1.0, full_well=1.0)
    chain = Chain([mask((6, 7)), well])
    assert not chain.is_linear
    with pytest.raises(TypeError, match=r"derivative\(x\)\.H"):
        chain.H(rng.random((6, 7)))


def test_chain_without_a_detector_has_no_noise():
    with pytest.raises(TypeError, match="end the chain with a 'detect' step"):
        noise_of(Chain([mask((6, 7)), gaussian((6, 7))]))


def fresnel(shape, real):
    args = {"wavelength": 0.5, "distance": 20.0, "pixel": 1.0, "real": real}
    return PRIMITIVES["propagate"]["fresnel"](shape, **args)


def additive(shape, real):
    return PRIMITIVES["detect"]["additive"](shape, sigma=0.1, real=real)


def lit(shape):
    return PRIMITIVES["illuminate"]["random"](shape, cells=2, patterns=3)


@pytest.mark.parametrize(
    ("steps", "dtypes"),
    [
        ([mask((6, 8)), fresnel((6, 8), False), lit((6, 8))], (complex, complex)),
        ([mask((6, 8)), fresnel((6, 8), True), mask((6, 8))], (float, complex)),
        ([mask((6, 8)), gaussian((6, 8)), lit((6, 8))], (float, float)),
        ([mask((6, 8)), lit((6, 8))], (float, float)),
        ([gaussian((6, 8)), fresnel((6, 8), False)], (float, complex)),
        ([gaussian((6, 8)), additive((6, 8), False)], (float, complex)),
    ],
)
def test_chain_follows_real_and_complex_values_through_its_steps(steps, dtypes, rng):
    chain = Chain(steps)
    assert (chain.in_dtype, chain.out_dtype) == dtypes
    assert adjoint_gap(chain, rng) < 1e-12
    x, y = np.ones(chain.in_shape, chain.in_dtype), np.ones(chain.out_shape, chain.out_dtype)
    assert chain.H(y).dtype == x.dtype
    if dtypes[0] is complex:
        assert np.iscomplexobj(chain(x))


def test_real_step_after_a_complex_one_is_refused_by_name():
    with pytest.raises(TypeError, match="Additive takes real values, but what Fresnel gives is co"):
        Chain([fresnel((6, 8), False), mask((6, 8)), additive((6, 8), True)])
