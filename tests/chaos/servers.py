"""Databases and brokers that a test can kill and start again, with what they keep on disk."""

from __future__ import annotations

import os
import pwd
import subprocess
from pathlib import Path
from typing import Any

from tests.needs import needs
from tests.servers import (
    HOST,
    free_port,
    make_database,
    postgres_program,
    rabbitmq_program,
    wait_for,
)


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


class RabbitMQ(Server):
    """A broker that keeps its queues on disk, and waits 1 s for an answer where others wait 30 min.

    Nodes find each other through a process ``epmd``, which the first one of a machine would leave
    behind: this node has one of its own.
    """

    def __init__(self, folder: Path) -> None:
        port, self.epmd_port = free_port(), free_port()
        settings = {
            "NODENAME": "pwm@localhost",
            "NODE_IP_ADDRESS": HOST,
            "NODE_PORT": str(port),
            "DIST_PORT": str(free_port()),
            "MNESIA_BASE": str(folder / "data"),
            "LOG_BASE": str(folder / "log"),
            "ENABLED_PLUGINS_FILE": str(folder / "plugins"),
            "CONFIG_FILE": str(folder / "rabbitmq.conf"),
            "CONF_ENV_FILE": os.devnull,
            "SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1} "
            "-rabbit consumer_timeout 1000 -rabbit channel_tick_interval 200",
            # Its script then becomes the node; else a kill would reach the script alone.
            "ALLOW_INPUT": "1",
        }
        env = {f"RABBITMQ_{name}": value for name, value in settings.items()}
        env |= {"ERL_EPMD_ADDRESS": HOST, "ERL_EPMD_PORT": str(self.epmd_port)}
        env |= {"HOME": str(folder), "LC_ALL": "C.UTF-8", "PATH": os.environ["PATH"]}
        super().__init__([rabbitmq_program(), "-noinput"], port, cwd=folder, env=env)
        self.url = f"amqp://guest:guest@{HOST}:{port}"

    def start(self) -> None:
        epmd = [needs("epmd", "rabbitmq-server"), "-address", HOST]
        self.epmd = Server(epmd, self.epmd_port, env=self.options["env"])
        super().start()

    def kill(self) -> None:
        super().kill()
        self.epmd.kill()


class Postgres(Server):
    """A database that recovers from its log after a restart; it cannot run as root."""

    def __init__(self, folder: Path, **environment: str) -> None:
        options: dict[str, Any] = {
            "cwd": folder,
            "env": {"LC_ALL": "C", "PATH": os.environ["PATH"]} | environment,
        }
        if os.geteuid() == 0:
            nobody = pwd.getpwnam("nobody")
            options |= {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
            os.chown(folder, nobody.pw_uid, nobody.pw_gid)
        data, port = str(folder / "data"), free_port()
        quiet = {"check": True, "stdout": subprocess.DEVNULL}
        initdb = [postgres_program("initdb"), "-N", "-D", data, "-U", "pwm", "-A", "trust"]
        subprocess.run(initdb, **quiet, **options)
        # -F: no waiting for the disk; what was written outlives the server, if not the machine.
        command = [postgres_program("postgres"), "-F", "-D", data, "-p", str(port), "-h", HOST]
        super().__init__([*command, "-k", str(folder)], port, **options)
        make_database(port, **options)
        self.url = f"postgresql://pwm@{HOST}:{port}/pwm"

    def kill(self) -> None:
        """Stop it at once, as a crash would; its children end with it (SIGQUIT: no clean-up)."""
        self.process.send_signal(3)
        self.process.wait()
