"""The Cramér-Rao bound, against closed forms and dense matrices."""

import numpy as np
import pytest

from modalities import physics
from modalities.physics.bounds import derivatives, whitening

from .chains import SYSTEMS, one_source, system


def objects(spec, rng):
    return rng.uniform(0.2, 1.0, spec.shape)


def dense(A):
    """Write an operator on real objects as a real matrix; complex data become two real rows."""
    columns = []
    for i in range(int(np.prod(A.in_shape))):
        unit = np.zeros(A.in_shape)
        unit.flat[i] = 1.0
        columns.append(real(A(unit)))
    return np.stack(columns, axis=1)


def real(y):
    return np.concatenate([y.real.ravel(), y.imag.ravel()]) if np.iscomplexobj(y) else y.ravel()


@pytest.mark.parametrize("key", sorted(set(SYSTEMS) - {"mri", "holography"}))
@pytest.mark.parametrize("object_known", [True, False])
def test_the_bound_is_that_of_dense_matrices(key, object_known, rng):
    spec = system(key)
    x, std = objects(spec, rng), 0.3
    H = physics.forward(spec, **spec.perturbed)
    w = real(whitening(H, H(x)))[:, None]
    J = w * np.stack([real(d) for d in derivatives(H, x)], axis=1)
    F = J.T @ J
    if not object_known:
        A = w * dense(H.derivative(x))
        F = F - J.T @ A @ np.linalg.solve(A.T @ A + np.eye(A.shape[1]) / std**2, A.T @ J)
    got = physics.cramer_rao(spec, spec.perturbed, [x], object_known, std, iterations=2000)
    assert list(got.values()) == pytest.approx(np.sqrt(np.diag(np.linalg.inv(F))), rel=1e-4)


@pytest.mark.parametrize("key", sorted([*SYSTEMS, *physics.keys()]))
def test_every_chain_has_a_bound_and_an_unknown_object_raises_it(key, rng):
    spec = system(key)
    x = objects(spec, rng)
    known, unknown = (
        physics.cramer_rao(spec, spec.nominal, [x], k, iterations=15) for k in (True, False)
    )
    for m in spec.mismatches:
        assert 0 < known[m.name] < unknown[m.name]


def test_objects_add_up_their_information(rng):
    spec = system("cassi")
    x = objects(spec, rng)
    once, twice = (physics.cramer_rao(spec, spec.nominal, [x] * n, True) for n in (1, 2))
    assert twice["error"] == pytest.approx(once["error"] / np.sqrt(2))


def test_an_empty_field_tells_nothing():
    spec = system("ct")
    nothing = np.zeros(spec.shape)
    assert physics.cramer_rao(spec, spec.nominal, [nothing], True) == {"error": np.inf}


def test_a_wider_source_is_a_blurred_object():
    spec = one_source(system("stem"))
    y, x = np.indices(spec.shape) - 31.5
    columns = sum(np.exp(-((y - a) ** 2 + (x - b) ** 2) / 5) for a in (-9, 7) for b in (-8, 10))
    known, unknown = (
        physics.cramer_rao(spec, spec.nominal, [columns], k, object_std=10.0) for k in (True, False)
    )
    assert unknown["scan_distortion"] < 5 * known["scan_distortion"]
    assert unknown["probe_size"] > 20 * known["probe_size"]
