"""Versions that follow from the code itself, so that nobody can forget to change them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path

HERE = Path(__file__).parent
DEFINITIONS = (HERE / "metrics.py", HERE / "scoring.py")


def version_of(paths: Iterable[Path]) -> str:
    """Return the first 12 hexadecimal digits of one SHA-256 over the files' bytes."""
    return hashlib.sha256(b"".join(path.read_bytes() for path in paths)).hexdigest()[:12]


@lru_cache(maxsize=1)
def program_sha256() -> str:
    """Hash all code of the physics, with the files' names."""
    return hash_of((path.relative_to(HERE), path.read_bytes()) for path in HERE.rglob("*.py"))


def hash_of(files: Iterable[tuple[Path, bytes]]) -> str:
    """Hash files, given by their paths below the physics and their bytes."""
    total = hashlib.sha256()
    for path, content in sorted(files):
        total.update(path.as_posix().encode() + b"\0" + content)
    return total.hexdigest()


# Stored with every score: other definitions of the metrics or scores have another version.
METRICS_VERSION = version_of(DEFINITIONS)
