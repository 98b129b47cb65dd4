"""The catalogue as the leaderboards see it: modalities, reported results, methods that run here."""

from __future__ import annotations

from pathlib import Path

from django.db import transaction

from modalities import physics, prose
from modalities.models import Modality
from modalities.physics.catalogue import CATALOGUE
from modalities.physics.tables import CatalogueError
from modalities.sync import put, sync

from .models import Checkpoint, Family, Method
from .published_files import PUBLISHED, publish

# What the physics calls its kinds of method, in the words of the boards.
FAMILIES = {
    "analytic": Family.CLASSICAL,
    "denoising": Family.CLASSICAL,
    "iterative": Family.CLASSICAL,
    "variational": Family.CLASSICAL,
    "self-supervised": Family.SELF_SUPERVISED,
    "learned": Family.LEARNED,
}


def sync_everything(catalogue: Path = CATALOGUE, published: Path = PUBLISHED) -> list[str]:
    """Sync modalities, reported results and our methods, or nothing; give the keys that changed."""
    with transaction.atomic():
        changed = [*sync(catalogue), *publish(published), *enlist()]
    return sorted(set(changed))


def enlist() -> list[str]:
    """Give every method that the physics implements a row; give the keys that changed.

    Where two modalities have a method of one name, the first one describes it. A method that a
    published file claims by ``physics_name`` is described there.
    """
    changed = set()
    described: set[str] = set()
    for modality in Modality.objects.listed().order_by("key"):
        for method in physics.METHODS[modality.key].values():
            if _enlist(method, modality, describe=method.name not in described):
                changed.add(modality.key)
            described.add(method.name)
    Modality.objects.filter(key__in=changed).touch()
    return sorted(changed)


def _enlist(method: physics.Method, modality: Modality, describe: bool) -> bool:
    row = Method.objects.filter(physics_name=method.name).first()
    changed = False
    if row is None or (row.is_ours and describe):
        row, changed = put(Method, {"physics_name": method.name}, _fields(method))
    if not row.modalities.contains(modality):
        row.modalities.add(modality)
        changed = True
    return changed


def _free_slug(method: physics.Method) -> str:
    """Name our method's address; where a source's or a person's method has it, ours steps aside."""
    slug = method.name.replace("_", "-")
    others = Method.objects.exclude(physics_name=method.name)
    return f"{slug}-here" if others.filter(slug=slug).exists() else slug


def _fields(method: physics.Method) -> dict[str, object]:
    return {
        "slug": _free_slug(method),
        "name": method.label,
        "family": _family(method),
        "description": method.summary,
        "description_html": prose.inline(method.summary, method.name),
        "citation": method.citation,
        "checkpoint": _checkpoint(method),
        "is_ours": True,
    }


def _family(method: physics.Method) -> Family:
    if method.family not in FAMILIES:
        raise CatalogueError(
            f"{method.name}: family: expected one of {', '.join(FAMILIES)}, got '{method.family}'."
        )
    return FAMILIES[method.family]


def _checkpoint(method: physics.Method) -> Checkpoint:
    """What runs here has its weights here; only learned methods have any."""
    return Checkpoint.AVAILABLE if _family(method) == Family.LEARNED else Checkpoint.NOT_NEEDED
