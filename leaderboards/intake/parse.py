"""Parse the bytes of a submission. Runs only in the locked-down child.

The HDF5 library is trusted with the structure (groups, types, where the bytes lie) and never with
the data: chunks are sliced out of the image, inflated with a bound and put together here, so that
nothing that the file says can make the library read a file or hand out memory it has freed.
"""

from __future__ import annotations

import json
import math
import zlib
from dataclasses import dataclass, field
from typing import Any

import h5py
import numpy as np
from expectation import LARGEST_VALUE, Expectation
from h5py import h5a, h5d, h5f, h5g, h5o, h5s, h5t, h5z
from superblock import unfinished

SIGNATURE = b"\x89HDF\r\n\x1a\n"
LARGEST_JSON = 64 << 10
MOST_CHUNKS = 4096
MOST_NAMES = 64
FLOATS = (
    *(h5t.IEEE_F16LE, h5t.IEEE_F16BE),
    *(h5t.IEEE_F32LE, h5t.IEEE_F32BE),
    *(h5t.IEEE_F64LE, h5t.IEEE_F64BE),
)
# As h5py writes them: compounds of two floats, r and i, without padding.
COMPLEX = tuple(h5t.py_create(np.dtype(name)) for name in ("<c8", ">c8", "<c16", ">c16"))
# The class of HDF5 2.0's own complex type, which h5py reads and does not write by default.
H5T_COMPLEX = 11
FILTERS = (h5z.FILTER_SHUFFLE, h5z.FILTER_DEFLATE, h5z.FILTER_FLETCHER32)
FILTER_NAMES = {
    h5z.FILTER_SHUFFLE: "shuffle",
    h5z.FILTER_DEFLATE: "gzip",
    h5z.FILTER_FLETCHER32: "fletcher32",
    h5z.FILTER_SZIP: "szip",
    h5z.FILTER_NBIT: "n-bit",
    h5z.FILTER_SCALEOFFSET: "scale-offset",
}

Intervals = dict[str, tuple[float, float] | None]


class Problem(Exception):
    """What is wrong with one field: a sentence for the person who made the file."""


def warm_up() -> None:
    """Use every library once, so that nothing has to be imported after the lockdown."""
    with h5py.File("warm", "w", driver="core", backing_store=False) as file:
        made = file.create_dataset("x", data=np.zeros((2, 2), "f4"), chunks=True, compression=4)
        made.attrs["json"] = "{}"
        file.create_dataset("z", data=np.zeros(2, "c8"))
        file.flush()
        image = file.id.get_file_image()
    opened = h5f.open_file_image(image)
    dataset = h5d.open(opened, b"x")
    _stored(dataset, image, np.dtype("f4"), (2, 2))
    _text(dataset, b"json")
    pair = h5d.open(opened, b"z").get_type()
    any(pair.equal(known) for known in (*FLOATS, *COMPLEX))
    with np.errstate(all="ignore"):
        np.isfinite(np.zeros(2, "f2").astype("f4")).all()
        float(np.abs(np.zeros(2, pair.dtype).astype("<c8")).max())
        np.isfinite(np.zeros(2, ">c16")).all()
    json.loads("[1.5]", object_pairs_hook=_no_twice, parse_constant=_no_constant)


@dataclass
class Parsed:
    """What a file holds, per sample; complete when there are no problems.

    intervals: None for a sample without the attribute ``spec_intervals``.
    """

    problems: list[str] = field(default_factory=list)
    arrays: list[np.ndarray] = field(default_factory=list)
    specs: list[dict[str, float]] = field(default_factory=list)
    intervals: list[Intervals | None] = field(default_factory=list)


