"""The members of a tar, one after the other, as far as an image needs them.

``tarfile`` itself is not used to read: it takes lengths as declared, keeps every member, and ends
in silence where a header is damaged. Its decoding of one header of 512 bytes is.
"""

from __future__ import annotations

import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from .caps import BadArchive, Budget, Caps, shown
from .streams import CUT_SHORT, Stream, exactly

BLOCK = 512
LONGEST_RECORDS = 1 << 20  # bytes of extended header that one member may have


class Kind(Enum):
    FILE = "file"
    FOLDER = "folder"
    SYMLINK = "symlink"
    HARD_LINK = "hard link"
    SPECIAL = "device or FIFO"


KINDS = {
    tarfile.REGTYPE: Kind.FILE,
    tarfile.AREGTYPE: Kind.FILE,
    tarfile.CONTTYPE: Kind.FILE,
    tarfile.DIRTYPE: Kind.FOLDER,
    tarfile.SYMTYPE: Kind.SYMLINK,
    tarfile.LNKTYPE: Kind.HARD_LINK,
    tarfile.CHRTYPE: Kind.SPECIAL,
    tarfile.BLKTYPE: Kind.SPECIAL,
    tarfile.FIFOTYPE: Kind.SPECIAL,
}


class Source(Stream, Protocol):
    """A stream that can leave bytes out."""

    def skip(self, count: int) -> None: ...


@dataclass(frozen=True)
class Member:
    """One entry: its path, what it is, its permission bits, its size, and where a link leads."""

    name: str
    kind: Kind
    mode: int
    size: int
    link: str


class Content:
    """The bytes of the member that was read last."""

    def __init__(self, source: Source, size: int) -> None:
        self._source = source
        self.left = size

    def read(self, most: int) -> bytes:
        wanted = min(most, self.left)
        found = self._source.read(wanted) if wanted else b""
        if wanted and not found:
            raise BadArchive([CUT_SHORT])
        self.left -= len(found)
        return found


def members(source: Source, most: Caps, budget: Budget) -> Iterator[tuple[Member, Content]]:
    """Give each member with its content, which has to be read before the next is asked for.

    A tar has to end with a block of zeros, as every program that makes images writes it.
    """
    extended: dict[str, str] = {}
    while (header := _header(exactly(source, BLOCK))) is not None:
        budget.spend_member()
        if header.type in (tarfile.XHDTYPE, tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK):
            text = _padded(source, header.size, LONGEST_RECORDS)
            extended |= _extended(header.type, text)
            continue
        if header.type == tarfile.XGLTYPE:
            _padded(source, header.size, LONGEST_RECORDS)
            continue
        member = _member(header, extended, most)
        extended = {}
        content = Content(source, member.size)
        yield member, content
        source.skip(content.left + -member.size % BLOCK)


def _header(block: bytes) -> tarfile.TarInfo | None:
    try:
        header = tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
    except tarfile.EOFHeaderError:  # type: ignore[attr-defined]
        return None
    except tarfile.HeaderError as error:
        raise BadArchive([f"It is no tar, or a damaged one ({error})."]) from None
    if header.size < 0:
        raise BadArchive([f"{shown(header.name)}: its size is negative."])
    return header


def _member(header: tarfile.TarInfo, extended: dict[str, str], most: Caps) -> Member:
    name = extended.get("path", header.name)
    link = extended.get("linkpath", header.linkname)
    if header.type not in KINDS or any(key.startswith("GNU.sparse") for key in extended):
        raise BadArchive([f"{shown(name)}: it is of a kind that images do not use."])
    for text in (name, link):
        if len(text.encode("utf-8", "surrogateescape")) > most.path_bytes:
            raise BadArchive([f"{shown(text)}…: a name has more than {most.path_bytes} bytes."])
        if "\0" in text:
            raise BadArchive([f"{shown(text)}: there is a zero byte in the name."])
    kind = KINDS[header.type]
    return Member(name, kind, header.mode, _size(header, extended, kind), link)


def _size(header: tarfile.TarInfo, extended: dict[str, str], kind: Kind) -> int:
    """Return the bytes that follow; a header of anything but a file says nothing about them."""
    if kind != Kind.FILE:
        return 0
    text = extended.get("size")
    if text is None:
        return header.size
    if not (text.isascii() and text.isdigit() and len(text) <= 18):
        raise BadArchive([f"{shown(header.name)}: its size is not a number."])
    return int(text)


def _padded(source: Source, size: int, most: int) -> bytes:
    if size > most:
        raise BadArchive([f"The header of a file has more than {most:,} bytes."])
    text = exactly(source, size)
    source.skip(-size % BLOCK)
    return text


def _extended(kind: bytes, text: bytes) -> dict[str, str]:
    if kind == tarfile.XHDTYPE:
        return _records(text)
    key = "path" if kind == tarfile.GNUTYPE_LONGNAME else "linkpath"
    return {key: text.rstrip(b"\0").decode("utf-8", "surrogateescape")}


def _records(text: bytes) -> dict[str, str]:
    """Take extended header records apart: ``LENGTH KEY=VALUE\\n`` (POSIX.1-2017, pax)."""
    found = {}
    at = 0
    while at < len(text):
        space = text.find(b" ", at, at + 12)
        length = text[at:space]
        end = at + int(length) if space > at and length.isdigit() else 0
        key, equals, value = text[space + 1 : end - 1].partition(b"=")
        if end <= space or text[end - 1 : end] != b"\n" or not equals:
            raise BadArchive(["It is a damaged tar (an extended header is malformed)."])
        if key in (b"path", b"linkpath", b"size") or key.startswith(b"GNU.sparse"):
            found[key.decode("utf-8", "replace")] = value.decode("utf-8", "surrogateescape")
        at = end
    return found
