"""A backup brings the whole site back, and a damaged one changes nothing."""

import errno
import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from pwmsite import backup as backups
from tests.sites import PLAIN, ROOT, Site

FILL = """
from django.contrib.auth.models import User
from django.core.files.base import ContentFile
from django.core.files.storage import storages
from leaderboards.models import CreditAccount
CreditAccount.objects.of(User.objects.create_user("ann"))
storages["default"].save("runs/1/truth.webp", ContentFile(b"picture"))
"""


class Place(Site):
    """A site's state in a folder, and perhaps a database elsewhere."""

    def __init__(self, folder: Path, **given: str) -> None:
        super().__init__(folder, DJANGO_SETTINGS_MODULE=PLAIN, **given)

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a command of manage.py in a process of its own, as an administrator does."""
        command = [sys.executable, "manage.py", *arguments]
        return subprocess.run(
            command, cwd=ROOT, env=self.environment, capture_output=True, text=True
        )

    def fill(self) -> None:
        self.migrate()
        self.do(FILL)

    def is_whole(self) -> bool:
        """Tell whether the rows are there, and still guarded."""
        self.do("from django.contrib.auth.models import User")
        self.do("from leaderboards.models import CreditChange")
        with pytest.raises(AssertionError, match="History cannot be changed"):
            self.do("CreditChange._base_manager.update(amount=999)")
        return self.do("[user.username for user in User.objects.all()]") == ["ann"]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    place = Place(tmp_path_factory.mktemp("site"))
    place.fill()
    yield place
    place.close()


@pytest.fixture
def elsewhere(tmp_path: Path) -> Iterator[Place]:
    place = Place(tmp_path / "var")
    place.folder.mkdir()
    yield place
    place.close()


@pytest.fixture(scope="module")
def backup(site: Place) -> Path:
    path = site.folder / "backup.tar"
    done = site.run("backup", str(path))
    assert done.returncode == 0, done.stderr
    return path


def is_its_owners_alone(folder: Path) -> bool:
    found = [path for path in folder.rglob("*") if path.is_file()]
    assert len(found) > 3
    return all(stat.S_IMODE(path.stat().st_mode) == 0o600 for path in found)


def test_a_site_comes_back_elsewhere_with_rows_files_and_keys(
    site: Place, backup: Path, elsewhere: Place
) -> None:
    done = elsewhere.run("restore", str(backup))
    assert done.returncode == 0, done.stderr
    assert elsewhere.is_whole()
    assert (elsewhere.folder / "media/runs/1/truth.webp").read_bytes() == b"picture"
    assert is_its_owners_alone(elsewhere.folder)
    for key in ("secret_key", "data_key", "signing_key"):
        assert (elsewhere.folder / key).read_text() == (site.folder / key).read_text()
        assert stat.S_IMODE((elsewhere.folder / key).stat().st_mode) == 0o600


def test_a_folder_that_is_a_volume_is_filled_and_not_replaced(
    backup: Path, elsewhere: Place
) -> None:
    volume = elsewhere.folder / "media"
    volume.mkdir()
    (volume / "lost+found").mkdir()
    which = volume.stat().st_ino
    assert elsewhere.run("restore", str(backup)).returncode == 0
    assert volume.stat().st_ino == which
    assert [path.name for path in volume.iterdir()] == ["runs"]


def test_only_its_owner_may_read_a_backup(backup: Path) -> None:
    assert stat.S_IMODE(backup.stat().st_mode) == 0o600


def test_a_file_that_is_there_is_never_overwritten(site: Place, tmp_path: Path) -> None:
    first = tmp_path / "backup.tar"
    first.write_text("the only backup of last year")
    done = site.run("backup", str(first))
    assert done.returncode == 1
    assert "exists already; give the backup a name of its own" in done.stderr
    assert first.read_text() == "the only backup of last year"
    assert [path.name for path in tmp_path.iterdir()] == ["backup.tar"]


@pytest.mark.parametrize("has_links", [True, False])
def test_a_file_made_meanwhile_is_not_overwritten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, has_links: bool
) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(errno.EPERM, "This disk knows no links.")

    if not has_links:
        monkeypatch.setattr(os, "link", refuse)
    draft, other = tmp_path / "draft", tmp_path / "other"
    draft.write_text("new")
    other.write_text("another process was quicker")
    with pytest.raises(FileExistsError):
        backups._place(draft, other)
    assert other.read_text() == "another process was quicker"
    backups._place(draft, tmp_path / "free")
    assert (tmp_path / "free").read_text() == "new"


def test_a_site_that_is_there_is_not_replaced_unasked(site: Place, backup: Path) -> None:
    done = site.run("restore", str(backup))
    assert done.returncode == 1
    assert "There is data already" in done.stderr
    assert site.run("restore", "--replace", str(backup)).returncode == 0


@pytest.mark.parametrize("damage", ["one byte", "half of it"])
def test_a_damaged_backup_changes_nothing(
    backup: Path, tmp_path: Path, elsewhere: Place, damage: str
) -> None:
    content = backup.read_bytes()
    at = content.index(b"picture")
    damaged = tmp_path / "damaged.tar"
    damaged.write_bytes(
        content[:at] + b"P" + content[at + 1 :]
        if damage == "one byte"
        else content[: len(content) // 2]
    )
    done = elsewhere.run("restore", str(damaged))
    assert done.returncode == 1
    assert "nothing was changed" in done.stderr
    assert not (elsewhere.folder / "media").exists()


def test_postgresql_is_dumped_and_loaded_by_its_own_programs(
    postgres_url: str, tmp_path: Path, elsewhere: Place
) -> None:
    elsewhere.environment["PWM_DATABASE_URL"] = postgres_url
    elsewhere.fill()
    path = tmp_path / "backup.tar"
    assert elsewhere.run("backup", str(path)).returncode == 0
    elsewhere.do("User.objects.all().delete()")
    done = elsewhere.run("restore", "--replace", str(path))
    assert done.returncode == 0, done.stderr
    assert elsewhere.is_whole()
    refused = Place(tmp_path / "other").run("restore", str(path))
    assert "is of a postgresql database" in refused.stderr
