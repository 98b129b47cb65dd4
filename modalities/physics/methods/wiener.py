"""Wiener's filter for several frames of one object."""

from __future__ import annotations

import numpy as np
from scipy import fft

from ..build import Forward
from ..noise import noise_of
from ..operator import Array, Shape
from ..primitives.stem import ScannedProbe
from ..progress import Report
from .stem_frames import COLUMN_WIDTH, column_transfer, microscope, straightened

# Width, in frequency samples, over which a spectrum is averaged before it is believed.
SMOOTHING = 1.6
# The measured spectrum is scaled by MEASURED, because the eye forgives blur more easily than noise,
# and kept above LEAST of the class spectrum, which alone remains where the data say nothing.
MEASURED, LEAST = 0.5, 0.1
# Where the class signal is below this part of the noise, the data say nothing.
HEARD = 0.3


def wiener(H: Forward, y: Array, report: Report) -> Array:
    """Return x̂ = F⁻¹[S Σ h*Y / (S Σ|h|² + N)] from straightened frames.

    N is the mean noise power of a pixel. S, the object's power spectrum, is that of the class,
    raised to what the data themselves say: a crystal's power gathers in few peaks.
    """
    instrument = microscope(H)
    report("Straighten the scans", 0.0)
    frames = straightened(instrument.scan, y)
    report("Wiener filter", 0.5)
    power = float(noise_of(H).variance(np.maximum(frames, 0)).mean())
    x = filtered(instrument, frames, power)
    report("Wiener filter", 1.0)
    return x


def filtered(instrument: ScannedProbe, frames: Array, power: float) -> Array:
    """Filter straight frames whose noise has the variance ``power`` per pixel."""
    h = instrument.transfer
    spectra, noise = fft.rfft2(frames), power * frames[0].size
    matched, gain = (h * spectra).sum(axis=0), (h**2).sum(axis=0)
    columns = class_spectrum(instrument, spectra, noise)
    signal = measured_spectrum(matched, gain, columns, noise, instrument.in_shape)
    return np.asarray(fft.irfft2(signal * matched / (signal * gain + noise), s=instrument.in_shape))


def class_spectrum(instrument: ScannedProbe, spectra: Array, noise: float) -> Array:
    """Return the power spectrum of Gaussian columns, as strong as ``spectra`` say.

    Columns of one width anywhere have the spectrum A·exp(−(2πσk)²); A from the mean power.
    """
    shape = column_transfer(instrument, COLUMN_WIDTH) ** 2
    excess = float((np.abs(spectra) ** 2 - noise).sum())
    amplitude = max(excess / float((instrument.transfer**2 * shape).sum()), noise)
    return np.asarray(amplitude * shape)


def measured_spectrum(
    matched: Array, gain: Array, columns: Array, noise: float, shape: Shape
) -> Array:
    """Return the object's power spectrum from the data, where they say more than ``columns`` do.

    ``matched`` is Σ h*Y and ``gain`` Σ|h|². The periodogram (|Σ h*Y|² − N Σ|h|²)/(Σ|h|²)² is
    averaged over neighbouring frequencies with the inverse of its variance.
    """
    weight = (gain / (gain * columns + noise)) ** 2
    total = (np.abs(matched) ** 2 - noise * gain) / (gain * columns + noise) ** 2
    average = _smooth(total, shape) / np.maximum(_smooth(weight, shape), weight.max() * 1e-9)
    signal = np.where(columns * gain > HEARD * noise, MEASURED * average, 0.0)
    return np.clip(signal, LEAST * columns, columns / LEAST**2)


def _smooth(power: Array, shape: Shape) -> Array:
    """Average over frequencies by a Gaussian: a lag window (Blackman & Tukey 1958)."""
    lines = [np.exp(-2 * (np.pi * SMOOTHING * fft.fftfreq(n)) ** 2) for n in shape]
    window = lines[0][:, None] * lines[1][None, :]
    return np.asarray(fft.rfft2(fft.irfft2(power, s=shape) * window).real)
