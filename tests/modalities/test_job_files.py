"""Files that no row keeps go, files that a row promises are missed, and nobody writes in vain."""

from __future__ import annotations

from contextlib import suppress
from uuid import UUID, uuid4

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import Storage, storages

from gallery.models import Run
from modalities.jobs import files, invariants
from tests.gallery.rows import make_results, make_run

pytestmark = pytest.mark.django_db


@pytest.fixture(params=["default", "private"])
def storage(request, settings, tmp_path, monkeypatch) -> Storage:
    """An empty storage under one of the site's two names, where runs keep their files."""
    settings.STORAGES = settings.STORAGES | {
        name: {
            "BACKEND": "modalities.storage.WholeFileStorage",
            "OPTIONS": {"location": str(tmp_path / name)},
        }
        for name in ("default", "private")
    }
    monkeypatch.setattr(Run, "files_storage", request.param)
    return storages[request.param]


def claimed() -> Run:
    run = make_run()
    assert run.claim("worker-1")
    return run


def finished() -> Run:
    """A run that succeeded, with all the files that its results name."""
    run = claimed()
    run.succeed(lambda: make_results(run))
    for path in run.kept_files():
        storages[Run.files_storage].save(path, ContentFile(b"picture"))
    return run


def test_files_of_an_attempt_that_failed_are_deleted(storage):
    run = claimed()
    name = files.Files(run).keep("scene.npz", b"array")
    run.fail("error", "It broke.")
    assert list(files.orphans(Run)) == [name]
    assert files.delete_orphans() == 1
    assert not storage.exists(name)


def test_files_in_folders_of_an_attempt_are_found_too(storage):
    run = claimed()
    name = files.Files(run).keep("scenes/00/truth.webp", b"picture")
    run.release()
    assert list(files.orphans(Run)) == [name]


def test_files_of_a_running_attempt_are_left_alone_and_those_of_the_one_before_go(storage):
    run = claimed()
    old = files.Files(run).keep("scene.npz", b"array")
    run.release()
    run.claim("worker-2")
    new = files.Files(run).keep("scene.npz", b"array")
    assert files.delete_orphans() == 1
    assert [storage.exists(name) for name in (old, new)] == [False, True]


def test_files_that_results_name_stay_and_others_beside_them_go(storage):
    run = finished()
    files.Files(run).keep("draft.webp", b"picture")
    assert files.delete_orphans() == 1
    assert all(storage.exists(name) for name in run.kept_files())


def test_files_of_a_job_that_is_not_there_go(storage):
    storage.save(f"runs/{uuid4()}/1/scene.npz", ContentFile(b"array"))
    assert files.delete_orphans() == 1


@pytest.mark.parametrize(
    "folder", ["runs/of-somebody/1", f"runs/{UUID(int=7)}/notes", "elsewhere/1"]
)
def test_folders_that_no_job_makes_are_left_alone(storage, folder):
    name = storage.save(f"{folder}/scene.npz", ContentFile(b"array"))
    assert files.delete_orphans() == 0
    assert storage.exists(name)


def test_attempt_that_starts_during_the_search_keeps_its_files(storage, monkeypatch):
    run = claimed()
    old = files.Files(run).keep("scene.npz", b"array")
    run.release()
    listing = files._tries

    def start_and_list(place, kind, pk):
        run.claim("worker-2")
        files.Files(run).keep("scene.npz", b"array")
        return listing(place, kind, pk)

    monkeypatch.setattr(files, "_tries", start_and_list)
    assert list(files.orphans(Run)) == [old]


def test_missing_file_is_named_with_its_job(storage):
    run = finished()
    assert invariants.problems() == []
    lost = run.path("scene_00.npz")
    storage.delete(lost)
    assert invariants.problems() == [f"{run} has lost its file {lost}."]


def test_work_that_fails_drops_what_it_kept(storage):
    run = claimed()
    with suppress(MemoryError), files.Files(run) as kept:
        name = kept.keep("scene.npz", b"array")
        assert storage.exists(name)
        raise MemoryError
    assert not storage.exists(name)


def test_work_that_ends_well_keeps_its_files(storage):
    with files.Files(claimed()) as kept:
        name = kept.keep("scene.npz", b"array")
    assert storage.open(name).read() == b"array"
