"""Weighted back-projection of a tilt series."""

from __future__ import annotations

import numpy as np
from scipy import fft

from ..build import Forward
from ..operator import Array, Operator
from ..primitives.parallel import TiltSeries
from ..progress import Report

# Frequency, in cycles per pixel, at which the low-pass that joins the ramp has fallen to a half.
CUTOFF = 0.25


def wbp(H: Forward, y: Array, report: Report) -> Array:
    """Reconstruct by f = Σ_t Δθ_t · Bᵀ_t(ramp * p_t), each view turned back in its plane first.

    Δθ_t is the angle that view t covers, half the distance of its neighbours. The blur of the
    depth of field is left in. The scale of f is fitted to the data.
    """
    series = tilt_series(H)
    report("Filter the views", 0.0)
    views = series.rotation.H(np.asarray(y, np.float32)) / np.float32(series.projection.weight**2)
    views *= spacing(series.angles).astype(np.float32)[:, None, None]
    filtered = _filter(views, ramp(2 * views.shape[1]))
    report("Project back", 0.3)
    volume = scaled(H, series.projection.H(filtered), y)
    report("Project back", 1.0)
    return volume


def scaled(H: Operator, x: Array, y: Array) -> Array:
    """Return ``x`` times the factor with which H·max(x, 0) explains ``y`` best.

    The missing wedge and the filter's low-pass take away some of the density; the data tell how
    much. Where nothing of ``x`` is positive it stays as it is.
    """
    explained = H(np.maximum(x, 0.0))
    size = float(np.vdot(explained, explained))
    return x * np.float32(np.vdot(explained, y) / size) if size > 0 else x


def tilt_series(H: Forward) -> TiltSeries:
    """Find the tilt series in the chain; raise TypeError if it has none."""
    for step in H.steps:
        if isinstance(step, TiltSeries):
            return step
    raise TypeError(
        f"{H.spec.key} has no tilt series; this method needs rotate, propagate, project."
    )


def spacing(degrees: Array) -> Array:
    """Return the angle in radians that each view covers; the first and last count one step."""
    order = np.argsort(degrees)
    theta = np.deg2rad(degrees[order])
    steps = np.diff(theta)
    width = np.empty_like(theta)
    width[order] = np.concatenate([steps[:1], (steps[:-1] + steps[1:]) / 2, steps[-1:]])
    return width


def ramp(n: int) -> Array:
    """Return the ramp's transfer function on rfft frequencies of ``n`` samples.

    From its samples in space, 1/4 at 0 and −1/(π k)² at odd k (Kak & Slaney 1988, eq. 3.61): built
    on frequencies instead it would lose the mean. Then a soft low-pass.
    """
    k = np.arange(1, n // 2 + 1, 2)
    kernel = np.zeros(n)
    kernel[0] = 0.25
    kernel[k] = kernel[-k] = -1.0 / (np.pi * k) ** 2
    frequency = fft.rfftfreq(n)
    return np.asarray(fft.rfft(kernel).real / (1.0 + (frequency / CUTOFF) ** 4))


def _filter(views: Array, transfer: Array) -> Array:
    n, lines = 2 * (len(transfer) - 1), views.shape[1]
    spectrum = fft.rfft(views, n, axis=1)
    spectrum *= transfer.astype(np.float32)[:, None]
    return np.ascontiguousarray(fft.irfft(spectrum, n, axis=1)[:, :lines])
