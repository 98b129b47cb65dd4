"""Four specimens for electron tomography, as HAADF density in [0, 1].

Axes f[z, x, y]; lengths are given for the catalogue's slab of 32 × 256 × 64 voxels and scale with
the grid. Positions, sizes and densities are drawn, so each seed is another specimen of its kind.
Everything lies inside a soft-edged region that stays in the field of view at every tilt.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from scipy import fft, ndimage

from ..operator import Array
from ..primitives.footprint import centres
from ..spec import Spec

# Standard deviation, in voxels, of the Gaussian that limits every specimen's band: at the grid's
# highest frequency it passes 9 %.
SOFTNESS = 0.7
# Half extents (z, x, y) of the region that specimens may fill, in voxels of the catalogue's slab.
EXTENT = (13.0, 112.0, 27.0)
REFERENCE = (32, 256, 64)


@dataclass
class Canvas:
    """A volume that shapes are painted on, with its coordinates in reference voxels."""

    density: Array
    z: Array
    x: Array
    y: Array
    scale: float
    rng: np.random.Generator

    def paint(self, mask: Array, density: float | Array) -> None:
        """Replace what is there by ``density``, as far as ``mask`` in [0, 1] covers it."""
        self.density += mask * (density - self.density)

    def draw(self, low: float, high: float) -> float:
        """Draw a number uniformly between ``low`` and ``high``."""
        return float(self.rng.uniform(low, high))

    def solid(self, depth: Array) -> Array:
        """Turn depth below a surface (reference voxels) into a mask with an edge of one voxel."""
        return np.clip(depth * self.scale + 0.5, 0.0, 1.0)

    def ellipsoid(self, centre: tuple[float, float, float], radii: tuple[float, ...]) -> Array:
        """Mask an ellipsoid; ``radii`` along (z, x, y) as ``centre``."""
        r = self._radius(centre, radii)
        return self.solid((1.0 - r) * min(radii))

    def shell(
        self, centre: tuple[float, float, float], radii: tuple[float, ...], t: float
    ) -> Array:
        """Mask the wall, ``t`` thick, of a hollow ellipsoid."""
        inner = tuple(r - t for r in radii)
        return self.ellipsoid(centre, radii) - self.ellipsoid(centre, inner)

    def rod(
        self,
        centre: tuple[float, float, float],
        angles: tuple[float, float],
        length: float,
        radius: float,
    ) -> Array:
        """Mask a rod with round ends; ``angles`` are its azimuth from x to y and its elevation."""
        azimuth, elevation = angles
        axis = np.array(
            [
                np.sin(elevation),
                np.cos(elevation) * np.cos(azimuth),
                np.cos(elevation) * np.sin(azimuth),
            ]
        )
        d = [c - c0 for c, c0 in zip((self.z, self.x, self.y), centre, strict=True)]
        along = sum(a * c for a, c in zip(axis, d, strict=True))
        along = np.clip(along, -length / 2, length / 2)
        off = sum((c - a * along) ** 2 for a, c in zip(axis, d, strict=True))
        return self.solid(radius - np.sqrt(off))

    def texture(self, size: float) -> Array:
        """Draw smooth noise of mean 0 and standard deviation 1, grains ``size`` voxels wide."""
        noise = ndimage.gaussian_filter(
            self.rng.standard_normal(self.density.shape), size * self.scale
        )
        return np.asarray((noise - noise.mean()) / noise.std())

    def inside(self, *margins: float) -> tuple[float, float, float]:
        """Draw a place as far from the border of the region: one margin, or one per axis."""
        ez, ex, ey = (max(e - m, 0.0) for e, m in zip(EXTENT, (margins * 3)[:3], strict=True))
        return self.draw(-ez, ez), self.draw(-ex, ex), self.draw(-ey, ey)

    def _radius(self, centre: tuple[float, float, float], radii: tuple[float, ...]) -> Array:
        parts = zip((self.z, self.x, self.y), centre, radii, strict=True)
        return np.asarray(np.sqrt(sum(((c - c0) / r) ** 2 for c, c0, r in parts)))


def gold_on_carbon(spec: Spec, rng: np.random.Generator) -> Array:
    """Gold particles on both faces of a thin, buckled carbon film, with four larger fiducials."""
    c = _canvas(spec, rng)
    tilt_x, tilt_y = c.draw(-0.03, 0.03), c.draw(-0.04, 0.04)
    middle = 2.0 * np.sin(c.x / c.draw(28, 40) + c.draw(0, 6)) + tilt_x * c.x + tilt_y * c.y
    film = c.solid(2.5 - np.abs(c.z - middle)) * _patch(c)
    c.paint(film, 0.16 + 0.02 * c.texture(1.5))
    for i in range(70):
        _, x, y = c.inside(7.0)
        radius = c.draw(4.0, 4.6) if i < 4 else c.draw(1.7, 3.6)
        height = float(2.0 * np.sin(x / 34.0)) + tilt_x * x + tilt_y * y
        side = 1.0 if rng.random() < 0.5 else -1.0
        z = float(np.clip(height + side * (2.0 + radius), radius - 13, 13 - radius))
        density = 1.0 if i < 4 else c.draw(0.75, 0.95)
        c.paint(c.ellipsoid((z, x, y), (radius, radius * c.draw(0.9, 1.2), radius)), density)
    return _finished(c)


def porous_grain(spec: Spec, rng: np.random.Generator) -> Array:
    """A porous support grain, its pores partly joined, loaded with metal particles."""
    c = _canvas(spec, rng)
    radii = (c.draw(10.5, 12.0), c.draw(95.0, 105.0), c.draw(22.0, 25.0))
    grain = c.ellipsoid((0.0, 0.0, 0.0), radii)
    c.paint(grain, 0.42 + 0.02 * c.texture(2.0))
    pores = [(c.inside(4.0), c.draw(3.0, 6.0)) for _ in range(110)]
    for place, r in pores:
        c.paint(c.ellipsoid(place, (r, r * c.draw(1.0, 1.8), r)), 0.0)
    for place, r in pores[:60]:
        z, x, y = place
        theta, phi = c.draw(0, 2 * np.pi), c.draw(0, np.pi)
        wall = (
            z + r * np.cos(phi),
            x + r * np.sin(phi) * np.cos(theta),
            y + r * np.sin(phi) * np.sin(theta),
        )
        size = c.draw(1.5, 2.4)
        c.paint(c.ellipsoid(wall, (size,) * 3) * grain, c.draw(0.8, 1.0))
    return _finished(c)


def core_shell(spec: Spec, rng: np.random.Generator) -> Array:
    """Core-shell particles and coated rods, free of each other or touching."""
    c = _canvas(spec, rng)
    c.paint(c.solid(1.2 - np.abs(c.z + 12.0)) * _patch(c), 0.12)
    for _ in range(14):
        place, angles = c.inside(7.0, 17.0, 14.0), (c.draw(-0.6, 0.6), c.draw(-0.2, 0.2))
        length, radius = c.draw(14.0, 26.0), c.draw(2.8, 4.0)
        c.paint(c.rod(place, angles, length, radius), 0.4)
        c.paint(c.rod(place, angles, length, radius - 1.7), c.draw(0.85, 1.0))
    for _ in range(16):
        r, wall = c.draw(4.5, 8.5), c.draw(1.6, 2.6)
        place = c.inside(r + 1.0)
        c.paint(c.ellipsoid(place, (r, r, r)), c.draw(0.4, 0.55))
        c.paint(c.ellipsoid(place, (r - wall,) * 3), c.draw(0.8, 1.0))
    return _finished(c)


def vesicles(spec: Spec, rng: np.random.Generator) -> Array:
    """Vesicles with a membrane and ribosomes of two parts, stained, in ice; with fiducials."""
    c = _canvas(spec, rng)
    c.paint(c.solid(12.5 - np.abs(c.z)) * _patch(c), 0.10 + 0.01 * c.texture(2.0))
    for _ in range(13):
        r = c.draw(6.0, 11.0)
        place = c.inside(r + 1.0)
        radii = (min(r, 11.0), r * c.draw(1.0, 1.3), r)
        c.paint(c.ellipsoid(place, radii), c.draw(0.05, 0.2))
        c.paint(c.shell(place, radii, 2.4), c.draw(0.5, 0.6))
    for _ in range(40):
        z, x, y = c.inside(4.0)
        r, turn = c.draw(2.2, 3.2), c.draw(0, np.pi)
        c.paint(c.ellipsoid((z, x, y), (r, r, r)), 0.6)
        small = (z + 1.0, x + 1.2 * r * np.cos(turn), y + 1.2 * r * np.sin(turn))
        c.paint(c.ellipsoid(small, (r * 0.7,) * 3), 0.5)
    for _ in range(6):
        c.paint(c.ellipsoid(c.inside(4.0), (c.draw(2.4, 3.0),) * 3), 1.0)
    return _finished(c)


PHANTOMS: Mapping[str, Callable[[Spec, np.random.Generator], Array]] = {
    "gold_on_carbon": gold_on_carbon,
    "porous_grain": porous_grain,
    "core_shell": core_shell,
    "vesicles": vesicles,
}


def _canvas(spec: Spec, rng: np.random.Generator) -> Canvas:
    scales = [n / r for n, r in zip(spec.shape, REFERENCE, strict=True)]
    axes = [centres(n) / s for n, s in zip(spec.shape, scales, strict=True)]
    z, x, y = np.meshgrid(*axes, indexing="ij")
    return Canvas(np.zeros(spec.shape), z, x, y, min(scales), rng)


def _patch(c: Canvas) -> Array:
    """Mask the region in the plane (x, y): a rectangle with round corners."""
    _, ex, ey = EXTENT
    dx, dy = np.abs(c.x) - (ex - 8.0), np.abs(c.y) - (ey - 8.0)
    return c.solid(8.0 - np.hypot(np.maximum(dx, 0.0), np.maximum(dy, 0.0)))


def _finished(c: Canvas) -> Array:
    """Limit the band by a Gaussian, and keep to [0, 1]."""
    spectrum = fft.rfftn(c.density)
    k2 = sum(
        (k**2).reshape([-1 if a == axis else 1 for a in range(3)])
        for axis, k in enumerate(
            [*(fft.fftfreq(n) for n in c.density.shape[:2]), fft.rfftfreq(c.density.shape[2])]
        )
    )
    spectrum *= np.exp(-2.0 * np.pi**2 * SOFTNESS**2 * k2)
    return np.asarray(np.clip(fft.irfftn(spectrum, c.density.shape), 0.0, 1.0))
