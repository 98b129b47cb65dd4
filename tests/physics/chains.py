"""Chains of seven imaging systems beside the catalogue's, as a catalogue file would write them."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from modalities.physics import Forward, Spec, forward, keys, load, parse

Steps = list[tuple[str, dict[str, Any]]]


def catalogue_text(key: str, shape: list[int], steps: Steps, acts_on: str, perturbed: float) -> str:
    """Write a catalogue file with one mismatch."""
    axes = ["e", "z", "y", "x"][-len(shape) :]
    lines = [f'key = "{key}"', "[object]", f"shape = {shape}", f"axes = {json.dumps(axes)}"]
    lines += ["pixel = 1.0", 'unit = "µm"', "[gallery]", 'method = "none"']
    for kind, args in steps:
        primitive, model = kind.split("/")
        lines += ["[[chain]]", f'primitive = "{primitive}"', f'model = "{model}"']
        lines += ['label = "l"', 'description = "d"', f"args = {toml(args)}"]
    lines += ["[[mismatch]]", 'name = "error"', 'symbol = "Δ"', f'acts_on = "{acts_on}"']
    lines += ['description = "d"', 'unit = "u"', "nominal = 0.0", f"perturbed = {perturbed}"]
    lines += ["[[scene]]", 'phantom = "p"', 'name = "n"', 'description = "d"']
    return "\n".join(lines)


def toml(args: dict[str, Any]) -> str:
    """Write an inline table; JSON's values are TOML's."""
    return "{ " + ", ".join(f"{k} = {json.dumps(v)}" for k, v in args.items()) + " }"


COUNTS = ("detect/counts", {"dose": 200.0, "read_noise": 2.0, "background": 0.02})

SYSTEMS: dict[str, tuple[list[int], Steps, str, float]] = {
    "ct": (
        [16, 16],
        [
            ("rotate/in_plane", {"angle": 0.0}),
            ("project/radon", {"angles": [0.0, 15.0, 12]}),
            COUNTS,
        ],
        "rotate.angle",
        1.0,
    ),
    "mri": (
        [16, 16],
        [
            ("sample/cartesian", {"acceleration": 3, "centre": 4, "shift_x": 0.0}),
            ("detect/additive", {"sigma": 0.02, "real": False}),
        ],
        "sample.shift_x",
        0.3,
    ),
    "cassi": (
        [5, 12, 12],
        [
            ("modulate/mask", {"seed": 3, "feature": 2}),
            ("disperse/prism", {"alpha": 1.0, "margin": 3}),
            ("accumulate/sum", {"axes": [0]}),
            COUNTS,
        ],
        "disperse.alpha",
        0.1,
    ),
    "single_pixel": (
        [16, 16],
        [
            ("illuminate/hadamard", {"cells": 8, "shift_x": 0.0}),
            ("modulate/mask", {"fill": 0.9, "seed": 1}),
            ("accumulate/sum", {"axes": [1, 2]}),
            COUNTS,
        ],
        "illuminate.shift_x",
        0.4,
    ),
    "sim": (
        [3, 16, 16],
        [
            ("illuminate/fringes", {"period": 5.0, "phase": 0.0}),
            ("convolve/gaussian", {"fwhm": 3.0}),
            ("accumulate/sum", {"axes": [1]}),
            COUNTS,
        ],
        "illuminate.phase",
        10.0,
    ),
    "holography": (
        [16, 16],
        [
            (
                "propagate/fresnel",
                {"wavelength": 0.5, "distance": 20.0, "pixel": 1.0, "real": True},
            ),
            ("detect/intensity", {"dose": 200.0, "reference": 0.3}),
        ],
        "propagate.distance",
        2.0,
    ),
    "eels": (
        [12, 6, 6],
        [
            ("propagate/plural_scattering", {"thickness": 0.6}),
            ("select/band", {"centre": 6.0, "width": 4.0, "edge": 0.8}),
            COUNTS,
        ],
        "select.centre",
        0.5,
    ),
}


def system(key: str) -> Spec:
    """Parse one of the systems, or load a modality of the catalogue on a grid of a quarter."""
    if key in keys():
        spec = load(key)
        return replace(spec, shape=tuple(n // 4 for n in spec.shape))
    shape, steps, acts_on, perturbed = SYSTEMS[key]
    return parse(catalogue_text(key, shape, steps, acts_on, perturbed), f"{key}.toml")


def perturbed(key: str) -> Forward:
    spec = system(key)
    return forward(spec, **spec.perturbed)


def one_source(spec: Spec) -> Spec:
    """Return STEM with one size of the source in both frames."""
    chain = tuple(
        replace(step, args={**step.args, "demagnification": [1.0, 1.0]})
        if step.primitive == "convolve"
        else step
        for step in spec.chain
    )
    return replace(spec, chain=chain)
