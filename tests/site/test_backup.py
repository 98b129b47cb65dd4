"""A backup brings the whole site back, and a damaged one changes nothing."""

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
COUNT_USERS = "from django.contrib.auth.models import User; print(User.objects.count())"
REWRITE = "from leaderboards.models import CreditChange as C; C._base_manager.update(amount=999)"
FILL = """
from django.contrib.auth.models import User
from django.core.files.base import ContentFile
from django.core.files.storage import storages
from leaderboards.models import CreditAccount
CreditAccount.objects.of(User.objects.create_user("ann"))
storages["default"].save("runs/1/truth.webp", ContentFile(b"picture"))
"""


class Place:
    """A site's state in a folder, and perhaps a database elsewhere."""

    def __init__(self, var: Path, **given: str) -> None:
        inherited = {k: v for k, v in os.environ.items() if not k.startswith(("PWM_", "PYTEST_"))}
        self.var, self.env = var, inherited | {"PWM_VAR": str(var)} | given

    def manage(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "manage.py", *arguments]
        return subprocess.run(command, cwd=ROOT, env=self.env, capture_output=True, text=True)

    def shell(self, code: str) -> str:
        done = self.manage("shell", "--no-imports", "-c", code)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def fill(self) -> "Place":
        self.manage("migrate", "--verbosity", "0")
        self.shell(FILL)
        return self


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Place:
    return Place(tmp_path_factory.mktemp("site")).fill()


@pytest.fixture(scope="module")
def backup(site: Place) -> Path:
    path = site.var / "backup.tar"
    done = site.manage("backup", str(path))
    assert done.returncode == 0, done.stderr
    return path


def test_a_site_comes_back_elsewhere_with_rows_files_and_keys(
    site: Place, backup: Path, tmp_path: Path
) -> None:
    elsewhere = Place(tmp_path)
    done = elsewhere.manage("restore", str(backup))
    assert done.returncode == 0, done.stderr
    assert elsewhere.shell(COUNT_USERS) == "1"
    assert "History cannot be changed" in elsewhere.manage("shell", "-c", REWRITE).stderr
    assert (tmp_path / "media/runs/1/truth.webp").read_bytes() == b"picture"
    for key in ("secret_key", "data_key"):
        assert (tmp_path / key).read_text() == (site.var / key).read_text()
        assert stat.S_IMODE((tmp_path / key).stat().st_mode) == 0o600


def test_a_folder_that_is_a_volume_is_filled_and_not_replaced(backup: Path, tmp_path: Path) -> None:
    volume = tmp_path / "media"
    volume.mkdir()
    (volume / "lost+found").mkdir()
    which = volume.stat().st_ino
    assert Place(tmp_path).manage("restore", str(backup)).returncode == 0
    assert volume.stat().st_ino == which
    assert [path.name for path in volume.iterdir()] == ["runs"]


def test_only_its_owner_may_read_a_backup(backup: Path) -> None:
    assert stat.S_IMODE(backup.stat().st_mode) == 0o600


def test_a_site_that_is_there_is_not_replaced_unasked(site: Place, backup: Path) -> None:
    done = site.manage("restore", str(backup))
    assert done.returncode == 1
    assert "There is data already" in done.stderr
    assert site.manage("restore", "--replace", str(backup)).returncode == 0


@pytest.mark.parametrize("damage", ["one byte", "half of it"])
def test_a_damaged_backup_changes_nothing(backup: Path, tmp_path: Path, damage: str) -> None:
    content = backup.read_bytes()
    at = content.index(b"picture")
    damaged = tmp_path / "damaged.tar"
    damaged.write_bytes(
        content[:at] + b"P" + content[at + 1 :]
        if damage == "one byte"
        else content[: len(content) // 2]
    )
    elsewhere = Place(tmp_path / "var")
    done = elsewhere.manage("restore", str(damaged))
    assert done.returncode == 1
    assert "nothing was changed" in done.stderr
    assert not (tmp_path / "var/media").exists()


def test_postgresql_is_dumped_and_loaded_by_its_own_programs(
    postgres_url: str, tmp_path: Path
) -> None:
    site = Place(tmp_path / "var", PWM_DATABASE_URL=postgres_url).fill()
    path = tmp_path / "backup.tar"
    assert site.manage("backup", str(path)).returncode == 0
    site.shell("from django.contrib.auth.models import User; User.objects.all().delete()")
    done = site.manage("restore", "--replace", str(path))
    assert done.returncode == 0, done.stderr
    assert site.shell(COUNT_USERS) == "1"
    assert "History cannot be changed" in site.manage("shell", "-c", REWRITE).stderr
    refused = Place(tmp_path / "other").manage("restore", str(path))
    assert "is of a postgresql database" in refused.stderr
