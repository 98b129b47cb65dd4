"""Files that are complete or absent: Django's storage in a folder, safe against crashes.

Object stores such as S3 are used as django-storages has them; here is told when one is away.
"""

from __future__ import annotations

import contextlib
import os
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

from django.core.files.base import File
from django.core.files.storage import FileSystemStorage

UNFINISHED = ".unfinished-"


def is_away(error: BaseException | None) -> bool:
    """Say whether an exception, or one that it was raised from, means that S3 does not answer.

    It was not reached, said nothing in time, or answered that it fails itself (5xx).
    """
    if "botocore.exceptions" not in sys.modules:  # no such error can have been raised
        return False
    from botocore.exceptions import ClientError, HTTPClientError

    while error is not None:
        if isinstance(error, HTTPClientError):
            return True
        if isinstance(error, ClientError):
            return bool(error.response["ResponseMetadata"]["HTTPStatusCode"] >= 500)
        error = error.__cause__ or error.__context__
    return False


class WholeFileStorage(FileSystemStorage):
    """Write under a temporary name in the same folder, and rename when all bytes are on disk.

    After a crash or on a full disk no incomplete file has its final name. Object stores such
    as S3 do this themselves. ``unfinished`` finds what a crash leaves behind.
    """

    def _save(self, name: str, content: File) -> str:
        final = Path(self.path(name))
        final.parent.mkdir(parents=True, exist_ok=True)
        draft = final.with_name(f"{UNFINISHED}{uuid.uuid4().hex}")
        try:
            self._write(draft, content)
            name = self._place(draft, name)
        finally:
            draft.unlink(missing_ok=True)
        return str(name).replace("\\", "/")

    def _write(self, draft: Path, content: File) -> None:
        with draft.open("wb") as file:
            for chunk in content.chunks():
                file.write(chunk)
            file.flush()
            os.fsync(file.fileno())
        draft.chmod(self.file_permissions_mode or 0o600)

    def _place(self, draft: Path, name: str) -> str:
        """Give the draft its name, or another one if that was taken meanwhile."""
        while True:
            with contextlib.suppress(FileExistsError):
                os.link(draft, self.path(name))
                return name
            name = self.get_available_name(name)

    def unfinished(self, older_than: float = 3600.0) -> Iterator[Path]:
        """Find the drafts of writers that died more than ``older_than`` seconds ago."""
        before = time.time() - older_than
        for path in Path(self.location).rglob(f"{UNFINISHED}*"):
            with contextlib.suppress(FileNotFoundError):
                if path.stat().st_mtime < before:
                    yield path
