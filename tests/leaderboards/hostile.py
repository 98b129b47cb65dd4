"""Submission files of every kind that a stranger may send, built by name."""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
from h5py import h5p, h5s, h5t

from leaderboards.intake.expectation import Expectation

SHAPE = (64, 48)
RANGES = {"tilt": (-1.0, 2.0), "gain": (0.5, 1.5)}
EXPECTED = Expectation(("sample_00", "sample_01"), SHAPE, RANGES)
EXPECTED_COMPLEX = Expectation(EXPECTED.samples, SHAPE, RANGES, is_complex=True)
SPEC = json.dumps({"tilt": 0.25, "gain": 1.0})
CANARY = 0.7071

Edit = Callable[[h5py.File], None]


def write(path: Path, edit: Edit | None = None, *, file: dict | None = None, **dataset) -> Path:
    """Write a good submission, then let ``edit`` spoil it."""
    rng = np.random.default_rng(1)
    values = rng.random(SHAPE)
    if np.dtype(dataset.get("dtype", "f8")).kind == "c":
        values = values * np.exp(1j * rng.uniform(0, 6, SHAPE))
    with h5py.File(path, "w", **(file or {})) as h5:
        for name in EXPECTED.samples:
            group = h5.create_group(name)
            group.create_dataset("x_hat", data=values, **dataset)
            group.attrs["corrected_spec"] = SPEC
        if edit:
            edit(h5)
    return path


def other_file(path: Path) -> Path:
    """Write the file that must never be read: another person's, or the truth."""
    canary = path.with_name("canary.h5")
    with h5py.File(canary, "w") as h5:
        h5["x_hat"] = np.full(SHAPE, CANARY)
        h5.create_group("sample_01")["x_hat"] = np.full(SHAPE, CANARY)
    np.full(SHAPE, CANARY, "f4").tofile(path.with_name("canary.raw"))
    return canary


def replaced(make: Callable[[h5py.Group], object]) -> Edit:
    """Edit: remove sample_01/x_hat and let ``make`` put something else there."""

    def edit(h5: h5py.File) -> None:
        del h5["sample_01/x_hat"]
        make(h5["sample_01"])

    return edit


def data(values: object, **kwargs) -> Edit:
    return replaced(lambda group: group.create_dataset("x_hat", data=values, **kwargs))


def spec(value: object, dtype: object = None) -> Edit:
    def edit(h5: h5py.File) -> None:
        del h5["sample_01"].attrs["corrected_spec"]
        h5["sample_01"].attrs.create("corrected_spec", value, dtype=dtype)

    return edit


def intervals(value: object) -> Edit:
    def edit(h5: h5py.File) -> None:
        h5["sample_01"].attrs["spec_intervals"] = value

    return edit


def with_value(value: float) -> Edit:
    def edit(h5: h5py.File) -> None:
        h5["sample_01/x_hat"][3, 4] = value

    return edit


def low_level(
    build: Callable[[h5p.PropDCID], None] = lambda p: None,
    kind: h5t.TypeID = h5t.IEEE_F32LE,
    shape: tuple[int, ...] = SHAPE,
    maximum: tuple[int, ...] | None = None,
) -> Edit:
    """Edit: a dataset made with a property list that h5py's own calls would not make."""

    def make(group: h5py.Group) -> None:
        properties = h5p.create(h5p.DATASET_CREATE)
        build(properties)
        space = h5s.create_simple(shape, maximum or shape)
        h5py.h5d.create(group.id, b"x_hat", kind, space, properties)

    return replaced(make)


def chunk(payload: bytes, mask: int = 0, **kwargs) -> Edit:
    """Edit: one chunk whose stored bytes are ours."""

    def make(group: h5py.Group) -> None:
        dataset = group.create_dataset("x_hat", SHAPE, "f4", chunks=SHAPE, **kwargs)
        dataset.id.write_direct_chunk((0, 0), payload, mask)

    return replaced(make)


def external_storage(h5: h5py.File) -> None:
    raw = Path(h5.filename).with_name("canary.raw")
    size = 4 * SHAPE[0] * SHAPE[1]
    replaced(lambda g: g.create_dataset("x_hat", SHAPE, "f4", external=[(str(raw), 0, size)]))(h5)


def external_link(h5: h5py.File) -> None:
    del h5["sample_01/x_hat"]
    h5["sample_01/x_hat"] = h5py.ExternalLink(
        str(Path(h5.filename).with_name("canary.h5")), "x_hat"
    )


