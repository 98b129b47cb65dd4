"""A slab to paint specimens on, for electron tomography.

Lengths are in nm on the catalogue's slab, axes (z, x, y), zero in its middle. A grid of another
shape holds the same slab, sampled otherwise.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from scipy import fft, ndimage

from ..numerics.footprint import centres
from ..operator import Array
from ..spec import Spec

# The catalogue's slab: voxels, and the length of one in nm.
REFERENCE = (32, 512, 32)
VOXEL = 2.5
# Half extents (z, x, y), in nm, of the bar that specimens may fill. It stays in the field at every
# tilt, with the margin that the widest probe and the largest turn of the tilt axis need.
EXTENT = (32.5, 600.0, 27.5)
# Standard deviation, in voxels, of the Gaussian that limits every specimen's band: at the grid's
# highest frequency it passes 9 %.
SOFTNESS = 0.7

Place = tuple[float, float, float]


class Mask(NamedTuple):
    """How far a shape covers the voxels of a box: ``share`` in [0, 1] at ``where``."""

    where: tuple[slice, ...]
    share: Array


@dataclass
class Canvas:
    """A volume that shapes are painted on; ``axes`` are its coordinates in nm.

    They broadcast: z has the shape (nz, 1, 1), x (1, nx, 1), y (1, 1, ny). ``scale`` is voxels
    per nm.
    """

    density: Array
    axes: tuple[Array, ...]
    scale: float
    rng: np.random.Generator
    taken: list[tuple[Array, float]] = field(default_factory=list)

    @classmethod
    def of(cls, spec: Spec, rng: np.random.Generator) -> Canvas:
        """Make an empty canvas on the grid of ``spec``."""
        scales = [n / (r * VOXEL) for n, r in zip(spec.shape, REFERENCE, strict=True)]
        z, x, y = (centres(n) / s for n, s in zip(spec.shape, scales, strict=True))
        axes = z[:, None, None], x[None, :, None], y[None, None, :]
        return cls(np.zeros(spec.shape), axes, min(scales), rng)

    def paint(self, mask: Mask, density: float | Array) -> None:
        """Replace what is there by ``density``, as far as ``mask`` covers it."""
        old = self.density[mask.where]
        new = density[mask.where] if isinstance(density, np.ndarray) else density
        self.density[mask.where] = old + mask.share * (new - old)

    def draw(self, low: float, high: float) -> float:
        """Draw a number uniformly between ``low`` and ``high``."""
        return float(self.rng.uniform(low, high))

    def inside(self, *margins: float) -> Place:
        """Draw a place as far from the border of the bar: one margin, or one per axis."""
        ez, ex, ey = (max(e - m, 0.0) for e, m in zip(EXTENT, (margins * 3)[:3], strict=True))
        return self.draw(-ez, ez), self.draw(-ex, ex), self.draw(-ey, ey)

    def direction(self) -> Array:
        """Draw a direction (z, x, y), all alike likely."""
        v = self.rng.standard_normal(3)
        return np.asarray(v / np.linalg.norm(v))

    def kept(self, place: Array, margin: float) -> Place:
        """Return the nearest place that is ``margin`` from the border of the bar."""
        limit = np.maximum(np.asarray(EXTENT) - margin, 0.0)
        z, x, y = np.clip(place, -limit, limit)
        return float(z), float(x), float(y)

    def claim(self, points: Sequence[Place], radius: float, gap: float = 0.0) -> bool:
        """Take the balls of ``radius`` about ``points``, unless others are nearer than ``gap``."""
        new = np.asarray(points)
        for old, other in self.taken:
            distance = np.linalg.norm(new[:, None] - old[None], axis=-1).min()
            if distance < radius + other + gap:
                return False
        self.taken.append((new, radius))
        return True

    def solid(self, depth: Array) -> Array:
        """Turn depth below a surface (nm) into shares, with an edge of one voxel."""
        return np.clip(depth * self.scale + 0.5, 0.0, 1.0)

    def everywhere(self, share: Array) -> Mask:
        """Cover the whole volume by ``share``."""
        return Mask((slice(None),) * 3, share)

    def bar(self, depth: float = EXTENT[0]) -> Array:
        """Return the depth below the surface of the bar, or of a film ``depth`` to either side."""
        (_, ex, ey), (z, x, y), round_off = EXTENT, self.axes, 15.0
        dx, dy = np.abs(x) - (ex - round_off), np.abs(y) - (ey - round_off)
        across = round_off - np.hypot(np.maximum(dx, 0.0), np.maximum(dy, 0.0))
        return np.minimum(depth - np.abs(z), across)

    def ellipsoid(self, centre: Place, radii: Place) -> Mask:
        """Cover an ellipsoid; ``radii`` along (z, x, y) as ``centre``."""
        where, offsets = self.box(centre, radii)
        r = np.sqrt(sum((d / a) ** 2 for d, a in zip(offsets, radii, strict=True)))
        return Mask(where, self.solid((1.0 - r) * min(radii)))

    def ball(self, centre: Place, radius: float) -> Mask:
        """Cover a ball."""
        return self.ellipsoid(centre, (radius, radius, radius))

    def rod(self, ends: tuple[Place, Place], radius: float) -> Mask:
        """Cover a rod with round ends, its axis between ``ends``."""
        start, stop = np.asarray(ends[0]), np.asarray(ends[1])
        reach = np.abs(stop - start) / 2 + radius
        middle: Place = tuple((start + stop) / 2)
        where, offsets = self.box(middle, tuple(reach))
        half = (stop - start) / 2
        share = sum(h * d for h, d in zip(half, offsets, strict=True)) / max(half @ half, 1e-9)
        share = np.clip(share, -1.0, 1.0)
        off = sum((d - h * share) ** 2 for h, d in zip(half, offsets, strict=True))
        return Mask(where, self.solid(radius - np.sqrt(off)))

    def texture(self, size: float) -> Array:
        """Draw smooth noise of mean 0 and standard deviation 1; the grains' sigma is ``size``."""
        sigma = [size * n / (r * VOXEL) for n, r in zip(self.density.shape, REFERENCE, strict=True)]
        white = self.rng.standard_normal(self.density.shape)
        noise = ndimage.gaussian_filter(white, sigma)
        return np.asarray((noise - noise.mean()) / noise.std())

    def waves(self, length: float, spread: float, count: int = 80) -> Array:
        """Sum random plane waves of about one wavelength: mean 0, standard deviation 1.

        Cahn (1965): the concentration in a mixture that separates by spinodal decomposition.
        """
        widths = length * np.maximum(1 + spread * self.rng.standard_normal(count), 0.3)
        k = 2 * np.pi / widths[:, None] * np.array([self.direction() for _ in range(count)])
        z, x, y = (np.exp(1j * np.outer(n, a)) for n, a in zip(k.T, self.axes, strict=True))
        z *= np.exp(1j * self.rng.uniform(0, 2 * np.pi, count))[:, None]
        sheets = (x[:, :, None] * y[:, None, :]).reshape(count, -1)
        total = (z.real.T @ sheets.real - z.imag.T @ sheets.imag).reshape(self.density.shape)
        return np.asarray(total * np.sqrt(2.0 / count))

    def box(self, centre: Place, reach: Place) -> tuple[tuple[slice, ...], list[Array]]:
        """Find the voxels within ``reach`` of ``centre``, and their offsets from it."""
        where, offsets = [], []
        for axis, c, r in zip(self.axes, centre, reach, strict=True):
            far = r + 1.0 / self.scale
            low, high = np.searchsorted(axis.ravel(), (c - far, c + far))
            where.append(slice(int(low), int(high)))
            offsets.append(
                axis.ravel()[low:high].reshape([-1 if n > 1 else 1 for n in axis.shape]) - c
            )
        return tuple(where), offsets

    def finished(self) -> Array:
        """Limit the band by a Gaussian, and keep to [0, 1]."""
        spectrum = fft.rfftn(self.density)
        *slow, last = self.density.shape
        frequencies = [*(fft.fftfreq(n) for n in slow), fft.rfftfreq(last)]
        for axis, k in enumerate(frequencies):
            low_pass = np.exp(-2.0 * np.pi**2 * SOFTNESS**2 * k**2)
            spectrum *= low_pass.reshape([-1 if a == axis else 1 for a in range(3)])
        return np.asarray(np.clip(fft.irfftn(spectrum, self.density.shape), 0.0, 1.0))
