"""Procedural scenes: a phantom is a function of the spec and a random generator."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from ..operator import Array
from ..registry import Registry
from ..spec import Spec
from ..tables import CatalogueError

Phantom = Callable[[Spec, np.random.Generator], Array]

PHANTOMS: Registry[Mapping[str, Phantom]] = Registry(
    "PHANTOMS",
    {
        "stem": f"{__name__}.stem",
        "electron_tomography": f"{__name__}.tomography",
    },
)


def scene(spec: Spec, index: int, seed: int = 0, tier: str = "public") -> Array:
    """Make sample ``index`` of a tier: float64 of ``spec.shape``, in [0, 1].

    The home scenes come first and are of the same kinds in every tier; the away scenes follow. The
    same seed gives the same scene; another seed, another instance of the same kind of object.
    """
    samples = spec.samples(tier)
    if not 0 <= index < len(samples):
        raise CatalogueError(
            f"{spec.key} has no scene {index}; its scenes are 0 to {len(samples) - 1}."
        )
    name, phantoms = samples[index].phantom, PHANTOMS[spec.key]
    if name not in phantoms:
        raise CatalogueError(f"{spec.key} has no phantom '{name}'; it has {', '.join(phantoms)}.")
    x = np.asarray(phantoms[name](spec, np.random.default_rng([seed, index])), dtype=np.float64)
    if x.shape != spec.shape:
        raise CatalogueError(f"{spec.key}: phantom '{name}' made {x.shape}, expected {spec.shape}.")
    return np.clip(x, 0.0, 1.0)
