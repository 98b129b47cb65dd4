"""A first start that fails says why in one sentence, and what to do."""

import ast
import os
import re
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from pwmsite import bootstrap
from pwmsite.management.commands import prepare
from tests import sites
from tests.disks import disk

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def clone() -> Iterator[Path]:
    """Return a folder with what the first start needs, and nothing installed."""
    with tempfile.TemporaryDirectory(prefix="pwm") as name:
        folder = Path(name)
        folder.chmod(0o755)
        (folder / "pwmsite").mkdir()
        shutil.copy(ROOT / "pwmsite/bootstrap.py", folder / "pwmsite")
        for lock in ("requirements.lock", "requirements-dev.lock"):
            (folder / lock).write_text("no-such-package==1 --hash=sha256:" + "0" * 64 + "\n")
        yield folder


def start(
    folder: Path, command: str = "run", **options: object
) -> subprocess.CompletedProcess[str]:
    given = options.pop("env", {})
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(("PWM_", "PIP_"))}
    return subprocess.run(
        [sys.executable, "pwmsite/bootstrap.py", command],
        cwd=folder,
        env=inherited | {"PORT": "0"} | given,
        capture_output=True,
        text=True,
        **options,
    )


def refusal(done: subprocess.CompletedProcess[str]) -> str:
    assert done.returncode == 1, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done.stderr


@pytest.fixture
def taken_port() -> Iterator[int]:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        yield other.getsockname()[1]


def test_a_taken_port_is_told_before_anything_is_installed(clone: Path, taken_port: int) -> None:
    said = refusal(start(clone, env={"PORT": str(taken_port)}))
    assert f"Port {taken_port} is taken" in said
    assert f"make run PORT={taken_port + 1}" in said
    assert not (clone / ".venv").exists()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def installing(clone: Path, port: int) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """Start it where pip never ends; give the process, and its pip once that runs."""
    python = clone / ".venv/bin/python"
    python.parent.mkdir(parents=True)
    python.write_text(
        '#!/bin/sh\ncase "$*" in *"pip --version") exit 0;; esac\n'
        f"echo $$ > {clone}/pip.new; mv {clone}/pip.new {clone}/pip; exec sleep 3600\n"
    )
    python.chmod(0o755)
    first = subprocess.Popen(
        [sys.executable, "pwmsite/bootstrap.py", "run"],
        cwd=clone,
        env=os.environ | {"PORT": str(port)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    pip = clone / "pip"
    sites.wait(pip.exists)
    number = int(pip.read_text())
    try:
        yield first, number
    finally:
        first.kill()
        first.communicate()
        with suppress(ProcessLookupError):
            os.kill(number, signal.SIGKILL)


def test_a_second_start_while_the_first_installs_finds_the_port_taken(clone: Path) -> None:
    port = free_port()
    with installing(clone, port):
        said = refusal(start(clone, env={"PORT": str(port)}))
        assert f"Port {port} is taken" in said


def test_a_killed_installer_leaves_no_pip_behind(clone: Path) -> None:
    with installing(clone, free_port()) as (first, pip):
        first.kill()
        first.communicate()
        sites.wait(lambda: not is_alive(pip))


def is_alive(pid: int) -> bool:
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False


def test_a_pip_that_outlives_its_installer_keeps_the_lock(clone: Path) -> None:
    """Where nothing ends it with its parent, the next start waits for it."""
    with installing(clone, free_port()) as (first, pip):
        held = [os.readlink(path) for path in Path(f"/proc/{pip}/fd").iterdir()]
        assert str(clone / "var/installing.lock") in held
        assert first.poll() is None


def test_a_full_disk_is_told_before_anything_is_installed(clone: Path) -> None:
    with disk(clone / "disk", "8m") as small:
        shutil.copytree(clone / "pwmsite", clone / "copy/pwmsite")
        shutil.copy(clone / "requirements.lock", clone / "copy")
        small.run("cp", "-r", f"{clone}/copy/.", str(small.path))
        program = [sys.executable, "pwmsite/bootstrap.py", "run"]
        done = subprocess.run(
            [*small.enter[:-1], f"--wd={small.path}", *program],
            env=os.environ | {"PORT": "0"},
            capture_output=True,
            text=True,
        )
        said = refusal(done)
        assert f"The disk of {small.path} is full: 7 MB are free" in said
        assert said.count("\n") == 1


@pytest.mark.parametrize("port", ["http", "70000", "-1"])
def test_a_port_that_is_none_is_told(clone: Path, port: str) -> None:
    assert f"PORT={port} is no port" in refusal(start(clone, env={"PORT": port}))


def test_a_read_only_folder_is_told(clone: Path) -> None:
    # Root may write anywhere, so it becomes somebody else once all is imported.
    become = "os.setuid(65534)" if os.geteuid() == 0 else ""
    program = "import os, sys; sys.path[0] = 'pwmsite'; import bootstrap; "
    program += f"{become}; sys.argv = ['', 'run']; sys.exit(bootstrap.main())"
    clone.chmod(0o555)
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=clone, capture_output=True, text=True
    )
    clone.chmod(0o755)
    assert f"The folder {clone} cannot be written" in refusal(done)
    assert "clone PWM into a folder of your own" in done.stderr


def test_a_missing_venv_module_is_told(clone: Path, tmp_path: Path) -> None:
    """As on Debian without python3-venv: ``venv`` is there and ``ensurepip`` is not."""
    (tmp_path / "ensurepip.py").write_text("raise ModuleNotFoundError(name='ensurepip')")
    said = refusal(start(clone, env={"PYTHONPATH": str(tmp_path)}))
    assert "ensurepip is missing" in said
    assert re.search(r"apt install python3\.\d+-venv", said)


def test_an_index_that_cannot_be_reached_is_told(clone: Path) -> None:
    no_network = {"PIP_INDEX_URL": "http://127.0.0.1:1/simple", "PIP_RETRIES": "0"}
    said = refusal(start(clone, env=no_network | {"PIP_CONFIG_FILE": os.devnull}))
    assert "see that the package index can be reached" in said
    assert said.count("\n") == 1
    assert not (clone / ".venv" / "installed.json").exists()


def test_an_old_python_is_told() -> None:
    with pytest.raises(
        bootstrap.CannotStart, match=r"needs Python 3\.11 .* this is Python 3\.9\.2"
    ):
        bootstrap.check_python((3, 9, 2))


def test_an_old_python_can_read_the_file_that_tells_it() -> None:
    """Python 3.6, that is, which some servers still call python3."""
    tree = ast.parse((ROOT / "pwmsite/bootstrap.py").read_text(), feature_version=(3, 6))
    imported = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert "__future__" not in imported
    annotations = [
        annotation
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef)
        for annotation in (node.returns, *(arg.annotation for arg in node.args.args))
    ]
    assert not any(isinstance(found, ast.Subscript | ast.BinOp) for found in annotations)


