"""How much an archive may hold, and what is said of one that holds more or is damaged."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass


class BadArchive(ValueError):
    """The archive is not acceptable; ``problems`` are sentences for the person who sent it."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = list(problems)


@dataclass(frozen=True)
class Caps:
    """The most that an archive may take. Sizes are counted while reading, never believed.

    archive_bytes: of the file as sent. unpacked_bytes: of all layers together, uncompressed, and
    again of an archive that was compressed as a whole. ratio: of uncompressed to compressed bytes,
    from ``ratio_from`` bytes on. members: entries of all tars together. depth: folders in each
    other. path_bytes: of a name with its folders. json_bytes: of a manifest or configuration.
    """

    archive_bytes: int = 2 << 30
    unpacked_bytes: int = 4 << 30
    ratio: int = 200
    ratio_from: int = 32 << 20
    members: int = 200_000
    depth: int = 64
    path_bytes: int = 1024
    layers: int = 128
    json_bytes: int = 1 << 20
    cpu_seconds: int = 240
    wall_seconds: int = 600
    memory_bytes: int = 256 << 20

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Caps:
        return cls(**json.loads(text))


class Budget:
    """What is left of the caps that hold for all layers together."""

    def __init__(self, most: Caps) -> None:
        self._most = most
        self._bytes = 0
        self._members = 0

    def spend_bytes(self, count: int) -> None:
        self._bytes += count
        if self._bytes > self._most.unpacked_bytes:
            most = f"{self._most.unpacked_bytes:,}"
            raise BadArchive([f"The image has more than {most} bytes when it is unpacked."])

    def spend_member(self) -> None:
        self._members += 1
        if self._members > self._most.members:
            raise BadArchive([f"The image has more than {self._most.members:,} files and folders."])


def shown(text: str) -> str:
    """Return a name from the archive as a sentence may quote it."""
    return "".join(c if c.isprintable() else "?" for c in text[:100])
