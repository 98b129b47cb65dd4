"""A modality's catalogue file, read and checked: the frozen ``Spec`` that everything else follows.

The file is TOML. The tables read here are ``object``, ``chain``, ``mismatch``, ``scene``, ``away``
and ``gallery``; ``modalities.catalogue_files`` reads the others. A mismatch is an error *added* to
one named argument of one named step (``acts_on = "convolve.fwhm"``). Nothing in the file is an
expression.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .tables import CatalogueError, Table

# The tiers' ranges are multiples of the perturbed value: (lowest, highest) of Δθ / Δθ_perturbed.
TIER_SPAN = {"public": (-1.0, 2.0), "dev": (-1.2, 1.8), "hidden": (-0.7, 2.3)}
TIERS = tuple(TIER_SPAN)
# Scenes of the kinds that methods were made for, and scenes of other kinds.
HOME, AWAY = GROUPS = ("home", "away")

# The names of modalities and mismatches: they become addresses and arguments.
KEY = r"[a-z][a-z0-9_]*"

# The names of axes in space; an axis of another name holds channels, such as bands or energies.
SPATIAL = ("x", "y", "z")


@dataclass(frozen=True)
class Step:
    """One primitive of the chain; ``acts_on`` calls it by ``name`` (default: the primitive)."""

    name: str
    primitive: str
    model: str
    label: str
    description: str
    args: Mapping[str, Any]


@dataclass(frozen=True)
class Mismatch:
    """One unknown of the forward model: an error added to ``step.argument``, in ``unit``."""

    name: str
    symbol: str
    step: str
    argument: str
    description: str
    unit: str
    nominal: float
    perturbed: float

    @property
    def acts_on(self) -> str:
        return f"{self.step}.{self.argument}"


@dataclass(frozen=True)
class Scene:
    """One procedural scene: ``phantom`` names its generator in ``physics.phantoms``.

    A *home* scene is in every tier. An *away* one is of a kind that methods were not made for; it
    is in the ``tiers`` that it names.
    """

    phantom: str
    name: str
    description: str
    tiers: tuple[str, ...] = ()

    @property
    def is_away(self) -> bool:
        return bool(self.tiers)

    @property
    def group(self) -> str:
        return AWAY if self.is_away else HOME


@dataclass(frozen=True)
class Spec:
    """A modality as physics sees it: the object's grid, the chain, its unknowns and its scenes.

    ``scenes`` are at home, in the gallery and in every tier; ``away`` are the others.
    """

    key: str
    shape: tuple[int, ...]
    axes: tuple[str, ...]
    pixel: float
    unit: str
    chain: tuple[Step, ...]
    mismatches: tuple[Mismatch, ...]
    scenes: tuple[Scene, ...]
    gallery_method: str
    away: tuple[Scene, ...] = ()

    def samples(self, tier: str) -> tuple[Scene, ...]:
        """List the scenes that a tier measures: those at home, then those away."""
        if tier not in TIER_SPAN:
            raise CatalogueError(f"There is no tier '{tier}'; the tiers are {', '.join(TIERS)}.")
        return self.scenes + tuple(scene for scene in self.away if tier in scene.tiers)

    def group(self, name: str, tier: str = "public") -> range:
        """List the samples of a tier that are at home or away, by their indices."""
        if name not in GROUPS:
            raise CatalogueError(f"There is no group '{name}'; the groups are {', '.join(GROUPS)}.")
        at_home = len(self.scenes)
        return range(at_home) if name == HOME else range(at_home, len(self.samples(tier)))

    @property
    def channels(self) -> tuple[int, ...]:
        """Number the axes of the object that are not in space: bands, energies, times."""
        return tuple(i for i, name in enumerate(self.axes) if name not in SPATIAL)

    @property
    def nominal(self) -> dict[str, float]:
        """The mismatch that the nominal operator assumes."""
        return {m.name: m.nominal for m in self.mismatches}

    @property
    def perturbed(self) -> dict[str, float]:
        """The mismatch of the gallery's scenarios II and III."""
        return {m.name: m.perturbed for m in self.mismatches}

    def mismatch(self, name: str) -> Mismatch:
        """Find a mismatch by name; raise CatalogueError naming those that exist."""
        for m in self.mismatches:
            if m.name == name:
                return m
        known = ", ".join(m.name for m in self.mismatches)
        raise CatalogueError(f"{self.key} has no mismatch '{name}'; it has {known}.")

    def step(self, name: str) -> Step:
        """Find a step of the chain by name; raise CatalogueError naming those that exist."""
        for step in self.chain:
            if step.name == name:
                return step
        raise CatalogueError(
            f"{self.key} has no step '{name}'; it has {', '.join(s.name for s in self.chain)}."
        )


