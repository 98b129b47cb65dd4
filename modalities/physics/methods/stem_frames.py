"""What the methods for STEM share: the microscope in a chain, straight frames, starting values."""

from __future__ import annotations

import numpy as np
from scipy import fft

from ..build import Forward
from ..noise import PoissonGaussian, noise_of
from ..numerics.fourier import real_filter
from ..operator import Array, Operator
from ..primitives.scan import DIRECTIONS, Scan, read_frames, spline_transfer
from ..primitives.stem import ScannedProbe


def microscope(H: Forward) -> ScannedProbe:
    """Find the scanned probe in the chain; raise TypeError if it has none."""
    for step in H.steps:
        if isinstance(step, ScannedProbe):
            return step
    raise TypeError(
        f"{H.spec.key} has no scanned probe; this method needs propagate/electron_probe, "
        "convolve/gaussian, detect/scan."
    )


def counting_noise(H: Operator) -> PoissonGaussian:
    """Return the chain's noise model; raise TypeError unless it counts."""
    noise = noise_of(H)
    if not isinstance(noise, PoissonGaussian):
        raise TypeError(f"This method needs counted data, the chain has {type(noise).__name__}.")
    return noise


def straightened(scan: Scan, y: Array) -> Array:
    """Resample the frames (frame, y, x) as if the scan had been straight.

    Solves u = u' + s(u' + v) for u', so that frames and image share one grid; noise comes along.
    """
    s = scan.distortion / 100
    if s == 0:
        return y
    frames = []
    for frame, rotation in zip(y, scan.rotations, strict=True):
        axis = DIRECTIONS[rotation][0][0]
        transfer = spline_transfer(frame.shape[axis], half=True)
        frames.append(real_filter(frame, transfer if axis else transfer[:, None], (axis,)))
    return read_frames(np.stack(frames), scan.rotations, -s / (1 + s))


def frequencies(instrument: ScannedProbe) -> Array:
    """Return |k| in 1/Å on rfft2 frequencies of the image."""
    ny, nx = instrument.in_shape
    pixel = instrument.probe.pixel
    return np.asarray(np.hypot(fft.fftfreq(ny, pixel)[:, None], fft.rfftfreq(nx, pixel)[None, :]))


def column_transfer(instrument: ScannedProbe, width: float) -> Array:
    """Return the transfer function of a Gaussian column of standard deviation ``width`` Å."""
    return np.asarray(np.exp(-2 * (np.pi * width * frequencies(instrument)) ** 2))
