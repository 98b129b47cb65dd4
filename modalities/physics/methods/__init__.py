"""Reconstruction methods by modality: they know the operator and the data, nothing else."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.util import find_spec

import numpy as np

from ..build import Forward
from ..operator import Array, ShapeError
from ..progress import Report, silent
from ..registry import Registry
from ..tables import CatalogueError

Reconstruct = Callable[[Forward, Array, Report], Array]


@dataclass(frozen=True)
class Method:
    """One way to reconstruct: ``reconstruct(H, y, report) -> x_hat`` of ``H.in_shape``.

    ``label`` and ``summary`` are for readers, ``family`` groups (analytic, iterative, …),
    ``citation`` is the source of the algorithm. ``is_deterministic``: two runs in one environment
    give the same bytes.
    """

    name: str
    label: str
    family: str
    reconstruct: Reconstruct
    summary: str
    citation: str
    requires: str = ""
    is_deterministic: bool = True

    def is_available(self) -> bool:
        """Say whether the optional package that the method ``requires`` is installed."""
        return not self.requires or find_spec(self.requires) is not None


METHODS: Registry[Mapping[str, Method]] = Registry(
    "METHODS",
    {
        "stem": f"{__name__}.stem",
        "electron_tomography": f"{__name__}.tomography",
    },
)


def reconstruct(method: str, H: Forward, y: Array, report: Report = silent) -> Array:
    """Reconstruct ``y`` (``H.out_shape``) by the named method; return x_hat of ``H.in_shape``.

    Raise TypeError where either is complex and ``H`` says that it is real.
    """
    known = METHODS[H.spec.key]
    if method not in known:
        raise CatalogueError(
            f"{H.spec.key} has no method '{method}'; it has {', '.join(sorted(known))}."
        )
    y = H._checked(y, H.out_shape)
    if np.iscomplexobj(y) and H.out_dtype is float:
        raise TypeError(f"{H.spec.key} has real data, got {y.dtype}.")
    x_hat = known[method].reconstruct(H, y, report)
    if x_hat.shape != H.in_shape:
        raise ShapeError(f"Method '{method}' gave {x_hat.shape}, expected {H.in_shape}.")
    if np.iscomplexobj(x_hat) and H.in_dtype is float:
        raise TypeError(f"Method '{method}' gave {x_hat.dtype}, but the object is real.")
    return x_hat
