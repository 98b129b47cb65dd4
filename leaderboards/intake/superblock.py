"""What the first bytes of an HDF5 file say of the whole: cut short, or never closed.

HDF5 itself only says that it cannot open such a file. Source: the HDF5 File Format Specification,
version 3.0, section II.A (the superblock).
"""

from __future__ import annotations

# Where each version of the superblock keeps the address of the file's end (8 bytes, little-endian).
_END = {0: 40, 1: 44, 2: 28, 3: 28}
_SIZE_OF_OFFSETS = {0: 13, 1: 13, 2: 9, 3: 9}
_OPEN_FOR_WRITING = 0x01  # of the consistency flags, byte 11 of version 3

CLOSE = (
    "close it before you send it (in Python: with h5py.File(…) as file; in MATLAB: H5F.close), "
    "then send it again"
)


def unfinished(image: bytes) -> str:
    """Say how the file is incomplete; an empty text where its superblock knows of nothing."""
    version = image[8] if len(image) > 8 else 0
    if version not in _END:
        return ""
    if len(image) < _END[version] + 8:
        return f"The file is cut short: its {len(image):,} bytes are less than the header of HDF5."
    if image[_SIZE_OF_OFFSETS[version]] != 8:
        return ""
    end = int.from_bytes(image[_END[version] : _END[version] + 8], "little")
    is_open = version == 3 and bool(image[11] & _OPEN_FOR_WRITING)
    if end < len(image) or is_open:
        return f"The file was not closed by the program that wrote it; {CLOSE}."
    if end > len(image):
        return (
            f"The file is cut short: it has {len(image):,} bytes, and its header promises {end:,}. "
            "Perhaps a copy broke off; send the whole file."
        )
    return ""