def parse(image: bytes, expected: Expectation) -> Parsed:
    """Parse a submission; all problems are found, not only the first."""
    if len(image) > expected.largest_file:
        most = expected.largest_file
        return Parsed([f"The file is larger than the {most:,} bytes that a submission may have."])
    if not image:
        return Parsed(["The file is empty; expected HDF5."])
    if image[:8] != SIGNATURE:
        return Parsed(["The file is not HDF5: its first eight bytes are not HDF5's signature."])
    try:
        root = h5g.open(h5f.open_file_image(image), b"/")
    except MemoryError:
        raise
    except Exception:
        why = unfinished(image) or "HDF5 cannot open the file; its structure is damaged."
        return Parsed([why])
    found = _parse(root, image, expected)
    if found.problems and (why := unfinished(image)):
        found.problems.insert(0, why)
    return found


def _parse(root: h5g.GroupID, image: bytes, expected: Expectation) -> Parsed:
    found = Parsed(_unexpected_names(root, "", expected.samples))
    problems = found.problems
    for name in expected.samples:
        try:
            sample = _open_group(root, name)
        except Problem as problem:
            problems.append(str(problem))
            continue
        problems += _unexpected_names(sample, f"{name}/", ("x_hat",))
        fields: tuple[tuple[str, Any, list[Any]], ...] = (
            ("x_hat", _x_hat, found.arrays),
            ("corrected_spec", _spec, found.specs),
            ("spec_intervals", _intervals, found.intervals),
        )
        for what, read, into in fields:
            where = f"{name}/{what}"
            try:
                into.append(read(sample, where, image, expected))
            except Problem as problem:
                problems.append(f"{where}: {problem}")
            except MemoryError:
                raise
            except Exception as error:
                if "alloc" in str(error):  # HDF5 was refused memory, and says it in its own words
                    raise MemoryError from error
                problems.append(f"{where}: HDF5 cannot read it: {_reason(error)}.")
    return found


def _unexpected_names(group: h5g.GroupID, prefix: str, expected: tuple[str, ...]) -> list[str]:
    count = group.get_num_objs()
    if count > MOST_NAMES:
        return [f"{prefix or 'The file'}: expected {len(expected)} names, got {count}."]
    known = {name.encode() for name in expected}
    return [
        f"{prefix}{_shown(name)}: not expected here; expected {', '.join(expected)}."
        for name in group
        if name not in known
    ]


def _hard_link(group: h5g.GroupID, name: str, where: str) -> None:
    """Make sure that a link points into this file before anything follows it."""
    if name.encode() not in group:
        raise Problem(f"{where} is missing.")
    kind = group.links.get_info(name.encode()).type
    if kind != h5py.h5l.TYPE_HARD:
        kinds = {h5py.h5l.TYPE_SOFT: "a soft link", h5py.h5l.TYPE_EXTERNAL: "an external link"}
        raise Problem(f"{where}: expected an object in this file, got {kinds.get(kind, 'a link')}.")


def _open_group(root: h5g.GroupID, name: str) -> h5g.GroupID:
    try:
        _hard_link(root, name, name)
        opened = h5o.open(root, name.encode())
    except (Problem, MemoryError):
        raise
    except Exception as error:
        raise Problem(f"{name}: HDF5 cannot open it: {_reason(error)}.") from error
    if not isinstance(opened, h5g.GroupID):
        raise Problem(f"{name}: expected a group, got {_kind(opened)}.")
    return opened


