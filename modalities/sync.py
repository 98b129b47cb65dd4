"""Catalogue files to rows: one direction, all or nothing, repeatable."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.db import models, transaction

from .catalogue_files import Document, read_all
from .models import Modality
from .physics.catalogue import CATALOGUE


def sync(folder: Path = CATALOGUE) -> list[str]:
    """Make the rows agree with the files; return the keys of the modalities that changed.

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
    """Write one modality's row; say whether anything differed from what was there."""
    values = document.names | {
        "facts": document.facts,
        "sections": document.sections,
        "tiers": document.tiers,
        "revision": document.revision,
        "is_listed": True,
    }
    return put(Modality, {"key": document.spec.key}, values)[1]


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
