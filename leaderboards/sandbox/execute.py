"""Start one program under all guards, wait for it, and take back what it left."""

from __future__ import annotations

import json
import os
import select
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO

from django.conf import settings

from . import container, system_calls, walls
from .archive import ArchiveFault, BadArchive
from .launch import control_groups
from .program import Image, Limits, Outcome, Program, Reason, Script
from .runtime import PYTHON, runtime
from .slots import Slot, free_slot

LAUNCHER = Path(__file__).resolve().parent / "launch" / "launcher.py"
BEAT_SECONDS = 0.5
# What the launcher may take beyond the wall clock: to start, to end all processes, to answer.
GRACE_SECONDS = 60
LONGEST_HEADER = 1 << 16
# What a program is given to read, and to write.
PATHS = (walls.CHALLENGE, f"/work/{walls.OUTPUT}")

Beat = Callable[[str, float], None]


def silent(phase: str, part: float) -> None:
    """Tell nobody how far a run is."""


@dataclass(frozen=True)
class Root:
    """A root file system, and the command that starts the program in it, in which folder."""

    folder: Path
    command: tuple[str, ...]
    environment: dict[str, str]
    sha256: str
    packages: dict[str, str]
    workdir: str = "/work"


def run_unchecked(
    program: Program, challenge: bytes | BinaryIO, limits: Limits, *, beat: Beat = silent
) -> Outcome:
    """Run a program under all guards, which nobody has tried: for ``preflight`` and ``run``."""
    files: dict[str, int] = {}
    try:
        script = _root_of_scripts() if isinstance(program, Script) else None
        files["challenge.h5"] = _memory_file(challenge)
        if isinstance(program, Script):
            files["algo.py"] = _memory_file(program.source)
    except Exception as error:
        return Outcome(Reason.SERVER, f"The run could not be prepared: {error}.")
    try:
        with free_slot(slots_here(), lambda: beat("waiting", 0.0)) as slot:
            if isinstance(program, Image):
                return _run_image(program, slot, files, limits, beat)
            assert script
            return _launch(slot, script, files, limits, beat)
    finally:
        for descriptor in files.values():
            os.close(descriptor)


def _root_of_scripts() -> Root:
    base = runtime()
    command = (PYTHON, walls.PROGRAM, *PATHS)
    return Root(base.root, command, walls.ENVIRONMENT, base.sha256, base.packages)


def _run_image(
    program: Image, slot: Slot, files: dict[str, int], limits: Limits, beat: Beat
) -> Outcome:
    """Run a container in the root file system that it brings, which is gone afterwards."""
    try:
        with container.unpacked(program.archive, slot, beat) as found:
            command = tuple(found.command(*PATHS))
            root = Root(found.root, command, container.environment(found), found.sha256, {})
            root = replace(root, workdir=container.workdir(found))
            return container.as_program_fault(_launch(slot, root, files, limits, beat))
    except BadArchive as refused:
        log = "\n".join(refused.problems).encode()
        return Outcome(Reason.FAILED, "The archive was refused before it ran.", log=log)
    except ArchiveFault as fault:
        return Outcome(Reason.SERVER, str(fault))


def slots_here() -> int:
    """Return how many runs go on at a time: one, unless the kernel bounds the memory of each."""
    return os.cpu_count() or 1 if "memory" in counted_by_kernel() else 1


def counted_by_kernel() -> tuple[str, ...]:
    """Return what the kernel bounds for a run as a whole: memory, pids, cpuacct."""
    return control_groups.usable(f"pwm-probe-{os.getpid()}", settings.PWM_RUN_CGROUP)


def configuration(slot: Slot, root: Root, files: dict[str, int], limits: Limits) -> dict[str, Any]:
    """Return what the launcher is told: every layer of one run."""
    places = {"challenge.h5": walls.CHALLENGE, "algo.py": walls.PROGRAM}
    return {
        "parent": os.getpid(),
        "user": slot.user,
        "group": f"pwm-run-{slot.number}",
        "delegated_group": settings.PWM_RUN_CGROUP,
        "bubblewrap": shutil.which("bwrap") or "",
        "arguments": walls.arguments(
            root.folder,
            {name: places[name] for name in files},
            root.environment,
            root.workdir,
        ),
        "filter": system_calls.filter_for().hex(),
        "rlimits": walls.of_each_process(limits),
        "command": root.command,
        "root": str(root.folder),
        "inputs": files,
        "output": walls.OUTPUT,
        "limits": {
            "wall_seconds": limits.wall_seconds,
            "cpu_seconds": limits.cpu_seconds,
            "memory_bytes": limits.memory_bytes,
            "processes": limits.processes,
            "output_bytes": limits.output_bytes,
            "log_bytes": limits.log_bytes,
            "work_bytes": limits.work_bytes,
            "files": limits.files,
        },
    }