def external_group(h5: h5py.File) -> None:
    del h5["sample_01"]
    canary = str(Path(h5.filename).with_name("canary.h5"))
    h5["sample_01"] = h5py.ExternalLink(canary, "sample_01")


def virtual(h5: h5py.File) -> None:
    layout = h5py.VirtualLayout(SHAPE, "f4")
    canary = str(Path(h5.filename).with_name("canary.h5"))
    layout[:] = h5py.VirtualSource(canary, "x_hat", SHAPE)
    del h5["sample_01/x_hat"]
    h5["sample_01"].create_virtual_dataset("x_hat", layout)


def soft_link(target: str, where: str = "sample_01/x_hat") -> Edit:
    def edit(h5: h5py.File) -> None:
        del h5[where]
        h5[where] = h5py.SoftLink(target)

    return edit


def missing(where: str) -> Edit:
    def edit(h5: h5py.File) -> None:
        del h5[where]

    return edit


def extra(where: str, value: object = 1.0) -> Edit:
    def edit(h5: h5py.File) -> None:
        h5[where] = value

    return edit


def many_links(h5: h5py.File) -> None:
    for i in range(5_000):
        h5[f"sample_01/{i}"] = h5py.SoftLink("/nowhere")


def a_missing_chunk(h5: h5py.File) -> None:
    del h5["sample_01/x_hat"]
    dataset = h5["sample_01"].create_dataset("x_hat", SHAPE, "f4", chunks=(16, 16))
    dataset[:32] = 1.0


def a_wider_type(exponent_bits: int) -> h5t.TypeFloatID:
    kind = h5t.IEEE_F32LE.copy()
    kind.set_fields(31, 31 - exponent_bits, exponent_bits, 0, 31 - exponent_bits)
    return kind


RAW = np.full(SHAPE, 0.5, "f4").tobytes()

