"""Richardson-Lucy with a sieve whose width the measurement chooses.

Snyder & Miller (1985), IEEE Transactions on Nuclear Science 32, 3864: x = S z with z ≥ 0 and S a
Gaussian, so that noise finer than the features of the specimen cannot be fitted. Nothing is known
of the features: what explains held-out counts best is taken. That is a width for S while z is
found, when to stop, and how much narrower S is in the end: z has not contracted fully then, and S z
would be wider than the specimen, so that a method would gain by believing in too wide a probe.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import fft

from ..build import Forward
from ..operator import Array
from ..primitives.stem import ScannedProbe
from ..progress import Part, Report
from .held_out import HeldOut, held_out, least, looks
from .richardson_lucy import Step, last, reported, richardson_lucy, updates
from .stem_frames import column_transfer, counting_noise, microscope

# Widths that are tried, Å: none, then from half a pixel on, each 2^(1/4) times the one before. The
# search starts at the sampling limit of a pixel of 0.2 Å, not at what specimens are made of.
NARROWEST, RUNGS, FIRST = 0.1, 14, 5
# A sieve converges by steps that agree for long, so that more momentum helps than without one.
MOMENTUM = 0.95
# Iterations at most.
TRIED = 72
# Parts of the sieve's variance that may be taken off in the end.
NARROWED = np.linspace(0, 0.95, 39)


@dataclass(frozen=True)
class Choice:
    """What held-out counts recommend: z through a sieve of ``width`` Å, ``count`` iterations long,
    then x through a sieve of ``shown`` Å. Without a sieve it is plain Richardson-Lucy."""

    risk: float
    width: float
    count: int
    shown: float


def richardson_lucy_sieve(H: Forward, y: Array, report: Report) -> Array:
    """Choose widths and stop by held-out counts, find z by Richardson-Lucy, give S z."""
    noise, instrument = counting_noise(H), microscope(H)
    data = held_out(instrument, y, noise)
    choice = chosen(instrument, data, Part(report, 0.0, 0.8))
    if not choice.width:
        return richardson_lucy(H, y, Part(report, 0.8, 1.0))
    steps = updates(Step(instrument.blurred(choice.width), y, noise), MOMENTUM)
    z = last(steps, choice.count, Part(report, 0.8, 1.0))
    return np.asarray(fft.irfft2(_sieve(instrument, choice.shown) * fft.rfft2(z), s=H.in_shape))


def chosen(instrument: ScannedProbe, data: HeldOut, report: Report) -> Choice:
    """Return the choice that explains the held-out counts best.

    Over the widths, the risk has one minimum: found rung by rung, first by two, then by one.
    """
    tried: dict[int, Choice] = {}

    def risk(rung: int) -> float:
        if not 0 <= rung < RUNGS:
            return np.inf
        if rung not in tried:
            done = min(len(tried) / 8, 0.9)
            beat = min((choice.risk for choice in tried.values()), default=np.inf)
            part = Part(report, done, done + 0.1)
            tried[rung] = _tried(instrument, data, rung_width(rung), beat, part)
        return tried[rung].risk

    best = _descended(risk, _descended(risk, FIRST, 2), 1)
    return tried[best]


def rung_width(rung: int) -> float:
    """Return the width in Å of a rung of the ladder; the first is no sieve at all."""
    return float(NARROWEST * 2 ** ((rung - 1) / 4)) if rung else 0.0


def _descended(risk: Callable[[int], float], start: int, stride: int) -> int:
    best = start
    for way in (-stride, stride):
        while risk(best + way) < risk(best):
            best += way
    return best


def _tried(
    instrument: ScannedProbe, data: HeldOut, width: float, beat: float, report: Report
) -> Choice:
    """Return the best choice with a sieve of ``width``."""
    step, sieve = Step(instrument.blurred(width), data.y, data.noise), _sieve(instrument, width)
    images = reported(updates(step, MOMENTUM), TRIED, report)
    spectra = (sieve * fft.rfft2(z) for z in images)
    best = least(looks(data, spectra, TRIED, NARROWED * width**2, beat))
    return Choice(best.risk, width, best.count, float(np.sqrt(width**2 - best.off)))


def _sieve(instrument: ScannedProbe, width: float) -> Array:
    return column_transfer(instrument, width).astype(np.float32)
