"""A modality's catalogue file, read and checked: the frozen ``Spec`` that everything else follows.

The file is TOML. The tables read here are ``object``, ``chain``, ``mismatch``, ``scene`` and
``gallery``; the prose and the facts beside them belong to the catalogue and are left alone. A
mismatch is an error *added* to one named argument of one named step (``acts_on =
"convolve.fwhm"``). Nothing in the file is an expression.
"""

from __future__ import annotations

import math
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# The tiers' ranges are multiples of the perturbed value: (lowest, highest) of Δθ / Δθ_perturbed.
TIER_SPAN = {"public": (-1.0, 2.0), "dev": (-1.2, 1.8), "hidden": (-0.7, 2.3)}
TIERS = tuple(TIER_SPAN)


class SpecError(ValueError):
    """A catalogue file says something that cannot be; the message names the file and the field."""


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
    """One procedural scene: ``phantom`` names its generator in ``physics.phantoms``."""

    phantom: str
    name: str
    description: str


@dataclass(frozen=True)
class Spec:
    """A modality as physics sees it: the object's grid, the chain, its unknowns and its scenes."""

    key: str
    shape: tuple[int, ...]
    axes: tuple[str, ...]
    pixel: float
    unit: str
    chain: tuple[Step, ...]
    mismatches: tuple[Mismatch, ...]
    scenes: tuple[Scene, ...]
    gallery_method: str

    @property
    def nominal(self) -> dict[str, float]:
        """The mismatch that the nominal operator assumes."""
        return {m.name: m.nominal for m in self.mismatches}

    @property
    def perturbed(self) -> dict[str, float]:
        """The mismatch of the gallery's scenarios II and III."""
        return {m.name: m.perturbed for m in self.mismatches}

    def mismatch(self, name: str) -> Mismatch:
        """Find a mismatch by name; raise SpecError naming those that exist."""
        for m in self.mismatches:
            if m.name == name:
                return m
        known = ", ".join(m.name for m in self.mismatches)
        raise SpecError(f"{self.key} has no mismatch '{name}'; it has {known}.")

    def step(self, name: str) -> Step:
        """Find a step of the chain by name; raise SpecError naming those that exist."""
        for step in self.chain:
            if step.name == name:
                return step
        raise SpecError(
            f"{self.key} has no step '{name}'; it has {', '.join(s.name for s in self.chain)}."
        )


def read(text: str, filename: str) -> Spec:
    """Turn the text of a catalogue file into a Spec; raise SpecError naming file and field.

    This checks what can be seen from the tables alone; ``catalogue.parse`` builds the chain too.
    """
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SpecError(f"{filename}: not valid TOML: {error}.") from error
    take = _Reader(filename)
    obj = take.table(data, "object")
    spec = Spec(
        key=take.text(data, "key", filename),
        shape=tuple(take.integers(obj, "shape", "object")),
        axes=tuple(take.texts(obj, "axes", "object")),
        pixel=take.number(obj, "pixel", "object"),
        unit=take.text(obj, "unit", "object"),
        chain=tuple(_step(take, row, i) for i, row in enumerate(take.rows(data, "chain"))),
        mismatches=tuple(_mismatch(take, r, i) for i, r in enumerate(take.rows(data, "mismatch"))),
        scenes=tuple(_scene(take, row, i) for i, row in enumerate(take.rows(data, "scene"))),
        gallery_method=take.text(take.table(data, "gallery"), "method", "gallery"),
    )
    _check(spec, take)
    return spec


def tier_range(spec: Spec, name: str, tier: str) -> tuple[float, float]:
    """Give the range (lowest, highest) of mismatch ``name`` in ``tier``, in the mismatch's unit."""
    if tier not in TIER_SPAN:
        raise SpecError(f"There is no tier '{tier}'; the tiers are {', '.join(TIERS)}.")
    low, high = TIER_SPAN[tier]
    perturbed = spec.mismatch(name).perturbed
    ends = sorted(round(factor * perturbed, 12) for factor in (low, high))
    return ends[0], ends[1]


def _step(take: _Reader, row: Mapping[str, Any], i: int) -> Step:
    where = f"chain[{i}]"
    take.only(row, where, {"name", "primitive", "model", "label", "description", "args"})
    primitive = take.text(row, "primitive", where)
    return Step(
        name=row.get("name", primitive),
        primitive=primitive,
        model=take.text(row, "model", where),
        label=take.text(row, "label", where),
        description=take.text(row, "description", where),
        args=take.table(row, "args", where),
    )


