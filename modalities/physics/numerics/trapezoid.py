"""Overlap of trapezoids with detector bins: the shadows that diverging rays cast."""

from __future__ import annotations

import numpy as np

from ..operator import Array

# Narrower slopes act as steps: it keeps the closed form free of 0/0.
NARROWEST = 1e-9


def overlap(
    breaks: Array, bins: int, bin_width: float = 1.0, shift: float = 0.0
) -> tuple[Array, Array]:
    """Average trapezoids of height one over the bins of a line.

    ``breaks`` (4, …) are foot, shoulder, shoulder, foot in increasing order, zero in the middle of
    the line; ``shift`` moves the line. Return bin numbers and weights, (…, taps); where
    a bin lies off the line its weight is zero.
    """
    breaks = (breaks - shift) / bin_width + (bins - 1) / 2
    first = np.floor(breaks[0] + 0.5).astype(np.int64)
    taps = int(np.max(np.floor(breaks[3] + 0.5).astype(np.int64) - first)) + 1
    index = first[..., None] + np.arange(taps)
    edges = first[..., None] + np.arange(taps + 1) - 0.5
    weights = np.diff(area(edges, breaks[..., None]), axis=-1)
    inside = (index >= 0) & (index < bins)
    return np.where(inside, index, 0), np.where(inside, weights, 0.0)


def area(t: Array, breaks: Array) -> Array:
    """Integrate the trapezoid of height one from its foot to ``t``."""
    b0, b1, b2, b3 = breaks
    rise, fall = np.maximum(b1 - b0, NARROWEST), np.maximum(b3 - b2, NARROWEST)
    rising = (np.clip(t, b0, b1) - b0) ** 2 / (2 * rise)
    flat = np.clip(t, b1, b2) - b1
    falling = (b3 - b2) / 2 - (b3 - np.clip(t, b2, b3)) ** 2 / (2 * fall)
    return np.asarray(rising + flat + falling)
