"""Real servers that tests start for themselves: on a free port, in a folder that goes away."""

import os
import pwd
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path
from typing import Any

from .needs import needs

HOST = "127.0.0.1"
PATIENCE = 180.0  # seconds until a server listens on a machine that has a lot to do

# Below the ports that the kernel hands out to whoever asks for any; the start tells two runs apart.
_ports = count(20_000 + os.getpid() % 5_000)
_mine: list[socket.socket] = []


def free_port() -> int:
    """Give a port that no other process of the tests is given while this one lives.

    A socket with an abstract name stands for each: it is there once, and goes with its process.
    """
    while True:
        port = next(_ports)
        claim = socket.socket(socket.AF_UNIX)
        with suppress(OSError), socket.socket() as probe:
            claim.bind(f"\0pwm-tests-port-{port}")
            probe.bind((HOST, port))
            _mine.append(claim)
            return port
        claim.close()


def wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    """Wait until something listens on ``port``; fail when its process has ended."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        with suppress(OSError), socket.create_connection((HOST, port), timeout=1):
            return
        if process.poll() is not None:
            break
        time.sleep(0.05)
    raise RuntimeError(f"{process.args} does not listen on port {port}.")


@contextmanager
def started(command: list[str], port: int, **options: object) -> Iterator[subprocess.Popen[bytes]]:
    """Run a server until the block ends."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, **options)
    try:
        wait_for(port, process)
        yield process
    finally:
        process.kill()
        process.wait()


@contextmanager
def redis(folder: Path) -> Iterator[str]:
    """Run Redis without persistence; give its URL."""
    port = free_port()
    command = [needs("redis-server"), "--port", str(port), "--bind", HOST, "--save", ""]
    with started([*command, "--dir", str(folder)], port):
        yield f"redis://{HOST}:{port}/0"


def postgres_program(name: str) -> str:
    """Return PostgreSQL's program ``name``; Debian keeps them out of PATH."""
    installed = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    return str(installed[-1]) if installed else needs(name, "postgresql")


def make_database(port: int, **options: Any) -> None:
    """Make the database ``pwm`` once the server takes commands; it listens a moment before that."""
    where = ["-h", HOST, "-p", str(port), "-U", "pwm"]
    quiet = {"stdout": subprocess.DEVNULL, **options}
    deadline = time.monotonic() + PATIENCE
    while subprocess.run([postgres_program("pg_isready"), *where], check=False, **quiet).returncode:
        assert time.monotonic() < deadline, "PostgreSQL listens and takes no command."
        time.sleep(0.05)
    subprocess.run([postgres_program("createdb"), *where, "pwm"], check=True, **quiet)


def rabbitmq_program() -> str:
    """Return the script that starts RabbitMQ as whoever calls it; the one in PATH wants root."""
    direct = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")
    return str(direct) if direct.exists() else needs("rabbitmq-server")


@contextmanager
def postgres(folder: Path) -> Iterator[str]:
    """Run PostgreSQL with an empty database ``pwm``; give its URL.

    It refuses to run as root, so that root hands it to the user ``nobody``.
    """
    initdb, server = postgres_program("initdb"), postgres_program("postgres")
    as_user: dict[str, object] = {"cwd": folder, "env": {"LC_ALL": "C", "PATH": os.environ["PATH"]}}
    if os.geteuid() == 0:
        nobody = pwd.getpwnam("nobody")
        as_user |= {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
        os.chown(folder, nobody.pw_uid, nobody.pw_gid)
    data, port = folder / "data", free_port()
    quiet = {"check": True, "stdout": subprocess.DEVNULL}
    subprocess.run(
        [initdb, "-N", "-E", "UTF8", "-D", str(data), "-U", "pwm", "-A", "trust"],
        **quiet,
        **as_user,
    )
    # -F: no waiting for the disk; these data need not survive the machine.
    command = [server, "-F", "-D", str(data), "-p", str(port), "-h", HOST, "-k", str(folder)]
    with started(command, port, **as_user):
        make_database(port, **as_user)
        yield f"postgresql://pwm@{HOST}:{port}/pwm"
