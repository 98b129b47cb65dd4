"""The example at the top of the physics package does what it shows."""

import doctest

from modalities import physics


def test_example_of_the_package_runs_as_printed():
    result = doctest.testmod(physics)
    assert result.attempted >= 8
    assert result.failed == 0


def test_everything_the_package_offers_is_there():
    assert [name for name in physics.__all__ if not hasattr(physics, name)] == []
