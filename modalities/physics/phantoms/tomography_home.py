"""Specimens for electron tomography at home, as HAADF density in [0, 1].

One is the densest matter that a specimen is studied for; other matter has its signal per volume
relative to that, Σ n·Z^1.7 with n atoms per volume. Positions, sizes and densities are drawn, so
each seed is another specimen of its kind. Sizes and densities, with their sources, are explained
in docs/decisions/tomography-scenes.md.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from ..operator import Array
from ..spec import Spec
from .canvas import EXTENT, Canvas, Place

# Signal per volume over that of gold.
CARBON = 0.021
SILVER = 0.41
# Signal per volume over that of platinum.
CERIA = 0.25
# Signal per volume over that of a ribosome stained with uranium and osmium.
ICE = 0.14


def gold_on_carbon(spec: Spec, rng: np.random.Generator) -> Array:
    """Evaporated islands of gold on a buckled carbon film, with gold beads on its other face."""
    c = Canvas.of(spec, rng)
    wave, phase = c.draw(250, 400), c.draw(0, 6)
    slope_x, slope_y = c.draw(-0.006, 0.006), c.draw(-0.04, 0.04)

    def middle(x: Array | float, y: Array | float) -> Array:
        return -8.0 + 3.0 * np.sin(2 * np.pi * x / wave + phase) + slope_x * x + slope_y * y

    z, x, y = c.axes
    film = c.solid(np.minimum(6.0 - np.abs(z - middle(x, y)), c.bar()))
    c.paint(c.everywhere(film), CARBON * (1 + 0.1 * c.texture(4.0)))
    above = c.solid(z - middle(x, y) - 6.0)
    for radius in sorted(rng.uniform(5.0, 20.0, 900), reverse=True):
        _, px, py = c.inside(radius)
        if not c.claim([(0.0, px, py)], radius, gap=-2.0):
            continue
        surface = float(middle(px, py)) + 6.0
        radii = (radius * c.draw(0.7, 0.95), radius, radius * c.draw(0.8, 1.0))
        island = c.ellipsoid((surface + 0.25 * radius, px, py), radii)
        c.paint(island._replace(share=island.share * above[island.where]), c.draw(0.9, 1.0))
    for _ in range(10):
        _, px, py = c.inside(8.0)
        c.paint(c.ball((float(middle(px, py)) - 13.5, px, py), 7.5), 1.0)
    return c.finished()


def porous_grain(spec: Spec, rng: np.random.Generator) -> Array:
    """Porous ceria, its pores joined, with platinum particles on their walls."""
    c = Canvas.of(spec, rng)
    grain = c.solid(np.minimum(c.bar(), c.bar() - 4.0 + 3.0 * c.texture(12.0)))
    c.paint(c.everywhere(grain), CERIA * (1 + 0.06 * c.texture(4.0)))
    pores = [(c.inside(0.0), c.draw(5.0, 20.0)) for _ in range(190)]
    for place, r in pores:
        c.paint(c.ellipsoid(place, (r, r * c.draw(1.0, 1.6), r)), 0.0)
    for place, r in pores:
        for _ in range(2):
            wall = c.kept(np.asarray(place) + 0.95 * r * c.direction(), 8.0)
            c.paint(c.ball(wall, c.draw(2.5, 6.0)), c.draw(0.9, 1.0))
    return c.finished()


def core_shell(spec: Spec, rng: np.random.Generator) -> Array:
    """Gold rods and spheres coated with silver, heaped on a carbon film."""
    c = Canvas.of(spec, rng)
    film = c.solid(np.minimum(4.0 - np.abs(c.axes[0] + EXTENT[0] - 4.0), c.bar()))
    c.paint(c.everywhere(film), CARBON)
    for _ in range(250):
        radius, shell, length = c.draw(6.0, 10.0), c.draw(3.0, 7.0), c.draw(25.0, 60.0)
        outer = radius + shell
        azimuth, rise = c.draw(-np.pi, np.pi), c.draw(-0.25, 0.25)
        half = length / 2 * np.array([rise, np.cos(azimuth), np.sin(azimuth)])
        middle = np.array(c.inside(outer + 4.0, outer, outer))
        ends = c.kept(middle - half, outer), c.kept(middle + half, outer)
        along = [tuple(point) for point in np.linspace(*ends, 9)]
        if c.claim(along, outer):
            c.paint(c.rod(ends, outer), SILVER * c.draw(0.95, 1.05))
            c.paint(c.rod(ends, radius), c.draw(0.95, 1.0))
    for _ in range(900):
        outer = c.draw(9.0, 20.0)
        place = c.inside(outer)
        if c.claim([place], outer):
            c.paint(c.ball(place, outer), SILVER * c.draw(0.95, 1.05))
            c.paint(c.ball(place, outer * c.draw(0.5, 0.75)), c.draw(0.95, 1.0))
    return c.finished()


def vesicles(spec: Spec, rng: np.random.Generator) -> Array:
    """Vesicles and ribosomes, stained, in ice, with fiducials on both of its faces."""
    c = Canvas.of(spec, rng)
    c.paint(c.everywhere(c.solid(c.bar(28.0))), ICE * (1 + 0.03 * c.texture(5.0)))
    for _ in range(80):
        r = c.draw(18.0, 25.0)
        place = c.inside(r + 5.0, r, r)
        if c.claim([place], r, gap=3.0):
            wall = c.draw(6.0, 7.5)
            c.paint(c.ball(place, r), c.draw(0.55, 0.75))
            c.paint(c.ball(place, r - wall), c.draw(1.0, 2.2) * ICE)
    grains = 1 + 0.12 * c.texture(2.5)
    for _ in range(400):
        place = c.inside(18.0, 13.0, 13.0)
        if c.claim([place], 13.0):
            ribosome(c, place, c.draw(0.8, 0.95) * grains)
    for i in range(12):
        side = 26.0 if i % 2 else -26.0
        _, x, y = c.inside(6.0)
        c.paint(c.ball((side, x, y), 5.0), 1.0)
    return c.finished()


def ribosome(c: Canvas, place: Place, density: float | Array) -> None:
    """Paint a ribosome, 26 nm long: the large subunit, a cleft, and the small one."""
    turn = c.direction()
    large = tuple(np.asarray(place) - 3.0 * turn)
    small = tuple(np.asarray(place) + 7.5 * turn)
    side = np.cross(turn, c.direction())
    side *= 4.5 / np.linalg.norm(side)
    c.paint(c.rod((tuple(small - side), tuple(small + side)), 5.0), density)
    c.paint(c.ball(large, 10.0), density)


HOME: Mapping[str, Callable[[Spec, np.random.Generator], Array]] = {
    "gold_on_carbon": gold_on_carbon,
    "porous_grain": porous_grain,
    "core_shell": core_shell,
    "vesicles": vesicles,
}
