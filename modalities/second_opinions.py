"""What independent programs say of our physics, as ``make bench`` found it.

The figures lie in ``second_opinions.json``, which the comparison itself writes, with the date, the
versions and the hash of our code; what is not there was not run.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from .figures import shortest
from .physics.versions import program_sha256

FILE = Path(__file__).with_name("second_opinions.json")


@dataclass(frozen=True)
class Opinion:
    """One line of the table, ready to print; ``agrees``: the difference is within its limit."""

    what: str
    against: str
    difference: str
    limit: str
    detail: str
    date: str
    agrees: bool
    is_current: bool


def of(key: str) -> list[Opinion]:
    """List the comparisons of one modality; empty where none was run."""
    return [_opinion(row) for row in _rows(FILE) if row["modality"] == key]


@lru_cache(maxsize=1)
def _rows(file: Path) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads(file.read_text("utf-8")) if file.exists() else []
    return rows


def _opinion(row: dict[str, Any]) -> Opinion:
    return Opinion(
        what=row["what"],
        against=row["against"],
        difference=f"{shortest(row['difference'], 2)} {row['unit']}",
        limit=shortest(row["limit"], 3),
        detail=row["detail"],
        date=row["date"],
        agrees=row["difference"] <= row["limit"],
        is_current=row["program_sha256"] == program_sha256(),
    )
