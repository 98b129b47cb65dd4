"""The files of tries at jobs: written whole, and deleted when no row keeps them.

They lie in ``<files_folder>/<pk>/<token>/`` of the kind's storage, so that no try can touch the
files of another. A worker that dies leaves its files behind; the database does not name them.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Iterator
from typing import Self
from uuid import UUID

from django.core.files.base import ContentFile
from django.core.files.storage import Storage, storages

from .models import Job, kinds
from .rules import State

BATCH = 500  # jobs whose rows are read at once


class Files:
    """Writes the files of one try; as a context, drops them if the block does not end well.

    storage: an alias of STORAGES, the kind's own if none is given.
    """

    def __init__(self, job: Job, storage: str = "") -> None:
        self._job = job
        self._storage = storages[storage or job.files_storage]
        self._names: list[str] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, error: type[BaseException] | None, *_: object) -> None:
        if error:
            self.drop()

    def keep(self, name: str, content: bytes) -> str:
        """Store ``content`` whole or not at all; return the name it has in the storage."""
        stored = self._storage.save(self._job.path(name), ContentFile(content))
        self._names.append(stored)
        return stored

    def drop(self) -> None:
        """Delete all that was kept."""
        for name in self._names:
            self._storage.delete(name)


def places_of(kind: type[Job]) -> tuple[str, ...]:
    """List the aliases of the storages that hold files of a kind of job."""
    return (kind.files_storage, *kind.files_also_in)


def orphans(kind: type[Job]) -> Iterator[str]:
    """Find the files of tries that came to nothing, and of jobs that are not there."""
    for place in places_of(kind):
        yield from _orphans_in(place, kind)


def _orphans_in(place: str, kind: type[Job]) -> Iterator[str]:
    folders = _job_folders(place, kind)
    for start in range(0, len(folders), BATCH):
        # The files first: the rows that they belong to are in the database by then, or never.
        listed = {pk: _tries(place, kind, pk) for pk in folders[start : start + BATCH]}
        jobs = kind._base_manager.in_bulk(listed)
        for pk, tries in listed.items():
            job = jobs.get(pk)
            kept = job.kept_in(place) if job else set()
            for token, files in tries.items():
                if not (job and job.state == State.RUNNING and str(job.token) == token):
                    yield from sorted(files - kept)


def delete_orphans() -> int:
    """Delete the orphans of every kind; say how many there were."""
    count = 0
    for kind in kinds_with_files():
        for place in places_of(kind):
            for name in list(_orphans_in(place, kind)):
                storages[place].delete(name)
                count += 1
    return count


def missing(kind: type[Job], jobs: Iterable[Job]) -> Iterator[str]:
    """Say what a row promises and the storage lacks.

    Rows forget a file before it is deleted, so one that is gone is missing only if the row as it
    is now still promises it.
    """
    for job in jobs:
        for place in places_of(kind):
            for name in sorted(job.kept_in(place)):
                if not storages[place].exists(name) and _is_promised(job, place, name):
                    yield f"{job} has lost its file {name}."


def _is_promised(job: Job, place: str, name: str) -> bool:
    now = type(job)._base_manager.filter(pk=job.pk).first()
    return now is not None and name in now.kept_in(place)


def kinds_with_files() -> list[type[Job]]:
    return [kind for kind in kinds() if kind.files_folder]


def _job_folders(place: str, kind: type[Job]) -> list[UUID]:
    """List the jobs that have a folder; a folder with another name is not ours."""
    found = []
    for name in _list(storages[place], kind.files_folder)[0]:
        try:
            found.append(UUID(name))
        except ValueError:
            continue
    return found


def _tries(place: str, kind: type[Job], pk: UUID) -> dict[str, set[str]]:
    """List the files of a job by the token of their try."""
    storage, folder = storages[place], f"{kind.files_folder}/{pk}"
    tokens = (name for name in _list(storage, folder)[0] if name.isdecimal())
    return {token: set(_walk(storage, f"{folder}/{token}")) for token in tokens}


def _walk(storage: Storage, folder: str) -> Iterator[str]:
    folders, files = _list(storage, folder)
    yield from (posixpath.join(folder, name) for name in files)
    for name in folders:
        yield from _walk(storage, posixpath.join(folder, name))


def _list(storage: Storage, folder: str) -> tuple[list[str], list[str]]:
    try:
        return storage.listdir(folder)
    except FileNotFoundError:
        return [], []
