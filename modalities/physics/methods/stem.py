"""Reconstruction of STEM frames."""

from __future__ import annotations

from collections.abc import Mapping

from . import Method
from .denoise_first import bm3d_wiener, means_wiener, void_wiener
from .richardson_lucy import richardson_lucy
from .sieve import richardson_lucy_sieve
from .stem_tv import fista_tv
from .wiener import wiener

METHODS: Mapping[str, Method] = {
    m.name: m
    for m in (
        Method(
            "wiener",
            "Wiener filter",
            "analytic",
            wiener,
            "Straightens the scans and inverts the blur as far as noise and the object's spectrum, "
            "learned from the data, allow.",
            "Wiener (1949), Extrapolation, Interpolation and Smoothing of Stationary Time Series",
        ),
        Method(
            "nlm_wiener",
            "Non-local means + Wiener",
            "denoising",
            means_wiener,
            "Makes the noise uniform, averages like neighbourhoods in each frame, then applies "
            "Wiener's filter.",
            "Buades, Coll & Morel (2005), Multiscale Model. Simul. 4, 490",
        ),
        Method(
            "bm3d_wiener",
            "BM3D + Wiener",
            "denoising",
            bm3d_wiener,
            "Makes the noise uniform, filters stacks of like patches together in each frame, then "
            "applies Wiener's filter.",
            "Dabov et al. (2007), IEEE Trans. Image Process. 16, 2080; Lebrun (2012), IPOL 2, 175",
        ),
        Method(
            "noise2void",
            "Noise2Void + Wiener",
            "self-supervised",
            void_wiener,
            "Trains a small network on the frames themselves to guess each pixel from its "
            "surroundings, denoises with it, then applies Wiener's filter.",
            "Krull, Buchholz & Jug (2019), CVPR, 2129",
            requires="torch",
            is_deterministic=False,
        ),
        Method(
            "fista_tv",
            "FISTA-TV",
            "iterative",
            fista_tv,
            "Weighted least squares with a penalty on total variation and a positive image, by "
            "accelerated proximal gradients.",
            "Beck & Teboulle (2009), SIAM J. Imaging Sci. 2, 183",
        ),
        Method(
            "richardson_lucy",
            "Richardson-Lucy",
            "iterative",
            richardson_lucy,
            "Maximum likelihood for counted electrons, with a positive image, stopped where "
            "further iterations would fit more noise than object.",
            "Richardson (1972), J. Opt. Soc. Am. 62, 55; Lucy (1974), Astron. J. 79, 745",
        ),
        Method(
            "richardson_lucy_sieve",
            "Richardson-Lucy with a sieve",
            "iterative",
            richardson_lucy_sieve,
            "Richardson-Lucy on an image that is smooth on a scale which held-out counts choose, "
            "which keeps it from fitting noise.",
            "Snyder & Miller (1985), IEEE Trans. Nucl. Sci. 32, 3864; Biggs & Andrews (1997), "
            "Appl. Opt. 36, 1766",
        ),
    )
}
