"""Reconstruction of a tilt series: weighted back-projection, SIRT, total variation."""

from __future__ import annotations

from collections.abc import Mapping

from . import Method
from .cs import cs
from .sirt import sirt
from .wbp import wbp

METHODS: Mapping[str, Method] = {
    m.name: m
    for m in (
        Method(
            "wbp",
            "Weighted back-projection",
            "analytic",
            wbp,
            "Filters each view by a ramp, in its own band, and smears it back along its tilt.",
            "Radermacher (1992), Weighted back-projection methods, in Electron Tomography",
        ),
        Method(
            "sirt",
            "SIRT",
            "iterative",
            lambda H, y, report: sirt(H, y, report=report),
            "Back-projects the residual, scaled by the lengths of rays and the weights of voxels, "
            "forty times, and keeps the density positive.",
            "Gilbert (1972), Journal of Theoretical Biology 36, 105",
        ),
        Method(
            "cs",
            "Compressed sensing (TV)",
            "variational",
            cs,
            "Finds the density of least total variation that explains the views and is nowhere "
            "negative: a preconditioned primal-dual method, started from back-projection.",
            "Leary, Saghi, Midgley & Holland (2013), Ultramicroscopy 131, 70",
        ),
    )
}
