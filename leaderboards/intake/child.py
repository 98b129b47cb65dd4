"""The child that reads one upload. Run by path: ``python -I child.py EXPECTATION-JSON < upload``.

It loads its libraries and takes the bytes first, gives up its rights second, and parses third.
Standard output: one line of JSON, ``{"problems": […]}`` or ``{"specs": […], "intervals": […]}``,
and after the latter the reconstructions as raw little-endian float32 or complex64, one after the
other.
"""

import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path

MEMORY_BYTES = 160 << 20


def main() -> None:
    here = Path(__file__).resolve().parent
    sys.path[:0] = [str(here), str(here.parent / "guards")]
    from expectation import CPU_SECONDS, Expectation
    from lockdown import LockdownError, lock_down
    from parse import parse, warm_up

    expected = Expectation.from_json(sys.argv[1])
    image = sys.stdin.buffer.read(expected.largest_file + 1)
    warm_up()
    try:
        lock_down(CPU_SECONDS, MEMORY_BYTES)
    except (LockdownError, OSError, ValueError) as error:
        answer({"unavailable": str(error)})
    try:
        found = parse(image, expected)
    except MemoryError:
        answer({"problems": ["The file needs more memory to read than a submission may take."]})
    if found.problems:
        answer({"problems": found.problems})
    answer({"specs": found.specs, "intervals": found.intervals}, found.arrays)


def answer(header: dict, arrays: Sequence = ()) -> None:
    out = sys.stdout.buffer
    out.write(json.dumps(header).encode() + b"\n")
    for array in arrays:
        out.write(array.tobytes())
    out.flush()
    os._exit(0)


main()