@pytest.fixture
def older(tmp_path: Path) -> Iterator[sites.Site]:
    """A site whose database an older version made."""
    with sites.site(tmp_path, DJANGO_SETTINGS_MODULE="pwmsite.settings") as made:
        made.manage("migrate", "--verbosity", "0")
        with closing(sqlite3.connect(tmp_path / "pwm.sqlite3")) as database, database:
            database.execute(
                "INSERT INTO django_migrations (app, name, applied) "
                "VALUES ('leaderboards', '0006_append_only', '2026-01-01')"
            )
        yield made


def test_a_database_of_another_version_is_told_and_left_as_it_is(older: sites.Site) -> None:
    database = older.folder / "pwm.sqlite3"
    before = database.read_bytes()
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        done = subprocess.run(
            [sys.executable, "-m", "pwmsite.serve", str(listener.fileno())],
            cwd=ROOT,
            env=older.environment,
            pass_fds=(listener.fileno(),),
            capture_output=True,
            text=True,
        )
    said = refusal(done)
    assert "Another version of PWM made this database (leaderboards.0006_append_only is" in said
    assert "manage.py backup FILE" in said
    assert f"remove {database}*" in said
    assert said.count("\n") == 1
    assert database.read_bytes() == before
    assert "backup.tar: " in older.manage("backup", str(older.folder / "backup.tar"))


def test_a_database_of_this_version_is_not_refused(db: None) -> None:
    prepare.refuse_other_versions()


def test_the_first_start_imports_the_standard_library_only() -> None:
    tree = ast.parse((ROOT / "pwmsite/bootstrap.py").read_text())
    modules = {
        name.split(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in (
            [node.module] if isinstance(node, ast.ImportFrom) else [a.name for a in node.names]
        )
    }
    assert modules <= sys.stdlib_module_names


def test_packages_are_installed_again_only_when_the_lock_changes(
    clone: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bootstrap, "ROOT", clone)
    monkeypatch.setattr(bootstrap, "INSTALLED", clone / "installed.json")
    assert not bootstrap.is_installed("requirements.lock")
    bootstrap.remember("requirements-dev.lock")
    assert bootstrap.is_installed("requirements-dev.lock")
    assert bootstrap.is_installed("requirements.lock")
    with (clone / "requirements.lock").open("a") as lock:
        lock.write("another==2\n")
    assert not bootstrap.is_installed("requirements.lock")


def pins(lock: str) -> set[str]:
    return set(re.findall(r"^[a-z][\w.-]*==\S+", (ROOT / lock).read_text(), re.MULTILINE))


def test_developers_get_the_versions_that_users_get() -> None:
    assert pins("requirements.lock") <= pins("requirements-dev.lock")


@pytest.mark.parametrize("python", ["3.11.0", "3.11.2", "3.12.3", "3.13.1", "3.14.0"])
def test_the_lock_is_whole_for_every_python_that_is_supported(python: str) -> None:
    """The lock is made with one Python, and pip installs nothing that a lock with hashes lacks."""
    here = {"python_version": python.rpartition(".")[0], "python_full_version": python, "extra": ""}
    locked = {canonicalize_name(pin.split("==")[0]) for pin in pins("requirements.lock")}
    asked = [Requirement(text) for name in locked for text in metadata.requires(name) or [] if text]
    lacking = [
        str(requirement)
        for requirement in asked
        if requirement.marker is None or requirement.marker.evaluate(here)
        if canonicalize_name(requirement.name) not in locked
    ]
    assert not lacking
