"""What goes into the sandbox and what comes out: a program, its limits, its outcome."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from django.conf import settings


class Reason(StrEnum):
    """How a run ended; whether the output is a proper submission, the scorer decides later."""

    DONE = "done"
    NO_OUTPUT = "no_output"
    TIME = "time"
    CPU = "cpu"
    MEMORY = "memory"
    PROCESSES = "processes"
    TOO_LARGE = "too_large"  # the output or the log
    FAILED = "failed"  # an exit code other than 0
    SIGNAL = "signal"
    BLOCKED = "blocked"  # a guard is missing here
    SERVER = "server"  # a fault of the machine, never of the program


@dataclass(frozen=True)
class Script:
    """A Python program, run as ``python algo.py challenge.h5 submission.h5``."""

    source: bytes


@dataclass(frozen=True)
class Image:
    """A container archive (OCI, or as Docker and Podman save it) with a program in it."""

    archive: Path


Program = Script | Image


@dataclass(frozen=True)
class Limits:
    """What one run may use; work_bytes and files bound what lies in its folders, output too."""

    wall_seconds: float = 600
    cpu_seconds: int = 600  # of all its processes together
    memory_bytes: int = 2 << 30  # of all its processes together, with what lies in its folders
    processes: int = 64  # threads count too
    output_bytes: int = 64 << 20
    log_bytes: int = 1 << 20
    work_bytes: int = 512 << 20
    files: int = 10_000

    @classmethod
    def of_settings(cls) -> Limits:
        """Read the limits of this site: PWM_RUN_WALL_SECONDS and so on."""
        return cls(**settings.PWM_RUN_LIMITS)

    def in_words(self) -> list[tuple[str, str]]:
        """Return (name, text) of each limit, for pages and forms."""
        return [
            ("Wall clock", f"{self.wall_seconds:g} s"),
            ("CPU time", f"{self.cpu_seconds} s, of all processes together"),
            ("Memory", f"{_size(self.memory_bytes)}, of all processes and files together"),
            ("Processes and threads", f"{self.processes}"),
            ("Output", _size(self.output_bytes)),
            ("Files while it runs", f"{_size(self.work_bytes)} in {self.files:,} files"),
            ("Log", _size(self.log_bytes)),
            ("Network", "none"),
        ]


def _size(count: int) -> str:
    for unit, exponent in (("GiB", 30), ("MiB", 20), ("KiB", 10)):
        if count >= 1 << exponent:
            return f"{count / (1 << exponent):g} {unit}"
    return f"{count} bytes"


@dataclass(frozen=True)
class Outcome:
    """How a run ended, and what it left.

    output: bytes of ``submission.h5``, as hostile as an upload; empty unless the reason is DONE.
    log: standard output and error together, cut at the limit. detail: one sentence, for staff.
    peak_memory_mb is 0 where nothing could measure it. runtime_sha256 and runtime (package:
    version) say which root file system ran.
    """

    reason: Reason
    detail: str
    output: bytes = b""
    log: bytes = b""
    exit_code: int | None = None
    wall_seconds: float = 0.0
    cpu_seconds: float = 0.0
    peak_memory_mb: float = 0.0
    runtime_sha256: str = ""
    runtime: dict[str, str] = field(default_factory=dict)
