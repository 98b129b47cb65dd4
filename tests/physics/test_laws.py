"""Laws that every model of every primitive obeys, whatever its mismatch."""

import pkgutil

import numpy as np
import pytest

from modalities.physics import PRIMITIVES, ShapeError, primitives
from modalities.physics.primitives import FUSED

from .cases import CASES, Case, label, smooth_cases
from .laws import (
    adjoint_gap,
    derivative_gap,
    is_smooth,
    linearity_gap,
    random_array,
)

SINGLE = {float: np.float32, complex: np.complex64}
every_case = pytest.mark.parametrize("case", CASES, ids=label)
linear_cases = pytest.mark.parametrize("case", [c for c in CASES if c.build().is_linear], ids=label)
nonlinear_cases = pytest.mark.parametrize(
    "case", [c for c in CASES if not c.build().is_linear], ids=label
)


def test_every_model_has_a_case():
    models = {f"{primitive}/{m}" for primitive, models in PRIMITIVES.items() for m in models}
    assert models == {case.kind for case in CASES}


def test_every_primitive_has_a_model():
    assert len(PRIMITIVES) == 11
    assert all(PRIMITIVES.values())


def test_every_module_of_the_primitives_holds_one_that_is_registered():
    models = [*FUSED.values(), *(m for models in PRIMITIVES.values() for m in models.values())]
    modules = {module.name for module in pkgutil.iter_modules(primitives.__path__)}
    assert {model.__module__.rpartition(".")[2] for model in models} == modules


@linear_cases
def test_adjoint_is_exact_at_any_mismatch(case: Case, rng):
    for _ in range(3):
        assert adjoint_gap(case.anywhere(rng), rng) < 1e-10


@linear_cases
def test_operator_is_linear(case: Case, rng):
    assert linearity_gap(case.anywhere(rng), rng) < 1e-12


@nonlinear_cases
def test_derivative_is_what_a_difference_shows(case: Case, rng):
    assert derivative_gap(case.anywhere(rng), rng) < 1e-7


@nonlinear_cases
def test_derivative_has_an_exact_adjoint(case: Case, rng):
    A = case.anywhere(rng)
    x = random_array(A.in_shape, A.in_dtype, rng, positive=True)
    assert adjoint_gap(A.derivative(x), rng) < 1e-10


@nonlinear_cases
def test_nonlinear_operator_refuses_an_adjoint(case: Case, rng):
    A = case.build()
    with pytest.raises(TypeError, match="derivative"):
        A.H(random_array(A.out_shape, A.out_dtype, rng))


@every_case
def test_shapes_and_kinds_are_as_declared(case: Case, rng):
    A = case.anywhere(rng)
    x = random_array(A.in_shape, A.in_dtype, rng, positive=True)
    J = A.derivative(x)
    for B, y in ((A, A(x)), (J, J(x))):
        assert y.shape == B.out_shape
        assert np.iscomplexobj(y) == (B.out_dtype is complex)
    back = J.H(A(x))
    assert back.shape == A.in_shape
    assert np.iscomplexobj(back) == (A.in_dtype is complex)


@every_case
def test_wrong_shape_is_refused(case: Case):
    A = case.build()
    with pytest.raises(ShapeError, match="expected an array of shape"):
        A(np.zeros((1, *A.in_shape)))


@every_case
def test_single_precision_stays_single(case: Case, rng):
    A = case.anywhere(rng)
    x = random_array(A.in_shape, A.in_dtype, rng, positive=True)
    y, single = A(x), A(x.astype(SINGLE[A.in_dtype]))
    assert single.dtype == SINGLE[A.out_dtype]
    assert A.derivative(x.astype(SINGLE[A.in_dtype])).H(single).dtype == SINGLE[A.in_dtype]
    assert np.abs(single - y).max() <= 2e-5 * np.abs(y).max()


@every_case
def test_input_is_left_alone(case: Case, rng):
    A = case.anywhere(rng)
    x = random_array(A.in_shape, A.in_dtype, rng, positive=True)
    y = random_array(A.out_shape, A.out_dtype, rng)
    kept = x.copy(), y.copy()
    A(x)
    A.derivative(x).H(y)
    assert np.array_equal(x, kept[0])
    assert np.array_equal(y, kept[1])


@pytest.mark.parametrize(
    ("case", "name"), smooth_cases(), ids=lambda v: v if isinstance(v, str) else label(v)
)
@pytest.mark.parametrize("part", [0.0, 0.3], ids=["nominal", "away"])
def test_signal_is_smooth_in_what_a_mismatch_touches(case: Case, name: str, part: float, rng):
    A = case.build()
    x = random_array(A.in_shape, A.in_dtype, rng, positive=True)
    away = {n: part * r for n, r in case.reach.items()}

    def at(h):
        moved = away | {name: away[name] + h}
        return case.build(**moved)(x)

    assert is_smooth(at, case.reach[name] / 100)


@every_case
def test_description_gives_the_shape_and_the_numbers(case: Case):
    text = case.build().describe()
    assert str(case.in_shape) in text
    assert text.startswith(case.kind)
    assert any(c.isdigit() for c in text.replace(str(case.in_shape), ""))
