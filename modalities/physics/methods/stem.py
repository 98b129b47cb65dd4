"""Reconstruction of STEM frames."""

from __future__ import annotations

from collections.abc import Mapping

from . import Method
from .richardson_lucy import richardson_lucy
from .wiener import wiener

METHODS: Mapping[str, Method] = {
    m.name: m
    for m in (
        Method(
            "wiener",
            "Wiener filter",
            "analytic",
            wiener,
            "Straightens the scans and inverts the blur as far as noise and the spectrum of "
            "atomic columns allow.",
            "Wiener (1949), Extrapolation, Interpolation and Smoothing of Stationary Time Series",
        ),
        Method(
            "richardson_lucy",
            "Richardson-Lucy",
            "iterative",
            richardson_lucy,
            "Maximum likelihood for counted electrons, with a positive image, stopped before it "
            "fits the noise.",
            "Richardson (1972), J. Opt. Soc. Am. 62, 55; Lucy (1974), Astron. J. 79, 745",
        ),
    )
}
