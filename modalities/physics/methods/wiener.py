"""Wiener's filter for several frames of one object."""

from __future__ import annotations

import numpy as np
from scipy import fft

from ..build import Forward
from ..noise import noise_of
from ..operator import Array, Shape
from ..primitives.stem import ScannedProbe
from ..progress import Report
from .stem_frames import column_transfer, microscope, straightened

# Width, in frequency samples, over which a spectrum is averaged before it is believed.
SMOOTHING = 1.6
# And over which for its envelope, in 1/Å: a crystal's peaks are about twice as far apart.
ENVELOPE = 0.12
# The measured spectrum is scaled by MEASURED, because the eye forgives blur more easily than noise,
# and kept above LEAST of the smooth one, which alone remains where the data say nothing.
MEASURED, LEAST = 0.5, 0.1
# Where the smooth signal is below this part of the noise, the data say nothing.
HEARD = 0.3
# Features of these widths are tried, standard deviations in Å; frequencies that pass less than this
# part of the best one do not help to choose.
WIDTHS = tuple(0.1 * 2 ** (i / 4) for i in range(13))
LEAST_GAIN = 1e-4


def wiener(H: Forward, y: Array, report: Report) -> Array:
    """Return x̂ = F⁻¹[S Σ h*Y / (S Σ|h|² + N)] from straightened frames.

    N is the mean noise power of a pixel. S, the object's power spectrum, is learned from the data:
    a smooth one, raised where they say more, because a crystal's power gathers in few peaks.
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
    smooth = smooth_spectrum(instrument, spectra, gain, noise)
    signal = measured_spectrum(matched, gain, smooth, noise, instrument.in_shape)
    return np.asarray(fft.irfft2(signal * matched / (signal * gain + noise), s=instrument.in_shape))


def smooth_spectrum(instrument: ScannedProbe, spectra: Array, gain: Array, noise: float) -> Array:
    """Return the power spectrum A·exp(−(2πσk)²) that explains the data best.

    It is that of equal Gaussian features anywhere, σ wide. A follows from the mean power, σ from
    Whittle's likelihood of the matched frames, Σ|h*Y|²/Σ|h|², whose mean is S Σ|h|² + N.
    """
    excess = max(float((np.abs(spectra) ** 2 - noise).sum()), noise)
    heard = gain > LEAST_GAIN * gain.max()
    power = np.abs((instrument.transfer * spectra).sum(axis=0)) ** 2 / np.maximum(gain, 1e-30)
    field = instrument.probe.pixel * np.sqrt(np.prod(instrument.in_shape))
    power = _averaged(power, instrument.in_shape, ENVELOPE * field)[heard]
    best, least = np.zeros_like(gain), np.inf
    for width in WIDTHS:
        shape = column_transfer(instrument, width) ** 2
        spectrum = excess / float((gain * shape).sum()) * shape
        expected = (spectrum * gain)[heard] + noise
        misfit = float((np.log(expected) + power / expected).sum())
        if misfit < least:
            best, least = spectrum, misfit
    return best


def measured_spectrum(
    matched: Array, gain: Array, smooth: Array, noise: float, shape: Shape
) -> Array:
    """Return the object's power spectrum from the data, where they say more than ``smooth``.

    ``matched`` is Σ h*Y and ``gain`` Σ|h|². The periodogram (|Σ h*Y|² − N Σ|h|²)/(Σ|h|²)² is
    averaged over neighbouring frequencies with the inverse of its variance.
    """
    weight = (gain / (gain * smooth + noise)) ** 2
    total = (np.abs(matched) ** 2 - noise * gain) / (gain * smooth + noise) ** 2
    average = _averaged(total, shape, SMOOTHING) / np.maximum(
        _averaged(weight, shape, SMOOTHING), weight.max() * 1e-9
    )
    signal = np.where(smooth * gain > HEARD * noise, MEASURED * average, 0.0)
    return np.clip(signal, LEAST * smooth, smooth / LEAST**2)


def _averaged(power: Array, shape: Shape, width: float) -> Array:
    """Average over frequencies by a Gaussian: a lag window (Blackman & Tukey 1958)."""
    lines = [np.exp(-2 * (np.pi * width * fft.fftfreq(n)) ** 2) for n in shape]
    window = lines[0][:, None] * lines[1][None, :]
    return np.asarray(fft.rfft2(fft.irfft2(power, s=shape) * window).real)
