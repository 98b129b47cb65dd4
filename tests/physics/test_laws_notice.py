"""The laws notice an operator that breaks them."""

import numpy as np
import pytest

from modalities.physics import Array, Operator
from modalities.physics.numerics.fourier import shifted

from .laws import adjoint_gap, derivative_gap, is_smooth, linearity_gap


class Broken(Operator):
    """y = 2x, with what a test breaks added to it."""

    def __init__(self, offset: float = 0.0, back: float = 2.0) -> None:
        self.in_shape = self.out_shape = (5, 6)
        self.offset, self.back = offset, back

    def _apply(self, x: Array) -> Array:
        return 2 * x + self.offset * x**2

    def _adjoint(self, y: Array) -> Array:
        return self.back * y


def test_sound_operator_passes(rng):
    assert adjoint_gap(Broken(), rng) < 1e-14
    assert linearity_gap(Broken(), rng) < 1e-14
    assert derivative_gap(Broken(), rng) < 1e-9


def test_adjoint_that_is_off_by_a_millionth_is_noticed(rng):
    assert adjoint_gap(Broken(back=2.000002), rng) > 1e-8


def test_operator_that_is_hardly_nonlinear_is_noticed(rng):
    assert linearity_gap(Broken(offset=1e-6), rng) > 1e-8
    assert derivative_gap(Broken(offset=1e-3), rng) > 1e-5


@pytest.mark.parametrize("position", [0.0, 0.3])
def test_stair_is_noticed(position: float, rng):
    x = rng.random((8, 8))
    assert not is_smooth(lambda h: np.roll(x, round(position + h), axis=1), 0.01)


def test_kink_of_linear_interpolation_is_noticed(rng):
    x = rng.random((8, 8))

    def between(h: float) -> Array:
        whole = int(np.floor(h))
        here, there = np.roll(x, whole, axis=1), np.roll(x, whole + 1, axis=1)
        return (1 - h + whole) * here + (h - whole) * there

    assert not is_smooth(between, 0.01)


def test_fourier_shift_is_smooth(rng):
    x = rng.random((8, 8))
    assert is_smooth(lambda h: shifted(x, 0.0, h), 0.01)
