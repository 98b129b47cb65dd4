"""Catalogue files to rows: one direction, all or nothing, and again as often as you like."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.db import models, transaction

from .catalogue_files import Document, read_all
from .models import MismatchParameter, Modality, Scene, Tier
from .physics.catalogue import CATALOGUE
from .physics.spec import Mismatch


def sync(folder: Path = CATALOGUE) -> list[str]:
    """Make the rows agree with the files; give the keys of the modalities that changed.

    Raise CatalogueError for a wrong file; the database is then as it was.
    """
    documents = read_all(folder)
    with transaction.atomic():
        changed = [d.spec.key for d in documents if write(d)]
        gone = Modality.objects.filter(is_listed=True).exclude(
            key__in=[d.spec.key for d in documents]
        )
        changed += gone.values_list("key", flat=True)
        gone.update(is_listed=False)
        Modality.objects.filter(key__in=changed).touch()
    return changed


def write(document: Document) -> bool:
    """Write one modality's rows; say whether anything differed from what was there."""
    values = document.names | {
        "facts": document.facts,
        "sections": document.sections,
        "revision": document.revision,
        "is_listed": True,
    }
    modality, changed = put(Modality, {"key": document.spec.key}, values)
    changed |= put_all(
        MismatchParameter,
        modality,
        "name",
        [_mismatch(m, i) for i, m in enumerate(document.spec.mismatches)],
    )
    changed |= put_all(Scene, modality, "index", _scenes(document))
    changed |= put_all(Tier, modality, "name", [{"name": t} | v for t, v in document.tiers.items()])
    return changed


def put(kind: type[models.Model], key: dict[str, Any], values: dict[str, Any]) -> tuple[Any, bool]:
    """Find or make the row at ``key`` and give it ``values``; say whether that changed anything."""
    row = kind._default_manager.filter(**key).first()
    if row is None:
        return kind._default_manager.create(**(key | values)), True
    changed = [name for name, value in values.items() if getattr(row, name) != value]
    for name in changed:
        setattr(row, name, values[name])
    if changed:
        row.save(update_fields=changed)
    return row, bool(changed)


def put_all(
    kind: type[models.Model], modality: Modality, name: str, rows: list[dict[str, Any]]
) -> bool:
    """Make a modality's rows of one kind, told apart by ``name``, exactly ``rows``."""
    keep = [row[name] for row in rows]
    mine = kind._default_manager.filter(modality=modality)
    deleted, _ = mine.exclude(**{f"{name}__in": keep}).delete()
    written = [put(kind, {"modality": modality, name: row[name]}, row)[1] for row in rows]
    return bool(deleted) or any(written)


def _mismatch(m: Mismatch, position: int) -> dict[str, Any]:
    names = ("name", "symbol", "acts_on", "description", "unit", "nominal", "perturbed")
    return {"position": position} | {name: getattr(m, name) for name in names}


def _scenes(document: Document) -> list[dict[str, Any]]:
    return [
        {"index": i, "phantom": s.phantom, "name": s.name, "description": s.description}
        for i, s in enumerate(document.spec.scenes)
    ]
