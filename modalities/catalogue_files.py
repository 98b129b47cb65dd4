"""What a modality's files say, read and checked; docs/catalogue.md describes every field."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from modalities import physics

from . import prose
from .physics.catalogue import CATALOGUE, take
from .physics.tables import CatalogueError, Table, read_text, read_toml

_TIER_TEXTS = {"title": 60, "summary": 200, "get": 2000, "use": 2000, "submit": 2000}
_SCENARIOS = ("I", "II", "III")

Facts = dict[str, Any]


@dataclass(frozen=True)
class Document:
    """One modality: its physics, its names, and all that its page says.

    tiers: [{"name", "title", "summary", "get", "use", "submit"}], from public to hidden.
    revision: SHA-256 of the files.
    """

    spec: physics.Spec
    names: Facts
    facts: Facts
    sections: list[dict[str, str]]
    tiers: list[dict[str, str]]
    revision: str


def read_all(folder: Path = CATALOGUE) -> list[Document]:
    """Read every modality in ``folder``; raise CatalogueError at the first mistake."""
    common = folder.parent / "tiers.toml"
    documents = [read(path, common) for path in sorted(folder.glob("*.toml"))]
    for path in sorted(folder.glob("*.md")):
        if not path.with_suffix(".toml").exists():
            raise CatalogueError(f"{path.name}: there is no {path.stem}.toml beside it.")
    return documents


def read(path: Path, common: Path) -> Document:
    """Read one modality; ``common`` holds the texts that the tier cards share."""
    prose_path = path.with_suffix(".md")
    top = read_toml(path)
    spec = take(top)
    _check_known(top, spec)
    document = Document(
        spec=spec,
        names=_names(top),
        facts=_facts(top, spec),
        sections=prose.sections(read_text(prose_path), prose_path.name),
        tiers=_tiers(top, read_toml(common)),
        revision=_revision(path, prose_path, common),
    )
    top.done()
    return document


def _check_known(top: Table, spec: physics.Spec) -> None:
    """Check that the code has the phantoms and the gallery's method that the file names."""
    for registry, what in ((physics.PHANTOMS, "scenes"), (physics.METHODS, "methods")):
        if spec.key not in registry:
            top.refuse("key", f"the physics has no {what} for '{spec.key}'.")
    rows = [(f"scene[{i}]", scene) for i, scene in enumerate(spec.scenes)]
    rows += [(f"away[{i}]", scene) for i, scene in enumerate(spec.away)]
    for where, scene in rows:
        if scene.phantom not in physics.PHANTOMS[spec.key]:
            known = ", ".join(physics.PHANTOMS[spec.key])
            top.refuse(f"{where}.phantom", f"'{scene.phantom}' is not one of {known}.")
    if spec.gallery_method not in physics.METHODS[spec.key]:
        known = ", ".join(physics.METHODS[spec.key])
        top.refuse("gallery.method", f"'{spec.gallery_method}' is not one of {known}.")


def _names(top: Table) -> Facts:
    return {
        "name": top.text("name", 120),
        "short_name": top.text("short_name", 24),
        "aliases": top.texts("aliases"),
        "category": top.text("category", 80),
        "task": top.matching("task", r"(?s).*\.", "one sentence that ends in a full stop"),
    }


def _facts(top: Table, spec: physics.Spec) -> Facts:
    return {
        "signal_chain": _signal_chain(top, spec),
        "setup": _once("label", [(row, _setup(row)) for row in top.rows("setup")]),
        "references": [_reference(row) for row in top.rows("reference")],
        "datasets": [_dataset(row) for row in top.rows("dataset")],
        "source_gallery": _source_gallery(top, spec),
    }


def _signal_chain(top: Table, spec: physics.Spec) -> list[Facts]:
    rows = top.rows("signal_chain")
    parts = []
    for row in rows:
        part = {
            "component": row.text("component", 120),
            "does": row.text("does", 400),
            "mismatch": row.texts("mismatch"),
        }
        row.done()
        for name in part["mismatch"]:
            if name not in spec.nominal:
                row.refuse("mismatch", f"the file declares no mismatch '{name}'.")
        parts.append(part)
    placed = {name for part in parts for name in part["mismatch"]}
    if missing := [name for name in spec.nominal if name not in placed]:
        top.refuse("signal_chain", f"no component says that {missing[0]} acts on it.")
    return parts


def _setup(row: Table) -> Facts:
    fact = {"label": row.text("label", 80), "value": row.text("value", 300)}
    row.done()
    return fact


def _reference(row: Table) -> Facts:
    fact: Facts = {"citation": row.text("citation"), "year": row.integer("year", 1600, 2100)}
    if "doi" in row:
        fact["doi"] = row.matching("doi", r"10\.\d{4,9}/\S+", "a bare DOI, 10.…/…")
    row.done()
    return fact


def _dataset(row: Table) -> Facts:
    fact = {"name": row.text("name", 200), "description": row.text("description")}
    if "url" in row:
        fact["url"] = row.matching("url", r"https://\S+", "a link that begins with https://")
    row.done()
    return fact


def _source_gallery(top: Table, spec: physics.Spec) -> Facts | None:
    if "source_gallery" not in top:
        top.ignore("source_gallery")
        return None
    table = top.table("source_gallery")
    scenes = table.rows("scene")
    gallery = {
        "method": table.text("method", 80),
        "mismatch": table.text("mismatch", 200),
        "mean": _scenarios(table.table("mean")),
        "scenes": [{"name": row.text("name", 80)} | _scenarios(row) for row in scenes],
    }
    table.done()
    if len(scenes) != len(spec.scenes):
        table.refuse("scene", f"expected {len(spec.scenes)} rows, one per scene.")
    return gallery


def _scenarios(row: Table) -> Facts:
    values = {}
    for scenario in _SCENARIOS:
        cell = row.table(scenario)
        values[scenario] = {
            "psnr": cell.number("psnr", -100, 200),
            "ssim": cell.number("ssim", -1, 1),
        }
        cell.done()
    row.done()
    return values


def _tiers(top: Table, common: Table) -> list[dict[str, str]]:
    """Take the common text of each card, and what the modality's own file replaces."""
    own = top.table("tiers") if "tiers" in top else Table({}, top.filename, "tiers")
    top.ignore("tiers")
    cards = []
    for tier in physics.TIERS:
        shared = common.table(tier)
        card = {"name": tier} | {n: shared.text(n, most) for n, most in _TIER_TEXTS.items()}
        shared.done()
        if tier in own:
            mine = own.table(tier)
            card |= {n: mine.text(n, most) for n, most in _TIER_TEXTS.items() if n in mine}
            mine.ignore(*_TIER_TEXTS)
            mine.done()
        cards.append(card)
    own.ignore(*physics.TIERS)
    own.done()
    common.done()
    return cards


def _once(name: str, facts: list[tuple[Table, Facts]]) -> list[Facts]:
    seen: set[str] = set()
    for row, fact in facts:
        if fact[name] in seen:
            row.refuse(name, f"'{fact[name]}' is there twice.")
        seen.add(fact[name])
    return [fact for _, fact in facts]


def _revision(*paths: Path) -> str:
    digest = hashlib.sha256()
    for path in paths:
        digest.update(path.read_bytes())
    return digest.hexdigest()
