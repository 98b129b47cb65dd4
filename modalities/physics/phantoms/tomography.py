"""Four specimens for electron tomography, as HAADF density in [0, 1].

Axes f[z, x, y]; lengths are given for the catalogue's slab of 32 × 256 × 64 voxels and scale with
the grid. Positions, sizes and densities are drawn, so each seed is another specimen of its kind.
Everything lies inside a soft-edged region that stays in the field of view at every tilt.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy import fft, ndimage

from ..numerics.footprint import centres
from ..operator import Array
from ..spec import Spec

# Standard deviation, in voxels, of the Gaussian that limits every specimen's band: at the grid's
# highest frequency it passes 9 %.
SOFTNESS = 0.7
# Half extents (z, x, y) of the region that specimens may fill, in voxels of the catalogue's slab.
EXTENT = (13.0, 112.0, 27.0)
REFERENCE = (32, 256, 64)

Place = tuple[float, float, float]


class Mask(NamedTuple):
    """How far a shape covers the voxels of a box: ``share`` in [0, 1] at ``where``."""

    where: tuple[slice, ...]
    share: Array


@dataclass
class Canvas:
    """A volume that shapes are painted on; ``axes`` are its coordinates in reference voxels.

    They broadcast: z has the shape (nz, 1, 1), x (1, nx, 1), y (1, 1, ny).
    """

    density: Array
    axes: tuple[Array, ...]
    scale: float
    rng: np.random.Generator

    def paint(self, mask: Mask, density: float | Array) -> None:
        """Replace what is there by ``density``, as far as ``mask`` covers it."""
        old = self.density[mask.where]
        new = density[mask.where] if isinstance(density, np.ndarray) else density
        self.density[mask.where] = old + mask.share * (new - old)

    def draw(self, low: float, high: float) -> float:
        """Draw a number uniformly between ``low`` and ``high``."""
        return float(self.rng.uniform(low, high))

    def inside(self, *margins: float) -> Place:
        """Draw a place as far from the border of the region: one margin, or one per axis."""
        ez, ex, ey = (max(e - m, 0.0) for e, m in zip(EXTENT, (margins * 3)[:3], strict=True))
        return self.draw(-ez, ez), self.draw(-ex, ex), self.draw(-ey, ey)

    def solid(self, depth: Array) -> Array:
        """Turn depth below a surface (reference voxels) into shares, with an edge of one voxel."""
        return np.clip(depth * self.scale + 0.5, 0.0, 1.0)

    def everywhere(self, share: Array) -> Mask:
        """Cover the whole volume by ``share``."""
        return Mask((slice(None),) * 3, share)

    def ellipsoid(self, centre: Place, radii: Place) -> Mask:
        """Cover an ellipsoid; ``radii`` along (z, x, y) as ``centre``."""
        where, offsets = self._box(centre, radii)
        r = np.sqrt(sum((d / a) ** 2 for d, a in zip(offsets, radii, strict=True)))
        return Mask(where, self.solid((1.0 - r) * min(radii)))

    def ball(self, centre: Place, radius: float) -> Mask:
        """Cover a ball."""
        return self.ellipsoid(centre, (radius, radius, radius))

    def rod(self, centre: Place, angles: tuple[float, float], length: float, radius: float) -> Mask:
        """Cover a rod with round ends; ``angles``: azimuth from x to y, and elevation."""
        azimuth, elevation = angles
        flat = np.cos(elevation)
        axis = (np.sin(elevation), flat * np.cos(azimuth), flat * np.sin(azimuth))
        reach = length / 2 + radius
        where, offsets = self._box(centre, (reach, reach, reach))
        along = sum(a * d for a, d in zip(axis, offsets, strict=True))
        along = np.clip(along, -length / 2, length / 2)
        off = sum((d - a * along) ** 2 for a, d in zip(axis, offsets, strict=True))
        return Mask(where, self.solid(radius - np.sqrt(off)))

    def texture(self, size: float) -> Array:
        """Draw smooth noise of mean 0 and standard deviation 1, grains ``size`` voxels wide."""
        white = self.rng.standard_normal(self.density.shape)
        noise = ndimage.gaussian_filter(white, size * self.scale)
        return np.asarray((noise - noise.mean()) / noise.std())

    def _box(self, centre: Place, reach: Place) -> tuple[tuple[slice, ...], list[Array]]:
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


def gold_on_carbon(spec: Spec, rng: np.random.Generator) -> Array:
    """Gold particles on both faces of a thin, buckled carbon film, with four larger fiducials."""
    c = _canvas(spec, rng)
    tilt_x, tilt_y = c.draw(-0.03, 0.03), c.draw(-0.04, 0.04)
    wave, phase = c.draw(28, 40), c.draw(0, 6)

    def surface(x: Array | float, y: Array | float) -> Array:
        return 2.0 * np.sin(x / wave + phase) + tilt_x * x + tilt_y * y

    z, x, y = c.axes
    film = c.solid(2.5 - np.abs(z - surface(x, y))) * _patch(c)
    c.paint(c.everywhere(film), 0.06 + 0.01 * c.texture(1.5))
    for i in range(45):
        _, px, py = c.inside(7.0)
        radius = c.draw(4.0, 4.6) if i < 4 else c.draw(1.7, 3.6)
        height = float(surface(px, py))
        side = 1.0 if rng.random() < 0.5 else -1.0
        pz = float(np.clip(height + side * (2.0 + radius), radius - 13, 13 - radius))
        density = 1.0 if i < 4 else c.draw(0.75, 0.95)
        c.paint(c.ellipsoid((pz, px, py), (radius, radius * c.draw(0.9, 1.2), radius)), density)
    return _finished(c)


def porous_grain(spec: Spec, rng: np.random.Generator) -> Array:
    """A porous support grain, its pores partly joined, loaded with metal particles."""
    c = _canvas(spec, rng)
    radii = (c.draw(10.0, 12.0), c.draw(65.0, 80.0), c.draw(19.0, 22.0))
    grain = c.ellipsoid((0.0, 0.0, 0.0), radii)
    c.paint(grain, 0.25 + 0.01 * c.texture(2.0))
    drawn = [(c.inside(4.0, 45.0, 9.0), c.draw(3.0, 6.0)) for _ in range(90)]
    pores = [(p, r) for p, r in drawn if np.hypot(p[1] / radii[1], p[2] / radii[2]) < 0.9]
    for place, r in pores:
        c.paint(c.ellipsoid(place, (r, r * c.draw(1.0, 1.8), r)), 0.0)
    for place, r in pores[:40]:
        z, x, y = place
        theta, phi = c.draw(0, 2 * np.pi), c.draw(0, np.pi)
        wall = (
            z + r * np.cos(phi),
            x + r * np.sin(phi) * np.cos(theta),
            y + r * np.sin(phi) * np.sin(theta),
        )
        size = c.draw(1.5, 2.4)
        c.paint(c.ball(wall, size), c.draw(0.8, 1.0))
    return _finished(c)


def core_shell(spec: Spec, rng: np.random.Generator) -> Array:
    """Core-shell particles and coated rods, free of each other or touching."""
    c = _canvas(spec, rng)
    c.paint(c.everywhere(c.solid(1.2 - np.abs(c.axes[0] + 12.0)) * _patch(c)), 0.05)
    for _ in range(14):
        place, angles = c.inside(7.0, 17.0, 14.0), (c.draw(-0.6, 0.6), c.draw(-0.2, 0.2))
        length, radius = c.draw(14.0, 26.0), c.draw(2.8, 4.0)
        c.paint(c.rod(place, angles, length, radius), 0.4)
        c.paint(c.rod(place, angles, length, radius - 1.7), c.draw(0.85, 1.0))
    for _ in range(16):
        r, wall = c.draw(4.5, 8.5), c.draw(1.6, 2.6)
        place = c.inside(r + 1.0)
        c.paint(c.ball(place, r), c.draw(0.4, 0.55))
        c.paint(c.ball(place, r - wall), c.draw(0.8, 1.0))
    return _finished(c)


def vesicles(spec: Spec, rng: np.random.Generator) -> Array:
    """Vesicles with a membrane and ribosomes of two parts, stained, in ice; with fiducials."""
    c = _canvas(spec, rng)
    ice = c.solid(12.5 - np.abs(c.axes[0])) * _patch(c)
    c.paint(c.everywhere(ice), 0.05 + 0.005 * c.texture(2.0))
    for _ in range(13):
        r = c.draw(6.0, 11.0)
        place = c.inside(r + 1.0)
        radii = (min(r, 11.0), r * c.draw(1.0, 1.3), r)
        inner = (radii[0] - 2.4, radii[1] - 2.4, radii[2] - 2.4)
        c.paint(c.ellipsoid(place, radii), c.draw(0.5, 0.6))
        c.paint(c.ellipsoid(place, inner), c.draw(0.05, 0.2))
    for _ in range(40):
        z, x, y = c.inside(4.0)
        r, turn = c.draw(2.2, 3.2), c.draw(0, np.pi)
        c.paint(c.ball((z, x, y), r), 0.6)
        small = (z + 1.0, x + 1.2 * r * np.cos(turn), y + 1.2 * r * np.sin(turn))
        c.paint(c.ball(small, r * 0.7), 0.5)
    for _ in range(6):
        c.paint(c.ball(c.inside(4.0), c.draw(2.4, 3.0)), 1.0)
    return _finished(c)


PHANTOMS: Mapping[str, Callable[[Spec, np.random.Generator], Array]] = {
    "gold_on_carbon": gold_on_carbon,
    "porous_grain": porous_grain,
    "core_shell": core_shell,
    "vesicles": vesicles,
}


def _canvas(spec: Spec, rng: np.random.Generator) -> Canvas:
    scales = [n / r for n, r in zip(spec.shape, REFERENCE, strict=True)]
    z, x, y = (centres(n) / s for n, s in zip(spec.shape, scales, strict=True))
    axes = z[:, None, None], x[None, :, None], y[None, None, :]
    return Canvas(np.zeros(spec.shape), axes, min(scales), rng)


def _patch(c: Canvas) -> Array:
    """Mask the region in the plane (x, y): a rectangle with round corners."""
    _, ex, ey = EXTENT
    _, x, y = c.axes
    dx, dy = np.abs(x) - (ex - 8.0), np.abs(y) - (ey - 8.0)
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
