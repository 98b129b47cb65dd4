"""A printed number …"""

from __future__ import annotations

import pytest

from modalities import figures


def test_has_a_true_minus_sign():
    assert figures.fixed(-1.234, 2) == "−1.23"
    assert figures.shortest(-0.5) == "−0.5"


def test_is_never_a_negative_zero():
    assert figures.fixed(-0.0004, 3) == "0.000"


@pytest.mark.parametrize("write", [lambda v: figures.fixed(v, 3), figures.seconds])
def test_is_a_dash_where_it_is_missing(write):
    assert write(None) == figures.MISSING
    assert write(0.0) != figures.MISSING


def test_of_memory_is_a_dash_where_it_is_missing():
    assert figures.megabytes(None) == figures.MISSING
    assert figures.megabytes(511.6) == "512 MB"


def test_loses_its_trailing_zeros_where_it_is_short():
    assert figures.shortest(1.50) == "1.5"
    assert figures.shortest(1.23456, 3) == "1.23"


def test_of_an_interval_needs_both_ends():
    assert figures.interval(0.5124, 0.634) == "0.512 to 0.634"
    assert figures.interval(-1.25, 2, digits=1) == "−1.2 to 2.0"
    assert figures.interval(None, 0.634) == figures.interval(0.512, None) == ""


def test_keeps_a_space_before_its_unit():
    assert figures.percent(0.1234) == "12.3 %"
    assert figures.percent(0.05, 0) == "5 %"
    assert figures.decibels(-3.07) == "−3.1 dB"
    assert figures.seconds(2) == "2.0 s"
    assert figures.file_size(1_300_000) == "1.2 MB"