def read(top: Table) -> Spec:
    """Take a Spec out of a catalogue file; raise CatalogueError naming file and field.

    This checks what can be seen from the tables alone; ``catalogue.parse`` builds the chain too.
    It ignores the file's other tables.
    """
    grid, gallery = top.table("object"), top.table("gallery")
    chain = _chain(top.rows("chain"))
    spec = Spec(
        key=top.matching("key", KEY, "lower case, digits and underscores"),
        shape=tuple(grid.integers("shape")),
        axes=tuple(grid.texts("axes")),
        pixel=grid.number("pixel"),
        unit=grid.text("unit"),
        chain=chain,
        mismatches=_mismatches(top.rows("mismatch"), chain),
        scenes=tuple(_scene(row) for row in top.rows("scene")),
        gallery_method=gallery.text("method"),
        away=tuple(_away(row) for row in top.optional_rows("away")),
    )
    grid.done()
    gallery.done()
    if spec.key != Path(top.filename).stem:
        top.fail("key", f"the file's own name, '{Path(top.filename).stem}'")
    if len(spec.shape) != len(spec.axes):
        grid.fail("axes", f"{len(spec.shape)} names, one per axis")
    return spec


def tier_range(spec: Spec, name: str, tier: str) -> tuple[float, float]:
    """Return the range (lowest, highest) of mismatch ``name`` in ``tier``, in its own unit."""
    if tier not in TIER_SPAN:
        raise CatalogueError(f"There is no tier '{tier}'; the tiers are {', '.join(TIERS)}.")
    low, high = TIER_SPAN[tier]
    perturbed = spec.mismatch(name).perturbed
    ends = sorted(round(factor * perturbed, 12) for factor in (low, high))
    return ends[0], ends[1]


def _chain(rows: list[Table]) -> tuple[Step, ...]:
    steps: dict[str, Step] = {}
    for row in rows:
        step = _step(row)
        if step.name in steps:
            row.refuse("name", f"'{step.name}' is there twice.")
        steps[step.name] = step
    return tuple(steps.values())


def _step(row: Table) -> Step:
    primitive = row.text("primitive")
    step = Step(
        name=row.optional_text("name") or primitive,
        primitive=primitive,
        model=row.text("model"),
        label=row.text("label"),
        description=row.text("description"),
        args=row.table("args").data,
    )
    row.done()
    return step


def _mismatches(rows: list[Table], chain: tuple[Step, ...]) -> tuple[Mismatch, ...]:
    mismatches: dict[str, Mismatch] = {}
    for row in rows:
        m = _mismatch(row)
        if m.name in mismatches:
            row.refuse("name", f"'{m.name}' is there twice.")
        _check_target(row, m, chain)
        mismatches[m.name] = m
    return tuple(mismatches.values())


def _mismatch(row: Table) -> Mismatch:
    step, _, argument = row.text("acts_on").partition(".")
    m = Mismatch(
        name=row.matching("name", KEY, "lower case, digits and underscores"),
        symbol=row.text("symbol"),
        step=step,
        argument=argument,
        description=row.text("description"),
        unit=row.text("unit"),
        nominal=row.number("nominal"),
        perturbed=row.number("perturbed"),
    )
    row.done()
    if m.perturbed == m.nominal:
        row.fail("perturbed", "a value that differs from the nominal")
    return m


def _check_target(row: Table, m: Mismatch, chain: tuple[Step, ...]) -> None:
    """Check that the mismatch acts on a step of the chain; ``build`` knows its arguments."""
    if m.step not in (step.name for step in chain):
        row.refuse("acts_on", f"{m.name} acts on {m.acts_on}, which the chain lacks.")


def _away(row: Table) -> Scene:
    tiers = tuple(row.texts("tiers"))
    if not tiers or not set(tiers) <= set(TIERS):
        row.fail("tiers", f"at least one of {', '.join(TIERS)}")
    scene = Scene(row.text("phantom"), row.text("name"), row.text("description"), tiers)
    row.done()
    return scene


def _scene(row: Table) -> Scene:
    scene = Scene(row.text("phantom"), row.text("name"), row.text("description"))
    row.done()
    return scene