def _mismatch(take: _Reader, row: Mapping[str, Any], i: int) -> Mismatch:
    where = f"mismatch[{i}]"
    fields = {"name", "symbol", "acts_on", "description", "unit", "nominal", "perturbed"}
    take.only(row, where, fields)
    step, _, argument = take.text(row, "acts_on", where).partition(".")
    return Mismatch(
        step=step,
        argument=argument,
        nominal=take.number(row, "nominal", where),
        perturbed=take.number(row, "perturbed", where),
        **{k: take.text(row, k, where) for k in ("name", "symbol", "description", "unit")},
    )


def _scene(take: _Reader, row: Mapping[str, Any], i: int) -> Scene:
    where = f"scene[{i}]"
    take.only(row, where, {"phantom", "name", "description"})
    return Scene(**{k: take.text(row, k, where) for k in ("phantom", "name", "description")})


def _check(spec: Spec, take: _Reader) -> None:
    """Hold the rules that span several tables."""
    if spec.key != Path(take.filename).stem:
        take.fail("key", f"the file's own name, '{Path(take.filename).stem}'", spec.key)
    if len(spec.shape) != len(spec.axes):
        take.fail("object.axes", f"{len(spec.shape)} names, one per axis", spec.axes)
    for name, values in (
        ("chain", [s.name for s in spec.chain]),
        ("mismatch", [m.name for m in spec.mismatches]),
    ):
        if twice := sorted({v for v in values if values.count(v) > 1}):
            take.fail(f"{name}.name", "each name once", ", ".join(twice))
    steps = {s.name: s for s in spec.chain}
    for m in spec.mismatches:
        if m.step not in steps or m.argument not in steps[m.step].args:
            raise SpecError(
                f"{take.filename}: {m.name} acts on {m.acts_on}, which the chain lacks."
            )
        value = steps[m.step].args[m.argument]
        if isinstance(value, bool) or not isinstance(value, int | float):
            take.fail(f"chain {m.acts_on}", f"a number, for {m.name} is added to it", value)
        if m.perturbed == m.nominal:
            take.fail(f"{m.name}.perturbed", "a value that differs from the nominal", m.perturbed)


class _Reader:
    """Take typed values out of TOML tables and complain with file and field."""

    def __init__(self, filename: str) -> None:
        self.filename = filename

    def fail(self, field: str, expected: str, got: object) -> None:
        raise SpecError(f"{self.filename}: {field}: expected {expected}, got {got!r}.")

    def only(self, row: Mapping[str, Any], where: str, allowed: set[str]) -> None:
        for key in row:
            if key not in allowed:
                raise SpecError(
                    f"{self.filename}: {where}.{key} is not a known field; "
                    f"known are {', '.join(sorted(allowed))}."
                )

    def text(self, row: Mapping[str, Any], key: str, where: str) -> str:
        value = row.get(key)
        if not isinstance(value, str) or not value.strip():
            self.fail(f"{where}.{key}", "a text", value)
        return str(value)

    def texts(self, row: Mapping[str, Any], key: str, where: str) -> list[str]:
        value = row.get(key)
        if not isinstance(value, list) or not all(isinstance(v, str) for v in value):
            self.fail(f"{where}.{key}", "a list of texts", value)
        return list(value or [])

    def number(self, row: Mapping[str, Any], key: str, where: str) -> float:
        value = row.get(key)
        if isinstance(value, bool) or not isinstance(value, int | float):
            self.fail(f"{where}.{key}", "a number", value)
        if not math.isfinite(float(value or 0)):
            self.fail(f"{where}.{key}", "a finite number", value)
        return float(value or 0)

    def integers(self, row: Mapping[str, Any], key: str, where: str) -> list[int]:
        value = row.get(key)
        if not isinstance(value, list) or not all(type(v) is int and v > 0 for v in value):
            self.fail(f"{where}.{key}", "a list of positive integers", value)
        return list(value or [])

    def table(self, row: Mapping[str, Any], key: str, where: str = "") -> Mapping[str, Any]:
        value = row.get(key)
        if not isinstance(value, dict):
            self.fail(f"{where}.{key}".lstrip("."), "a table", value)
        return dict(value or {})

    def rows(self, data: Mapping[str, Any], key: str) -> list[Mapping[str, Any]]:
        value = data.get(key)
        if not isinstance(value, list) or not value or not all(isinstance(v, dict) for v in value):
            self.fail(key, "a list of tables, at least one", value)
        return list(value or [])