# name -> (edit, words that the report must contain)
REFUSED: dict[str, tuple[Edit, tuple[str, ...]]] = {
    "an external link to a dataset": (external_link, ("sample_01/x_hat", "external link")),
    "an external link to a group": (external_group, ("sample_01", "external link")),
    "external storage": (external_storage, ("sample_01/x_hat", "external storage")),
    "a virtual dataset": (virtual, ("sample_01/x_hat", "virtual")),
    "a soft link to another sample": (soft_link("/sample_00/x_hat"), ("x_hat", "soft link")),
    "a soft link to itself": (soft_link("/sample_01/x_hat"), ("sample_01/x_hat", "soft link")),
    "a soft link to nowhere": (soft_link("/gone"), ("sample_01/x_hat", "soft link")),
    "a soft link for a group": (soft_link("/sample_00", "sample_01"), ("sample_01", "soft link")),
    "a missing sample": (missing("sample_01"), ("sample_01", "missing")),
    "a missing x_hat": (missing("sample_01/x_hat"), ("sample_01/x_hat", "missing")),
    "an unexpected sample": (extra("sample_02"), ("sample_02", "not expected")),
    "an unexpected dataset": (extra("sample_00/x_true"), ("sample_00/x_true", "not expected")),
    "five thousand links": (many_links, ("sample_01", "5001")),
    "a group for x_hat": (replaced(lambda g: g.create_group("x_hat")), ("a group",)),
    "a named type for x_hat": (
        replaced(lambda g: g.__setitem__("x_hat", np.dtype("f4"))),
        ("sample_01/x_hat", "a named type"),
    ),
    "one column too few": (data(np.zeros((64, 47), "f4")), ("(64, 48)", "float32 (64, 47)")),
    "a transposed image": (data(np.zeros((48, 64), "f4")), ("(64, 48)", "(48, 64)")),
    "an axis of one in front": (data(np.zeros((1, 64, 48), "f4")), ("(64, 48)", "(1, 64, 48)")),
    "a row that could be broadcast": (data(np.zeros((1, 48), "f4")), ("(64, 48)", "(1, 48)")),
    "a scalar": (data(np.float32(0)), ("(64, 48)",)),
    "an empty dataset": (data(h5py.Empty("f4")), ("(64, 48)",)),
    "integers": (data(np.zeros(SHAPE, "i4")), ("sample_01/x_hat", "integers")),
    "unsigned bytes": (data(np.zeros(SHAPE, "u1")), ("sample_01/x_hat", "integers")),
    "booleans": (data(np.zeros(SHAPE, "?")), ("sample_01/x_hat", "enumerations")),
    "complex numbers": (
        data(np.zeros(SHAPE, "c8")),
        ("sample_01/x_hat", "floats of 2, 4 or 8 bytes, got complex numbers"),
    ),
    "long doubles": (data(np.zeros(SHAPE, "longdouble")), ("sample_01/x_hat", "floats of 2, 4")),
    "text": (data(np.full(SHAPE, b"0.5")), ("sample_01/x_hat", "text")),
    "opaque bytes": (data(np.zeros(SHAPE, "V4")), ("sample_01/x_hat", "floats of 2, 4 or 8")),
    "references": (
        replaced(lambda g: g.create_dataset("x_hat", SHAPE, h5py.ref_dtype)),
        ("sample_01/x_hat", "references"),
    ),
    "lists of varying length": (
        replaced(lambda g: g.create_dataset("x_hat", SHAPE, h5py.vlen_dtype("f4"))),
        ("sample_01/x_hat", "varying length"),
    ),
    "arrays in each cell": (
        replaced(lambda g: g.create_dataset("x_hat", SHAPE, np.dtype(("f4", (2,))))),
        ("sample_01/x_hat", "arrays"),
    ),
    "compounds": (data(np.zeros(SHAPE, [("re", "f4"), ("im", "f4")])), ("compounds",)),
    "a float of an unusual format": (low_level(kind=a_wider_type(9)), ("unusual format",)),
    "NaN": (with_value(np.nan), ("sample_01/x_hat", "1 that are NaN")),
    "infinity": (with_value(np.inf), ("sample_01/x_hat", "NaN or infinite")),
    "minus infinity": (with_value(-np.inf), ("sample_01/x_hat", "NaN or infinite")),
    "a huge value": (with_value(1e7), ("sample_01/x_hat", "1e+06", "1e+07")),
    "a value that overflows float32": (with_value(-1e300), ("sample_01/x_hat", "1e+300")),
    "compact storage": (
        replaced(lambda g: compact(g)),
        ("sample_01/x_hat", "compact"),
    ),
    "data never written": (low_level(), ("sample_01/x_hat", "never written")),
    "chunks never written": (low_level(lambda p: p.set_chunk((64, 48))), ("1 chunks, got 0",)),
    "a missing chunk": (a_missing_chunk, ("sample_01/x_hat", "12 chunks, got 6")),
    "chunks larger than the image": (
        low_level(lambda p: p.set_chunk((4096, 4096)), maximum=(8192, 8192)),
        ("sample_01/x_hat", "no larger than"),
    ),
    "the lzf filter": (data(np.zeros(SHAPE, "f4"), compression="lzf"), ("got number 32000",)),
    "scale-offset": (data(np.zeros(SHAPE, "f4"), scaleoffset=3), ("got scale-offset",)),
    "filters in another order": (
        low_level(lambda p: (p.set_chunk(SHAPE), p.set_deflate(4), p.set_shuffle())),
        ("got gzip, shuffle",),
    ),
    "a filter twice": (
        low_level(lambda p: (p.set_chunk(SHAPE), p.set_deflate(4), p.set_deflate(4))),
        ("got gzip, gzip",),
    ),
    "a filter that nobody has": (
        low_level(lambda p: (p.set_chunk(SHAPE), p.set_filter(31999, h5py.h5z.FLAG_OPTIONAL))),
        ("got number 31999",),
    ),
    "a chunk that inflates short": (
        chunk(zlib.compress(RAW[:100]), compression="gzip"),
        ("sample_01/x_hat", "12288 bytes, got 100"),
    ),
    "a chunk that inflates to nothing": (
        chunk(zlib.compress(b""), compression="gzip"),
        ("12288 bytes, got 0",),
    ),
    "a chunk that inflates a thousandfold": (
        chunk(zlib.compress(bytes(64 << 20), 9), compression="gzip"),
        ("12288 bytes, got more",),
    ),
    "a chunk of one byte too many": (
        chunk(zlib.compress(RAW + b"\0"), compression="gzip"),
        ("12288 bytes, got more",),
    ),
    "a chunk cut off": (
        chunk(zlib.compress(RAW)[:-9], compression="gzip"),
        ("sample_01/x_hat", "(0, 0)"),
    ),
    "a chunk that is not zlib": (chunk(b"no" * 99, compression="gzip"), ("does not inflate",)),
    "a chunk that skips its filter": (
        chunk(RAW, mask=1, compression="gzip"),
        ("skips a filter (mask 1)",),
    ),
    "an unfiltered chunk that is short": (chunk(RAW[:-4]), ("12288 bytes, got 12284",)),
    "a wrong checksum": (chunk(RAW + b"abcd", fletcher32=True), ("fails its checksum",)),
    "a checksum and nothing else": (chunk(b"abc", fletcher32=True), ("fails its checksum",)),
    "no corrected_spec": (
        lambda h5: h5["sample_01"].attrs.__delitem__("corrected_spec"),
        ("sample_01/corrected_spec", "missing"),
    ),
    "intervals that are not JSON": (intervals("tilt"), ("sample_01/spec_intervals", "JSON")),
    "intervals without one parameter": (intervals('{"tilt": [0, 1]}'), ("exactly tilt, gain",)),
    "an interval that is a number": (
        intervals('{"tilt": 0.1, "gain": null}'),
        ("sample_01/spec_intervals", "tilt: expected [lowest, highest] or null"),
    ),
    "an interval of three": (intervals('{"tilt": [0, 1, 2], "gain": null}'), ("or null",)),
    "an interval the wrong way round": (
        intervals('{"tilt": [1, 0], "gain": null}'),
        ("lower end first, got [1, 0]",),
    ),
    "an interval of texts": (intervals('{"tilt": ["0", "1"], "gain": null}'), ("got str",)),
    "an interval without end": (intervals('{"tilt": [0, 1e999], "gain": null}'), ("tilt",)),
    "intervals that are not text": (intervals(3.5), ("sample_01/spec_intervals", "text")),
    "a spec that is not JSON": (spec("tilt: 0.25"), ("sample_01/corrected_spec", "JSON")),
    "an empty spec": (spec("{}"), ("exactly tilt, gain", "got none")),
    "a spec that is a list": (spec("[0.25, 1.0]"), ("expected a JSON object, got list",)),
    "a spec that is null": (spec("null"), ("expected a JSON object",)),
    "a spec without one parameter": (spec('{"tilt": 0.25}'), ("exactly tilt, gain", "got tilt")),
    "a spec with another parameter": (
        spec('{"tilt": 0.25, "gain": 1, "score": 1}'),
        ("exactly tilt, gain", "score"),
    ),
    "a parameter twice": (spec('{"tilt": 0.25, "gain": 1, "gain": 1}'), ("each key once",)),
    "a parameter above its range": (spec('{"tilt": 2.5, "gain": 1}'), ("tilt", "-1 to 2", "2.5")),
    "a parameter below its range": (spec('{"tilt": 0, "gain": 0.4}'), ("gain", "0.5 to 1.5")),
    "a parameter that is NaN": (spec('{"tilt": NaN, "gain": 1}'), ("finite", "NaN")),
    "a parameter that is Infinity": (spec('{"tilt": Infinity, "gain": 1}'), ("finite",)),
    "a parameter that overflows": (spec('{"tilt": 1e999, "gain": 1}'), ("tilt", "inf")),
    "a huge integer": (spec('{"tilt": ' + "9" * 400 + ', "gain": 1}'), ("tilt",)),
    "an integer of 60,000 digits": (spec('{"tilt": ' + "9" * 60_000 + ', "gain": 1}'), ("spec",)),
    "a parameter that is true": (spec('{"tilt": true, "gain": 1}'), ("tilt", "bool")),
    "a parameter that is text": (spec('{"tilt": "0.25", "gain": 1}'), ("tilt", "str")),
    "a parameter that is null": (spec('{"tilt": null, "gain": 1}'), ("tilt", "NoneType")),
    "a parameter that is a list": (spec('{"tilt": [0.25], "gain": 1}'), ("tilt", "list")),
    "JSON nested too deep": (spec("[" * 30_000 + "]" * 30_000), ("sample_01/corrected_spec",)),
    "JSON of 200 KB": (
        lambda h5: big_text(h5, 200_000),
        ("sample_01/corrected_spec",),
    ),
    "a spec as a number": (spec(1.0), ("sample_01/corrected_spec", "text")),
    "a spec as a list of texts": (spec([SPEC, SPEC]), ("expected a single text",)),
    "a spec that is not UTF-8": (spec(np.bytes_(b'{"tilt": "\xff"}')), ("UTF-8",)),
    "a spec of a null dataspace": (spec(h5py.Empty("S10")), ("expected a single text",)),
}


