"""One small instance of every model of every primitive, for the laws.

A case names the shape that goes in, the arguments, and the arguments that a mismatch may touch,
each with how far from its value the laws may go.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from inspect import signature
from typing import Any

import numpy as np

from modalities.physics import PRIMITIVES, Operator

PSF = [[0.0, 0.1, 0.0], [0.2, 0.5, 0.1], [0.0, 0.1, 0.0]]
VIEWS = [5.0, 22.5, 8]
TILTS = {"first": -55.0, "step": 27.0, "views": 5}


@dataclass(frozen=True)
class Case:
    kind: str
    in_shape: tuple[int, ...]
    args: dict[str, Any]
    reach: dict[str, float] = field(default_factory=dict)

    def build(self, **moved: float) -> Operator:
        """Build the model with the named arguments moved by so much."""
        primitive, model = self.kind.split("/")
        build = PRIMITIVES[primitive][model]
        defaults = {p.name: p.default for p in signature(build).parameters.values()}
        args = self.args | {n: (defaults | self.args)[n] + d for n, d in moved.items()}
        return build(self.in_shape, **args)

    def anywhere(self, rng: np.random.Generator) -> Operator:
        """Build the model with every such argument moved at random within its reach."""
        return self.build(**{n: float(r * rng.uniform(-1, 1)) for n, r in self.reach.items()})


CASES = [
    Case(
        "propagate/fresnel",
        (12, 17),
        {"wavelength": 0.5, "distance": 30.0, "pixel": 2.0},
        {"wavelength": 0.05, "distance": 10.0, "pixel": 0.2},
    ),
    Case(
        "propagate/fresnel",
        (2, 12, 17),
        {"wavelength": 0.5, "distance": 30.0, "pixel": 2.0, "real": True},
        {"distance": 10.0},
    ),
    Case(
        "propagate/rayleigh_sommerfeld",
        (12, 17),
        {"wavelength": 0.5, "distance": 30.0, "pixel": 2.0},
        {"wavelength": 0.05, "distance": 10.0, "pixel": 0.2},
    ),
    Case(
        "propagate/electron_probe",
        (32, 40),
        {
            "voltage": 200.0,
            "convergence_angle": 21.4,
            "defocus": [0.0, -6.0],
            "c3": 1.0,
            "c5": 2.0,
            "pixel": 0.2,
        },
        {"convergence_angle": 1.0, "c3": 0.5, "c5": 0.5},
    ),
    Case("propagate/plural_scattering", (9, 3), {"thickness": 0.8}, {"thickness": 0.3}),
    Case(
        "propagate/depth_of_field",
        (5, 12, 8),
        {"first": -55.0, "step": 27.0, "convergence_angle": 20.0, "field_factor": 32.0},
        {"convergence_angle": 2.0, "defocus_gradient": 20.0},
    ),
    Case(
        "modulate/mask",
        (3, 13, 16),
        {"feature": 2, "seed": 4},
        {"shift_y": 1.0, "shift_x": 1.0},
    ),
    Case("project/parallel", (5, 4, 6, 3), {}, {"scattering": 0.1}),
    Case("project/radon", (12, 15), {"angles": VIEWS, "bins": 19}, {"offset": 3.0}),
    Case(
        "project/fan",
        (12, 15),
        {"angles": VIEWS, "source": 40.0, "detector": 60.0, "bins": 24, "bin_width": 1.3},
        {"offset": 3.0, "shift": 1.0, "source": 2.0, "detector": 2.0},
    ),
    Case(
        "project/cone",
        (4, 8, 9),
        {"angles": VIEWS, "source": 40.0, "detector": 60.0, "bins": [7, 16]},
        {"offset": 3.0, "shift": 1.0, "source": 2.0, "detector": 2.0},
    ),
    Case(
        "sample/cartesian",
        (12, 15),
        {"acceleration": 3, "centre": 4},
        {"shift_y": 0.7, "shift_x": 0.7},
    ),
    Case("sample/cartesian", (12, 15), {"real": False}, {"shift_x": 0.7}),
    Case("sample/radial", (12, 15), {"spokes": 5}, {"angle": 5.0, "delay": 0.7}),
    Case("convolve/gaussian", (2, 12, 15), {"fwhm": 2.0, "pixel": 0.8}, {"fwhm": 1.0}),
    Case("convolve/psf", (12, 15), {"psf": PSF}, {"shift_y": 0.7, "shift_x": 0.7}),
    Case("accumulate/sum", (4, 5, 6), {"axes": [0, -1], "step": 0.5}, {"step": 0.1}),
    Case("detect/counts", (5, 6), {"dose": 50.0, "gain": 0.3}, {"gain": 0.1}),
    Case(
        "detect/scan",
        (2, 40, 40),
        {"dose": 300.0, "rotations": [0, 90]},
        {"distortion": 1.0, "gain": 0.1},
    ),
    Case("detect/additive", (5, 6), {"sigma": 0.1, "gain": 2.0}, {"gain": 0.1}),
    Case("detect/additive", (5, 6), {"sigma": 0.1, "real": False}, {}),
    Case(
        "detect/intensity",
        (5, 6),
        {"dose": 50.0, "gain": 0.7, "reference": 0.4},
        {"gain": 0.1, "reference": 0.2},
    ),
    Case(
        "detect/saturating",
        (5, 6),
        {"dose": 50.0, "full_well": 0.8},
        {"gain": 0.1, "full_well": 0.2},
    ),
    Case(
        "illuminate/block",
        (8, 12),
        {"cells": 2, "contrast": 0.9},
        {"shift_y": 1.0, "shift_x": 1.0, "contrast": 0.1},
    ),
    Case(
        "illuminate/hadamard",
        (8, 12),
        {"cells": 4, "patterns": 6, "contrast": 0.9},
        {"shift_y": 1.0, "shift_x": 1.0, "contrast": 0.1},
    ),
    Case(
        "illuminate/random",
        (3, 8, 12),
        {"cells": 4, "patterns": 5, "contrast": 0.9},
        {"shift_y": 1.0, "shift_x": 1.0, "contrast": 0.1},
    ),
    Case(
        "illuminate/fringes",
        (2, 8, 12),
        {"period": 5.0, "contrast": 0.9},
        {"period": 0.3, "contrast": 0.1, "phase": 20.0},
    ),
    Case(
        "disperse/prism",
        (5, 6, 12),
        {"alpha": 1.0, "aperture": 1.0, "margin": 4},
        {"alpha": 0.5, "aperture": 0.5},
    ),
    Case("rotate/tilt", (5, 8, 4), TILTS, {"backlash": 1.0, "axis": 1.0}),
    Case("rotate/in_plane", (12, 15), {"angle": 20.0}, {"angle": 10.0}),
    Case("rotate/in_plane", (6, 7, 8), {"angle": 20.0, "axis": 1}, {"angle": 10.0}),
    Case("rotate/views", (10, 10), {"angles": [0.0, 50.0, 4]}, {"offset": 3.0}),
    Case(
        "select/band",
        (9, 2, 3),
        {"centre": 55.0, "width": 20.0, "edge": 4.0, "first": 30.0, "step": 5.0},
        {"centre": 5.0, "width": 5.0, "edge": 1.0},
    ),
    Case(
        "select/filters",
        (9, 2, 3),
        {"centres": [40.0, 60.0], "width": 20.0, "edge": 4.0, "first": 30.0, "step": 5.0},
        {"offset": 5.0, "width": 5.0, "edge": 1.0},
    ),
]


def label(case: Case) -> str:
    return f"{case.kind}-{len(case.in_shape)}d"


def smooth_cases() -> list[Any]:
    """Pair every case with each argument that a mismatch may touch."""
    return [(case, name) for case in CASES for name in case.reach]
