"""Files that no row names: what a worker left behind that died between writing and committing."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator

from django.core.exceptions import ValidationError
from django.core.files.storage import default_storage

from modalities.jobs import State

from .models import Run, SceneResult

FILES = ("truth", "measurement", "reconstruction", "difference", "arrays")


def orphans() -> Iterator[str]:
    """Find the files of attempts that ended without a result, and of runs that are not there."""
    for pk in _folders("runs"):
        for token in _folders(f"runs/{pk}"):
            folder = f"runs/{pk}/{token}"
            # The files first: whatever they belong to is in the database by then, or never.
            files = {posixpath.join(folder, f) for f in default_storage.listdir(folder)[1]}
            if not _is_being_written(pk, token):
                yield from sorted(files - named(pk))


def sweep() -> int:
    """Delete the orphans; say how many there were."""
    found = list(orphans())
    for name in found:
        default_storage.delete(name)
    return len(found)


def missing() -> Iterator[str]:
    """Name what a result row promises and the storage lacks."""
    for pk in Run.objects.succeeded().values_list("pk", flat=True):
        for name in sorted(named(str(pk))):
            if not default_storage.exists(name):
                yield f"Run {pk} has lost its file {name}."


def named(pk: str) -> set[str]:
    """Collect the files that the results of a run name."""
    return {n for row in SceneResult.objects.filter(run=pk).values_list(*FILES) for n in row}


def _folders(path: str) -> list[str]:
    try:
        return sorted(default_storage.listdir(path)[0])
    except FileNotFoundError:
        return []


def _is_being_written(pk: str, token: str) -> bool:
    try:
        return Run.objects.filter(pk=pk, state=State.RUNNING, token=token).exists()
    except (ValidationError, ValueError):  # a folder that is not ours
        return True
