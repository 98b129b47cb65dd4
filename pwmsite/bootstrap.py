"""Bring up PWM on a machine that has nothing but Python: ``python3 pwmsite/bootstrap.py run``.

This file runs before anything is installed, perhaps on a Python that is too old, so it uses the
standard library only and no recent syntax. It makes the virtual environment in .venv, installs
the locked packages when the lock has changed, and hands over to pwmsite/serve.py. If it cannot go
on, one sentence says why and what to do.
"""

import argparse
import contextlib
import ctypes
import errno
import fcntl
import hashlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TextIO

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
INSTALLED = VENV / "installed.json"
OLDEST = (3, 11)
HOST = "127.0.0.1"
ROOM = 1500 << 20  # bytes that the packages take, and pip while it unpacks them
PR_SET_PDEATHSIG = 1


class CannotStart(Exception):
    """Something outside PWM keeps it from starting; the message says what to do."""


def say(line: str) -> None:
    """Tell the terminal; a terminal that is gone, or a full disk behind it, stops nothing."""
    with contextlib.suppress(OSError):
        os.write(1, (line + "\n").encode())


# ---------------------------------------------------------------- what the machine must offer
def check_python(version=sys.version_info[:3]):  # no annotation that an old Python cannot read
    if tuple(version[:2]) < OLDEST:
        raise CannotStart(
            "PWM needs Python {}.{} or newer and this is Python {}; install a newer one and name "
            "it, for example: make run PYTHON=python3.12".format(
                *OLDEST, ".".join(map(str, version))
            )
        )


def check_writable(folder: Path) -> None:
    """Write a file in ``folder`` and remove it: the one test that permissions cannot fool."""
    try:
        with tempfile.TemporaryFile(dir=str(folder)):
            pass
    except OSError as error:
        raise CannotStart(
            f"The folder {folder} cannot be written ({error.strerror}); "
            "copy or clone PWM into a folder of your own and run it there."
        ) from error


def check_room(folder: Path) -> None:
    """Check that the packages will fit, rather than let pip find out after minutes."""
    free = shutil.disk_usage(str(folder)).free
    if free < ROOM:
        raise CannotStart(
            f"The disk of {folder} is full: {free >> 20:,} MB are free, and the packages need "
            f"{ROOM >> 20:,}; free some space, or run PWM on another disk."
        )


def check_venv_module() -> None:
    """Check that this Python can make virtual environments; Debian splits that part off."""
    try:
        import ensurepip  # noqa: F401
        import venv  # noqa: F401
    except ImportError as error:
        name = "python{}.{}-venv".format(*sys.version_info[:2])
        raise CannotStart(
            f"This Python cannot make virtual environments ({error.name} is missing); on Debian or "
            f"Ubuntu let an administrator install it (apt install {name}), then start PWM again."
        ) from error


def listen(port_text: str) -> socket.socket:
    """Take the site's port now, so that it is ours before minutes of installing begin.

    It listens at once: two sockets may be bound to one port as long as neither listens.
    """
    if not port_text.isdigit() or int(port_text) > 65535:
        raise CannotStart(f"PORT={port_text} is no port; give a number from 1024 to 65535.")
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((HOST, int(port_text)))
        listener.listen()
    except OSError as error:
        listener.close()
        raise CannotStart(_port_refused(int(port_text), error)) from error
    return listener


