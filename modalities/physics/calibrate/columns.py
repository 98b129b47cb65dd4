"""Atomic columns as a model of the data: found, drawn, and fitted together with the microscope.

An object is Σ a·exp(−|r − p|²/2σ²), one Gaussian per column; σ is that of an average column of the
class, because one scene cannot tell a wide column from a wide probe. Positions p are (x, y) in
pixels from the middle of the frame.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import fft, ndimage, sparse

from ..build import Forward
from ..methods.richardson_lucy import Step
from ..methods.sieve import WIDTH, accelerated
from ..methods.stem_frames import COLUMN_WIDTH, column_transfer, counting_noise, microscope
from ..operator import Array, Shape
from ..primitives.scan import DIRECTIONS
from ..primitives.stem import ScannedProbe
from ..progress import Report

# A column is a maximum of the deconvolved image above this part of the highest one.
LEAST = 0.03
ITERATIONS = 100
# Columns are no closer than this, and their derivatives are drawn as far as this, in Å.
APART, REACH = 0.4, 1.6
# Derivatives are tabulated for so many positions within a pixel, along each axis.
SUBPIXELS = 8
LARGEST_MOVE = 0.7  # pixels in one step
FAINTEST = 1e-4


@dataclass
class Columns:
    """The columns of one scene: positions (n, 2) as (x, y) and amplitudes (n,)."""

    shape: Shape
    width: float  # standard deviation in pixels
    positions: Array
    amplitudes: Array

    def render(self) -> Array:
        """Draw the object."""
        reach = int(np.ceil(5 * self.width))
        offsets = np.arange(-reach, reach + 1)
        lines, indices = [], []
        for axis, n in ((1, self.shape[0]), (0, self.shape[1])):
            at = self.positions[:, axis, None] + (n - 1) / 2
            near = np.round(at).astype(int) + offsets
            lines.append(np.exp(-((near - at) ** 2) / (2 * self.width**2)))
            indices.append(np.clip(near, 0, n - 1))
        patches = self.amplitudes[:, None, None] * lines[0][:, :, None] * lines[1][:, None, :]
        where = indices[0][:, :, None] * self.shape[1] + indices[1][:, None, :]
        flat = np.bincount(where.ravel(), patches.ravel(), self.shape[0] * self.shape[1])
        return np.asarray(flat).reshape(self.shape)

    def moved(self, steps: Array) -> Columns:
        """Return the columns changed by ``steps`` (n, 3): amplitude, x, y."""
        moves = np.clip(steps[:, 1:], -LARGEST_MOVE, LARGEST_MOVE)
        amplitudes = np.maximum(self.amplitudes + steps[:, 0], FAINTEST)
        return Columns(self.shape, self.width, self.positions + moves, amplitudes)


def detect(H: Forward, y: Array, report: Report) -> Columns:
    """Find columns as the maxima of a deconvolved image, to a fraction of a pixel."""
    instrument = microscope(H)
    step = Step(instrument.blurred(WIDTH), y, counting_noise(H))
    z = accelerated(step, ITERATIONS, report)
    image = fft.irfft2(fft.rfft2(z) * column_transfer(instrument, WIDTH), s=H.in_shape)
    size = 2 * round(APART / instrument.probe.pixel) + 1
    peaks = (image == ndimage.maximum_filter(image, size=size)) & (image > LEAST * image.max())
    peaks[:2] = peaks[-2:] = peaks[:, :2] = peaks[:, -2:] = False
    rows, columns = np.nonzero(peaks)
    x = columns + _vertex(image[rows, columns - 1], image[rows, columns], image[rows, columns + 1])
    y_ = rows + _vertex(image[rows - 1, columns], image[rows, columns], image[rows + 1, columns])
    middle = (np.array(H.in_shape[::-1]) - 1) / 2
    width = COLUMN_WIDTH / instrument.probe.pixel
    return Columns(H.in_shape, width, np.stack([x, y_], axis=1) - middle, image[rows, columns])


def jacobian(
    instrument: ScannedProbe, columns: Columns, tables: Array, weights: Array
) -> sparse.csc_array:
    """Return the derivative of the weighted frames by each column's amplitude, x and y.

    Shape (data, 3n), from ``tables`` around where each frame shows the column. That a distorted
    scan stretches the probe itself, by a percent, is left out.
    """
    n, reach = len(columns.amplitudes), tables.shape[-1] // 2
    offsets = np.arange(-reach, reach + 1)
    ny, nx = columns.shape
    rows, values = [], []
    for frame in range(len(tables[0])):
        x, y = _shown(instrument, frame, columns.positions)
        (at_x, sub_x), (at_y, sub_y) = _split(x + (nx - 1) / 2), _split(y + (ny - 1) / 2)
        patches = tables[:, frame, sub_y, sub_x].transpose(1, 0, 2, 3)
        scale = np.stack([np.ones(n), columns.amplitudes, columns.amplitudes], axis=1)
        in_y = np.clip(at_y[:, None] + offsets, 0, ny - 1)[:, :, None]
        in_x = np.clip(at_x[:, None] + offsets, 0, nx - 1)[:, None, :]
        where = ((frame * ny + in_y) * nx + in_x).reshape(n, 1, -1)
        rows.append(np.repeat(where, 3, axis=1))
        values.append((patches * scale[:, :, None, None]).reshape(n, 3, -1))
    row = np.concatenate(rows, axis=2)
    value = np.concatenate(values, axis=2) * weights.ravel()[row]
    starts = np.arange(0, row.size + 1, row.shape[2])
    size = (len(tables[0]) * ny * nx, 3 * n)
    return sparse.csc_array((value.ravel(), row.ravel(), starts), shape=size)


def column_tables(instrument: ScannedProbe, width: float) -> Array:
    """Tabulate one column as each frame shows it, and its derivatives by x and y.

    Axes (value | by x | by y, frame, sub-pixel y, sub-pixel x, y, x); drawn on a quarter of the
    field where it divides by four, because the probe has faded at its border.
    """
    cut = 4 if all(n % 4 == 0 and n >= 128 for n in instrument.in_shape) else 1
    ny, nx = (n // cut for n in instrument.in_shape)
    ky, kx = fft.fftfreq(ny)[:, None], fft.rfftfreq(nx)[None, :]
    column = 2 * np.pi * width**2 * np.exp(-2 * (np.pi * width) ** 2 * (ky**2 + kx**2))
    transfer = instrument.transfer[:, ::cut, ::cut] * column
    reach = round(REACH / instrument.probe.pixel)
    side = 2 * reach + 1
    tables = np.empty((3, len(transfer), SUBPIXELS, SUBPIXELS, side, side))
    offsets = (np.arange(SUBPIXELS) + 0.5) / SUBPIXELS - 0.5
    for i, dy in enumerate(offsets):
        for j, dx in enumerate(offsets):
            shifted = transfer * np.exp(-2j * np.pi * (ky * dy + kx * dx))
            for kind, factor in enumerate((1.0, -2j * np.pi * kx, -2j * np.pi * ky)):
                image = fft.irfft2(shifted * factor, s=(ny, nx))
                image = np.roll(image, (reach, reach), axis=(-2, -1))
                tables[kind, :, i, j] = image[:, :side, :side]
    return tables


def _shown(instrument: ScannedProbe, frame: int, positions: Array) -> tuple[Array, Array]:
    """Return where a frame shows the columns: u with u + s(u + v) = p, along its fast axis."""
    s = instrument.scan.distortion / 100
    (fast, fast_sign), (_, slow_sign) = DIRECTIONS[instrument.scan.rotations[frame]]
    x, y = positions[:, 0], positions[:, 1]
    if fast == 1:
        return (x - s * fast_sign * slow_sign * y) / (1 + s), y
    return x, (y - s * fast_sign * slow_sign * x) / (1 + s)


def _split(at: Array) -> tuple[Array, Array]:
    """Split pixel coordinates into the nearest pixel and the index of the place within it."""
    nearest = np.round(at).astype(int)
    place = np.floor((at - nearest + 0.5) * SUBPIXELS).astype(int)
    return nearest, np.clip(place, 0, SUBPIXELS - 1)


def _vertex(left: Array, middle: Array, right: Array) -> Array:
    """Return where the parabola through three samples peaks, from the middle one."""
    bend = np.maximum(2 * middle - left - right, 1e-6 * np.maximum(middle, 1e-12))
    return np.asarray(np.clip((right - left) / (2 * bend), -0.5, 0.5))
