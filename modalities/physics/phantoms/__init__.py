"""Procedural scenes: a phantom is a function of the spec and a random generator."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from ..build import forward
from ..metrics import bounded
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

    Where the chain takes complex values it is complex128, with |x| ≤ 1.

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
    x = np.asarray(phantoms[name](spec, np.random.default_rng([seed, index])))
    if x.shape != spec.shape:
        raise CatalogueError(f"{spec.key}: phantom '{name}' made {x.shape}, expected {spec.shape}.")
    dtype = forward(spec).in_dtype
    if np.iscomplexobj(x) and dtype is float:
        raise CatalogueError(f"{spec.key}: phantom '{name}' is complex; the chain takes real x.")
    return bounded(x.astype(dtype))
