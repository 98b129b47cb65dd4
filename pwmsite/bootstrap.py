"""Bring up PWM on a machine that has nothing but Python: ``python3 pwmsite/bootstrap.py run``.

This file runs before anything is installed, perhaps on a Python that is too old, so it uses the
standard library only and no recent syntax. It makes the virtual environment in .venv, installs
the locked packages when the lock has changed, and hands over to pwmsite/serve.py. If it cannot go
on, one sentence says why and what to do.
"""

from __future__ import annotations

import argparse
import contextlib
import errno
import fcntl
import hashlib
import json
import os
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
INSTALLED = VENV / "installed.json"
OLDEST = (3, 11)
HOST = "127.0.0.1"


class CannotStart(Exception):
    """Something outside PWM keeps it from starting; the message says what to do."""


def say(line: str) -> None:
    """Tell the terminal; a terminal that is gone, or a full disk behind it, stops nothing."""
    with contextlib.suppress(OSError):
        os.write(1, (line + "\n").encode())


# ---------------------------------------------------------------- what the machine must offer
def check_python(version: tuple[int, ...] = sys.version_info[:3]) -> None:
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
    """Bind the site's port now, so that it is ours before minutes of installing begin."""
    if not port_text.isdigit() or int(port_text) > 65535:
        raise CannotStart(f"PORT={port_text} is no port; give a number from 1024 to 65535.")
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((HOST, int(port_text)))
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
    """Let one command install at a time, and the others wait for it."""
    folder = ROOT / "var"
    folder.mkdir(exist_ok=True)
    with open(folder / "installing.lock", "w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("Another command is installing packages here; waiting for it.")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def digest(lock_name: str) -> str:
    """Return what .venv must hold for this lock: its content and the Python it is for."""
    content = (ROOT / lock_name).read_bytes()
    return hashlib.sha256(content + repr(sys.version_info[:2]).encode()).hexdigest()


def is_installed(lock_name: str) -> bool:
    try:
        return json.loads(INSTALLED.read_text()).get(lock_name) == digest(lock_name)
    except (OSError, ValueError):
        return False


def make_venv() -> None:
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
    made = subprocess.run(
        [sys.executable, "-m", "venv", "--clear", str(VENV)], capture_output=True, text=True
    )
    if made.returncode:
        raise CannotStart(
            "The virtual environment could not be made; Python says: "
            + (made.stderr or made.stdout).strip()
        )


def install(lock_name: str) -> None:
    """Install exactly what ``lock_name`` lists, if .venv does not hold it yet."""
    with alone():
        if PYTHON.exists() and is_installed(lock_name):
            return
        make_venv()
        say(f"Installing the packages of {lock_name} (a few minutes the first time).")
        command = [str(PYTHON), "-m", "pip", "install", "--quiet", "--require-hashes"]
        command += ["--disable-pip-version-check", "--root-user-action=ignore"]
        pip = subprocess.run(
            [*command, "-r", str(ROOT / lock_name)], stderr=subprocess.PIPE, text=True
        )
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
    last = "\n".join(stderr.strip().splitlines()[-4:])
    if "No space left" in stderr:
        return f"The disk is full; free about 1 GB and start again. pip says:\n{last}"
    if "HASHES" in stderr:
        return f"A package is not the one that the lock names; nothing was installed.\n{last}"
    return (
        "The packages could not be installed; see that the package index can be reached from this "
        f"machine (network, proxy, PIP_INDEX_URL), then start again. pip says:\n{last}"
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
    except KeyboardInterrupt:
        say("\nStopped.")
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
