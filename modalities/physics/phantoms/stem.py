"""Specimens for atomic-resolution STEM. At home: atomic columns seen end on, in [0, 1].

An object is Σ n_c·Z_c^1.7 Gaussian columns (Z-contrast), scaled to a maximum of one. Lengths are in
Å on the catalogue's grid. An element's column has its own width (thermal vibration and the size of
its potential), so that no single width fits a scene. Lattices are turned and shifted at random, and
every scene keeps a margin of vacuum, so that nothing touches the border of the frame. A column
holds the atoms of 4 to 5 nm. The other specimens are in ``stem_away``; why these and those, in
docs/decisions/stem-scenes.md.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
from scipy.spatial import cKDTree

from ..numerics.fourier import centred
from ..operator import Array
from ..spec import Spec
from .stem_away import AWAY

CONTRAST = 1.7
# Vacuum around the specimen, Å: columns start this far from the border of the frame.
MARGIN = 4.3
# How far from its middle, in standard deviations, a column is drawn.
REACH = 5.5

# Atomic number, and standard deviation of the column in Å.
ELEMENTS: Mapping[str, tuple[int, float]] = {
    "O": (8, 0.34),
    "Si": (14, 0.32),
    "Ti": (22, 0.29),
    "Cu": (29, 0.31),
    "Ge": (32, 0.29),
    "Sr": (38, 0.30),
    "Ag": (47, 0.33),
    "La": (57, 0.28),
    "Ce": (58, 0.28),
    "Pt": (78, 0.26),
}


@dataclass
class Specimen:
    """Columns gathered so far; positions (x, y) in Å from the middle of the frame."""

    spec: Spec
    rng: np.random.Generator
    columns: list[tuple[Array, Array, float]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.half = tuple(n * self.spec.pixel / 2 - MARGIN for n in self.spec.shape)

    def draw(self, low: float, high: float, size: int | None = None) -> Array:
        """Draw uniformly between ``low`` and ``high``."""
        return np.asarray(self.rng.uniform(low, high, size))

    def lattice(self, a: Array, b: Array, origin: Array, reach: float = 60.0) -> Array:
        """Return the points origin + i·a + j·b, (n, 2), out to ``reach`` Å from the middle."""
        step = min(np.linalg.norm(a), np.linalg.norm(b))
        i = np.arange(-int(2 * reach / step), int(2 * reach / step) + 1)
        points = origin + i[:, None, None] * a + i[None, :, None] * b
        points = points.reshape(-1, 2)
        return np.asarray(points[np.linalg.norm(points, axis=1) < reach])

    def put(self, element: str, positions: Array, atoms: Array) -> None:
        """Add columns of ``atoms`` atoms of an element at ``positions``, where the frame shows."""
        z, width = ELEMENTS[element]
        atoms = np.broadcast_to(atoms, len(positions))
        here = self.shown(positions) & (atoms > 0)
        self.columns.append((positions[here], atoms[here] * float(z) ** CONTRAST, width))

    def shown(self, positions: Array) -> Array:
        """Say which positions lie inside the margin of vacuum."""
        inside = np.abs(positions) < np.array([self.half[1], self.half[0]])
        return np.asarray(inside.all(axis=1))

    def render(self) -> Array:
        """Draw all columns, each over its own neighbourhood, and scale the maximum to one."""
        image = np.zeros(self.spec.shape)
        for positions, brightness, width in self.columns:
            for (x, y), value in zip(positions, brightness, strict=True):
                self._draw(image, x, y, value, width)
        return np.asarray(image / image.max())

    def _draw(self, image: Array, x: float, y: float, value: float, width: float) -> None:
        lines = []
        for at, n in zip((y, x), self.spec.shape, strict=True):
            offset = centred(n) * self.spec.pixel - at
            first, last = np.searchsorted(offset, (-REACH * width, REACH * width))
            lines.append((slice(first, last), np.exp(-(offset[first:last] ** 2) / (2 * width**2))))
        (rows, line_y), (columns, line_x) = lines
        image[rows, columns] += value * line_y[:, None] * line_x[None, :]


def strontium_titanate(spec: Spec, rng: np.random.Generator) -> Array:
    """SrTiO₃ [001], a wedge: La on some Sr sites, some Sr missing, oxygen between."""
    s = Specimen(spec, rng)
    a, b, origin = _turned(s, 3.905, 3.905)
    strontium = s.lattice(a, b, origin)
    atoms = _wedge(s, strontium, 10, 12)
    lanthanum = rng.binomial(atoms, rng.uniform(0.02, 0.06))
    missing = rng.binomial(atoms, np.where(rng.random(len(atoms)) < 0.12, 0.45, 0.0))
    s.put("La", strontium, lanthanum)
    s.put("Sr", strontium, np.maximum(atoms - lanthanum - missing, 0))
    titanium = strontium + (a + b) / 2 + 0.03 * rng.standard_normal(strontium.shape)
    s.put("Ti", titanium, atoms)
    s.put("O", titanium, atoms)
    for edge in (a / 2, b / 2):
        s.put("O", strontium + edge, atoms)
    return s.render()


def silicon_germanium(spec: Spec, rng: np.random.Generator) -> Array:
    """Dumbbells of Si and Ge along [110], mixed column by column across a graded interface."""
    s = Specimen(spec, rng)
    a, b, origin = _turned(s, 5.50 / np.sqrt(2), 5.50)
    growth = b / np.linalg.norm(b)
    middle, width = rng.uniform(-8, 8), rng.uniform(4, 9)
    for corner in (np.zeros(2), (a + b) / 2):
        for partner in (np.zeros(2), b / 4):
            sites = s.lattice(a, b, origin + corner + partner)
            atoms = _wedge(s, sites, 10, 12)
            fraction = 0.2 + 0.6 / (1 + np.exp(-(sites @ growth - middle) / width))
            germanium = rng.binomial(atoms, fraction)
            s.put("Ge", sites, germanium)
            s.put("Si", sites, atoms - germanium)
    return s.render()


def copper_boundary(spec: Spec, rng: np.random.Generator) -> Array:
    """A Σ5 (310)[001] tilt boundary of copper, silver gathered at it."""
    s = Specimen(spec, rng)
    turn, place = rng.uniform(0, 2 * np.pi), rng.uniform(-6, 6)
    normal = np.array([np.cos(turn), np.sin(turn)])
    along = np.array([-normal[1], normal[0]])
    spacing = 3.615 / 2
    grains = []
    for side in (1, -1):
        # The boundary plane (310) makes atan(1/3) with <100> of either grain, mirrored.
        angle = turn + side * np.arctan(1 / 3)
        a = spacing * np.array([np.cos(angle), np.sin(angle)])
        b = spacing * np.array([-np.sin(angle), np.cos(angle)])
        sites = s.lattice(a, b, normal * place + along * rng.uniform(0, 0.3))
        depth = side * (sites @ normal - place)
        grains.append(sites[depth > (0.45 if side == 1 else 0.55)])
    sites = _apart(np.concatenate(grains), 1.35)
    atoms = _wedge(s, sites, 10, 13)
    distance = np.abs(sites @ normal - place)
    silver = rng.binomial(atoms, 0.01 + rng.uniform(0.2, 0.4) * np.exp(-distance / 2.2))
    s.put("Ag", sites, silver)
    s.put("Cu", sites, atoms - silver)
    return s.render()


def platinum_ceria(spec: Spec, rng: np.random.Generator) -> Array:
    """A platinum particle on CeO₂, both seen along [001], with adatoms on the support."""
    s = Specimen(spec, rng)
    turn, level = rng.uniform(0, 2 * np.pi), rng.uniform(-4, 2)
    along = np.array([np.cos(turn), np.sin(turn)])
    up = np.array([-along[1], along[0]])
    a, b = 5.411 / 2 * along, 5.411 / 2 * up
    cerium = s.lattice(a, b, level * up + rng.uniform(0, 2.7) * along)
    cerium = cerium[cerium @ up <= level + 0.1]
    atoms = _wedge(s, cerium, 8, 9)
    s.put("Ce", cerium, atoms)
    s.put("O", cerium + (a - b) / 2, 2 * atoms)
    _platinum(s, along, up, level)
    adatoms = np.sort(rng.uniform(-24, 24, 7))[:, None] * along + (level + 1.8) * up
    s.put("Pt", adatoms, rng.integers(1, 4, len(adatoms)))
    return s.render()


PHANTOMS: Mapping[str, Callable[[Spec, np.random.Generator], Array]] = {
    "strontium_titanate": strontium_titanate,
    "silicon_germanium": silicon_germanium,
    "copper_boundary": copper_boundary,
    "platinum_ceria": platinum_ceria,
    **AWAY,
}


def _platinum(s: Specimen, along: Array, up: Array, level: float) -> None:
    """Put a cut sphere of platinum on the surface at ``level``, 28 to 36 Å wide."""
    radius, centre = s.draw(14, 18), s.draw(-4, 4)
    middle = centre * along + (level + 2.3 + 0.5 * radius) * up
    sites = s.lattice(3.924 / 2 * along, 3.924 / 2 * up, middle)
    sites = sites[sites @ up > level + 1.8]
    half = np.sqrt(np.maximum(radius**2 - ((sites - middle) ** 2).sum(axis=1), 0))
    s.put("Pt", sites, np.round(2 * half / 3.924))


def _turned(s: Specimen, a: float, b: float) -> tuple[Array, Array, Array]:
    """Return two perpendicular lattice vectors at a random angle, and a random origin."""
    turn = s.draw(0, 2 * np.pi)
    along = np.array([np.cos(turn), np.sin(turn)])
    across = np.array([-along[1], along[0]])
    return a * along, b * across, s.draw(-2, 2, 2)


def _wedge(s: Specimen, positions: Array, low: int, high: int) -> Array:
    """Return whole numbers of atoms per column that rise from ``low`` to ``high`` along one way."""
    turn = s.draw(0, 2 * np.pi)
    along = positions @ np.array([np.cos(turn), np.sin(turn)])
    share = np.clip((along + 22) / 44, 0, 1)
    return np.asarray(np.round(low + (high - low) * share), int)


def _apart(positions: Array, distance: float) -> Array:
    """Drop the later one of each two positions closer than ``distance``."""
    pairs = cKDTree(positions).query_pairs(distance, output_type="ndarray")
    return np.asarray(np.delete(positions, pairs.max(axis=1), axis=0))
