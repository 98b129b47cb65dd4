"""Specimens for STEM of kinds that no method was made for, in [0, 1].

Structures and statistics are from the papers that docs/decisions/stem-scenes.md lists. Crystals are
drawn atom by atom: in a tilted foil an atom at depth z is seen z·tilt to the side, so that a column
becomes a short line. Lengths are in Å from the middle of the frame, depth z along the beam.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from scipy import ndimage
from scipy.spatial import cKDTree

from ..numerics.fourier import centred
from ..operator import Array
from ..spec import Spec

CONTRAST = 1.7
# Empty pixels along the border, and how far an atom is drawn, in standard deviations.
GUARD, REACH = 12, 5.5
# Standard deviation in Å of an atom at rest, as a detector for large angles sees it.
AT_REST = 0.15

# Atomic number, and mean square thermal displacement along one axis in Å².
ELEMENTS: Mapping[str, tuple[int, float]] = {
    "C": (6, 0.004),
    "N": (7, 0.005),
    "O": (8, 0.005),
    "S": (16, 0.006),
    "Co": (27, 0.0025),
    "Cu": (29, 0.006),
    "Ga": (31, 0.005),
    "As": (33, 0.006),
    "Br": (35, 0.07),
    "Zr": (40, 0.006),
    "Mo": (42, 0.004),
    "In": (49, 0.005),
    "Cs": (55, 0.09),
    "W": (74, 0.004),
    "Pt": (78, 0.005),
    "Au": (79, 0.008),
    "Pb": (82, 0.024),
}


class Foil:
    """A specimen under way: an image of the frame, atoms and smooth matter added up."""

    def __init__(self, spec: Spec, rng: np.random.Generator) -> None:
        self.spec, self.rng = spec, rng
        self.image = np.zeros(spec.shape)
        self.tilt = np.zeros(2)
        ny, nx = spec.shape
        self.half = np.array([nx, ny]) * spec.pixel / 2
        self.x, self.y = centred(nx)[None, :] * spec.pixel, centred(ny)[:, None] * spec.pixel

    def draw(self, low: float, high: float) -> float:
        """Draw a number uniformly between ``low`` and ``high``."""
        return float(self.rng.uniform(low, high))

    def direction(self) -> Array:
        """Draw a unit vector in the plane."""
        turn = self.draw(0, 2 * np.pi)
        return np.array([np.cos(turn), np.sin(turn)])

    def bend(self, low: float, high: float) -> None:
        """Tilt the foil in some direction, by an angle between ``low`` and ``high`` mrad."""
        self.tilt = self.draw(low, high) / 1000 * self.direction()

    def put(self, element: str, atoms: Array) -> None:
        """Add atoms (n, 3) of an element, those that leave the border empty."""
        brightness, width = seen(element)
        at = atoms[:, :2] + atoms[:, 2:] * self.tilt
        room = self.half - GUARD * self.spec.pixel - REACH * width
        at = at[(np.abs(at) < room).all(axis=1)]
        self.image += brightness * spots(self.spec, at, width)

    def spread(self, element: str, thickness: Array, density: float, roughness: float) -> None:
        """Add smooth matter, ``thickness`` Å (y, x) of ``density`` atoms/Å³, its edges rounded."""
        soft = ndimage.gaussian_filter(thickness, roughness / self.spec.pixel)
        # One atom of put() adds 2πσ² times its brightness to the integral over the image.
        brightness, width = seen(element)
        self.image += brightness * density * 2 * np.pi * width**2 * soft

    def room(self, roughness: float) -> Array:
        """Mask the pixels where matter with edges rounded by ``roughness`` Å keeps the border."""
        room = self.half - GUARD * self.spec.pixel - 4 * roughness - self.spec.pixel
        return np.asarray((np.abs(self.x) < room[0]) & (np.abs(self.y) < room[1]))

    def outline(self, size: float) -> Callable[[Array, Array], Array]:
        """Draw an irregular closed outline around the middle; return what tells in from out.

        ``size`` is its mean radius as a part of half the field.
        """
        orders = np.arange(2, 6)
        swing = self.rng.normal(0, 0.1, 4) / orders
        phase = self.rng.uniform(0, 2 * np.pi, 4)

        def inside(x: Array, y: Array) -> Array:
            turn = np.arctan2(y, x)[..., None]
            radius = size * self.half.min() * (1 + (swing * np.cos(orders * turn + phase)).sum(-1))
            return np.asarray(np.hypot(x, y) < radius)

        return inside

    def finished(self) -> Array:
        """Scale the maximum to one."""
        return np.asarray(self.image / self.image.max())


def dislocation(spec: Spec, rng: np.random.Generator) -> Array:
    """In₀.₁₅Ga₀.₈₅N along [0001] with an edge dislocation, indium gathered at its core."""
    f = Foil(spec, rng)
    f.bend(10, 25)
    a, poisson = 3.189, 0.27
    along = f.direction()
    across = np.array([-along[1], along[0]])
    core = f.rng.uniform(-6, 6, 2)
    corner = a / np.sqrt(3) * (np.cos(np.pi / 6) * along + np.sin(np.pi / 6) * across)
    sites = net(a * along, a * (along / 2 + np.sqrt(3) / 2 * across), f.rng.uniform(-1, 1, 2))
    sites = np.concatenate([sites, sites + corner])
    u, v = (sites - core) @ along, (sites - core) @ across
    r2 = np.maximum(u**2 + v**2, 0.25)
    # Hirth & Lothe (1982), eqs. 3-45 and 3-46; Burgers vector a along ``along``.
    lateral = np.arctan2(v, u) + u * v / (2 * (1 - poisson) * r2)
    normal = (1 - 2 * poisson) * np.log(r2 / a**2) + (u**2 - v**2) / r2
    normal /= 4 * (1 - poisson)
    moved = a / (2 * np.pi) * (lateral[:, None] * along - normal[:, None] * across)
    sites = apart(sites + moved, 1.1)
    near = np.exp(-np.linalg.norm(sites - core, axis=1) / 6)
    atoms = stacked(sites, 9, 5.185)
    indium = f.rng.random((len(sites), 9)) < (0.15 + 0.25 * near)[:, None]
    f.put("In", atoms[indium])
    f.put("Ga", atoms[~indium])
    f.put("N", (atoms + np.array([0, 0, 1.95])).reshape(-1, 3))
    return f.finished()


def sheet(spec: Spec, rng: np.random.Generator) -> Array:
    """One layer of Mo₁₋ₓWₓS₂, some sulphur missing, with an edge to vacuum."""
    f = Foil(spec, rng)
    a, along = 3.16, f.direction()
    across = np.array([-along[1], along[0]])
    metal = net(a * along, a * (along / 2 + np.sqrt(3) / 2 * across), f.rng.uniform(-1, 1, 2))
    metal = metal[metal @ across < f.draw(6, 14)]
    sulphur = flat(metal - a / np.sqrt(3) * across)
    tungsten = f.rng.random(len(metal)) < f.draw(0.4, 0.6)
    f.put("W", flat(metal[tungsten]))
    f.put("Mo", flat(metal[~tungsten]))
    f.put("S", sulphur)
    f.put("S", sulphur[f.rng.random(len(sulphur)) > f.draw(0.01, 0.04)])
    return f.finished()


def cold_oxide(spec: Spec, rng: np.random.Generator) -> Array:
    """LiCoO₂ along its layers, cooled: narrow columns, some Co among the Li."""
    f = Foil(spec, rng)
    f.bend(3, 8)
    a, c = 2.816, 14.05
    row, layer = a * np.sqrt(3) / 2, c / 3
    oxygen = c * (1 / 3 - 0.2605)
    along = f.direction()
    across = np.array([-along[1], along[0]])
    # From layer to layer the stacking moves by a third of a row; O and Li fill the other thirds.
    cobalt = net(row * along, layer * across + row / 3 * along, f.rng.uniform(-1, 1, 2))
    f.put("Co", stacked(cobalt, 17, a).reshape(-1, 3))
    for third, height in ((1, oxygen), (2, -oxygen)):
        shift = third * row / 3 * along + height * across
        f.put("O", stacked(cobalt + shift, 17, a).reshape(-1, 3))
    lithium = stacked(cobalt + 2 * row / 3 * along + layer / 2 * across, 17, a)
    f.put("Co", lithium[f.rng.random(lithium.shape[:2]) < f.draw(0.02, 0.08)])
    return f.finished()


def gold_off_axis(spec: Spec, rng: np.random.Generator) -> Array:
    """Gold particles that show no columns, on a patch of carbon."""
    f = Foil(spec, rng)
    room = f.room(0.5)
    film = 25 * (1 + 0.1 * texture(f, 6.0)) * f.outline(0.78)(f.x, f.y)
    f.spread("C", np.where(room, film, 0), 0.1, 0.5)
    radii = np.clip(6 * np.exp(np.log(1.45) * f.rng.standard_normal(14)), 3, 12)
    for centre, radius in placed(f, radii):
        grown = ellipsoid(f, centre, radius, f.draw(0.75, 1.0))
        f.spread("Au", np.where(room, grown, 0), 0.059, 0.3)
    return f.finished()


def halide(spec: Spec, rng: np.random.Generator) -> Array:
    """CsPbBr₃ along [001], its soft lattice shaken, with a fault where it moves by half a cell."""
    f = Foil(spec, rng)
    f.bend(8, 20)
    a, turn = 5.87, np.deg2rad(f.draw(8, 12))
    along, place = f.direction(), f.draw(-8, 8)
    across = np.array([-along[1], along[0]])
    index = np.stack(np.meshgrid(np.arange(-9, 10), np.arange(-9, 10)), axis=-1).reshape(-1, 2)
    origin = f.rng.uniform(-a / 2, a / 2, 2)
    sign = np.where(index.sum(axis=1) % 2, 1, -1)[:, None]
    swing = sign * a / 2 * np.tan(turn)
    lead = index @ np.stack([a * along, a * across]) + origin
    kinds = {
        "Pb": [lead],
        "Cs": [lead + a / 2 * (along + across)],
        # Br between two Pb gives way sideways, as the octahedra turn; that on the Pb stays.
        "Br": [lead, lead + a / 2 * along + swing * across, lead + a / 2 * across - swing * along],
    }
    steps = 6 + (f.draw(0, 1) + lead @ f.direction() / 30 > 0.5)
    for element, sites in kinds.items():
        for site in sites:
            beyond = site @ across > place
            site = site + np.where(beyond[:, None], a / 2 * (along + across), 0)
            atoms = stacked(site, 8, a)
            f.put(element, atoms[np.arange(8) < steps[:, None]])
    return f.finished()


def damaged_crystal(spec: Spec, rng: np.random.Generator) -> Array:
    """GaAs along [110] between the amorphous layers that ion milling left on both faces."""
    f = Foil(spec, rng)
    f.bend(2, 8)
    a, along = 5.653, f.direction()
    across = np.array([-along[1], along[0]])
    origin = f.rng.uniform(-2, 2, 2)
    depth = round(f.draw(20, 28) / (a / np.sqrt(2)))
    for partner, element in ((0, "Ga"), (1, "As")):
        for corner in (0, 1):
            shift = corner * (a / np.sqrt(8) * along + a / 2 * across) + partner * a / 4 * across
            sites = net(a / np.sqrt(2) * along, a * across, origin + shift)
            f.put(element, stacked(sites, depth, a / np.sqrt(2)).reshape(-1, 3))
    for _ in range(2):
        layer = packed(f, f.draw(5, 11), 0.0443, 2.4)
        gallium = f.rng.random(len(layer)) < 0.5
        f.put("Ga", layer[gallium])
        f.put("As", layer[~gallium])
    return f.finished()


def glass(spec: Spec, rng: np.random.Generator) -> Array:
    """A flake of the metallic glass Cu₆₄Zr₃₆, milled to an uneven thickness."""
    f = Foil(spec, rng)
    thickness = f.draw(32, 40)
    atoms = packed(f, thickness, 0.066, 2.4)
    atoms = atoms[f.outline(0.78)(atoms[:, 0], atoms[:, 1])]
    slope = f.direction() / 22
    top = thickness * (0.85 + 0.15 * np.clip(atoms[:, :2] @ slope, -1, 1))
    atoms = atoms[atoms[:, 2] + thickness / 2 < top]
    copper = f.rng.random(len(atoms)) < 0.64
    f.put("Cu", atoms[copper])
    f.put("Zr", atoms[~copper])
    return f.finished()


def core_shell(spec: Spec, rng: np.random.Generator) -> Array:
    """Particles with a shell of Pt around Pt-Co, off any zone axis, a quarter of them hollow."""
    f = Foil(spec, rng)
    room = f.room(0.4)
    for centre, radius in placed(f, f.rng.uniform(7, 11, 10)):
        squash = f.draw(0.8, 1.0)
        core = radius - f.draw(3, 6)
        whole = ellipsoid(f, centre, radius, squash)
        middle = ellipsoid(f, centre + f.rng.uniform(-0.8, 0.8, 2), core, squash)
        shell_alone = np.where(room, whole - np.minimum(middle, whole), 0)
        f.spread("Pt", shell_alone, 0.066, 0.4)
        if f.rng.random() < 0.75:
            inner = np.where(room, np.minimum(middle, whole), 0)
            f.spread("Pt", inner, 0.3 * 0.078, 0.4)
            f.spread("Co", inner, 0.7 * 0.078, 0.4)
    return f.finished()


AWAY: Mapping[str, Callable[[Spec, np.random.Generator], Array]] = {
    "dislocation": dislocation,
    "sheet": sheet,
    "cold_oxide": cold_oxide,
    "gold_off_axis": gold_off_axis,
    "halide": halide,
    "damaged_crystal": damaged_crystal,
    "glass": glass,
    "core_shell": core_shell,
}


def seen(element: str) -> tuple[float, float]:
    """Return how bright an atom is, and its standard deviation in Å."""
    z, shaken = ELEMENTS[element]
    return float(z) ** CONTRAST, float(np.sqrt(AT_REST**2 + shaken))


def spots(spec: Spec, at: Array, width: float) -> Array:
    """Draw Gaussians of height one and standard deviation ``width`` Å at ``at`` (n, 2).

    They end ``REACH`` standard deviations out, so that vacuum is exactly empty.
    """
    reach = int(np.ceil(REACH * width / spec.pixel))
    lines, indices = [], []
    for axis, n in ((1, spec.shape[0]), (0, spec.shape[1])):
        place = at[:, axis, None] / spec.pixel + (n - 1) / 2
        near = np.round(place).astype(int) + np.arange(-reach, reach + 1)
        away = (near - place) * spec.pixel
        lines.append(np.exp(-(away**2) / (2 * width**2)) * (np.abs(away) <= REACH * width))
        indices.append(np.clip(near, 0, n - 1))
    patches = lines[0][:, :, None] * lines[1][:, None, :]
    where = indices[0][:, :, None] * spec.shape[1] + indices[1][:, None, :]
    size = spec.shape[0] * spec.shape[1]
    return np.bincount(where.ravel(), patches.ravel(), size).reshape(spec.shape)


def net(a: Array, b: Array, origin: Array, reach: float = 50.0) -> Array:
    """Return the points origin + i·a + j·b, (n, 2), out to ``reach`` Å from the middle."""
    # Sheared cells need more steps than their sides suggest.
    count = int(2 * reach / min(np.linalg.norm(a), np.linalg.norm(b)))
    i = np.arange(-count, count + 1)
    points = (origin + i[:, None, None] * a + i[None, :, None] * b).reshape(-1, 2)
    return np.asarray(points[np.linalg.norm(points, axis=1) < reach])


def stacked(sites: Array, count: int, period: float) -> Array:
    """Return ``count`` atoms on each site, (n, count, 3), around the middle of the foil."""
    depth = centred(count) * period
    atoms = np.empty((len(sites), count, 3))
    atoms[:, :, :2], atoms[:, :, 2] = sites[:, None], depth
    return atoms


def flat(sites: Array) -> Array:
    """Return one atom on each site, (n, 3)."""
    return stacked(sites, 1, 0.0).reshape(-1, 3)


def packed(f: Foil, thickness: float, density: float, distance: float, rounds: int = 25) -> Array:
    """Return atoms (n, 3) packed at random: ``density`` atoms/Å³, hardly two within ``distance``.

    Points at random, then pushed apart in pairs, half of the overlap each.
    """
    box = np.array([*(2 * f.half), thickness])
    atoms = f.rng.uniform(-box / 2, box / 2, (int(density * box.prod()), 3))
    for _ in range(rounds):
        pairs = cKDTree(atoms).query_pairs(distance, output_type="ndarray")
        between = atoms[pairs[:, 1]] - atoms[pairs[:, 0]]
        length = np.maximum(np.linalg.norm(between, axis=1, keepdims=True), 1e-6)
        push = between / length * (distance - length) / 2
        for axis in range(3):
            move = np.bincount(pairs[:, 1], push[:, axis], len(atoms))
            atoms[:, axis] += move - np.bincount(pairs[:, 0], push[:, axis], len(atoms))
        atoms = np.clip(atoms, -box / 2, box / 2)
    return atoms


def apart(sites: Array, distance: float) -> Array:
    """Drop the later one of each two sites closer than ``distance``."""
    pairs = cKDTree(sites).query_pairs(distance, output_type="ndarray")
    return np.asarray(np.delete(sites, pairs.max(axis=1), axis=0))


def placed(f: Foil, radii: Array) -> list[tuple[Array, float]]:
    """Find a place for each ball that fits, (centre, radius), at most touching those before."""
    balls: list[tuple[Array, float]] = []
    for radius in radii:
        for _ in range(60):
            centre = f.rng.uniform(-1, 1, 2) * (f.half - 4.5 - radius)
            if all(np.linalg.norm(centre - c) > 0.9 * (radius + r) for c, r in balls):
                balls.append((centre, float(radius)))
                break
    return balls


def ellipsoid(f: Foil, centre: Array, radius: float, squash: float) -> Array:
    """Return the thickness in Å, (y, x), of an ellipsoid, shorter by ``squash`` across one way."""
    along = f.direction()
    x, y = f.x - centre[0], f.y - centre[1]
    u, v = x * along[0] + y * along[1], (y * along[0] - x * along[1]) / squash
    return np.asarray(2 * np.sqrt(np.maximum(radius**2 - u**2 - v**2, 0)))


def texture(f: Foil, size: float) -> Array:
    """Draw smooth noise (y, x) of mean 0 and standard deviation 1, grains ``size`` Å wide."""
    white = f.rng.standard_normal(f.spec.shape)
    noise = ndimage.gaussian_filter(white, size / f.spec.pixel)
    return np.asarray((noise - noise.mean()) / noise.std())
