"""TOML files read strictly: every mistake is an error that names the file and the field."""

from __future__ import annotations

import math
import re
import tomllib
from pathlib import Path
from typing import Any, NoReturn

_HTML = re.compile(r"<[a-zA-Z/!]")


class CatalogueError(ValueError):
    """A file of the catalogue is wrong, or the catalogue lacks what was asked of it.

    The message names the file with the line or field, or else what there is.
    """


def read_text(path: Path) -> str:
    """Return the file's text; raise CatalogueError if it is not there or not UTF-8."""
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise CatalogueError(
            f"{path.name}: the file is missing; it belongs in {path.parent}."
        ) from error
    except UnicodeDecodeError as error:
        raise CatalogueError(f"{path.name}: byte {error.start} is not UTF-8.") from error


def read_toml(path: Path) -> Table:
    """Read a TOML file; raise CatalogueError with the line if it is not valid."""
    return parse_toml(read_text(path), path.name)


def parse_toml(text: str, filename: str) -> Table:
    """Read TOML that ``filename`` holds; raise CatalogueError with the line if it is not valid."""
    try:
        return Table(tomllib.loads(text), filename)
    except tomllib.TOMLDecodeError as error:
        end = f"at line {text.count(chr(10)) + 1}, the end of the file"
        found = str(error).replace("at end of document", end)
        raise CatalogueError(f"{filename}: not valid TOML: {found}.") from error


class Table:
    """A table whose fields are taken one by one; ``done`` refuses the rest.

    where: the table's own name in the file, "" for the file itself.
    """

    def __init__(self, data: dict[str, Any], filename: str, where: str = "") -> None:
        self.data = data
        self.filename = filename
        self.where = where
        self._taken: set[str] = set()

    def __contains__(self, name: str) -> bool:
        return name in self.data

    def fail(self, name: str, expected: str) -> NoReturn:
        got = repr(self.data[name]) if name in self.data else "nothing"
        raise CatalogueError(
            f"{self.filename}: {self._path(name)}: expected {expected}, got {got[:120]}."
        )

    def refuse(self, name: str, sentence: str) -> NoReturn:
        raise CatalogueError(f"{self.filename}: {self._path(name)}: {sentence}")

    def done(self) -> None:
        """Raise CatalogueError if the table has a field that was not taken."""
        if unknown := sorted(set(self.data) - self._taken):
            known = ", ".join(sorted(self._taken))
            self.refuse(unknown[0], f"not a known field; known are {known}.")

    def ignore(self, *names: str) -> None:
        """Let others read these fields."""
        self._taken.update(names)

    def text(self, name: str, longest: int = 2000) -> str:
        value = self._take(name)
        if not isinstance(value, str) or not value.strip():
            self.fail(name, "a text")
        if _HTML.search(value):
            self.fail(name, "a text without HTML")
        if len(value) > longest:
            self.refuse(name, f"{len(value)} characters are too long; at most {longest} fit.")
        return value

    def optional_text(self, name: str, longest: int = 2000) -> str:
        """Return "" for a field that is left out."""
        self._taken.add(name)
        return self.text(name, longest) if name in self.data else ""

    def texts(self, name: str) -> list[str]:
        value = self._take(name)
        if not isinstance(value, list) or not all(isinstance(v, str) and v.strip() for v in value):
            self.fail(name, "a list of texts")
        return list(value)

    def choice(self, name: str, *allowed: str) -> str:
        value = self.text(name)
        if value not in allowed:
            self.fail(name, "one of " + ", ".join(allowed))
        return value

    def matching(self, name: str, pattern: str, expected: str) -> str:
        value = self.text(name)
        if not re.fullmatch(pattern, value):
            self.fail(name, expected)
        return value

    def integer(self, name: str, low: int, high: int) -> int:
        value = self._take(name)
        if type(value) is not int or not low <= value <= high:
            self.fail(name, f"an integer from {low} to {high}")
        return value

    def integers(self, name: str) -> list[int]:
        value = self._take(name)
        if not isinstance(value, list) or not all(type(v) is int and v > 0 for v in value):
            self.fail(name, "a list of positive integers")
        return list(value)

    def optional_integer(self, name: str, low: int, high: int) -> int | None:
        self._taken.add(name)
        return self.integer(name, low, high) if name in self.data else None

    def number(self, name: str, low: float = -math.inf, high: float = math.inf) -> float:
        value = self._take(name)
        bounded = "" if math.isinf(low) else f" from {low:g} to {high:g}"
        if isinstance(value, bool) or not isinstance(value, int | float):
            self.fail(name, f"a number{bounded}")
        if not math.isfinite(value) or not low <= value <= high:
            self.fail(name, f"a finite number{bounded}")
        return float(value)

    def table(self, name: str) -> Table:
        value = self._take(name)
        if not isinstance(value, dict):
            self.fail(name, "a table")
        return Table(value, self.filename, self._path(name))

    def rows(self, name: str) -> list[Table]:
        value = self._take(name)
        if not isinstance(value, list) or not value or not all(isinstance(v, dict) for v in value):
            self.fail(name, "a list of tables, at least one")
        return [
            Table(row, self.filename, f"{self._path(name)}[{i}]") for i, row in enumerate(value)
        ]

    def optional_rows(self, name: str) -> list[Table]:
        return self.rows(name) if name in self.data else []

    def _take(self, name: str) -> Any:
        self._taken.add(name)
        return self.data.get(name)

    def _path(self, name: str) -> str:
        return f"{self.where}.{name}" if self.where else name
