"""The matrix of a small operator is the operator."""

from math import prod

import numpy as np
import pytest

from modalities.physics import cut_down, forward, load, matrix
from tests.other_systems import OTHERS
from tests.other_systems import load as other

from .chains import system
from .laws import random_array

LINEAR = ["ct", "mri", "cassi", "single_pixel", "sim"]


@pytest.mark.parametrize("spec", [*map(system, LINEAR), *map(other, OTHERS)], ids=lambda s: s.key)
def test_matrix_applies_the_operator_and_its_transpose_the_adjoint(spec, rng):
    H = cut_down(spec, 1 << 17)
    assert prod(H.in_shape) * prod(H.out_shape) <= 1 << 17
    A = matrix(H)
    x, y = random_array(H.in_shape, H.in_dtype, rng), random_array(H.out_shape, H.out_dtype, rng)
    assert A.dtype == H.out_dtype
    np.testing.assert_allclose(A @ x.ravel(), H(x).ravel(), atol=1e-11)
    back = A.conj().T @ y.ravel()
    back = back if H.in_dtype is complex else back.real
    np.testing.assert_allclose(back, H.H(y).ravel(), atol=1e-11)


@pytest.mark.parametrize("key", ["holography", "eels"])
def test_nonlinear_operator_has_no_matrix(key):
    with pytest.raises(TypeError, match="no matrix"):
        matrix(forward(system(key)))


def test_chain_that_cannot_be_cut_down_is_left_out():
    """Hadamard patterns of 8 × 8 cells need eight pixels a side."""
    assert cut_down(system("single_pixel"), 1000) is None


def test_chain_that_fits_is_left_as_it_is():
    spec = system("ct")
    assert cut_down(spec, 10**9).in_shape == spec.shape
    assert cut_down(load("stem"), 1 << 17).in_shape == (16, 16)
