"""Start the child, hand it the upload, and take back what it found."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO

import numpy as np

from .answer import Intervals, Malformed, arrays, intervals, problems, sentence, specs
from .expectation import CPU_SECONDS, Expectation

CHILD = Path(__file__).resolve().parent / "child.py"
WALL_SECONDS = 30
LONGEST_HEADER = 1 << 20
WALLS = ("--unshare-all", "--die-with-parent", "--new-session", "--ro-bind", "/", "/")


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
    try:
        if "unavailable" in header:
            raise IntakeUnavailable(
                f"Uploads are not read on this server: {sentence(header['unavailable'])}. "
                "The operator can start it on Linux 5.13 or newer with Landlock and seccomp."
            )
        if "problems" in header:
            raise Refused(problems(header["problems"]))
        return Reading(
            arrays(body, expected),
            specs(header.get("specs"), expected),
            intervals(header.get("intervals"), expected),
        )
    except Malformed:
        raise Refused(["The reader gave no proper answer; the file was not scored."]) from None


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
    overtime = threading.Event()

    def give_up() -> None:
        overtime.set()
        child.kill()

    timer = threading.Timer(WALL_SECONDS, give_up)
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
    with suppress(ValueError, RecursionError):
        if isinstance(header := json.loads(line), dict):
            return header, body
    if overtime.is_set():
        raise Refused([f"The file takes more than {WALL_SECONDS} s to read; it was not scored."])
    raise _ending(child.returncode)


def _ending(returncode: int) -> Exception:
    """Say why a child ended without an answer."""
    # bubblewrap tells the signal that ended its child as a shell does: 128 and its number.
    number = -returncode if returncode < 0 else returncode - 128
    if number == signal.SIGXCPU:
        return Refused(
            [f"The file takes more than {CPU_SECONDS} s of CPU time to read; it was not scored."]
        )
    if number == signal.SIGKILL:
        return IntakeUnavailable(
            "The reader of the file was killed, most likely because the server is short of memory. "
            "Start this again when less is running, or tell the operator."
        )
    return Refused(
        ["HDF5 stopped while reading the file; the file is damaged, and it was not scored."]
    )


@lru_cache(maxsize=1)
def _bubblewrap() -> tuple[str, ...]:
    """Give the words that put the child into namespaces of its own, where bubblewrap works.

    As root the child drops to an unprivileged user itself; bubblewrap run by root would keep the
    host's /proc/sys writable.
    """
    path = shutil.which("bwrap")
    if path is None or os.geteuid() == 0:
        return ()
    words = (path, *WALLS)
    probe = subprocess.run([*words, "true"], capture_output=True, timeout=10)
    return words if probe.returncode == 0 else ()
