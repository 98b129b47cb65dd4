"""A part of a work reports into its share of the whole, and cancelling passes through."""

import pytest

from modalities.physics import Cancelled, Part


def test_part_maps_its_progress_to_its_share():
    heard = []
    part = Part(lambda phase, fraction: heard.append((phase, fraction)), 0.25, 0.75)
    for fraction in (0.0, 0.5, 1.0, 1.5):
        part("calibrating", fraction)
    assert heard == [("calibrating", f) for f in (0.25, 0.5, 0.75, 0.75)]


def test_part_of_a_part_stays_inside():
    heard = []
    inner = Part(Part(lambda phase, fraction: heard.append(fraction), 0.5, 1.0), 0.0, 0.5)
    inner("step", 1.0)
    assert heard == [0.75]


def test_cancelling_passes_through_a_part():
    def stop(phase: str, fraction: float) -> None:
        raise Cancelled("stopped")

    with pytest.raises(Cancelled):
        Part(stop, 0.0, 1.0)("step", 0.5)
