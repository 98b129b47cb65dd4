"""A method that cannot use an operator says so; it never gives an image of something else."""

import numpy as np
import pytest
from scipy.linalg import hadamard

from modalities.physics import PRIMITIVES, Chain, Operator, forward, measure
from modalities.physics.methods import cs, richardson_lucy, stem_tv, wbp, wiener
from modalities.physics.methods.sirt import sirt
from modalities.physics.methods.tv import least_squares
from modalities.physics.progress import silent
from tests.other_systems import load

from .chains import SYSTEMS, perturbed


def data(H: Operator):
    return measure(H, np.full(H.in_shape, 0.5), np.random.default_rng(0))


METHODS = {
    "SIRT": lambda H, y: sirt(H, y),
    "total variation": lambda H, y: least_squares(H, y, 1.0, np.zeros(H.in_shape), 5),
    "CS": lambda H, y: cs.cs(H, y, silent),
    "WBP": lambda H, y: wbp.wbp(H, y, silent),
    "Wiener": lambda H, y: wiener.wiener(H, y, silent),
    "Richardson-Lucy": lambda H, y: richardson_lucy.richardson_lucy(H, y, silent),
    "FISTA-TV": lambda H, y: stem_tv.fista_tv(H, y, silent),
}


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("key", ["mri", "mri_phase"])
@pytest.mark.filterwarnings("ignore::numpy.exceptions.ComplexWarning")
def test_complex_data_are_refused_by_what_cannot_use_them(name, key):
    H = forward(load(key))
    with pytest.raises(TypeError, match="needs"):
        METHODS[name](H, data(H))


def test_sirt_says_that_it_needs_real_data():
    H = forward(load("mri"))
    with pytest.raises(TypeError, match="SIRT needs real data; those of this operator are complex"):
        sirt(H, data(H))


@pytest.mark.parametrize("key", ["cassi", "holography"])
def test_sirt_refuses_negative_entries_and_what_is_not_linear(key):
    """The prism's band-limited shift has negative lobes; a hologram is not linear in its object."""
    with pytest.raises(TypeError, match=r"SIRT needs an? (operator without negative|linear)"):
        sirt(perturbed(key), np.zeros(perturbed(key).out_shape))


class Signed(Operator):
    """Sylvester's Hadamard matrix, −1 and +1: all rows but the first sum to zero."""

    def __init__(self, n: int) -> None:
        self.matrix = hadamard(n)
        self.in_shape = self.out_shape = (n,)

    def _apply(self, x):
        return self.matrix.astype(x.dtype) @ x

    def _adjoint(self, y):
        return self.matrix.T.astype(y.dtype) @ y


def test_sirt_refuses_rows_that_sum_to_nothing():
    H = Signed(16)
    with pytest.raises(TypeError, match="without negative entries"):
        sirt(H, H(np.arange(16.0)))


@pytest.mark.parametrize("key", ["ct", "single_pixel"])
def test_sirt_still_serves_other_systems(key):
    shape, steps, *_ = SYSTEMS[key]
    rays = [(kind, args) for kind, args in steps if kind != "rotate/in_plane"]
    made, size = [], tuple(shape)
    for kind, args in rays:
        primitive, model = kind.split("/")
        made.append(PRIMITIVES[primitive][model](size, **args))
        size = made[-1].out_shape
    H = Chain(made)
    y = H(np.full(H.in_shape, 0.5))
    assert np.linalg.norm(y - H(sirt(H, y))) < 0.1 * np.linalg.norm(y)
