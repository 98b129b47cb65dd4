"""Files that are whole or not there: Django's storage in a folder, made safe against faults."""

from __future__ import annotations

import contextlib
import os
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

from django.core.files.base import File
from django.core.files.storage import FileSystemStorage

UNFINISHED = ".unfinished-"


class WholeFileStorage(FileSystemStorage):
    """Write under a temporary name in the same folder, and rename when all bytes are on disk.

    A crash or a full disk leaves no half file under a name that somebody reads. Object stores such
    as S3 do this themselves. What a crash leaves behind is found by ``unfinished``.
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
        draft.chmod(self.file_permissions_mode or 0o644)

    def _place(self, draft: Path, name: str) -> str:
        """Give the draft its name; a name that was taken meanwhile is left to who has it."""
        while True:
            with contextlib.suppress(FileExistsError):
                os.link(draft, self.path(name))
                return name
            name = self.get_available_name(name)

    def unfinished(self, older_than: float = 3600.0) -> Iterator[Path]:
        """Find what writers left behind that died longer than ``older_than`` seconds ago."""
        before = time.time() - older_than
        for path in Path(self.location).rglob(f"{UNFINISHED}*"):
            with contextlib.suppress(FileNotFoundError):
                if path.stat().st_mtime < before:
                    yield path
