"""Unpack a container archive as a throw-away root file system, and take it away again.

The archive is hostile. Nothing of it is read here: a confined child does, and what it answers is
checked again. See ``images`` for what it does and refuses.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import selectors
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from .images.caps import BadArchive, Caps
from .images.layout import MOST_WORDS, VARIABLE, is_word
from .images.root import MOUNT_POINTS

__all__ = ["ArchiveFault", "BadArchive", "Caps", "Unpacked", "image", "sweep", "unpack"]

CHILD = Path(__file__).resolve().parent / "images" / "child.py"
NOBODY = 65534
PREFIX = "image-"
LONGEST_ANSWER = 8 << 20
LONGEST_PROBLEM = 1000  # characters
MOST_PROBLEMS = 100
GRACE_SECONDS = 10  # to end after the answer
TURN = 0.5  # seconds between two beats

Beat = Callable[[str, float], None]
_DIGEST = re.compile(r"(?:sha256:)?[0-9a-f]{64}", re.ASCII)


class ArchiveFault(RuntimeError):
    """The machine could not unpack, whatever the archive: a full disk, or a guard is missing."""


@dataclass(frozen=True)
class Unpacked:
    """An image as unpacked.

    root: the folder to bind read-only as ``/``; every file in it belongs to the slot's user.
    argv: entry point and command, to which the paths of the challenge and of the submission are
    added. env: to be set inside the sandbox only, because it may name libraries to load.
    workdir: an absolute path inside, of a folder that exists. sha256: of the configuration, which
    is what Docker and Podman call the image's id and follows from all its files. layers: digest of
    each uncompressed layer, lowest first.
    """

    root: Path
    argv: tuple[str, ...]
    env: dict[str, str]
    workdir: str
    sha256: str
    layers: tuple[str, ...]

    def command(self, challenge: str, submission: str) -> list[str]:
        """Return what to start: ``ENTRYPOINT… CMD… challenge submission``."""
        return [*self.argv, challenge, submission]


def silent(phase: str, part: float) -> None:
    """Tell nobody."""


@contextmanager
def image(
    archive: Path,
    parent: Path,
    uid: int | None = None,
    most: Caps | None = None,
    *,
    beat: Beat = silent,
) -> Iterator[Unpacked]:
    """Unpack an archive below ``parent`` for the time of a run, and remove all of it after.

    uid: the user of the run's slot, where this is root. What a crash leaves, ``sweep`` removes.
    Raise BadArchive or ArchiveFault.
    """
    with _opened(archive) as opened, _own_folder(parent) as folder:
        yield unpack(opened, folder, most or Caps(), uid=uid, beat=beat)


@contextmanager
def of_the_machine() -> Iterator[None]:
    """Take what the system refuses for a fault of the machine."""
    try:
        yield
    except OSError as error:
        raise ArchiveFault(f"The archive was not unpacked: {error.strerror}.") from error


def _opened(archive: Path) -> BinaryIO:
    with of_the_machine():
        return archive.open("rb")


def sweep(parent: Path) -> int:
    """Remove what runs that ended by a crash left below ``parent``; return how many folders."""
    removed = 0
    for entry in os.scandir(parent) if parent.is_dir() else ():
        if not entry.name.startswith(PREFIX) or not entry.is_dir(follow_symlinks=False):
            continue
        with suppress(OSError), _locked(Path(entry.path)):
            shutil.rmtree(entry.path)
            removed += 1
    return removed


def unpack(
    archive: BinaryIO,
    into: Path,
    most: Caps,
    *,
    uid: int | None = None,
    beat: Beat = silent,
) -> Unpacked:
    """Unpack an open archive below ``into``, an empty folder; a refusal may leave files in it.

    ``beat`` is called about twice a second; what it raises ends the child and is raised again.
    Raise BadArchive with sentences for the sender, ArchiveFault with one for the operator.
    """
    size = os.fstat(archive.fileno()).st_size
    if size > most.archive_bytes:
        raise BadArchive(
            [f"The archive has {size:,} bytes; it may have at most {most.archive_bytes:,}."]
        )
    root, slot = into / "root", NOBODY if uid is None else uid
    with ExitStack() as stack:
        with of_the_machine():
            root.mkdir(mode=0o700)
            if os.geteuid() == 0:
                os.chown(root, slot, slot)
            folder = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
            stack.callback(os.close, folder)
            # Written through its descriptor alone: it has no name that the child could reach.
            spool = stack.enter_context(tempfile.TemporaryFile(dir=into))
            child = _start(archive.fileno(), spool.fileno(), folder, slot, most)
        answer = _answer(child, most, beat)
        return _checked(answer, root, folder)


def _start(archive: int, spool: int, folder: int, uid: int, most: Caps) -> subprocess.Popen[bytes]:
    given = (os.getpid(), uid, spool, folder)
    return subprocess.Popen(
        [sys.executable, "-I", "-S", "-B", str(CHILD), most.to_json(), *map(str, given)],
        stdin=archive,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={"LC_ALL": "C.UTF-8"},
        cwd="/",
        pass_fds=(spool, folder),
        start_new_session=True,
    )


def _answer(child: subprocess.Popen[bytes], most: Caps, beat: Beat) -> Any:
    """Wait for the child, and return its answer as JSON has it."""
    with child:
        try:
            text = _text(child, most, beat)
            with suppress(subprocess.TimeoutExpired):
                child.wait(GRACE_SECONDS)
        finally:
            child.kill()
    with suppress(ValueError, RecursionError):
        return json.loads(text)
    raise _ending(child.returncode, most)


def _text(child: subprocess.Popen[bytes], most: Caps, beat: Beat) -> bytes:
    assert child.stdout  # a pipe was asked for
    text, end = b"", time.monotonic() + most.wall_seconds
    with selectors.DefaultSelector() as selector:
        selector.register(child.stdout, selectors.EVENT_READ)
        while time.monotonic() < end and len(text) <= LONGEST_ANSWER:
            beat("unpacking", 0.0)
            if selector.select(TURN):
                found = os.read(child.stdout.fileno(), 1 << 16)
                if not found:
                    return text
                text += found
    if len(text) > LONGEST_ANSWER:
        raise _no_proper_answer()
    raise ArchiveFault(f"Unpacking the archive took more than {most.wall_seconds} s of wall clock.")


def _ending(returncode: int, most: Caps) -> Exception:
    """Say why a child ended without an answer."""
    if returncode == -signal.SIGXCPU:
        return BadArchive(
            [f"The archive takes more than {most.cpu_seconds} s of CPU time to unpack."]
        )
    if returncode == -signal.SIGKILL:
        return ArchiveFault(
            "The unpacking of an archive was killed; the server is short of memory."
        )
    return BadArchive(["The archive is damaged: reading it broke off."])


def _checked(answer: Any, root: Path, folder: int) -> Unpacked:
    """Check what the child says: it read a hostile file, which may have taken it over."""
    _check(isinstance(answer, dict))
    if "unavailable" in answer:
        raise ArchiveFault(
            f"No archive is unpacked on this server: {_sentence(answer, 'unavailable')}"
        )
    if "fault" in answer:
        raise ArchiveFault(f"The archive was not unpacked: {_sentence(answer, 'fault')}")
    if "problems" in answer:
        problems = answer["problems"]
        _check(isinstance(problems, list) and 0 < len(problems) <= MOST_PROBLEMS)
        raise BadArchive([_printable(problem) for problem in problems])
    argv, env, layers = answer.get("argv"), answer.get("env"), answer.get("layers")
    _check(isinstance(argv, list) and 0 < len(argv) <= MOST_WORDS)
    _check(all(_is_word(word) for word in argv))
    _check(isinstance(env, dict) and len(env) <= MOST_WORDS)
    _check(all(_is_word(x) and VARIABLE.fullmatch(f"{name}={x}") for name, x in env.items()))
    _check(_is_word(answer.get("workdir")) and answer["workdir"].startswith("/"))
    _check(".." not in answer["workdir"].split("/"))
    _check(isinstance(layers, list) and len(layers) <= 1000)
    digests = [answer.get("sha256"), *(x.get("diff_id") for x in layers if isinstance(x, dict))]
    _check(all(isinstance(x, str) and _DIGEST.fullmatch(x) for x in digests))
    _check(len(digests) == 1 + len(layers))
    _check(all(_is_folder(name, folder) for name in MOUNT_POINTS))
    return Unpacked(root, tuple(argv), env, answer["workdir"], digests[0], tuple(digests[1:]))


def _is_folder(name: str, folder: int) -> bool:
    """Whether a mount point is a folder: through a link, a mount could land anywhere."""
    with suppress(OSError):
        return stat.S_ISDIR(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode)
    return False


def _is_word(text: Any) -> bool:
    return isinstance(text, str) and is_word(text)


def _sentence(answer: dict[str, Any], key: str) -> str:
    return f"{_printable(answer[key]).rstrip('.')}."


def _printable(text: Any) -> str:
    _check(isinstance(text, str))
    return "".join(c if c.isprintable() else "?" for c in text[:LONGEST_PROBLEM])


def _check(is_right: bool) -> None:
    if not is_right:
        raise _no_proper_answer()


def _no_proper_answer() -> BadArchive:
    return BadArchive(["The archive is damaged: what read it gave no proper answer."])


@contextmanager
def _own_folder(parent: Path) -> Iterator[Path]:
    """Make a folder that no sweep removes while this process lives, and remove it after."""
    while True:
        with of_the_machine():
            folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=parent))
        with ExitStack() as lock:
            try:
                lock.enter_context(_locked(folder))
            except (FileNotFoundError, BlockingIOError):
                continue  # a sweep was faster
            if not folder.is_dir():
                continue
            try:
                yield folder
            finally:
                # What cannot be removed now, the next sweep tries again.
                shutil.rmtree(folder, ignore_errors=True)
            return


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Hold the lock of a folder, which the kernel opens when its holder dies."""
    opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(opened)
