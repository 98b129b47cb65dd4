"""A full disk is told as that, by whatever meets it first, and leaves no half a file."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.disks import Disk, disk
from tests.sites import PLAIN, ROOT, Site, site, tables

PEOPLE = """
from django.contrib.auth.models import User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from leaderboards.models import Attempt, Method
from modalities.models import Modality
ann = User.objects.create_user("ann")
method = Method.objects.first()
Method.objects.filter(pk=method.pk).update(owner=ann)
client = Client(raise_request_exception=False, SERVER_NAME="localhost")
client.force_login(ann)
def send(address):
    answer = client.post(address, {"modality": "stem", "tier": "public", "method": method.slug,
        "file": SimpleUploadedFile("a.h5", bytes(200_000))})
    return answer.status_code, answer.content.decode()
"""


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Disk]:
    """A disk of half a megabyte, for the files of a site."""
    with disk(tmp_path_factory.mktemp("site") / "files", "512k") as made:
        yield made


@pytest.fixture(scope="module")
def full(small: Disk) -> Iterator[Site]:
    """A site whose database has room, and whose files lie on that disk."""
    places = {"PWM_STORAGE": "media", "PWM_PRIVATE_STORAGE": "private", "PWM_TRUTH": "truth"} | {
        "PWM_MEASUREMENTS": "measurements"
    }
    given = {name: str(small.path / folder) for name, folder in places.items()}
    with site(
        small.path.parent, DJANGO_SETTINGS_MODULE=PLAIN, TMPDIR=str(small.path), **given
    ) as made:
        made.prefix = small.enter
        made.migrate()
        made.manage("sync_catalogue")
        made.do(PEOPLE)
        yield made


def run(of: Site, *arguments: str) -> str:
    """Run a command of manage.py as an operator does; give the one sentence that it ends with."""
    done = subprocess.run(
        [*of.prefix, sys.executable, "manage.py", *arguments],
        cwd=ROOT,
        env=of.environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1, done.stderr
    return done.stderr


def test_building_data_says_so_before_it_computes(full: Site, small: Disk):
    said = run(full, "build_datasets", "stem")
    assert said.startswith("manage.py: The disk is full; free some space and run this again.")
    assert small.files() == []


def test_a_data_file_that_does_not_fit_after_all_leaves_the_old_one(full: Site, small: Disk):
    full.do("from modalities import datasets, disk, physics")
    full.do("from pathlib import Path")
    full.do("disk.need = lambda folder, size: None")
    for tier in ("hidden", "public"):
        with pytest.raises(AssertionError, match=r"OSError: \[Errno 28\] No space left"):
            full.do("datasets.build(physics.load('stem'), given[0])", tier)
    assert small.files() == []
    target = str(small.path / "kept")
    full.do("disk.replace(Path(given[0]), b'old')", target)
    with pytest.raises(AssertionError, match="No space left"):
        full.do("disk.replace(Path(given[0]), bytes(1_000_000))", target)
    assert small.run("cat", target) == "old"
    small.run("rm", target)


@pytest.mark.parametrize("address", ["/submissions/new/", "/api/v1/submissions/"])
@pytest.mark.parametrize("taken", [450, 330])
def test_an_upload_is_refused_with_that_reason(full: Site, small: Disk, address: str, taken: int):
    """While it streams in, and while it is put in its place."""
    small.run("dd", "if=/dev/zero", f"of={small.path}/other", "bs=1k", f"count={taken}")
    try:
        status, text = full.do("send(given[0])", address)
        assert status == 507, text
        assert "disk is full, so nothing of what you sent was kept" in text.replace("&#x27;", "'")
        assert full.do("Attempt.objects.count()") == 0
        assert small.files() == ["other"]
    finally:
        small.run("rm", f"{small.path}/other")


def test_a_backup_says_so_and_leaves_nothing(full: Site, small: Disk):
    said = run(full, "backup", str(small.path / "backup.tar"))
    assert said.startswith("CommandError: No backup was written: the disk of ")
    assert "is full; free some space, or name another disk" in said
    assert small.files() == []


def test_a_backup_that_does_not_fit_after_all_says_so_too(full: Site, small: Disk):
    full.do("from modalities import disk")
    full.do("disk.need = lambda folder, size: None")
    with pytest.raises(
        AssertionError, match=r"CommandError: No backup .* is full; free some space"
    ):
        full.do("manage('backup', given[0])", str(small.path / "backup.tar"))
    assert small.files() == []


def test_logs_that_cannot_be_written_stop_nothing(full: Site, small: Disk):
    program = (
        "import django; django.setup(); import structlog, os; from pwmsite.bootstrap import say\n"
        "for i in range(9): structlog.get_logger('pwm').warning('x' * 100_000); say('y' * 100_000)"
        "\nos._exit(7)"
    )
    log = small.path / "log"
    done = subprocess.run(
        [
            *small.enter,
            "sh",
            "-c",
            'exec "$@" > "$0" 2>&1',
            str(log),
            sys.executable,
            "-c",
            program,
        ],
        cwd=ROOT,
        env=full.environment,
    )
    assert done.returncode == 7
    small.run("rm", str(log))


def test_a_database_that_is_full_is_a_full_disk(tmp_path: Path):
    """Its tables are there, and the catalogue does not fit."""
    before = tmp_path / "tables"
    size = f"{before.write_bytes(tables()) // 1024 + 100}k"
    with disk(tmp_path / "var", size) as var, site(var.path, DJANGO_SETTINGS_MODULE=PLAIN) as made:
        made.prefix = var.enter
        var.run("cp", str(before), f"{var.path}/pwm.sqlite3")
        done = subprocess.run(
            [*var.enter, sys.executable, "manage.py", "prepare"],
            cwd=ROOT,
            env=made.environment,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 1
        assert "The disk is full; free some space and run this again." in done.stderr
        assert "Traceback" not in done.stderr
