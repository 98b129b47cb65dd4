"""Nobody looks: with every object replaced by noise, blind code gives the same to the bit.

Each pipeline runs twice on the same measurements. The first time all is as it should be; the second
time every phantom is noise, so that whatever asks for an object, by any path, gets another one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from modalities import physics
from modalities.physics import Method, Spec, scenarios
from modalities.physics.phantoms import PHANTOMS

from .slabs import SMALL

SPECS = {
    "stem": replace(physics.load("stem"), shape=(160, 192)),
    "electron_tomography": replace(SMALL, shape=(8, 48, 16), scenes=SMALL.scenes[::2]),
}
METHODS = [
    (key, name) for key in SPECS for name, m in physics.METHODS[key].items() if m.is_available()
]

Run = Callable[[], scenarios.Outcome]


def noise(spec: Spec, rng: np.random.Generator) -> np.ndarray:
    return np.random.default_rng(1).random(spec.shape)


@pytest.fixture
def twice(monkeypatch):
    """Run with the true objects, then with noise in their place: both outcomes."""

    def run_twice(spec: Spec, run: Run) -> tuple[scenarios.Outcome, scenarios.Outcome]:
        first = run()
        seen = [scenarios.measurement(spec, i, "IV") for i in range(len(spec.scenes))]
        for name in PHANTOMS[spec.key]:
            monkeypatch.setitem(PHANTOMS[spec.key], name, noise)
        monkeypatch.setattr(scenarios, "_measured", lambda spec, x, index, *_: seen[index])
        second = run()
        assert np.array_equal(first.y, second.y)
        assert not np.array_equal(first.x, second.x)
        return first, second

    return run_twice


@pytest.mark.parametrize("key", SPECS)
def test_calibration_gives_the_same_to_the_bit(key, twice):
    spec = SPECS[key]
    quick = next(iter(physics.METHODS[key]))
    first, second = twice(spec, lambda: scenarios.run(spec, quick, 0, "IV"))
    assert first.mismatch_used == second.mismatch_used
    assert np.array_equal(first.x_hat, second.x_hat)
    assert first.psnr > second.psnr + 5


@pytest.mark.parametrize(("key", "method"), METHODS)
def test_reconstruction_gives_the_same_to_the_bit(key, method, twice):
    spec = SPECS[key]
    believed = {name: 0.9 * value for name, value in spec.perturbed.items()}
    first, second = twice(spec, lambda: scenarios.run(spec, method, 1, "IV", spec_hat=believed))
    assert np.array_equal(first.x_hat, second.x_hat)


def test_a_method_that_looks_is_noticed(twice, monkeypatch):
    spec = SPECS["stem"]
    peek = Method("peek", "Peek", "none", lambda H, y, report: physics.scene(spec, 1), "", "")
    monkeypatch.setitem(physics.METHODS["stem"], "peek", peek)
    first, second = twice(spec, lambda: scenarios.run(spec, "peek", 1, "IV", spec_hat=spec.nominal))
    assert not np.array_equal(first.x_hat, second.x_hat)
