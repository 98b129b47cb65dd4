"""Start the child, hand it the upload, and take back what it found."""

from __future__ import annotations

import json
import math
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from .expectation import Expectation

CHILD = Path(__file__).resolve().parent / "child.py"
WALL_SECONDS = 30
LONGEST_HEADER = 1 << 20

Intervals = dict[str, tuple[float, float] | None]


class Refused(ValueError):
    """The submission is not acceptable; ``problems`` lists everything that is wrong with it."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = list(problems)


class IntakeUnavailable(RuntimeError):
    """This server cannot read uploads safely, so it reads none; the message says why."""


@dataclass(frozen=True)
class Reading:
    """A submission as read: one reconstruction and one corrected spec per sample.

    Reconstructions are float32, or complex64 where the object is complex. spec_intervals: the 95 %
    interval of each parameter, per sample; None for a parameter that the method abstains from, and
    for a sample that says nothing.
    """

    x_hat: list[np.ndarray]
    corrected_spec: list[dict[str, float]]
    spec_intervals: list[Intervals | None]


def read_submission(upload: BinaryIO, expected: Expectation) -> Reading:
    """Read an upload in a locked-down child.

    ``upload`` is an open file with a descriptor, positioned anywhere; it is read from byte 0. Raise
    Refused with all problems, or IntakeUnavailable where the kernel lacks a layer.
    """
    size = os.fstat(upload.fileno()).st_size
    if size > expected.largest_file:
        raise Refused(
            [f"The file has {size:,} bytes; a submission has at most {expected.largest_file:,}."]
        )
    os.lseek(upload.fileno(), 0, os.SEEK_SET)
    header, body = _run(upload, expected)
    if "unavailable" in header:
        raise IntakeUnavailable(
            f"Uploads are not read on this server: {header['unavailable']}. "
            "The operator can start it on Linux 5.13 or newer with Landlock and seccomp."
        )
    if "problems" in header:
        raise Refused(header["problems"])
    return Reading(
        _arrays(body, expected),
        _specs(header["specs"], expected),
        [_intervals(found, expected) for found in header["intervals"]],
    )


def _run(upload: BinaryIO, expected: Expectation) -> tuple[dict, bytes]:
    most = LONGEST_HEADER + len(expected.samples) * expected.bytes_per_sample
    child = subprocess.Popen(
        [*_bubblewrap(), sys.executable, "-I", str(CHILD), expected.to_json()],
        stdin=upload.fileno(),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "LC_ALL": "C.UTF-8"},
        cwd="/",
        start_new_session=True,
    )
    timer = threading.Timer(WALL_SECONDS, child.kill)
    timer.start()
    with child:
        try:
            assert child.stdout  # a pipe was asked for
            answer = child.stdout.read(most + 1)
            child.wait()
        finally:
            timer.cancel()
            child.kill()
    line, _, body = answer.partition(b"\n")
    try:
        return json.loads(line), body
    except ValueError:
        raise Refused([_ending(child.returncode)]) from None


def _ending(returncode: int) -> str:
    """Say why a child ended without an answer."""
    if returncode in (-signal.SIGXCPU, -signal.SIGKILL):
        return "The file takes more than 2 s of CPU time to read; it was not scored."
    return "HDF5 stopped while reading the file; the file is damaged, and it was not scored."


def _arrays(body: bytes, expected: Expectation) -> list[np.ndarray]:
    size = expected.bytes_per_sample
    if len(body) != size * len(expected.samples):
        raise Refused(["The file could not be read to its end; it was not scored."])
    count = math.prod(expected.shape)
    return [
        np.frombuffer(body, expected.dtype, count, i * size).reshape(expected.shape).copy()
        for i in range(len(expected.samples))
    ]


def _specs(specs: list[dict[str, float]], expected: Expectation) -> list[dict[str, float]]:
    """Take the child's word for nothing: names and ranges are held here again."""
    for spec in specs:
        if set(spec) != set(expected.ranges) or not all(
            low <= float(spec[name]) <= high for name, (low, high) in expected.ranges.items()
        ):
            raise Refused(["The corrected spec lies outside the ranges."])
    return [{name: float(value) for name, value in spec.items()} for spec in specs]


def _intervals(found: dict[str, Any] | None, expected: Expectation) -> Intervals | None:
    if found is None:
        return None
    ends = {name: found[name] for name in expected.ranges}
    return {name: None if e is None else (float(e[0]), float(e[1])) for name, e in ends.items()}


@lru_cache(maxsize=1)
def _bubblewrap() -> tuple[str, ...]:
    """Give the words that put the child into namespaces of its own, where bubblewrap works.

    As root the child drops to an unprivileged user itself; bubblewrap run by root would keep the
    host's /proc/sys writable.
    """
    path = shutil.which("bwrap")
    if path is None or os.geteuid() == 0:
        return ()
    words = (path, "--unshare-all", "--die-with-parent", "--new-session", "--ro-bind", "/", "/")
    probe = subprocess.run([*words, "true"], capture_output=True, timeout=10)
    return words if probe.returncode == 0 else ()
