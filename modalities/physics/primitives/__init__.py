"""The eleven primitives and their models: what a chain in the catalogue may name.

A model is a class, called ``cls(in_shape, **args)`` with the arguments of the catalogue file.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ..operator import Operator, Shape
from . import propagate, select
from .accumulate import Sum
from .convolve import Gaussian, Psf
from .depth_of_field import DepthOfField
from .detect import Additive, Counts, Intensity, Saturating
from .disperse import Prism
from .electron_probe import ElectronProbe
from .illuminate import Block, Fringes, Hadamard, Random
from .modulate import Mask
from .parallel import Parallel, TiltSeries
from .project import Cone, Fan, Radon
from .rotate import InPlane, Views
from .sample import Cartesian, Radial
from .scan import Scan
from .stem import ScannedProbe
from .tilt import Tilt

PRIMITIVES: dict[str, dict[str, Callable[..., Operator]]] = {
    "propagate": {
        "fresnel": propagate.Fresnel,
        "rayleigh_sommerfeld": propagate.RayleighSommerfeld,
        "plural_scattering": propagate.PluralScattering,
        "depth_of_field": DepthOfField,
        "electron_probe": ElectronProbe,
    },
    "modulate": {"mask": Mask},
    "project": {"parallel": Parallel, "radon": Radon, "fan": Fan, "cone": Cone},
    "sample": {"cartesian": Cartesian, "radial": Radial},
    "convolve": {"gaussian": Gaussian, "psf": Psf},
    "accumulate": {"sum": Sum},
    "detect": {
        "counts": Counts,
        "additive": Additive,
        "intensity": Intensity,
        "saturating": Saturating,
        "scan": Scan,
    },
    "illuminate": {"block": Block, "hadamard": Hadamard, "random": Random, "fringes": Fringes},
    "disperse": {"prism": Prism},
    "rotate": {"tilt": Tilt, "in_plane": InPlane, "views": Views},
    "select": {"band": select.Band, "filters": select.Filters},
}

# Runs of steps that one operator performs at once, because together they are much cheaper:
# ("primitive/model", …) -> class, called cls(in_shape, [args of each step]).
FUSED: dict[tuple[str, ...], Callable[[Shape, Sequence[dict[str, Any]]], Operator]] = {
    ("rotate/tilt", "propagate/depth_of_field", "project/parallel"): TiltSeries,
    ("propagate/electron_probe", "convolve/gaussian", "detect/scan"): ScannedProbe,
}
