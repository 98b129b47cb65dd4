"""Denoise each frame, then invert the blur by Wiener's filter with what noise is left."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from skimage.restoration import denoise_nl_means

from ..build import Forward
from ..operator import Array
from ..progress import Part, Report
from .anscombe import expected_counts, stabilised
from .bm3d import bm3d
from .noise2void import noise2void
from .stem_frames import counting_noise, microscope, straightened
from .wiener import filtered

# What the denoiser leaves of the noise's power, as far as Wiener's filter is concerned.
LEFT_BY_BM3D, LEFT_BY_MEANS, LEFT_BY_VOID = 0.12, 0.25, 0.12

# Frames of unit noise (frame, y, x) in, denoised frames out.
Denoise = Callable[[Array, Report], Array]


def bm3d_wiener(H: Forward, y: Array, report: Report) -> Array:
    """Denoise by our BM3D where the noise has been made uniform, then filter."""
    return _denoised_first(
        H, y, _each(lambda image, part: bm3d(image, 1.0, part)), LEFT_BY_BM3D, report
    )


def means_wiener(H: Forward, y: Array, report: Report) -> Array:
    """Denoise by non-local means where the noise has been made uniform, then filter."""
    return _denoised_first(H, y, _each(_non_local_means), LEFT_BY_MEANS, report)


def void_wiener(H: Forward, y: Array, report: Report) -> Array:
    """Denoise by Noise2Void, trained on these frames, then filter; needs PyTorch."""
    return _denoised_first(H, y, noise2void, LEFT_BY_VOID, report)


def _denoised_first(H: Forward, y: Array, denoise: Denoise, left: float, report: Report) -> Array:
    noise, instrument = counting_noise(H), microscope(H)
    uniform = stabilised(noise.dose * (y + noise.background), noise.read_noise)
    counts = expected_counts(denoise(uniform, Part(report, 0.0, 0.95)), noise.read_noise)
    frames = counts / noise.dose - noise.background
    report("Wiener filter", 0.95)
    power = left * float(noise.variance(np.maximum(frames, 0)).mean())
    x = filtered(instrument, straightened(instrument.scan, frames), power)
    report("Wiener filter", 1.0)
    return x


def _each(denoise: Denoise) -> Denoise:
    """Turn what denoises an image into what denoises each of several."""

    def denoise_each(frames: Array, report: Report) -> Array:
        n = len(frames)
        parts = [Part(report, i / n, (i + 1) / n) for i in range(n)]
        return np.stack([denoise(f, part) for f, part in zip(frames, parts, strict=True)])

    return denoise_each


def _non_local_means(image: Array, report: Report) -> Array:
    """Average pixels by how alike their neighbourhoods are (Buades, Coll & Morel 2005)."""
    report("Non-local means", 0.0)
    denoised = denoise_nl_means(image, patch_size=11, patch_distance=15, h=0.6, sigma=1.0)
    report("Non-local means", 1.0)
    return np.asarray(denoised)