def compact(group: h5py.Group) -> None:
    properties = h5p.create(h5p.DATASET_CREATE)
    properties.set_layout(h5py.h5d.COMPACT)
    space = h5s.create_simple(SHAPE)
    h5py.h5d.create(group.id, b"x_hat", h5t.IEEE_F32LE, space, properties)


def big_text(h5: h5py.File, size: int) -> None:
    text = json.dumps({"tilt": 0.25, "gain": 1.0, "pad": "x" * size})
    spec(text, h5py.string_dtype())(h5)


ACCEPTED: dict[str, dict] = {
    "as h5py writes it": {},
    "float16": {"dtype": "f2"},
    "float32": {"dtype": "f4"},
    "float64": {"dtype": "f8"},
    "big-endian float32": {"dtype": ">f4"},
    "big-endian float16 in chunks": {"dtype": ">f2", "chunks": (20, 30), "shuffle": True},
    "chunks": {"chunks": (16, 16)},
    "chunks that do not divide the image": {"chunks": (30, 29)},
    "gzip": {"compression": "gzip", "dtype": "f4"},
    "gzip 9 with shuffle": {"compression": 9, "shuffle": True, "chunks": (7, 48)},
    "shuffle, gzip, fletcher32": {"compression": 4, "shuffle": True, "fletcher32": True},
    "fletcher32 alone": {"fletcher32": True, "dtype": "f4", "chunks": (13, 11)},
    "fletcher32 of an odd number of bytes": {"fletcher32": True, "dtype": "f2", "chunks": (1, 1)},
    "room to grow": {"maxshape": (None, None), "chunks": (32, 32)},
    "the newest file format": {"file": {"libver": "latest"}},
    "the newest file format, chunked": {"file": {"libver": "latest"}, "chunks": (16, 16)},
    "groups in the order they were made": {"file": {"track_order": True}},
}


