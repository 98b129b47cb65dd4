"""Reconstruction of STEM frames."""

from __future__ import annotations

from collections.abc import Mapping

from . import Method
from .richardson_lucy import richardson_lucy
from .sieve import richardson_lucy_sieve
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
        Method(
            "richardson_lucy_sieve",
            "Richardson-Lucy with a sieve",
            "iterative",
            richardson_lucy_sieve,
            "Richardson-Lucy on an image made of columns no narrower than 0.25 Å, which keeps it "
            "from fitting noise.",
            "Snyder & Miller (1985), IEEE Trans. Nucl. Sci. 32, 3864; Biggs & Andrews (1997), "
            "Appl. Opt. 36, 1766",
        ),
    )
}
