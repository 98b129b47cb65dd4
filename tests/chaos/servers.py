"""PostgreSQL and Redis that a test can kill and start again, with what they keep on disk or not."""

from __future__ import annotations

import os
import pwd
import subprocess
from pathlib import Path
from typing import Any

from tests.needs import needs
from tests.servers import HOST, free_port, postgres_program, wait_for


class Server:
    """A process on a port; ``restart`` kills it without a word and starts it on the same data."""

    url: str

    def __init__(self, command: list[str], port: int, **options: Any) -> None:
        self.command, self.port, self.options = command, port, options
        self.start()

    def start(self) -> None:
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        self.process = subprocess.Popen(self.command, **quiet, **self.options)
        wait_for(self.port, self.process)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def restart(self) -> None:
        self.kill()
        self.start()


class Redis(Server):
    """A broker that keeps nothing: a restart loses every message."""

    def __init__(self, folder: Path) -> None:
        port = free_port()
        command = [needs("redis-server"), "--port", str(port), "--bind", HOST, "--save", ""]
        super().__init__([*command, "--dir", str(folder)], port)
        self.url = f"redis://{HOST}:{port}/0"


class Postgres(Server):
    """A database that recovers from its log after a restart; it cannot run as root."""

    def __init__(self, folder: Path) -> None:
        options: dict[str, Any] = {
            "cwd": folder,
            "env": {"LC_ALL": "C", "PATH": os.environ["PATH"]},
        }
        if os.geteuid() == 0:
            nobody = pwd.getpwnam("nobody")
            options |= {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
            os.chown(folder, nobody.pw_uid, nobody.pw_gid)
        data, port = str(folder / "data"), free_port()
        quiet = {"check": True, "stdout": subprocess.DEVNULL}
        initdb = [postgres_program("initdb"), "-D", data, "-U", "pwm", "-A", "trust"]
        subprocess.run(initdb, **quiet, **options)
        command = [postgres_program("postgres"), "-D", data, "-p", str(port), "-h", HOST]
        super().__init__([*command, "-k", str(folder)], port, **options)
        createdb = [postgres_program("createdb"), "-h", HOST, "-p", str(port), "-U", "pwm", "pwm"]
        subprocess.run(createdb, **quiet, **options)
        self.url = f"postgresql://pwm@{HOST}:{port}/pwm"

    def kill(self) -> None:
        """Stop it at once, as a crash would; its children end with it (SIGQUIT: no clean-up)."""
        self.process.send_signal(3)
        self.process.wait()
