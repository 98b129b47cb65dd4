"""The eleven primitives and their models: what a chain in the catalogue may name.

A model is a class, called ``cls(in_shape, **args)`` with the arguments of the catalogue file.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ..operator import Operator, Shape
from .convolve import Gaussian
from .detect import Counts

PRIMITIVES: dict[str, dict[str, Callable[..., Operator]]] = {
    "propagate": {},
    "modulate": {},
    "project": {},
    "sample": {},
    "convolve": {"gaussian": Gaussian},
    "accumulate": {},
    "detect": {"counts": Counts},
    "illuminate": {},
    "disperse": {},
    "rotate": {},
    "select": {},
}

# Runs of steps that one operator performs at once, because together they are much cheaper:
# ("primitive/model", …) -> class, called cls(in_shape, [args of each step]).
FUSED: dict[tuple[str, ...], Callable[[Shape, Sequence[dict[str, Any]]], Operator]] = {}
