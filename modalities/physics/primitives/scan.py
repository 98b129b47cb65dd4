"""D(g, η₁) of a scanning microscope: read the image where the scan really was, then count.

A scan has a fast axis u and a slow axis v, in pixels from the middle of the frame; a rotation of
φ degrees turns both. A scan distorted by s percent reads at u + (s/100)(u + v): the fast coil's
gain is off, and drift skews the lines. Frames are stored on the specimen's axes (frame, y, x).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from scipy import fft, sparse

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
        return self._through(coefficients, 0)

    def read_adjoint(self, y: Array) -> Array:
        """Spread data (frame, y, x) over the coefficients: the transpose of ``read``."""
        return self._through(y, 1)

    def _through(self, stack: Array, which: int) -> Array:
        key = (self.in_shape, self.rotations, self.distortion / 100, self.distortion / 100)
        taps = scan_taps(*key, np.dtype(stack.dtype).char)[which]
        return np.asarray(taps @ stack.ravel()).reshape(self.in_shape)

    def _filtered(self, x: Array, frame: int) -> Array:
        """Turn samples into spline coefficients along the fast axis; its own adjoint."""
        axis = DIRECTIONS[self.rotations[frame]][0][0]
        transfer = spline_transfer(x.shape[1 + axis], half=True)
        return real_filter(x[frame], transfer if axis else transfer[:, None], (axis,))


def spline_transfer(n: int, half: bool) -> Array:
    """Give one over the transfer function (1, 4, 1)/6 of a sampled cubic B-spline."""
    k = fft.rfftfreq(n) if half else fft.fftfreq(n)
    return np.asarray(3.0 / (2.0 + np.cos(2 * np.pi * k)))


@lru_cache(maxsize=8)
def scan_taps(
    shape: Shape, rotations: tuple[int, ...], stretch: float, skew: float, dtype: str
) -> tuple[sparse.csr_array, sparse.csr_array]:
    """Give the matrix, and its transpose, that reads each frame at u + stretch·u + skew·v.

    It acts on spline coefficients, flattened; the frame repeats periodically beyond its border.
    """
    ny, nx = shape[1:]
    coordinate = np.broadcast_arrays(centred(ny)[:, None], centred(nx)[None, :])
    index = np.arange(ny * nx).reshape(ny, nx)
    columns = np.empty((len(rotations), ny, nx, 4), np.int32)
    weights = np.empty(columns.shape, dtype)
    for frame, rotation in enumerate(rotations):
        (fast, fast_sign), (slow, slow_sign) = DIRECTIONS[rotation]
        # In the direction of the stored axis: sign·(stretch·sign·c_fast + skew·sign'·c_slow).
        shift = stretch * coordinate[fast] + skew * fast_sign * slow_sign * coordinate[slow]
        whole = np.floor(shift)
        weights[frame] = _cubic(shift - whole)
        start = np.arange(shape[1 + fast]).reshape((-1, 1) if fast == 0 else (1, -1))
        for tap in range(4):
            at = (start + whole.astype(int) + tap - 1) % shape[1 + fast]
            line = index[:1, :] if fast == 0 else index[:, :1]
            columns[frame, ..., tap] = frame * ny * nx + line + at * (nx if fast == 0 else 1)
    n = len(rotations) * ny * nx
    rows = np.arange(0, 4 * n + 1, 4, dtype=np.int32)
    taps = sparse.csr_array((weights.ravel(), columns.ravel(), rows), shape=(n, n))
    return taps, sparse.csr_array(taps.T)


def _cubic(t: Array) -> Array:
    """Give the four cubic B-spline weights of samples −1, 0, 1, 2 at 0 ≤ t < 1, on a last axis."""
    r = 1 - t
    inner = [2 / 3 - t**2 + t**3 / 2, 2 / 3 - r**2 + r**3 / 2]
    return np.stack([r**3 / 6, *inner, t**3 / 6], axis=-1)
