"""F, sample: the Fourier transform is read at some of its points.

Frequencies count from the middle, in cycles per field of view, and positions from the middle of the
image; the transform is unitary, so that a full reading keeps the norm. Data are complex. With
``real`` the object is real, and the adjoint's imaginary part is dropped.
"""

from __future__ import annotations

import numpy as np

from ..numerics.fourier import centred
from ..operator import Array, Operator, Shape


class _Fourier(Operator):
    """Sum of x(r)·exp(−2πi k·r), over √N; the exponentials are kept per axis."""

    def __init__(self, in_shape: Shape, real: bool) -> None:
        if len(in_shape) != 2:
            raise ValueError(f"sample takes an image (ny, nx), got {in_shape}.")
        self.in_shape, self.real = in_shape, real
        self.in_dtype = float if real else complex
        self.out_dtype = complex

    def _waves(self, k: Array, axis: int, like: Array) -> Array:
        """Return exp(−2πi k·r)/√n along an axis: (frequencies, n), in the precision of ``like``."""
        n = self.in_shape[axis]
        waves = np.exp(-2j * np.pi * np.outer(k / n, centred(n))) / np.sqrt(n)
        return np.asarray(waves, np.result_type(like.dtype, np.complex64))

    def _object(self, x: Array) -> Array:
        return np.ascontiguousarray(x.real) if self.real else x


class Cartesian(_Fourier):
    """Read whole lines of k-space: (ny, nx) → (lines, nx), complex.

    Every ``acceleration``-th line and the ``centre`` lines in the middle. ``shift_y`` and
    ``shift_x`` displace the trajectory by a fraction of a sample, as a gradient delay does.
    """

    def __init__(
        self,
        in_shape: Shape,
        acceleration: int = 1,
        centre: int = 0,
        shift_y: float = 0.0,
        shift_x: float = 0.0,
        real: bool = True,
    ) -> None:
        super().__init__(in_shape, real)
        if acceleration < 1:
            raise ValueError(f"acceleration must be at least 1, got {acceleration}.")
        ny, nx = in_shape
        k = np.arange(ny) - ny // 2
        self.lines = k[(k % acceleration == 0) | ((k >= -(centre // 2)) & (k < (centre + 1) // 2))]
        self.acceleration, self.shift = acceleration, (shift_y, shift_x)
        self.out_shape = (len(self.lines), nx)

    def describe(self) -> str:
        return (
            f"sample/cartesian {self.in_shape} → {self.out_shape}: {len(self.lines)} lines, "
            f"acceleration {self.acceleration}, trajectory displaced by "
            f"({self.shift[0]:g}, {self.shift[1]:g}) samples"
        )

    def _apply(self, x: Array) -> Array:
        down, across = self._exponentials(x)
        return down @ x @ across.T

    def _adjoint(self, y: Array) -> Array:
        down, across = self._exponentials(y)
        return self._object(down.conj().T @ y @ across.conj())

    def _exponentials(self, like: Array) -> tuple[Array, Array]:
        nx = self.in_shape[1]
        across = np.arange(nx) - nx // 2 + self.shift[1]
        return self._waves(self.lines + self.shift[0], 0, like), self._waves(across, 1, like)


class Radial(_Fourier):
    """Read k-space along spokes through its middle: (ny, nx) → (spokes, nx), complex.

    ``angle`` turns all spokes (degrees) and ``delay`` displaces the samples along each of them.
    The sum is computed directly, without gridding: exact, and meant for small images.
    """

    def __init__(
        self,
        in_shape: Shape,
        spokes: int,
        angle: float = 0.0,
        delay: float = 0.0,
        real: bool = True,
    ) -> None:
        super().__init__(in_shape, real)
        self.spokes, self.angle, self.delay = spokes, angle, delay
        self.out_shape = (spokes, in_shape[1])

    def describe(self) -> str:
        return (
            f"sample/radial {self.in_shape} → {self.out_shape}: {self.spokes} spokes turned by "
            f"{self.angle:g}°, delay {self.delay:g} samples"
        )

    def _apply(self, x: Array) -> Array:
        down, across = self._exponentials(x)
        return np.asarray(np.sum((down @ x) * across, axis=1)).reshape(self.out_shape)

    def _adjoint(self, y: Array) -> Array:
        down, across = self._exponentials(y)
        return self._object(down.conj().T @ (y.reshape(-1, 1) * across.conj()))

    def _exponentials(self, like: Array) -> tuple[Array, Array]:
        n = self.in_shape[1]
        radius = np.arange(n) - n // 2 + self.delay
        theta = np.deg2rad(self.angle) + np.pi * np.arange(self.spokes) / self.spokes
        ky = np.multiply.outer(np.sin(theta), radius).ravel()
        kx = np.multiply.outer(np.cos(theta), radius).ravel()
        return self._waves(ky, 0, like), self._waves(kx, 1, like)
