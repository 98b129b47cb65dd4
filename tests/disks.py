"""A small disk for tests: a tmpfs that only the processes see which are started on it."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.needs import needs


class Disk:
    """A tmpfs at ``path``, in mounts of its own; ``enter`` begins a command that sees it."""

    def __init__(self, path: Path, size: str) -> None:
        self.path = path
        as_user = os.geteuid() != 0
        unshare = [needs("unshare", "util-linux"), "-m"] + ["-Ur"] * as_user
        mount = f'mount -t tmpfs -o size={size} tmpfs "$0" && echo there && exec sleep infinity'
        self._holder = subprocess.Popen(
            [*unshare, "sh", "-c", mount, str(path)], stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        assert self._holder.stdout
        assert self._holder.stderr
        if not self._holder.stdout.readline():
            pytest.skip(f"This machine lets nobody mount: {self._holder.stderr.read().decode()}")
        enter = [needs("nsenter", "util-linux"), "-t", str(self._holder.pid), "-m"]
        self.enter = [*enter, *["-U", "--preserve-credentials"] * as_user, f"--wd={Path.cwd()}"]

    def remount(self, option: str) -> None:
        """Give it another size (``size=1m``), or make it read-only (``ro``) or not (``rw``)."""
        # Named in full, because only root may repeat the options that it has.
        self.run("mount", "-t", "tmpfs", "-o", f"remount,{option}", "tmpfs", str(self.path))

    def run(self, *command: str) -> str:
        done = subprocess.run([*self.enter, *command], check=True, capture_output=True, text=True)
        return done.stdout

    def files(self) -> list[str]:
        found = self.run("find", str(self.path), "-type", "f", "-printf", "%P\\n")
        return sorted(found.splitlines())

    def close(self) -> None:
        self._holder.kill()
        self._holder.communicate()


@contextmanager
def disk(path: Path, size: str) -> Iterator[Disk]:
    path.mkdir(exist_ok=True)
    made = Disk(path, size)
    try:
        yield made
    finally:
        made.close()