def _launch(slot: Slot, root: Root, files: dict[str, int], limits: Limits, beat: Beat) -> Outcome:
    config = configuration(slot, root, files, limits)
    said = _memory_file(b"")
    started_at = time.monotonic()
    launcher = subprocess.Popen(
        [sys.executable, "-I", str(LAUNCHER)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=said,
        env={},
        cwd="/",
        start_new_session=True,
        pass_fds=[*files.values(), slot.lock],
    )
    assert launcher.stdin
    assert launcher.stdout
    try:
        with suppress(BrokenPipeError):
            launcher.stdin.write(json.dumps(config).encode() + b"\n")
            launcher.stdin.flush()
        answer = _wait(launcher.stdout.fileno(), started_at, limits, beat)
        outcome = _outcome(answer, limits) or Outcome(
            Reason.SERVER, f"The launcher ended without an answer: {_text(said)[-500:]}"
        )
    finally:
        # Closing its input asks the launcher to end the run and to clean up.
        with suppress(BrokenPipeError):
            launcher.stdin.close()
        launcher.stdout.close()
        try:
            launcher.wait(GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            launcher.kill()
            launcher.wait()
        os.close(said)
        if launcher.returncode != 0:
            _sweep(config)
    return replace(outcome, runtime_sha256=root.sha256, runtime=root.packages)


def _wait(descriptor: int, started_at: float, limits: Limits, beat: Beat) -> bytes:
    """Return all that the launcher answers, or what came until it took too long."""
    most = LONGEST_HEADER + limits.log_bytes + limits.output_bytes
    answer = bytearray()
    while (passed := time.monotonic() - started_at) < limits.wall_seconds + GRACE_SECONDS:
        beat("running", min(passed / limits.wall_seconds, 1.0))
        if not select.select([descriptor], [], [], BEAT_SECONDS)[0]:
            continue
        part = os.read(descriptor, 1 << 20)
        answer += part
        if not part or len(answer) > most:
            break
    return bytes(answer)


def _outcome(answer: bytes, limits: Limits) -> Outcome | None:
    line, newline, body = answer.partition(b"\n")
    if not newline:
        return None
    header = json.loads(line)
    log, output = body[: header["log"]], body[header["log"] :]
    if len(log) != header["log"] or len(output) != header["output"]:
        return None
    return Outcome(
        reason=Reason(header["reason"]),
        detail=header["detail"],
        output=output,
        log=log,
        exit_code=header["exit_code"],
        wall_seconds=header["wall_seconds"],
        cpu_seconds=header["cpu_seconds"],
        peak_memory_mb=header["peak_memory"] / (1 << 20),
    )


def _sweep(config: dict[str, Any]) -> None:
    """Clean up after a launcher that was killed: the kernel has ended its processes with it."""
    with suppress(OSError, subprocess.SubprocessError):
        subprocess.run(
            [sys.executable, "-I", str(LAUNCHER)],
            input=json.dumps({**config, "sweep": True}).encode() + b"\n",
            capture_output=True,
            env={},
            cwd="/",
            check=False,
            timeout=GRACE_SECONDS,
        )


def _memory_file(content: bytes | BinaryIO) -> int:
    descriptor = os.memfd_create("input")
    with os.fdopen(os.dup(descriptor), "wb") as file:
        if isinstance(content, bytes):
            file.write(content)
        else:
            shutil.copyfileobj(content, file)
    return descriptor


def _text(descriptor: int) -> str:
    os.lseek(descriptor, 0, os.SEEK_SET)
    return os.read(descriptor, 1 << 16).decode("utf-8", "replace").strip()
