"""What a calibration found, how sure it is, and whether the model fits at all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from scipy.special import stdtrit  # the t quantile; scipy.stats takes long to import

from ..operator import Array

# χ² this many standard deviations above what the model expects says that the model does not fit.
UNFIT = 5.0
CONFIDENCE = 0.95


@dataclass(frozen=True)
class Calibrated:
    """The mismatch that measurements tell of.

    ``values`` lie inside the ranges; a parameter that the data do not tell has its nominal value,
    and ``abstained`` says why. ``covariance`` has the order of ``values`` and the parameters' own
    units; ``intervals`` hold the truth with a probability of 95 %, that of an abstained parameter
    is its whole range. ``chi2`` is the misfit per datum at the fit in units of the noise;
    if the model is right it is ``chi2_expected`` ± ``chi2_std``. NaN where it is not known.
    """

    values: dict[str, float]
    covariance: Array
    intervals: dict[str, tuple[float, float]]
    abstained: dict[str, str] = field(default_factory=dict)
    chi2: float = float("nan")
    chi2_expected: float = 1.0
    chi2_std: float = float("nan")

    @property
    def std(self) -> dict[str, float]:
        """The standard error of each parameter."""
        return dict(zip(self.values, np.sqrt(np.diag(self.covariance)).tolist(), strict=True))

    @property
    def fits(self) -> bool:
        """Whether χ² is what the model expects, or lower; True where it is not known."""
        return not self.chi2 > self.chi2_expected + UNFIT * self.chi2_std


def concluded(
    names: Sequence[str],
    ranges: Mapping[str, tuple[float, float]],
    nominal: Mapping[str, float],
    theta: Array,
    covariance: Array,
    abstained: Mapping[str, str] | None = None,
    degrees_of_freedom: float | Array = np.inf,
    chi2: tuple[float, float, float] = (float("nan"), 1.0, float("nan")),
) -> Calibrated:
    """Clip an estimate to its ranges, draw its intervals and put nominal where it abstains.

    Intervals lie around the clipped value: the truth is known to be inside the range.
    Student's t with ``degrees_of_freedom``, one for all or one for each, widens the intervals of a
    ``covariance`` that was itself estimated from few scenes. ``chi2`` is (found, expected, standard
    deviation).
    """
    abstained = dict(abstained or {})
    quantile = stdtrit(degrees_of_freedom, 0.5 + CONFIDENCE / 2)
    reach = quantile * np.sqrt(np.diag(covariance))
    values, intervals = {}, {}
    for name, value, r in zip(names, theta, reach, strict=True):
        low, high = ranges[name]
        inside = min(max(float(value), low), high)
        ends = max(low, inside - r), min(high, inside + r)
        values[name] = float(nominal[name]) if name in abstained else inside
        intervals[name] = (low, high) if name in abstained else (float(ends[0]), float(ends[1]))
    return Calibrated(values, np.asarray(covariance), intervals, abstained, *chi2)
