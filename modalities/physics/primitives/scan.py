"""D(g, η₁) of a scanning microscope: read the image where the scan really was, then count.

A scan has a fast axis u and a slow axis v, in pixels from the middle of the frame; a rotation of
φ degrees turns both. A scan distorted by s percent reads at u + (s/100)(u + v): the fast coil's
gain is off, and drift skews the lines. Frames are stored on the specimen's axes (frame, y, x).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from scipy import fft

from ..operator import Array, Operator, Shape
from .detect import counting, described
from .fourier import centred, real_filter

# Fast and slow direction of a scan turned by φ, as ((axis, sign), (axis, sign)); axis 0 is y.
DIRECTIONS = {
    0: ((1, 1), (0, 1)),
    90: ((0, 1), (1, -1)),
    180: ((1, -1), (0, -1)),
    270: ((0, -1), (1, 1)),
}


class Scan(Operator):
    """Sample each frame along its distorted scan, by cubic B-splines along the fast axis.

    ``distortion`` is s in percent, ``rotations`` φ per frame (multiples of 90°). The spline passes
    through the image, so that s = 0 reads it unchanged. The adjoint is the exact transpose.
    """

    def __init__(
        self,
        in_shape: Shape,
        dose: float,
        read_noise: float = 0.0,
        distortion: float = 0.0,
        rotations: Sequence[int] = (0,),
        background: float = 0.0,
        gain: float = 1.0,
    ) -> None:
        if len(in_shape) != 3 or in_shape[0] != len(rotations):
            raise ValueError(
                f"a scan needs one rotation for each frame of (frame, y, x); got {in_shape} and "
                f"the rotations {list(rotations)}."
            )
        if unknown := [r for r in rotations if r not in DIRECTIONS]:
            raise ValueError(f"rotations are multiples of 90° from 0 to 270, got {unknown}.")
        if abs(distortion) / 100 * sum(in_shape[1:]) / 2 + 3 > min(in_shape[1:]):
            raise ValueError(f"a distortion of {distortion:g} % reads beyond the next frame.")
        self.in_shape = self.out_shape = in_shape
        self.distortion, self.rotations, self.gain = distortion, tuple(rotations), gain
        self.noise = counting(dose, read_noise, background)

    def describe(self) -> str:
        return (
            f"detect/scan {self.in_shape}: distortion {self.distortion:g} %, rotations "
            f"{', '.join(f'{r}°' for r in self.rotations)}, gain {self.gain:g}, "
            f"{described(self.noise)}"
        )

    def _apply(self, x: Array) -> Array:
        gain = x.dtype.type(self.gain)
        if self.distortion == 0:
            return np.asarray(gain * x)
        coefficients = np.stack([self._filtered(x, i) for i in range(len(x))])
        return np.asarray(gain * self.read(coefficients))

    def _adjoint(self, y: Array) -> Array:
        gain = y.dtype.type(self.gain)
        if self.distortion == 0:
            return np.asarray(gain * y)
        x = self.read_adjoint(y)
        return np.asarray(gain * np.stack([self._filtered(x, i) for i in range(len(x))]))

    def read(self, coefficients: Array) -> Array:
        """Evaluate the splines of ``coefficients`` (frame, y, x) where the scan was."""
        return read_frames(coefficients, self.rotations, self.distortion / 100)

    def read_adjoint(self, y: Array) -> Array:
        """Spread data (frame, y, x) over the coefficients: the transpose of ``read``."""
        out = np.empty_like(y)
        for frame, rotation in enumerate(self.rotations):
            _spread(y[frame], rotation, self.distortion / 100, out[frame])
        return out

    def _filtered(self, x: Array, frame: int) -> Array:
        """Turn samples into spline coefficients along the fast axis; its own adjoint."""
        axis = DIRECTIONS[self.rotations[frame]][0][0]
        transfer = spline_transfer(x.shape[1 + axis], half=True)
        return real_filter(x[frame], transfer if axis else transfer[:, None], (axis,))


def spline_transfer(n: int, half: bool) -> Array:
    """Give one over the transfer function (1, 4, 1)/6 of a sampled cubic B-spline."""
    k = fft.rfftfreq(n) if half else fft.fftfreq(n)
    return np.asarray(3.0 / (2.0 + np.cos(2 * np.pi * k)))


def read_frames(coefficients: Array, rotations: Sequence[int], s: float) -> Array:
    """Evaluate the splines of each frame (y, x) at u + s·(u + v), periodic beyond the border."""
    out = np.empty_like(coefficients)
    for frame, rotation in enumerate(rotations):
        _read(coefficients[frame], rotation, s, out[frame])
    return out


def _read(c: Array, rotation: int, s: float, out: Array) -> None:
    axis, reach, taps = scan_taps(c.shape, rotation, s, c.dtype.char)
    n = c.shape[axis]
    ends = c[_window(axis, n - reach, reach)], c[_window(axis, 0, reach)]
    padded = np.concatenate([ends[0], c, ends[1]], axis=axis)
    product: Array = np.empty_like(c)
    for i, (offset, weight) in enumerate(taps):
        target = product if i else out
        np.multiply(weight, padded[_window(axis, reach + offset, n)], out=target)
        if i:
            out += product


def _spread(y: Array, rotation: int, s: float, out: Array) -> None:
    """Apply the transpose of ``_read``."""
    axis, reach, taps = scan_taps(y.shape, rotation, s, y.dtype.char)
    n = y.shape[axis]
    padded = np.zeros([size + 2 * reach * (a == axis) for a, size in enumerate(y.shape)], y.dtype)
    product: Array = np.empty_like(y)
    for offset, weight in taps:
        here = padded[_window(axis, reach + offset, n)]
        here += np.multiply(weight, y, out=product)
    out[...] = padded[_window(axis, reach, n)]
    out[_window(axis, 0, reach)] += padded[_window(axis, reach + n, reach)]
    out[_window(axis, n - reach, reach)] += padded[_window(axis, 0, reach)]


def _window(axis: int, start: int, length: int) -> tuple[slice, ...]:
    return (slice(None),) * axis + (slice(start, start + length),)


@lru_cache(maxsize=32)
def scan_taps(
    shape: Shape, rotation: int, s: float, dtype: str
) -> tuple[int, int, list[tuple[int, Array]]]:
    """Give the fast axis, the largest offset along it, and the weights (y, x) for each offset.

    A weight depends on u + v alone. It is held as one line of values and shown as an image through
    a view, so that reading costs no memory traffic.
    """
    (fast, fast_sign), (_, slow_sign) = DIRECTIONS[rotation]
    # The shift along the stored axis: sign·s·(sign·c_fast + sign'·c_slow).
    sign = fast_sign * slow_sign
    shift = s * centred(sum(shape) - 1)
    whole = np.floor(shift).astype(int)
    values = _cubic(shift - whole)
    taps = []
    for offset in range(int(whole.min()) - 1, int(whole.max()) + 3):
        line = np.zeros(len(shift), dtype)
        for tap in range(4):
            line = np.where(whole + tap - 1 == offset, values[:, tap], line).astype(dtype)
        if sign < 0 and fast == 0:
            line = np.ascontiguousarray(line[::-1])
        image = sliding_window_view(line, shape[1])
        taps.append((offset, image if sign > 0 else image[::-1]))
    return fast, max(abs(taps[0][0]), abs(taps[-1][0])), taps


def _cubic(t: Array) -> Array:
    """Give the four cubic B-spline weights of samples −1, 0, 1, 2 at 0 ≤ t < 1, on a last axis."""
    r = 1 - t
    inner = [2 / 3 - t**2 + t**3 / 2, 2 / 3 - r**2 + r**3 / 2]
    return np.stack([r**3 / 6, *inner, t**3 / 6], axis=-1)
