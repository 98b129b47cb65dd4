"""Put everything that the site cannot recompute into one file, and restore it from there.

A backup is a tar file: the database as its own program dumps it, the folders of the storages, the
truth of the tiers, the keys that the site made for itself, and last a list of checksums, so that
an incomplete backup is noticed. It leaves out files in S3 and keys given by the environment;
docs/deploy.md says how to keep those.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import sqlite3
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.files.storage import FileSystemStorage, storages
from django.db import connection, connections

from modalities import disk

LIST = "checksums.json"
KEYS = ("secret_key", "data_key", "signing_key")
CHUNK = 1 << 20


class BackupError(Exception):
    """The backup cannot be written or read; the message says why and how to go on."""


def folders() -> dict[str, Path]:
    """Name the folders that hold files of the site, as they are called in a backup."""
    found = {
        "truth": Path(settings.TRUTH_DIR),
        "measurements": Path(settings.MEASUREMENTS_DIR),
    }
    for alias in ("default", "private", "runs"):
        storage = storages[alias]
        if isinstance(storage, FileSystemStorage):
            found[f"files/{alias}"] = Path(storage.location)
    return found


# ---------------------------------------------------------------- writing
def write(target: Path) -> int:
    """Write a backup to ``target``, readable by its owner alone; return how many files it holds.

    The site may run meanwhile. The database is copied first and files are never overwritten, so
    that every file which the copied rows name is in the backup. A file that is there already is
    never replaced: it may be the only backup.
    """
    taken = BackupError(f"{target} exists already; give the backup a name of its own.")
    if target.exists():
        raise taken
    try:
        with tempfile.TemporaryDirectory(dir=target.parent, prefix=".backup-") as folder:
            disk.need(target.parent, _size())
            draft = Path(folder) / target.name
            count = _write(draft)
            _place(draft, target)
    except FileExistsError as error:
        raise taken from error
    except (OSError, sqlite3.Error) as error:
        if disk.is_full(error):
            raise BackupError(
                f"the disk of {target.parent} is full; free some space, or name another disk "
                f"({error})."
            ) from error
        raise
    return count


def _write(draft: Path) -> int:
    """Write all of a backup to disk; return how many files it holds."""
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        with tarfile.open(fileobj=file, mode="w") as tar:
            sums = {name: _add(tar, name, path) for name, path in _contents(draft.parent)}
            listed = json.dumps({"engine": connection.vendor, "files": sums}).encode()
            entry = tarfile.TarInfo(LIST)
            entry.size = len(listed)
            tar.addfile(entry, io.BytesIO(listed))
        file.flush()
        os.fsync(file.fileno())
    return len(sums)


def _place(draft: Path, target: Path) -> None:
    """Give the draft its name; raise FileExistsError where another file took it meanwhile."""
    try:
        os.link(draft, target)
    except FileExistsError:
        raise
    except OSError:  # a disk that knows no links, such as exFAT
        os.close(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        draft.replace(target)


def _contents(scratch: Path) -> Iterator[tuple[str, Path]]:
    dump = dump_database(scratch / "database")
    yield "database", dump
    dump.unlink()
    yield from _files()


def _files() -> Iterator[tuple[str, Path]]:
    for name in KEYS:
        if (settings.VAR_DIR / name).exists():
            yield name, settings.VAR_DIR / name
    for name, folder in folders().items():
        for path in sorted(folder.rglob("*")):
            if path.is_file() and not path.name.startswith("."):
                yield f"{name}/{path.relative_to(folder)}", path


def _size() -> int:
    """Say about how many bytes a backup takes; an SQLite database is there twice for a moment."""
    size = sum(path.stat().st_size for _, path in _files())
    if connection.vendor == "sqlite":
        size += 2 * Path(connection.settings_dict["NAME"]).stat().st_size
    return size


def _add(tar: tarfile.TarFile, name: str, path: Path) -> str:
    """Add a file and return its SHA-256."""
    tar.add(path, arcname=name)
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def dump_database(path: Path) -> Path:
    if connection.vendor == "sqlite":
        with closing(sqlite3.connect(path)) as copy:
            connection.ensure_connection()
            connection.connection.backup(copy)
    else:
        _postgres("pg_dump", "--format=custom", "--no-owner", f"--file={path}")
    return path


def _postgres(program: str, *arguments: str) -> None:
    """Run one of PostgreSQL's programs on the site's database."""
    database: dict[str, Any] = connection.settings_dict
    where = {"PGHOST": "HOST", "PGPORT": "PORT", "PGUSER": "USER", "PGPASSWORD": "PASSWORD"}
    given = {name: str(database[key]) for name, key in where.items() if database.get(key)}
    command = [program, *arguments]
    command += [f"--dbname={database['NAME']}"] if program == "pg_restore" else [database["NAME"]]
    try:
        subprocess.run(command, env=os.environ | given, check=True, capture_output=True, text=True)
    except FileNotFoundError as error:
        raise BackupError(f"{program} is missing here: apt install postgresql-client.") from error
    except subprocess.CalledProcessError as error:
        raise BackupError(f"{program} failed: {error.stderr.strip()}") from error


# ---------------------------------------------------------------- reading
def read(source: Path, replace: bool = False) -> int:
    """Put the backup ``source`` in place of what is there; return how many files it held.

    Everything is unpacked and checked beside its place before anything is replaced. Without
    ``replace`` a site that already has data stays as it is.
    """
    if not replace and (taken := next(_taken(), None)):
        raise BackupError(
            f"There is data already: {taken}. Restore into an empty place, "
            "or replace it with --replace."
        )
    with tempfile.TemporaryDirectory(dir=settings.VAR_DIR) as name:
        unpacked = Path(name)
        files = _unpack(source, unpacked)
        load_database(unpacked / "database")
        _put_files(unpacked)
    return len(files)


def _taken() -> Iterator[str]:
    if connection.introspection.table_names():
        yield f"a database with tables ({connection.settings_dict['NAME']})"
    for folder in folders().values():
        if any(path.is_file() for path in folder.rglob("*")):
            yield str(folder)


def _unpack(source: Path, target: Path) -> dict[str, str]:
    """Unpack and check a backup; return the checksums of its files by name."""
    try:
        with tarfile.open(source) as tar:
            sums = {entry.name: _take(tar, entry, target) for entry in tar}
        listed = json.loads((target / LIST).read_text())
    except (OSError, tarfile.TarError, ValueError) as error:
        raise BackupError(
            f"{source} is not a whole backup ({error}); nothing was changed. Take another one."
        ) from error
    if listed["engine"] != connection.vendor:
        raise BackupError(
            f"{source} is of a {listed['engine']} database, and this site has {connection.vendor}; "
            "set PWM_DATABASE_URL to the same kind."
        )
    del sums[LIST]
    if sums != listed["files"]:
        raise BackupError(f"{source} is damaged; nothing was changed. Take another one.")
    return sums


def _take(tar: tarfile.TarFile, entry: tarfile.TarInfo, target: Path) -> str:
    """Write one file of ``tar`` below ``target``, never elsewhere; return its SHA-256."""
    path = (target / entry.name).resolve()
    packed = tar.extractfile(entry) if entry.isfile() else None
    if packed is None or not path.is_relative_to(target.resolve()):
        raise tarfile.TarError(f"it holds {entry.name}, which no backup does")
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        shutil.copyfileobj(packed, file, CHUNK)
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def load_database(dump: Path) -> None:
    if connection.vendor == "sqlite":
        path = Path(connection.settings_dict["NAME"])
        connections.close_all()
        for log in (f"{path}-wal", f"{path}-shm"):
            Path(log).unlink(missing_ok=True)
        shutil.move(dump, path)
    else:
        _postgres(
            "pg_restore", "--clean", "--if-exists", "--no-owner", "--exit-on-error", str(dump)
        )


def _put_files(unpacked: Path) -> None:
    for name in KEYS:
        if (unpacked / name).exists():
            shutil.move(unpacked / name, settings.VAR_DIR / name)
            (settings.VAR_DIR / name).chmod(0o600)
    for name, folder in folders().items():
        _fill(folder, unpacked / name)
    for secret in (settings.TRUTH_DIR, settings.MEASUREMENTS_DIR):
        Path(secret).chmod(0o700)


def _fill(folder: Path, unpacked: Path) -> None:
    """Put the files of ``unpacked`` in place of those in ``folder``, which may be a volume."""
    folder.mkdir(parents=True, exist_ok=True)
    for path in folder.iterdir():
        shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
    for path in unpacked.iterdir() if unpacked.exists() else ():
        shutil.move(path, folder / path.name)
