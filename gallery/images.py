"""Pictures of objects, measurements and errors: arrays to WebP, with a colour map and a scale.

Pictures that are compared share one scale: truth and reconstruction run from 0 to 1, the
measurements of a scene over the values of the nominal one, errors from 0 to ``LARGEST_ERROR``.
Volumes and series are drawn as two middle planes, one below the other.
"""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from matplotlib import colormaps
from numpy.typing import NDArray
from PIL import Image

Array = NDArray[Any]
Scale = tuple[float, float]

OBJECT_SCALE: Scale = (0.0, 1.0)
LARGEST_ERROR = 0.25
ERROR_SCALE: Scale = (0.0, LARGEST_ERROR)
SMALLEST_SIDE = 256  # a picture's longer side is drawn at least so wide, in whole multiples
GAP = 4  # pixels between two planes
FEW = 4  # a stack of so few planes is a set of frames, not a third dimension


def object_picture(x: Array, scale: Scale = OBJECT_SCALE) -> bytes:
    """Draw an object: an image as it is, a volume by its two middle planes along the long axes."""
    return webp(_volume_planes(x), scale, "inferno")


def object_size(shape: tuple[int, ...]) -> tuple[int, int]:
    """Return the width and height of the picture of an object of ``shape``, before enlarging."""
    planes = _volume_planes(np.broadcast_to(np.float32(0), shape))
    height, width = _below(planes).shape
    return width, height


def error_picture(x: Array, x_hat: Array) -> bytes:
    """Draw |x̂ − x| on the scale that all errors share."""
    return webp(_volume_planes(np.abs(np.clip(x_hat, 0, 1) - x)), ERROR_SCALE, "viridis")


def measurement_picture(y: Array, scale: Scale) -> bytes:
    """Draw a measurement: its first frame, or a stack's middle projection above its sinogram."""
    return webp(_measurement_planes(y), scale, "inferno")


def measurement_scale(y: Array) -> Scale:
    """Return the scale for ``y`` and for what is compared with it: all but its 0.5 % extremes."""
    low, high = np.percentile(y, (0.5, 99.5))
    return float(low), float(max(high, low + 1e-12))


def webp(planes: list[Array], scale: Scale, colours: str) -> bytes:
    """Encode planes below each other with matplotlib's colour map ``colours``."""
    low, high = scale
    image = Image.fromarray(
        colormaps[colours](np.clip((_below(planes) - low) / (high - low), 0, 1), bytes=True)
    )
    times = max(1, SMALLEST_SIDE // max(image.size))
    if times > 1:
        image = image.resize((image.width * times, image.height * times), Image.Resampling.NEAREST)
    file = io.BytesIO()
    image.save(file, "WEBP", quality=90, method=4)
    return file.getvalue()


def _volume_planes(x: Array) -> list[Array]:
    """Return what to draw of an object ``[y, x]``, or ``[z, x, y]`` with the tilt axis last.

    For a volume: the middle plane seen from above, x to the right, then the middle section across
    the tilt axis, z downwards, where the missing wedge shows.
    """
    if x.ndim == 2:
        return [x]
    return [x[x.shape[0] // 2].T, x[:, :, x.shape[2] // 2]]


def _measurement_planes(y: Array) -> list[Array]:
    """Return what to draw of ``[row, column]``, ``[frame, row, column]`` or ``[tilt, u, v]``."""
    if y.ndim == 2:
        return [y]
    if y.shape[0] <= FEW:
        return [y[0]]
    return [y[y.shape[0] // 2].T, y[:, :, y.shape[2] // 2]]


def _below(planes: list[Array]) -> Array:
    """Put planes below each other on a background of NaN, which the colour maps leave empty."""
    width = max(plane.shape[1] for plane in planes)
    rows: list[Array] = []
    for plane in planes:
        row = np.full((plane.shape[0], width), np.nan)
        row[:, : plane.shape[1]] = plane
        rows += [row, np.full((GAP, width), np.nan)]
    return np.concatenate(rows[:-1])
