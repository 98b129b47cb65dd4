"""Blind calibration: the mismatch from the measurements alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..operator import Array
from ..progress import Report, silent
from ..spec import Spec
from ..tables import CatalogueError
from . import variable_projection
from .result import Calibrated

__all__ = ["Calibrated", "Ranges", "calibrate"]

Ranges = Mapping[str, tuple[float, float]]


def calibrate(
    spec: Spec,
    ys: Sequence[Array],
    ranges: Ranges,
    seed: int = 0,
    report: Report = silent,
) -> Calibrated:
    """Estimate the mismatch that the scenes measured in ``ys`` share, inside ``ranges``.

    Every mismatch of the modality needs a range (lowest, highest) in its own unit. The estimate
    sees the measurements and the nominal spec, never an object or a truth.
    """
    names = {m.name for m in spec.mismatches}
    if set(ranges) != names:
        raise CatalogueError(
            f"{spec.key}: calibration needs one range for each of {', '.join(sorted(names))}, "
            f"got {', '.join(sorted(ranges)) or 'none'}."
        )
    return variable_projection.calibrate(spec, ys, ranges, seed, report)
