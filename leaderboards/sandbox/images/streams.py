"""Bytes in bounded steps: a part of a file, what gzip makes of it, and the digest of either."""

from __future__ import annotations

import hashlib
import os
import zlib
from typing import Protocol

from .caps import BadArchive, Budget, Caps

STEP = 1 << 16
GZIP = b"\x1f\x8b"
ZSTD = b"\x28\xb5\x2f\xfd"
_WITH_GZIP_HEADER = 31  # wbits of zlib: 15 bits of window, and 16 for "gzip and nothing else"

CUT_SHORT = "The archive is cut short; perhaps a copy broke off. Send the whole file."


class Stream(Protocol):
    """Gives at most ``most`` bytes at a time, and none at its end."""

    def read(self, most: int) -> bytes: ...


class Part:
    """``size`` bytes of an open file, from ``start`` on."""

    def __init__(self, file: int, start: int, size: int) -> None:
        self._file = file
        self.at = start
        self._end = start + size

    def read(self, most: int) -> bytes:
        wanted = min(most, self._end - self.at)
        found = os.pread(self._file, wanted, self.at) if wanted else b""
        if len(found) < wanted and not found:
            raise BadArchive([CUT_SHORT])
        self.at += len(found)
        return found

    def peek(self, count: int) -> bytes:
        """Return the next bytes, and stay before them."""
        return os.pread(self._file, min(count, self._end - self.at), self.at)

    def skip(self, count: int) -> None:
        if count > self._end - self.at:
            raise BadArchive([CUT_SHORT])
        self.at += count


class Inflated:
    """What one gzip member, or several in a row, hold (RFC 1952, section 2.2)."""

    def __init__(self, source: Stream, most: Caps) -> None:
        self._source = source
        self._most = most
        self._gzip = zlib.decompressobj(_WITH_GZIP_HEADER)
        self._waiting = b""
        self._taken = 0
        self._given = 0

    def read(self, most: int) -> bytes:
        while True:
            if not self._waiting:
                self._waiting = self._source.read(STEP)
                self._taken += len(self._waiting)
            if not self._waiting and not self._gzip.eof:
                raise BadArchive([CUT_SHORT])
            if self._gzip.eof:
                if not self._waiting.lstrip(b"\0"):
                    if self._waiting:
                        self._waiting = b""
                        continue  # padding behind the last member
                    return b""
                self._gzip = zlib.decompressobj(_WITH_GZIP_HEADER)
            try:
                found = self._gzip.decompress(self._waiting, most)
            except zlib.error as error:
                raise BadArchive([f"Its gzip compression is damaged ({error})."]) from None
            self._waiting = self._gzip.unused_data or self._gzip.unconsumed_tail
            if found:
                self._count(len(found))
                return found

    def _count(self, found: int) -> None:
        self._given += found
        most = max(self._most.ratio_from, self._most.ratio * self._taken)
        if self._given > most:
            raise BadArchive(
                [f"It is compressed by more than {self._most.ratio} to one, as only a bomb is."]
            )


class Hashed:
    """Another stream, and the SHA-256 of what was read of it."""

    def __init__(self, source: Stream) -> None:
        self._source = source
        self._digest = hashlib.sha256()

    def read(self, most: int) -> bytes:
        found = self._source.read(most)
        self._digest.update(found)
        return found

    @property
    def digest(self) -> str:
        """Digest of what was read, as manifests write it."""
        return f"sha256:{self._digest.hexdigest()}"


class Spent:
    """Another stream, whose bytes are taken from a budget; it reads ahead."""

    def __init__(self, source: Stream, budget: Budget) -> None:
        self._source = source
        self._budget = budget
        self._ahead = memoryview(b"")

    def read(self, most: int) -> bytes:
        if not self._ahead:
            found = self._source.read(STEP)
            self._budget.spend_bytes(len(found))
            self._ahead = memoryview(found)
        found, self._ahead = bytes(self._ahead[:most]), self._ahead[most:]
        return found

    def skip(self, count: int) -> None:
        while count:
            found = len(self.read(min(count, STEP)))
            if not found:
                raise BadArchive([CUT_SHORT])
            count -= found


def exactly(stream: Stream, count: int) -> bytes:
    """Read ``count`` bytes, of which there have to be as many."""
    parts = []
    while count:
        found = stream.read(count)
        if not found:
            raise BadArchive([CUT_SHORT])
        parts.append(found)
        count -= len(found)
    return b"".join(parts)


def drain(stream: Stream) -> None:
    """Read to the end."""
    while stream.read(STEP):
        pass