def _port_refused(port: int, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return (
            f"Port {port} is taken by another program; stop that one, "
            f"or choose another port: make run PORT={port + 1}"
        )
    if error.errno == errno.EACCES:
        return f"Port {port} is for administrators only; choose another: make run PORT=8000"
    return f"Port {port} of {HOST} cannot be used ({error.strerror}); choose another with PORT=."


# ---------------------------------------------------------------- the virtual environment
@contextlib.contextmanager
def alone():
    """Let one command install at a time, and the others wait for it; yield the lock.

    What this one starts inherits the lock, so that a pip whose parent was killed keeps it.
    """
    folder = ROOT / "var"
    folder.mkdir(mode=0o700, exist_ok=True)
    with open(folder / "installing.lock", "w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("Another command is installing packages here; waiting for it.")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield lock


def call(command: list, lock: TextIO) -> subprocess.CompletedProcess:
    """Run a program that holds ``lock`` while it lives, and that dies when this process does."""
    libc = ctypes.CDLL(None)

    def die_with_parent() -> None:
        with contextlib.suppress(AttributeError):  # Linux only
            libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)

    return subprocess.run(
        command,
        pass_fds=(lock.fileno(),),
        preexec_fn=die_with_parent,
        capture_output=True,
        text=True,
    )


def digest(lock_name: str) -> str:
    """Return what .venv must hold for this lock: its content and the Python it is for."""
    content = (ROOT / lock_name).read_bytes()
    return hashlib.sha256(content + repr(sys.version_info[:2]).encode()).hexdigest()


def is_installed(lock_name: str) -> bool:
    try:
        return json.loads(INSTALLED.read_text()).get(lock_name) == digest(lock_name)
    except (OSError, ValueError):
        return False


def make_venv(lock: TextIO) -> None:
    """Make .venv, or make it again where its Python has gone (an upgrade, a moved folder)."""
    works = (
        PYTHON.exists()
        and not subprocess.run(
            [str(PYTHON), "-m", "pip", "--version"], capture_output=True
        ).returncode
    )
    if works:
        return
    check_venv_module()
    say("Making the virtual environment in .venv.")
    made = call([sys.executable, "-m", "venv", "--clear", str(VENV)], lock)
    if made.returncode:
        said = (made.stderr + made.stdout).strip() or "nothing"
        raise CannotStart(
            f"The virtual environment could not be made; Python says: {said.splitlines()[-1]}"
        )


def install(lock_name: str) -> None:
    """Install exactly what ``lock_name`` lists, if .venv does not hold it yet."""
    with alone() as lock:
        if PYTHON.exists() and is_installed(lock_name):
            return
        check_room(ROOT)
        make_venv(lock)
        INSTALLED.unlink(missing_ok=True)  # from here on .venv is neither the old nor the new
        say(f"Installing the packages of {lock_name} (a few minutes the first time).")
        command = [str(PYTHON), "-m", "pip", "install", "--quiet", "--require-hashes"]
        command += ["--disable-pip-version-check", "--root-user-action=ignore"]
        pip = call([*command, "-r", str(ROOT / lock_name)], lock)
        if pip.returncode:
            raise CannotStart(_pip_refused(pip.stderr))
        remember(lock_name)


def remember(lock_name: str) -> None:
    """Note what .venv holds; the developers' lock has all of the site's, at the same versions."""
    held = {lock_name: digest(lock_name)}
    if lock_name == "requirements-dev.lock":
        held["requirements.lock"] = digest("requirements.lock")
    INSTALLED.write_text(json.dumps(held))


def _pip_refused(stderr: str) -> str:
    lines = [line for line in stderr.splitlines() if line.startswith("ERROR:")]
    said = (lines or stderr.strip().splitlines() or ["nothing"])[-1].strip()
    if "No space left" in stderr:
        return f"The disk is full; free {ROOM >> 20:,} MB and start again (pip says: {said})"
    if "HASHES" in stderr:
        return f"A package is not the one that the lock names, so it was not installed ({said})"
    return (
        "The packages could not be installed; see that the package index can be reached from this "
        f"machine (network, proxy, PIP_INDEX_URL), then start again (pip says: {said})"
    )


# ---------------------------------------------------------------- the commands
def run(port_text: str) -> None:
    check_writable(ROOT)
    with listen(port_text) as listener:
        install("requirements.lock")
        listener.set_inheritable(True)
        serve = [str(PYTHON), "-m", "pwmsite.serve", str(listener.fileno())]
        os.chdir(ROOT)
        os.execv(serve[0], serve)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("command", choices=["run", "install", "install-dev"])
    command = parser.parse_args().command
    try:
        check_python()
        if command == "run":
            run(os.environ.get("PORT") or "8000")
        check_writable(ROOT)
        install("requirements-dev.lock" if command == "install-dev" else "requirements.lock")
    except CannotStart as obstacle:
        print(f"PWM cannot start: {obstacle}", file=sys.stderr)  # noqa: T201
        return 1
    except OSError as error:
        where = f" {error.filename}" if error.filename else ""
        print(  # noqa: T201
            f"PWM cannot start: {error.strerror or error}{where}; see that you may write "
            f"there and that the disk has room, then start again.",
            file=sys.stderr,
        )
        return 1
    except KeyboardInterrupt:
        say("\nStopped.")
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