def pairs(names: tuple[str, str], offsets: tuple[int, int] = (0, 4), size: int = 8) -> np.dtype:
    """A compound of two float32."""
    parts = {"names": names, "formats": ["<f4", "<f4"], "offsets": offsets, "itemsize": size}
    return np.dtype(parts)


# Where a complex object is expected: name -> (edit, words that the report must contain).
REFUSED_AS_COMPLEX: dict[str, tuple[Edit, tuple[str, ...]]] = {
    "real numbers": (data(np.zeros(SHAPE, "f4")), ("complex numbers of 8 or 16", "got floats")),
    "integers": (data(np.zeros(SHAPE, "i4")), ("complex numbers of 8 or 16", "got integers")),
    "long doubles": (data(np.zeros(SHAPE, "clongdouble")), ("complex numbers of 8 or 16",)),
    "other names": (data(np.zeros(SHAPE, pairs(("re", "im")))), ("got compounds",)),
    "the imaginary part first": (
        data(np.zeros(SHAPE, pairs(("r", "i"), offsets=(4, 0)))),
        ("got compounds",),
    ),
    "room behind the parts": (data(np.zeros(SHAPE, pairs(("r", "i"), size=12))), ("compounds",)),
    "two channels instead": (data(np.zeros((*SHAPE, 2), "f4")), ("complex numbers",)),
    "another shape": (data(np.zeros((48, 64), "c8")), ("complex64 (64, 48)", "(48, 64)")),
    "NaN in the imaginary part": (with_value(complex(0, np.nan)), ("1 that are NaN",)),
    "an infinite real part": (with_value(complex(-np.inf, 0)), ("1 that are NaN or infinite",)),
    "a huge imaginary part": (with_value(complex(0, -1e7)), ("1e+06", "1e+07")),
    "a chunk cut off": (
        replaced(lambda g: short_chunk(g)),
        ("sample_01/x_hat", "24576 bytes, got 12288"),
    ),
}


def short_chunk(group: h5py.Group) -> None:
    dataset = group.create_dataset("x_hat", SHAPE, "c8", chunks=SHAPE)
    dataset.id.write_direct_chunk((0, 0), RAW)


ACCEPTED_AS_COMPLEX: dict[str, dict] = {
    "complex64": {"dtype": "c8"},
    "complex128": {"dtype": "c16"},
    "big-endian": {"dtype": ">c8"},
    "shuffle, gzip, fletcher32": {
        "dtype": "c8",
        "chunks": (30, 29),
        "compression": 4,
        "shuffle": True,
        "fletcher32": True,
    },
    "the newest file format": {"dtype": "c16", "file": {"libver": "latest"}},
}
