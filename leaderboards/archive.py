"""Bundles as ZIP files of which there is one spelling: stored, sorted, dated 1980, nothing else.

A file is read by writing its parts again: it is refused unless that gives the same bytes. So it has
no second member of a name, nothing before, between or after its members, and no size that lies.
"""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Mapping

LARGEST = 512 << 20
MOST = 16
NAME = re.compile(r"(manifest|signature)\.json|log\.txt|outputs/[a-z]+\.npz")
_EPOCH = (1980, 1, 1, 0, 0, 0)


class ArchiveError(ValueError):
    """The file is not laid out as a bundle; the message says why."""


def pack(parts: Mapping[str, bytes]) -> bytes:
    """Write a ZIP file of ``parts``; the same parts give the same bytes."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(parts):
            info = zipfile.ZipInfo(name, _EPOCH)
            info.create_system, info.external_attr = 3, 0o644 << 16
            archive.writestr(info, parts[name])
    return file.getvalue()


def unpack(content: bytes) -> dict[str, bytes]:
    """Give the parts of a file that ``pack`` wrote; raise ArchiveError for any other."""
    if len(content) > LARGEST:
        raise ArchiveError(f"The file is larger than a bundle may be, {LARGEST >> 20} MiB.")
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            members = archive.infolist()
            _refuse_odd(members, len(content))
            parts = {member.filename: archive.read(member) for member in members}
    except ArchiveError:
        raise
    # What zipfile raises for damaged files is not documented as one class.
    except (zipfile.BadZipFile, OSError, EOFError, ValueError, LookupError, RuntimeError) as error:
        raise ArchiveError("The file is no ZIP file, or it is cut off or damaged.") from error
    if pack(parts) != content:
        raise ArchiveError("The file is not the one that was written: bytes were added or changed.")
    return parts


def _refuse_odd(members: list[zipfile.ZipInfo], size: int) -> None:
    names = [member.filename for member in members]
    if len(names) > MOST or len(set(names)) != len(names):
        raise ArchiveError("The file has too many members, or two of one name.")
    for name in names:
        if not NAME.fullmatch(name):
            raise ArchiveError(f"The file has a member {name!r}, which no bundle has.")
    if any(m.compress_type != zipfile.ZIP_STORED for m in members):
        raise ArchiveError("The file has a compressed member; bundles store theirs as they are.")
    if sum(m.file_size for m in members) > size:
        raise ArchiveError("The file claims to hold more than it has.")
