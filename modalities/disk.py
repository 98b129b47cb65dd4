"""Full disks: noticed before a long computation begins, and known by whatever error they raise."""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
from pathlib import Path

ROOM = 20 << 20  # bytes that stay free, for the database and the logs
FULL = (errno.ENOSPC, errno.EDQUOT)
# What SQLite, PostgreSQL and Kombu's transport say; their exceptions carry no number.
WORDS = ("disk is full", "no space left on device", "disk quota exceeded")


def is_full(error: BaseException | None) -> bool:
    """Say whether an exception, or one that it was raised from, means a full disk."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in FULL:
            return True
        if any(words in str(error).lower() for words in WORDS):
            return True
        error = error.__cause__ or error.__context__
    return False


def need(folder: Path, size: int) -> None:
    """Raise OSError (ENOSPC) where the disk of ``folder`` has no room for ``size`` more bytes."""
    there = next(path for path in (folder, *folder.parents) if path.exists())
    free = shutil.disk_usage(there).free
    if free < size + ROOM:
        raise OSError(
            errno.ENOSPC,
            f"The disk is full: {_megabytes(size + ROOM)} MB are needed in {folder} and "
            f"{_megabytes(free)} MB are free",
        )


def replace(path: Path, content: bytes) -> None:
    """Write a file that its owner alone may read; there is the old one or the whole new one.

    An error of the disk, a late one too, is an exception, and leaves nothing behind.
    """
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".", suffix=".writing")  # mode 0600
    draft = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


def _megabytes(size: int) -> str:
    return f"{size / 1e6:,.0f}"
