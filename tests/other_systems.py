"""A catalogue of other systems: complex data, a complex object, and one with bands.

``move_in`` makes them the catalogue, with scenes and a method that serve any linear operator, so
that tests can take them through all steps of the site.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from scipy import ndimage

from modalities import physics
from modalities.physics import Array, Forward, Method, Spec, catalogue
from modalities.physics.progress import Report

from .physics.chains import SYSTEMS, Steps, catalogue_text


def mri(real: bool, sigma: float, **sampling: int) -> Steps:
    return [
        ("sample/cartesian", sampling | {"real": real}),
        ("detect/additive", {"sigma": sigma, "real": False}),
    ]


SIGMA = 0.008
# key -> (shape, axes, chain, what the mismatch acts on, perturbed value)
OTHERS: dict[str, tuple[list[int], list[str], Steps, str, float]] = {
    # The object is real and the data are complex; the transform is unitary and read in full, so
    # that least squares have an error of SIGMA per pixel. The mismatch acts on a default.
    "mri": ([32, 32], ["y", "x"], mri(True, SIGMA), "sample.shift_x", 0.3),
    # The object is complex too: magnetisation with a phase.
    "mri_phase": (
        [32, 32],
        ["y", "x"],
        mri(False, 0.005, acceleration=2, centre=12),
        "sample.shift_x",
        0.3,
    ),
    # Five bands, fewer than the window of the similarity is wide.
    "cassi": ([5, 24, 24], ["λ", "y", "x"], *SYSTEMS["cassi"][1:]),
}
ITERATIONS, CONVERGED = 60, 1e-8


def text(key: str) -> str:
    """Write the catalogue file of one of the systems."""
    shape, axes, steps, acts_on, perturbed = OTHERS[key]
    made = catalogue_text(key, shape, steps, acts_on, perturbed)
    lines = [line for line in made.splitlines() if not line.startswith("axes = ")]
    lines.insert(lines.index("[object]") + 1, f"axes = {json.dumps(axes)}")
    scene = lines.index("[[scene]]")
    return "\n".join([*lines[:scene], *lines[scene:], *lines[scene:]]).replace('"none"', '"cgls"')


def move_in(monkeypatch: Any, folder: Path) -> None:
    """Make the systems the catalogue until the test ends."""
    for key in OTHERS:
        (folder / f"{key}.toml").write_text(text(key), encoding="utf-8")
        monkeypatch.setitem(physics.PHANTOMS._modules, key, __name__)
        monkeypatch.setitem(physics.METHODS._modules, key, __name__)
    monkeypatch.setattr(catalogue, "CATALOGUE", folder)


def load(key: str) -> Spec:
    """Parse one of the systems."""
    return physics.parse(text(key), f"{key}.toml")


def blobs(spec: Spec, rng: np.random.Generator) -> Array:
    """Smooth blobs, the same for no two bands; with a smooth phase where the object is complex."""
    width = (*(0 if i in spec.channels else 2 for i in range(len(spec.shape))),)
    x = np.maximum(ndimage.gaussian_filter(rng.standard_normal(spec.shape), width), 0)
    x = x / x.max()
    if physics.forward(spec).in_dtype is complex:
        phase = ndimage.gaussian_filter(rng.standard_normal(spec.shape), 6)
        return np.asarray(x * np.exp(2j * phase / np.abs(phase).max()))
    return np.asarray(x)


def cgls(H: Forward, y: Array, report: Report) -> Array:
    """Conjugate gradients on the normal equations (Hestenes & Stiefel 1952), stopped early.

    The products are real inner products, as the operators' adjoints ask for.
    """
    x = np.zeros(H.in_shape, H.in_dtype)
    residual = np.asarray(y)
    gradient = H.H(residual)
    direction, size = gradient, np.vdot(gradient, gradient).real
    smallest = CONVERGED * size
    for i in range(ITERATIONS):
        report("CGLS", i / ITERATIONS)
        image = H(direction)
        step = size / np.vdot(image, image).real
        x = x + step * direction
        residual = residual - step * image
        gradient = H.H(residual)
        size, before = np.vdot(gradient, gradient).real, size
        if size <= smallest:
            break
        direction = gradient + size / before * direction
    return x


PHANTOMS = {"p": blobs}
METHODS = {"cgls": Method("cgls", "CGLS", "iterative", cgls, "Conjugate gradients.", "Hestenes")}
