"""Unpack an archive into an open folder, layer by layer. Runs only in the confined child."""

from __future__ import annotations

import os

from .caps import BadArchive, Budget, Caps
from .layout import Archive, Found, Layer, find_image
from .members import members
from .root import Root, parts
from .streams import GZIP, STEP, ZSTD, Hashed, Inflated, Part, Spent, drain

NO_ZSTD = (
    "It is compressed with zstd, which this server does not read; compress it with gzip, or not."
)


def unpack(file: int, spool: int, folder: int, most: Caps) -> Found:
    """Write the root file system below ``folder``, and return what the image says of itself.

    file: the archive, positioned anywhere. spool: an empty file for an archive that is
    compressed as a whole. Raise BadArchive, and leave the folder as it then is.
    """
    size = os.fstat(file).st_size
    start = os.pread(file, 4, 0)
    if start.startswith(ZSTD):
        raise BadArchive([NO_ZSTD])
    if start.startswith(GZIP):
        file, size = spool, _expand(Part(file, 0, size), spool, most)
    archive = Archive(file, size, most)
    found = find_image(archive, most)
    root, budget = Root(folder, most), Budget(most)
    for layer in found.layers:
        root.begin_layer()
        _apply(archive.open(layer.name), layer, root, budget, most)
    root.make_mount_points()
    root.folder(parts(found.workdir))
    return found


def _expand(source: Part, spool: int, most: Caps) -> int:
    size, budget = 0, Budget(most)
    inflated = Inflated(source, most)
    while found := inflated.read(STEP):
        budget.spend_bytes(len(found))
        size += len(found)
        while found:
            found = found[os.write(spool, found) :]
    return size


def _apply(part: Part, layer: Layer, root: Root, budget: Budget, most: Caps) -> None:
    start = part.peek(4)
    if start.startswith(ZSTD):
        raise BadArchive([NO_ZSTD])
    sent = Hashed(part)
    tar = Hashed(Inflated(sent, most) if start.startswith(GZIP) else sent)
    source = Spent(tar, budget)
    for member, content in members(source, most, budget):
        root.put(member, content)
    drain(source)
    drain(sent)  # what follows the last gzip member counts too
    if tar.digest != layer.diff_id or sent.digest != (layer.digest or sent.digest):
        raise BadArchive(["A layer does not have the SHA-256 that the archive names."])
