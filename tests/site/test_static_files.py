"""Every machine collects its own static files, and says so when it has none."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.conf import settings as original
from django.contrib.staticfiles.storage import staticfiles_storage

from pwmsite import static_files

MANIFEST = "staticfiles.json"


@pytest.fixture
def machine(settings, tmp_path: Path) -> Path:
    """A machine of a public site on which nothing was collected yet; its folder of static files."""
    settings.COLLECTED = True
    settings.STATIC_ROOT = tmp_path / "static"
    hashed = {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"}
    settings.STORAGES = original.STORAGES | {"staticfiles": hashed}
    # A few files are enough, and quicker.
    settings.STATICFILES_FINDERS = ["django.contrib.staticfiles.finders.FileSystemFinder"]
    settings.STATICFILES_DIRS = [tmp_path / "source"]
    style = tmp_path / "source" / "css" / "site.css"
    style.parent.mkdir(parents=True)
    style.write_text("p { color: black }")
    static_files.get_finders.__globals__["get_finder"].cache_clear()
    return settings.STATIC_ROOT


def check(client) -> str:
    return client.get("/readyz").json()["checks"]["static"]


@pytest.mark.django_db
def test_a_machine_without_its_files_is_not_ready_until_they_are_collected(machine, client):
    assert client.get("/readyz").status_code == 503
    assert check(client).startswith("This machine has no static files of this release")
    static_files.collect()
    assert (machine / MANIFEST).is_file()
    assert check(client) == "ok"
    assert staticfiles_storage.url("css/site.css").startswith("/static/css/site.")
    next((machine / "css").glob("site.*.css")).unlink()
    assert check(client) != "ok"


def test_files_that_are_there_are_not_written_again(machine):
    static_files.collect()
    written = (machine / MANIFEST).stat().st_mtime_ns
    static_files.collect()
    assert (machine / MANIFEST).stat().st_mtime_ns == written


def test_a_new_release_is_collected_over_the_old_one(machine, tmp_path):
    static_files.collect()
    before = staticfiles_storage.url("css/site.css")
    (tmp_path / "source" / "css" / "site.css").write_text("p { color: white }")
    static_files.collect()
    assert staticfiles_storage.url("css/site.css") != before


def test_a_folder_that_cannot_be_written_stops_no_start(machine, client, db):
    machine.write_text("a file, and no folder")
    static_files.collect()
    assert check(client) != "ok"


def test_files_are_not_collected_for_a_developer(settings, tmp_path):
    settings.STATIC_ROOT = tmp_path / "static"
    static_files.collect()
    assert not settings.STATIC_ROOT.exists()
