"""The three steps of a scanning microscope at once: one Fourier filter, then the scan's taps.

Probe, source and the scan's spline prefilter are all multiplications in Fourier space, so the chain
costs one real FFT in and one out per frame where the steps one by one would need three times that.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from scipy import fft

from ..operator import Array, Operator, Shape
from .convolve import FWHM_PER_SIGMA, Gaussian
from .electron_probe import ElectronProbe
from .scan import DIRECTIONS, Scan, spline_transfer


class ScannedProbe(Operator):
    """propagate/electron_probe, convolve/gaussian and detect/scan: (y, x) to (frame, y, x).

    Equal to the three steps up to rounding. ``transfer`` holds the filters of probe and source,
    without the prefilter.
    """

    def __init__(
        self, in_shape: Shape, arguments: Sequence[dict[str, Any]], width: float = 0.0
    ) -> None:
        self._arguments, self._width = arguments, width
        self.probe = ElectronProbe(in_shape, **arguments[0])
        self.source = Gaussian(self.probe.out_shape, **arguments[1])
        self.scan = Scan(self.source.out_shape, **arguments[2])
        self.in_shape, self.out_shape = in_shape, self.scan.out_shape
        self.noise = self.scan.noise

    def describe(self) -> str:
        return "\n".join(step.describe() for step in (self.probe, self.source, self.scan))

    @property
    def transfer(self) -> Array:
        """The filters of probe and source, real, (frame, ky, kx) on rfft2 frequencies."""
        blur = _blur(self.in_shape, self._width, self.probe.pixel)
        return np.asarray(self.probe.transfer * self.source.transfer * blur)

    def arrays(self) -> dict[str, tuple[Array, str]]:
        return {
            "transfer": (
                self.transfer.astype(np.float32),
                "Transfer functions of probe and source (frame, ky, kx), on the frequencies of "
                "numpy.fft.rfft2; multiply the object's spectrum by them to get each frame.",
            )
        }

    def blurred(self, width: float) -> ScannedProbe:
        """Return the same microscope looking at an object blurred by a Gaussian of ``width`` Å.

        ``width`` is a standard deviation; the operator maps the sharp object to the frames.
        """
        total = float(np.hypot(self._width, width))
        return ScannedProbe(self.in_shape, self._arguments, total)

    def straight(self) -> ScannedProbe:
        """Return the same microscope with a scan that is not distorted."""
        probe, source, scan = self._arguments
        return ScannedProbe(self.in_shape, (probe, source, scan | {"distortion": 0.0}), self._width)

    def filters(self, dtype: str) -> Array:
        """Return all that multiplies in Fourier space, in precision ``dtype`` ('f' or 'd')."""
        probe = self.probe
        return _filters(
            self.in_shape,
            (probe.voltage, probe.convergence_angle, tuple(probe.defocus), probe.c3, probe.c5),
            (probe.pixel, self.source.fwhm, self.source.pixel, self.source.demagnification),
            self._width,
            (self.scan.rotations if self.scan.distortion else ()),
            self.scan.gain,
            dtype,
        )

    def _apply(self, x: Array) -> Array:
        spectra = fft.rfft2(x) * self.filters(x.dtype.char)
        frames = fft.irfft2(spectra, s=self.in_shape, overwrite_x=True)
        return np.asarray(self.scan.read(frames) if self.scan.distortion else frames)

    def _adjoint(self, y: Array) -> Array:
        spectra = fft.rfft2(self.scan.read_adjoint(y) if self.scan.distortion else y)
        spectra *= self.filters(y.dtype.char)
        return np.asarray(fft.irfft2(spectra.sum(axis=0), s=self.in_shape, overwrite_x=True))


def _blur(shape: Shape, width: float, pixel: float) -> Array:
    """Return the transfer function of a Gaussian of standard deviation ``width`` Å."""
    return Gaussian(shape, FWHM_PER_SIGMA * width, pixel).transfer


@lru_cache(maxsize=16)
def _filters(
    shape: Shape,
    probe: tuple[Any, ...],
    source: tuple[Any, ...],
    width: float,
    prefiltered: tuple[int, ...],
    gain: float,
    dtype: str,
) -> Array:
    """Multiply probe, source, the object's blur, gain and, for each rotation in ``prefiltered``,
    the prefilter."""
    voltage, angle, defocus, c3, c5 = probe
    pixel, fwhm, source_pixel, demagnification = source
    step = ElectronProbe(shape, voltage, angle, defocus, c3, c5, pixel)
    filters = gain * step.transfer * _blur(shape, width, pixel)
    filters *= Gaussian(step.out_shape, fwhm, source_pixel, demagnification).transfer
    for frame, rotation in enumerate(prefiltered):
        along_x = DIRECTIONS[rotation][0][0] == 1
        filters[frame] *= (
            spline_transfer(shape[1], half=True)
            if along_x
            else spline_transfer(shape[0], half=False)[:, None]
        )
    filters = np.asarray(filters, np.float32 if dtype in "fF" else np.float64)
    filters.setflags(write=False)
    return filters
