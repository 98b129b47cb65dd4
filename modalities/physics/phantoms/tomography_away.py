"""Specimens for electron tomography away from home: kinds that no method here was made for.

Written from published statistics, see docs/decisions/tomography-scenes.md; densities as at home.
Some are smooth, some fill the field, some have no surfaces at all.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import pairwise

import numpy as np
from scipy import fft
from scipy.spatial.transform import Rotation

from ..operator import Array
from ..spec import Spec
from .canvas import EXTENT, VOXEL, Canvas, Place
from .tomography_home import ribosome

# Signal per volume over that of matter stained with osmium or uranium.
POLYMER = 0.23
RESIN = 0.15
# Signal per volume of silica and of resin over that of magnetite.
SILICA, EPOXY = 0.29, 0.12
# That of zinc oxide over silver, and of aluminium with dissolved silver over Ag₂Al.
ZINC_OXIDE, ALUMINIUM = 0.36, 0.18
# Ribosomes per nm³ of cytosol.
RIBOSOMES = 1.38e-5


def gyroid(spec: Spec, rng: np.random.Generator) -> Array:
    """A block copolymer: two stained gyroid networks in a matrix, the lattice slightly bent."""
    c = Canvas.of(spec, rng)
    lattice, turn = c.draw(65.0, 80.0), Rotation.random(random_state=rng).as_matrix()
    bend = [0.3 * c.waves(500.0, 0.3, 20) for _ in range(3)]
    p, q, r = (
        2 * np.pi / lattice * sum(t * a for t, a in zip(row, c.axes, strict=True)) + b
        for row, b in zip(turn, bend, strict=True)
    )
    level = np.sin(p) * np.cos(q) + np.sin(q) * np.cos(r) + np.sin(r) * np.cos(p)
    stained = 1 / (1 + np.exp(-(np.abs(level) - 1.0) / 0.15))
    c.density = POLYMER + (0.95 - POLYMER) * stained * (1 + 0.05 * c.texture(10.0))
    return _cut(c)


def cell_lamella(spec: Spec, rng: np.random.Generator) -> Array:
    """Cytoplasm, stained: cisternae, a mitochondrion, ribosomes at their number per volume."""
    c = Canvas.of(spec, rng)
    crowd = c.texture(3.0)
    c.density = 2.0 * RESIN * (1 + 0.2 * crowd)
    sheet = _distance(c, c.waves(260.0, 0.2))
    cytosol = np.abs(sheet) > 22.0
    _membranes(c, sheet, 17.0, 1.3 * RESIN)
    place, radii = c.inside(20.0, 250.0, 15.0), (c.draw(45, 60), c.draw(150, 220), c.draw(40, 55))
    r = np.sqrt(sum(((a - m) / e) ** 2 for a, m, e in zip(c.axes, place, radii, strict=True)))
    depth = _distance(c, 1 - r)
    inner = c.solid(depth)
    c.paint(c.everywhere(inner), 0.45 * (1 + 0.15 * crowd))
    cristae = _distance(c, c.waves(80.0, 0.3))
    matrix = c.solid(depth - 18.0)
    c.paint(c.everywhere(matrix * c.solid(9.0 - np.abs(cristae))), 0.75)
    c.paint(c.everywhere(matrix * c.solid(3.0 - np.abs(cristae))), 1.3 * RESIN)
    for at in (3.5, 15.0):
        c.paint(c.everywhere(c.solid(3.2 - np.abs(depth - at))), 0.75)
    free = cytosol & (depth < -4.0)
    for _ in range(int(RIBOSOMES * free.mean() * 8 * np.prod(np.array(EXTENT)))):
        for _ in range(50):
            spot = c.inside(10.0)
            nearest = tuple(
                int(np.abs(a.ravel() - s).argmin()) for a, s in zip(c.axes, spot, strict=True)
            )
            if free[nearest] and c.claim([spot], 13.0):
                ribosome(c, spot, 0.9 * (1 + 0.1 * crowd))
                break
    return _cut(c)


def polymer_blend(spec: Spec, rng: np.random.Generator) -> Array:
    """A blend that separates by spinodal decomposition, one phase stained; all of it smooth."""
    c = Canvas.of(spec, rng)
    coarse = c.waves(c.draw(80.0, 110.0), 0.12)
    fine = c.waves(30.0, 0.2)
    share = 0.5 + 0.5 * np.tanh(1.3 * coarse + 0.25 * fine + c.draw(-0.3, 0.3))
    c.density = POLYMER + (0.9 - POLYMER) * share
    return _cut(c)


def mesoporous_shell(spec: Spec, rng: np.random.Generator) -> Array:
    """Hollow shells of mesoporous silica, partly filled with magnetite, in resin."""
    c = Canvas.of(spec, rng)
    c.density = EPOXY * (1 + 0.03 * c.texture(6.0))
    pores = 0.75 + 0.3 * np.sin(3.0 * c.texture(2.5))
    grains = np.clip(0.75 + 0.15 * c.texture(5.0), 0.4, 1.0)
    for _ in range(300):
        outer, wall = c.draw(35.0, 90.0), c.draw(14.0, 30.0)
        place = tuple(np.array(c.inside(-30.0, outer, -30.0)))
        if not c.claim([place], outer, gap=-3.0):
            continue
        c.paint(c.ball(place, outer), SILICA * pores)
        cavity = c.ball(place, outer - wall)
        c.paint(cavity, EPOXY)
        _, offsets = c.box(place, (outer - wall,) * 3)
        up = sum(n * d for n, d in zip(c.direction(), offsets, strict=True))
        filled = c.solid(c.draw(-0.4, 0.8) * (outer - wall) - up)
        c.paint(cavity._replace(share=cavity.share * filled), grains)
    return _cut(c)


def nanowire_bundle(spec: Spec, rng: np.random.Generator) -> Array:
    """Seven hexagonal wires twisted to a strand, core GaN, shell AlGaN, graded and tapered."""
    c = Canvas.of(spec, rng)
    z, x, y = c.axes
    twist = c.draw(0, 7) + x * 2 * np.pi / c.draw(1800.0, 3000.0) * rng.choice([-1, 1])
    for i in range(7):
        outer, ring = c.draw(7.8, 9.0), 0.0 if i == 0 else 18.0
        angle = twist + i * np.pi / 3
        dz, dy = z - ring * np.sin(angle), y - ring * np.cos(angle)
        sides = [
            np.abs(dz * np.sin(angle + a) + dy * np.cos(angle + a))
            for a in np.pi / 3 * np.arange(3)
        ]
        radius = np.maximum(np.maximum(sides[0], sides[1]), sides[2])
        end = c.draw(350.0, 590.0), c.draw(350.0, 590.0)
        length = np.minimum(end[0] + x, end[1] - x)
        taper = np.clip(length / 300.0, 0.6, 1.0)
        share = (x + end[0]) / sum(end)
        shell = c.solid(np.minimum(outer * taper - radius, length))
        c.paint(c.everywhere(shell), 0.5 + 0.15 * share)
        core = c.solid(np.minimum(c.draw(0.5, 0.65) * outer * taper - radius, length - 15.0))
        c.paint(c.everywhere(core), 0.8 + 0.2 * share)
    return _cut(c)


def catalyst_on_fibre(spec: Spec, rng: np.random.Generator) -> Array:
    """Spun fibres of zinc oxide, granular and crossing, with silver particles on them."""
    c = Canvas.of(spec, rng)
    grains = ZINC_OXIDE * (1 + 0.2 * c.texture(3.0))
    particles: list[tuple[Place, float]] = []
    for _ in range(10):
        radius, wave = c.draw(6.0, 11.0), c.draw(300.0, 700.0)
        sway_z, sway_y = c.draw(0.0, 20.0), c.draw(0.0, 18.0)
        phase_z, phase_y, start = c.draw(0, 7), c.draw(0, 7), c.draw(-600.0, 200.0)
        along = np.arange(start, start + c.draw(400.0, 1000.0), 12.0)
        line = np.stack(
            [
                c.draw(-15, 15) + sway_z * np.sin(2 * np.pi * along / wave + phase_z),
                along,
                c.draw(-10, 10) + sway_y * np.sin(2 * np.pi * along / wave + phase_y),
            ],
            axis=-1,
        )
        points = [c.kept(p, radius) for p in line if abs(p[1]) < EXTENT[1] - radius]
        for ends in pairwise(points):
            c.paint(c.rod(ends, radius), grains)
        for _ in range(len(points)):
            at = np.asarray(points[rng.integers(len(points))]) + radius * c.direction()
            size = float(np.clip(3.5 * np.exp(0.34 * rng.standard_normal()), 1.5, 9.0))
            particles.append((c.kept(at, size), size))
    for place, size in particles:
        c.paint(c.ball(place, size), c.draw(0.9, 1.0))
    return _cut(c)


def alloy_foil(spec: Spec, rng: np.random.Generator) -> Array:
    """A wedge of aluminium with plates of Ag₂Al on its four {111} planes, and diffuse zones."""
    c = Canvas.of(spec, rng)
    z, x, _ = c.axes
    c.density = ALUMINIUM * (1 + 0.04 * c.texture(8.0))
    for _ in range(260):
        width, place = c.draw(2.5, 6.0), c.inside(4.0)
        where, offsets = c.box(place, (4 * width,) * 3)
        r2 = sum(d**2 for d in offsets)
        c.density[where] += c.draw(0.2, 0.5) * np.exp(-r2 / (2 * width**2))
    turn = Rotation.random(random_state=rng).as_matrix()
    corners = np.array([[1, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]]) / np.sqrt(3)
    for _ in range(60):
        normal = turn @ corners[rng.integers(4)]
        radius, half = c.draw(18.0, 55.0), c.draw(2.0, 4.0)
        where, offsets = c.box(c.inside(0.0), (radius,) * 3)
        height = sum(n * d for n, d in zip(normal, offsets, strict=True))
        flat = np.sqrt(np.maximum(sum(d**2 for d in offsets) - height**2, 0.0))
        share = c.solid(half - np.abs(height)) * c.solid(radius - flat)
        old = c.density[where]
        c.density[where] = old + share * (c.draw(0.85, 1.0) - old)
    thickness = 25.0 + 7.0 * x / EXTENT[1]
    c.density *= c.solid(thickness - np.abs(z))
    return _cut(c)


def chromatin(spec: Spec, rng: np.random.Generator) -> Array:
    """Chromatin, stained: a disordered chain whose mass scales as a power of the radius."""
    c = Canvas.of(spec, rng)
    dimension, domain = c.draw(2.5, 2.9), c.draw(58.0, 93.0)
    noise = fft.rfftn(rng.standard_normal(spec.shape))
    k2 = sum(
        np.reshape((2 * np.pi * k / VOXEL) ** 2, [-1 if a == axis else 1 for a in range(3)])
        for axis, k in enumerate(
            [*(fft.fftfreq(n) for n in spec.shape[:2]), fft.rfftfreq(spec.shape[2])]
        )
    )
    field = fft.irfftn(noise * (k2 + domain**-2.0) ** (-dimension / 4), spec.shape)
    field = (field - field.mean()) / field.std()
    c.density = RESIN + (1 - RESIN) * (1 - np.exp(-0.3 * np.exp(0.9 * field)))
    return _cut(c)


def _cut(c: Canvas) -> Array:
    """Cut a bar out of what fills the canvas, and finish it."""
    c.density *= c.solid(c.bar())
    return c.finished()


def _distance(c: Canvas, level: Array) -> Array:
    """Turn a smooth function into the distance, in nm, from the surface where it is zero."""
    slopes = np.gradient(level, *(a.ravel() for a in c.axes))
    steep = np.sqrt(sum(s**2 for s in slopes))
    return np.asarray(level / np.maximum(steep, 0.3 * steep.mean()))


def _membranes(c: Canvas, sheet: Array, half: float, lumen: float) -> None:
    """Paint a cisterna about a surface: two membranes of 6.5 nm, ``lumen`` between them."""
    c.paint(c.everywhere(c.solid(half + 3.2 - np.abs(sheet))), 0.75)
    c.paint(c.everywhere(c.solid(half - 3.2 - np.abs(sheet))), lumen)


AWAY: Mapping[str, Callable[[Spec, np.random.Generator], Array]] = {
    "gyroid": gyroid,
    "cell_lamella": cell_lamella,
    "polymer_blend": polymer_blend,
    "mesoporous_shell": mesoporous_shell,
    "nanowire_bundle": nanowire_bundle,
    "catalyst_on_fibre": catalyst_on_fibre,
    "alloy_foil": alloy_foil,
    "chromatin": chromatin,
}