def _x_hat(group: h5g.GroupID, where: str, image: bytes, expected: Expectation) -> np.ndarray:
    _hard_link(group, "x_hat", "the dataset")
    dataset = h5o.open(group, b"x_hat")
    if not isinstance(dataset, h5d.DatasetID):
        raise Problem(f"expected a dataset, got {_kind(dataset)}.")
    kind = dataset.get_type()
    if not any(kind.equal(known) for known in (COMPLEX if expected.is_complex else FLOATS)):
        wanted = "floats of 2, 4 or 8 bytes"
        if expected.is_complex:
            wanted = "complex numbers of 8 or 16 bytes, as h5py writes NumPy's complex64"
        raise Problem(f"expected {wanted}, got {_type_name(kind)}.")
    dtype = kind.dtype
    space = dataset.get_space()
    shape = tuple(space.shape) if space.get_simple_extent_type() == h5s.SIMPLE else ()
    if shape != expected.shape:
        wanted = np.dtype(expected.dtype).name
        raise Problem(f"expected {wanted} {expected.shape}, got {dtype.name} {shape}.")
    values = _stored(dataset, image, dtype, shape)
    bad = int(values.size - np.count_nonzero(np.isfinite(values)))
    if bad:
        raise Problem(f"expected finite numbers, got {bad} that are NaN or infinite.")
    largest = float(np.abs(values).max())
    if largest > LARGEST_VALUE:
        raise Problem(f"expected |x| ≤ {LARGEST_VALUE:g}, got {largest:g}.")
    return values.astype(expected.dtype)


def _stored(
    dataset: h5d.DatasetID, image: bytes, dtype: np.dtype, shape: tuple[int, ...]
) -> np.ndarray:
    """Take a dataset's values out of the file's bytes."""
    properties = dataset.get_create_plist()
    if properties.get_external_count():
        raise Problem("expected the data in this file, got external storage.")
    layout = properties.get_layout()
    if layout == h5d.CONTIGUOUS:
        offset, size = dataset.get_offset(), math.prod(shape) * dtype.itemsize
        if offset is None or dataset.get_storage_size() == 0:
            raise Problem("expected data, got a dataset that was never written.")
        if dataset.get_storage_size() != size:
            raise Problem(f"expected {size} bytes of data, got {dataset.get_storage_size()}.")
        return np.frombuffer(_slice(image, offset, size), dtype).reshape(shape)
    if layout == h5d.CHUNKED:
        return _chunked(dataset, properties, image, dtype, shape)
    names = {h5d.COMPACT: "compact", h5d.VIRTUAL: "virtual"}
    raise Problem(f"expected contiguous or chunked storage, got {names.get(layout, layout)}.")


