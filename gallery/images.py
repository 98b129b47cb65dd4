"""Pictures of objects, measurements and errors: arrays to WebP, with a colour map and a scale.

Pictures that are compared share one scale: truth and reconstruction run from 0 to 1, the
measurements of a scene over the values of the nominal one, errors from 0 to ``LARGEST_ERROR``.
Volumes and series are drawn as two middle planes, one below the other. Of complex values the
magnitude is drawn, of channels (bands, energies) the middle one; errors are those of the values.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from modalities import physics

Array = NDArray[Any]
Scale = tuple[float, float]

OBJECT_SCALE: Scale = (0.0, 1.0)
LARGEST_ERROR = 0.25
ERROR_SCALE: Scale = (0.0, LARGEST_ERROR)
SMALLEST_SIDE = 256  # a picture's longer side is drawn at least so wide, in whole multiples
GAP = 4  # pixels between two planes
FEW = 4  # a stack of so few planes is a set of frames, not a third dimension


def object_picture(x: Array, channels: Sequence[int] = ()) -> bytes:
    """Draw an object: an image as it is, a volume by its two middle planes along the long axes.

    channels: the axes of the object that are not in space.
    """
    return webp(_volume_planes(_shown(x), channels), OBJECT_SCALE, "inferno")


def object_size(shape: tuple[int, ...], channels: Sequence[int] = ()) -> tuple[int, int]:
    """Return the width and height of the picture of an object of ``shape``, before enlarging."""
    planes = _volume_planes(np.broadcast_to(np.float32(0), shape), channels)
    height, width = _below(planes).shape
    return width, height


def error_picture(x: Array, x_hat: Array, channels: Sequence[int] = ()) -> bytes:
    """Draw |x̂ − x| on the scale that all errors share."""
    error = np.abs(physics.bounded(x_hat.astype(x.dtype)) - x)
    return webp(_volume_planes(error, channels), ERROR_SCALE, "viridis")


def measurement_picture(y: Array, scale: Scale) -> bytes:
    """Draw a measurement: its first frame, or a stack's middle projection above its sinogram."""
    return webp(_measurement_planes(_shown(y)), scale, "inferno")


def measurement_scale(y: Array) -> Scale:
    """Return the scale for ``y`` and for what is compared with it: all but its 0.5 % extremes."""
    low, high = np.percentile(_shown(y), (0.5, 99.5))
    return float(low), float(max(high, low + 1e-12))


def webp(planes: list[Array], scale: Scale, colours: str) -> bytes:
    """Encode planes below each other with matplotlib's colour map ``colours``."""
    from matplotlib import colormaps  # takes half a second, which only those who draw need

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


def _shown(values: Array) -> Array:
    """Return what a picture shows of each value: its magnitude, where it is complex."""
    return np.abs(values) if np.iscomplexobj(values) else values


def _volume_planes(x: Array, channels: Sequence[int] = ()) -> list[Array]:
    """Return what to draw of an object ``[y, x]``, or ``[z, x, y]`` with the tilt axis last.

    Of channels the middle one. For a volume: the middle plane seen from above, x to the right, then
    the middle section across the tilt axis, z downwards, where the missing wedge shows.
    """
    for axis in sorted(channels, reverse=True):
        x = x.take(x.shape[axis] // 2, axis)
    if x.ndim < 3:
        return [np.atleast_2d(x)]
    return [x[x.shape[0] // 2].T, x[:, :, x.shape[2] // 2]]


def _measurement_planes(y: Array) -> list[Array]:
    """Return what to draw of ``[row, column]``, ``[frame, row, column]`` or ``[tilt, u, v]``.

    A single row is drawn as an image of one row; of more axes in front the first frame is taken.
    """
    while y.ndim > 3:
        y = y[0]
    if y.ndim < 3:
        return [np.atleast_2d(y)]
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
