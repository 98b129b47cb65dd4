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

from ..numerics.fourier import centred, real_filter
from ..operator import Array, Operator, Shape
from .detect import counting, described

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
        out, s = np.empty_like(y), self.distortion / 100
        for i, rotation in enumerate(self.rotations):
            taps = scan_taps_transposed(y.shape[1:], rotation, s, y.dtype.char)
            out[i] = (taps @ y[i].ravel()).reshape(y.shape[1:])
        return out

    def _filtered(self, x: Array, frame: int) -> Array:
        """Turn samples into spline coefficients along the fast axis; its own adjoint."""
        axis = DIRECTIONS[self.rotations[frame]][0][0]
        transfer = spline_transfer(x.shape[1 + axis], half=True)
        return real_filter(x[frame], transfer if axis else transfer[:, None], (axis,))


def spline_transfer(n: int, half: bool) -> Array:
    """Return one over the transfer function (1, 4, 1)/6 of a sampled cubic B-spline."""
    k = fft.rfftfreq(n) if half else fft.fftfreq(n)
    return np.asarray(3.0 / (2.0 + np.cos(2 * np.pi * k)))


def read_frames(coefficients: Array, rotations: Sequence[int], s: float) -> Array:
    """Evaluate the splines of each frame (y, x) at u + s·(u + v), periodic beyond the border."""
    out, shape = np.empty_like(coefficients), coefficients.shape[1:]
    for i, rotation in enumerate(rotations):
        taps = scan_taps(shape, rotation, s, coefficients.dtype.char)
        out[i] = (taps @ coefficients[i].ravel()).reshape(shape)
    return out


@lru_cache(maxsize=8)
def scan_taps(shape: Shape, rotation: int, s: float, dtype: str) -> sparse.csr_array:
    """Return the matrix that reads a frame at u + s·(u + v), from spline coefficients, flattened.

    Four taps a row. They depend on u + v alone, so they are computed once along a line.
    """
    (fast, fast_sign), (_, slow_sign) = DIRECTIONS[rotation]
    # The shift along the stored axis: sign·s·(sign·c_fast + sign'·c_slow).
    sign = fast_sign * slow_sign
    shift = s * centred(sum(shape) - 1)
    whole = np.floor(shift).astype(np.int32)
    y, x = np.indices(shape, np.int32, sparse=True)
    along, across = (x, y) if fast == 1 else (y, x)
    place = along + across if sign > 0 else along - across + (shape[1 - fast] - 1)
    at = (along + whole[place] - 1)[..., None] + np.arange(4, dtype=np.int32)
    at %= shape[fast]
    columns = y[..., None] * shape[1] + at if fast == 1 else at * shape[1] + x[..., None]
    weights = _cubic(shift - whole).astype(dtype)[place]
    size = shape[0] * shape[1]
    rows = np.arange(0, 4 * size + 1, 4, dtype=np.int32)
    return sparse.csr_array((weights.ravel(), columns.ravel(), rows), shape=(size, size))


@lru_cache(maxsize=8)
def scan_taps_transposed(shape: Shape, rotation: int, s: float, dtype: str) -> sparse.csr_array:
    """Return the transpose of ``scan_taps`` by rows: reading is twice as fast as scattering."""
    return sparse.csr_array(scan_taps(shape, rotation, s, dtype).T)


def _cubic(t: Array) -> Array:
    """Return the cubic B-spline weights of samples −1, 0, 1, 2 at 0 ≤ t < 1, on a last axis."""
    r = 1 - t
    inner = [2 / 3 - t**2 + t**3 / 2, 2 / 3 - r**2 + r**3 / 2]
    return np.stack([r**3 / 6, *inner, t**3 / 6], axis=-1)
