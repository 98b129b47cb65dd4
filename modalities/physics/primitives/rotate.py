"""R, rotate: the sample or the gantry turns.

A positive angle carries content from +x towards +y (on an image shown with y downwards, clockwise).
A turn is three Fourier shears (Unser, Thévenaz & Yaroslavsky 1995): x by −tan(φ/2)·y, y by
sin(φ)·x, x by −tan(φ/2)·y. Each is smooth in φ; the image is embedded in one twice as wide, so that
what leaves does not come back on the other side.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from ..numerics.fourier import centred, cut, embed, ramp, real_filter
from ..operator import Array, Operator, Shape


class InPlane(Operator):
    """Turn an image, or every plane across ``axis`` of a volume, by ``angle`` degrees.

    The plane's first axis counts as y, its second as x. |angle| ≤ 90: beyond, three shears tear the
    image apart. The adjoint shears back in the opposite order, almost the turn by −angle.
    """

    def __init__(self, in_shape: Shape, angle: float = 0.0, axis: int = 0) -> None:
        if len(in_shape) not in (2, 3):
            raise ValueError(f"rotate takes an image or a volume, got {in_shape}.")
        if abs(angle) > 90:
            raise ValueError(f"angle must lie within ±90°, got {angle}.")
        self.in_shape = self.out_shape = in_shape
        self.angle, self.axis = angle, axis
        self._turn = _Shears(_planes(in_shape, axis), angle)

    def describe(self) -> str:
        about = f" about axis {self.axis}" if len(self.in_shape) == 3 else ""
        return f"rotate/in_plane {self.in_shape}: {self.angle:g}°{about}"

    def _apply(self, x: Array) -> Array:
        return self._through(x, self._turn.forward)

    def _adjoint(self, y: Array) -> Array:
        return self._through(y, self._turn.back)

    def _through(self, x: Array, turn: Callable[[Array], Array]) -> Array:
        if x.ndim == 2:
            return turn(x)
        return np.moveaxis(turn(np.moveaxis(x, self.axis, 0)), 0, self.axis)


class Views(Operator):
    """Turn an image (ny, nx) to each of ``angles`` = [first, step, views]: (views, ny, nx).

    Quarter turns are exact and the rest at most 45° of shears; ``offset`` is an error of all
    angles, in degrees. The adjoint turns every view back and sums.
    """

    def __init__(self, in_shape: Shape, angles: Sequence[float], offset: float = 0.0) -> None:
        first, step, views = angles
        nominal = first + step * np.arange(int(views))
        self.angles = nominal + offset
        self._quarters = np.round(nominal / 90).astype(int)
        if len(in_shape) != 2 or (in_shape[0] != in_shape[1] and self._quarters.any()):
            raise ValueError(f"views beyond 45° need a square image, got {in_shape}.")
        self._turns = [_Shears(in_shape, a) for a in self.angles - 90.0 * self._quarters]
        self.in_shape, self.out_shape = in_shape, (int(views), *in_shape)

    def describe(self) -> str:
        return (
            f"rotate/views {self.in_shape}: {len(self.angles)} views from {self.angles[0]:g}° "
            f"to {self.angles[-1]:g}°"
        )

    def _apply(self, x: Array) -> Array:
        pairs = zip(self._turns, self._quarters, strict=True)
        return np.stack([t.forward(np.rot90(x, q, axes=(1, 0))) for t, q in pairs])

    def _adjoint(self, y: Array) -> Array:
        views = zip(self._turns, self._quarters, y, strict=True)
        return np.asarray(sum(np.rot90(t.back(v), -q, axes=(1, 0)) for t, q, v in views))


class _Shears:
    """Three shears of the last two axes, inside a frame of twice the size."""

    def __init__(self, shape: Shape, degrees: float) -> None:
        self._shape = shape
        *rest, ny, nx = shape
        self._start = (*(0 for _ in rest), ny // 2, nx // 2)
        self._frame = (*rest, ny + 2 * (ny // 2), nx + 2 * (nx // 2))
        phi = np.deg2rad(degrees)
        my, mx = self._frame[-2:]
        along_x = ramp(mx, -np.tan(phi / 2) * centred(my))
        along_y = ramp(my, np.sin(phi) * centred(mx)).T
        self._steps = [(along_x, -1), (along_y, -2), (along_x, -1)]

    def forward(self, x: Array) -> Array:
        x = embed(x, self._frame, self._start)
        for phase, axis in self._steps:
            x = real_filter(x, phase, (axis,))
        return cut(x, self._shape, self._start)

    def back(self, y: Array) -> Array:
        y = embed(y, self._frame, self._start)
        for phase, axis in reversed(self._steps):
            y = real_filter(y, np.conj(phase), (axis,))
        return cut(y, self._shape, self._start)


def _planes(in_shape: Shape, axis: int) -> Shape:
    if len(in_shape) == 2:
        return in_shape
    rest = [n for a, n in enumerate(in_shape) if a != axis % 3]
    return (in_shape[axis], *rest)