def _chunked(
    dataset: Any, properties: Any, image: Any, dtype: Any, shape: tuple[int, ...]
) -> np.ndarray:
    filters = _filters(properties)
    chunk = tuple(properties.get_chunk())
    if any(c > n for c, n in zip(chunk, shape, strict=True)):
        raise Problem(f"expected chunks no larger than {shape}, got {chunk}.")
    grid = tuple(-(-n // c) for n, c in zip(shape, chunk, strict=True))
    if math.prod(grid) > MOST_CHUNKS:
        raise Problem(f"expected at most {MOST_CHUNKS} chunks, got {math.prod(grid)}.")
    values = np.empty(shape, dtype)
    seen = set()

    def take(info: h5d.StoreInfo) -> None:
        start = tuple(info.chunk_offset)
        if start in seen or any(
            s % c or s >= n for s, c, n in zip(start, chunk, shape, strict=True)
        ):
            raise Problem(f"the chunk at {start} is not part of the grid of chunks.")
        seen.add(start)
        if info.filter_mask:
            raise Problem(f"the chunk at {start} skips a filter (mask {info.filter_mask}).")
        size = math.prod(chunk) * dtype.itemsize
        raw = _unfiltered(_slice(image, info.byte_offset, info.size), filters, size, dtype, start)
        ends = tuple(min(c, n - s) for s, c, n in zip(start, chunk, shape, strict=True))
        whole = np.frombuffer(raw, dtype).reshape(chunk)
        there = tuple(slice(s, s + e) for s, e in zip(start, ends, strict=True))
        values[there] = whole[tuple(slice(e) for e in ends)]

    problem: list[Problem] = []

    def visit(info: h5d.StoreInfo) -> bool | None:
        try:
            take(info)
        except Problem as error:
            problem.append(error)
            return True
        return None

    dataset.chunk_iter(visit)
    if problem:
        raise problem[0]
    if len(seen) != math.prod(grid):
        raise Problem(f"expected {math.prod(grid)} chunks, got {len(seen)}.")
    return values


def _filters(properties: h5py.h5p.PropDCID) -> list[int]:
    found = [properties.get_filter(i)[0] for i in range(properties.get_nfilters())]
    in_order = [f for f in FILTERS if f in found]
    if found != in_order:
        names = ", ".join(FILTER_NAMES.get(f, f"number {f}") for f in found)
        raise Problem(f"expected the filters shuffle, gzip, fletcher32 in this order, got {names}.")
    return found


def _unfiltered(
    data: bytes, filters: list[int], size: int, dtype: np.dtype, start: tuple[int, ...]
) -> bytes:
    """Undo the filters of one chunk; what comes out has exactly ``size`` bytes."""
    if h5z.FILTER_FLETCHER32 in filters:
        data, stored = data[:-4], data[-4:]
        if not _fletcher32_matches(data, stored):
            raise Problem(f"the chunk at {start} fails its checksum.")
    if h5z.FILTER_DEFLATE in filters:
        inflate = zlib.decompressobj()
        try:
            data = inflate.decompress(data, size + 1)
        except zlib.error as error:
            raise Problem(f"the chunk at {start} does not inflate: {error}.") from error
        if not inflate.eof and len(data) == size:
            data += inflate.decompress(inflate.unconsumed_tail, 1)
    if len(data) != size:
        more = "more" if len(data) > size else f"{len(data)}"
        raise Problem(f"the chunk at {start}: expected {size} bytes, got {more}.")
    if h5z.FILTER_SHUFFLE in filters:
        data = np.frombuffer(data, "u1").reshape(dtype.itemsize, -1).T.tobytes()
    return data


def _fletcher32_matches(data: bytes, stored: bytes) -> bool:
    """Check HDF5's Fletcher-32 (H5checksum.c): big-endian 16-bit words, sums modulo 65535."""
    if len(stored) != 4:
        return False
    words = np.frombuffer(data[: len(data) // 2 * 2], ">u2").astype(np.uint64)
    if len(data) % 2:
        words = np.append(words, np.uint64(data[-1] << 8))
    first = int(words.sum()) % 65535
    weights = np.arange(len(words), 0, -1, dtype=np.uint64) % np.uint64(65535)
    second = int((words * weights % np.uint64(65535)).sum()) % 65535
    for value in (int.from_bytes(stored, "little"), int.from_bytes(stored, "big")):
        if (value >> 16) % 65535 == second and (value & 0xFFFF) % 65535 == first:
            return True
    return False


def _slice(image: bytes, offset: int, size: int) -> bytes:
    if offset < 0 or offset + size > len(image):
        raise Problem(f"its data end at byte {offset + size}, behind the file's end.")
    return image[offset : offset + size]


def _spec(group: h5g.GroupID, where: str, image: bytes, expected: Expectation) -> dict[str, float]:
    if not h5a.exists(group, b"corrected_spec"):
        raise Problem("the attribute is missing; expected JSON with the corrected parameters.")
    spec = _by_parameter(group, b"corrected_spec", expected)
    return {name: _parameter(name, spec[name], *expected.ranges[name]) for name in expected.ranges}


def _intervals(
    group: h5g.GroupID, where: str, image: bytes, expected: Expectation
) -> Intervals | None:
    """Take the 95 % interval of each parameter, where the file has any; null means: abstained."""
    if not h5a.exists(group, b"spec_intervals"):
        return None
    found = _by_parameter(group, b"spec_intervals", expected)
    return {name: _interval(name, found[name]) for name in expected.ranges}


def _interval(name: str, value: object) -> tuple[float, float] | None:
    if value is None:
        return None
    if not isinstance(value, list) or len(value) != 2:
        raise Problem(f"{name}: expected [lowest, highest] or null.")
    low, high = (_parameter(name, end, -LARGEST_VALUE, LARGEST_VALUE) for end in value)
    if low > high:
        raise Problem(f"{name}: expected the lower end first, got [{low:g}, {high:g}].")
    return low, high


def _by_parameter(group: h5g.GroupID, name: bytes, expected: Expectation) -> dict[str, object]:
    """Read a JSON attribute that has exactly one value for each parameter."""
    text = _text(group, name)
    try:
        found = json.loads(text, object_pairs_hook=_no_twice, parse_constant=_no_constant)
    except Problem:
        raise
    except (ValueError, RecursionError) as error:
        raise Problem(f"expected JSON, got what is not: {_reason(error)}.") from error
    if not isinstance(found, dict):
        raise Problem(f"expected a JSON object, got {type(found).__name__}.")
    if set(found) != set(expected.ranges):
        names = ", ".join(expected.ranges)
        got = ", ".join(_shown(key.encode(errors="replace")) for key in list(found)[:8])
        raise Problem(f"expected exactly {names}; got {got or 'none'}.")
    return found


def _parameter(name: str, value: object, low: float, high: float) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise Problem(f"{name}: expected a number, got {type(value).__name__}.")
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not low <= number <= high:
        raise Problem(f"{name}: expected a number from {low:g} to {high:g}, got {number:g}.")
    return number


def _text(owner: h5g.GroupID | h5d.DatasetID, name: bytes) -> str:
    """Read an attribute that is one text of at most 64 KiB; MATLAB writes arrays of one."""
    attribute = h5a.open(owner, name)
    kind = attribute.get_type()
    if not isinstance(kind, h5t.TypeStringID):
        raise Problem(f"expected a text, got {_type_name(kind)}.")
    space = attribute.get_space()
    is_one = space.get_simple_extent_type() == h5s.SCALAR or space.get_simple_extent_npoints() == 1
    if not is_one:
        raise Problem("expected a single text, got an array.")
    if not kind.is_variable_str() and kind.get_size() > LARGEST_JSON:
        raise Problem(f"expected at most {LARGEST_JSON} bytes of JSON, got {kind.get_size()}.")
    value = np.empty(space.shape, dtype=kind.dtype)
    attribute.read(value, mtype=h5t.py_create(kind.dtype))
    text = value.reshape(())[()]
    raw = text if isinstance(text, bytes) else str(text).encode(errors="surrogateescape")
    if len(raw) > LARGEST_JSON:
        raise Problem(f"expected at most {LARGEST_JSON} bytes of JSON, got {len(raw)}.")
    try:
        return raw.decode("utf-8").rstrip("\x00")
    except UnicodeDecodeError as error:
        raise Problem("expected UTF-8, got other bytes.") from error


def _no_twice(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise Problem("expected each key once, got one twice.")
    return found


def _no_constant(name: str) -> float:
    raise Problem(f"expected finite numbers, got {name}.")


def _type_name(kind: h5t.TypeID) -> str:
    names = {
        h5t.INTEGER: "integers", h5t.FLOAT: "floats of an unusual format", h5t.STRING: "text",
        h5t.COMPOUND: "compounds", h5t.REFERENCE: "references", h5t.ENUM: "enumerations",
        h5t.VLEN: "lists of varying length", h5t.ARRAY: "arrays", h5t.OPAQUE: "opaque bytes",
        h5t.BITFIELD: "bits", h5t.TIME: "times", H5T_COMPLEX: "HDF5's own complex type",
    }  # fmt: skip
    if any(kind.equal(known) for known in COMPLEX):
        return "complex numbers"
    return names.get(kind.get_class(), "another type")


def _kind(opened: object) -> str:
    names = {h5g.GroupID: "a group", h5d.DatasetID: "a dataset"}
    return names.get(type(opened), "a named type")


def _shown(name: bytes) -> str:
    text = name.decode("utf-8", "replace")[:60]
    return "".join(c if c.isprintable() else "?" for c in text)


def _reason(error: Exception) -> str:
    return _shown(str(error).split("(")[-1].rstrip(").").encode())
