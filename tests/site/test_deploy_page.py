"""docs/deploy.md, run from its own text: every command of "On many machines" and what follows.

All servers are on this machine, so names of hosts and folders are replaced, and nothing else.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.request import Request, urlopen

import psycopg
import pytest
import yaml
from django.core.management import get_commands

from tests import servers
from tests.edge.proxy import HOST, configuration
from tests.needs import FULL, needs
from tests.sites import children_of, wait

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs/deploy.md").read_text("utf-8")
OURS = ("gallery", "leaderboards", "modalities", "pwmsite", "realdata")
# A gallery so small that it takes seconds, in the queue of those that people ask for.
ASK = (ROOT / "tests/gallery/test_worker.py").read_text().split('ASK = """')[1].split('"""')[0]


def blocks(title: str) -> list[str]:
    """Take the shell blocks out of the section with this title."""
    section = PAGE.split(f"\n## {title}\n")[1].split("\n## ")[0]
    return re.findall(r"^```sh\n(.*?)^```$", section, re.M | re.S)


INSTALL, VARIABLES, SHELL, ONCE, LOOK = blocks("On many machines")
BACKUP, RESTORE, *_ = blocks("Back up and restore")
BEFORE, UPGRADE = blocks("Install a new release")
ROWS = dict(re.findall(r"^\| ([\w ]+) \| `(\.venv/[^`]+)` \|", PAGE, re.M))


# ---------------------------------------------------------------- without running them
@pytest.mark.parametrize("block", [INSTALL, VARIABLES, SHELL, ONCE, LOOK, BACKUP, RESTORE])
def test_every_block_is_shell(block: str) -> None:
    assert subprocess.run(["bash", "-n"], input=block, text=True).returncode == 0


def test_every_command_of_the_page_exists() -> None:
    named = set(re.findall(r"manage\.py ([a-z_]+)", PAGE))
    assert {"prepare", "backup", "restore"} < named <= set(get_commands())


def test_the_table_has_a_worker_for_every_queue(settings) -> None:
    served = re.findall(r"--queues (\S+)", " ".join(ROWS.values()))
    known = set(settings.PWM_QUEUES)
    assert {name for queues in served for name in queues.split(",")} == known


def test_compose_starts_what_the_table_names() -> None:
    services = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]
    rows = {
        "worker": "worker for people",
        "background": "worker for the site",
        "runner": "runner of programs",
    }
    for name, row in rows.items():
        (queues,) = re.findall(r"--queues \S+", ROWS[row])
        assert queues in services[name]["command"]


def test_the_log_of_the_proxy_names_the_request_and_no_secret(tmp_path: Path) -> None:
    class Page(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(204)
            self.send_header("Set-Cookie", "sessionid=new")
            self.send_header("X-Request-ID", "5f2b8542b1e24e47")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Page) as web:
        threading.Thread(target=web.serve_forever, daemon=True).start()
        outside = servers.free_port()
        with proxy(tmp_path, outside, [web.server_port]) as log:
            for path in ("/accounts/confirm-email/MTI:key/", "/search/?q=private", "/about/"):
                assert ask(outside, path)[0] == 204
            wait(lambda: log.exists() and len(log.read_text().splitlines()) == 3)
        web.shutdown()
    written = [json.loads(line) for line in log.read_text().splitlines()]
    asked = [line["request"]["uri"] for line in written]
    assert asked == ["/accounts/confirm-email/-", "/search/-", "/about/"]
    assert {line["resp_headers"]["X-Request-Id"][0] for line in written} == {"5f2b8542b1e24e47"}
    assert not re.search("key|private|sessionid", log.read_text())


# ---------------------------------------------------------------- the servers around the site
class Mails(threading.Thread):
    """An SMTP server that takes every mail and keeps its text (RFC 5321, no more than needed)."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.received: list[str] = []

    def run(self) -> None:
        while True:
            connection, _ = self.listener.accept()
            with connection, connection.makefile("rw", encoding="utf-8", newline="\r\n") as talk:
                self._talk(talk)

    def _talk(self, talk) -> None:
        def say(line: str) -> None:
            talk.write(f"{line}\n")
            talk.flush()

        say("220 here")
        for line in talk:
            command = line[:4].upper()
            if command == "DATA":
                say("354 go on")
                mail = list(iter(talk.readline, ".\r\n"))
                self.received.append("".join(mail))
            say({"QUIT": "221 bye"}.get(command, "250 ok"))
            if command == "QUIT":
                return


class Walk:
    """The reader of the page, in a folder that looks like a checkout."""

    def __init__(self, folder: Path, replaced: dict[str, str]) -> None:
        self.folder, self.replaced = folder, replaced
        self.running: dict[str, subprocess.Popen[bytes]] = {}
        self.log = folder / "log.txt"
        kept = ("PWM_", "PYTEST", "DJANGO_", "AWS_")
        self.inherited = {k: v for k, v in os.environ.items() if not k.startswith(kept)}
        self.inherited |= {"OMP_NUM_THREADS": "1", "PWM_LEASE_SECONDS": "6"}
        for path in ROOT.iterdir():
            if path.name not in {".venv", "var", ".git"}:
                (folder / path.name).symlink_to(path)
        (folder / ".venv").symlink_to(Path(sys.prefix))

    def here(self, text: str) -> str:
        """Write the names of this machine where the page has those of an example."""
        for theirs, ours in self.replaced.items():
            text = text.replace(theirs, ours)
        return text

    def run(self, block: str) -> str:
        """Run a block as the reader does, who opened the shell that the page tells to open."""
        before = "" if block == VARIABLES else SHELL
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", self.here(before + block)],
            cwd=self.folder,
            env=self.inherited,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, f"{block}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def do(self, code: str) -> str:
        """Run Python code in the site, and return the last line that it printed."""
        printed = self.run(f"manage.py shell --no-imports -c {shlex.quote(code)}\n")
        return printed.strip().splitlines()[-1]

    def sql(self, query: str) -> list[tuple]:
        """Ask the database that the page begins with."""
        url = self.replaced["postgresql://pwm:password@database.example.org/pwm"]
        with psycopg.connect(url, autocommit=True) as connection:
            return connection.execute(query).fetchall()

    def start(self, name: str, row: str, **more: str) -> None:
        """Start what a row of the table says, with the variables that it reads."""
        reads = PAGE.split(f"| {row} | `{ROWS[row]}` | ")[1].split(" |")[0]
        files = [". ./site.env"] + [". ./keys.env"] * (reads == "both")
        files += [". ./runner.env"] * ("runner.env" in reads)
        command = self.here(ROWS[row]).replace("people@", f"{name}@")
        with self.log.open("ab") as log:
            self.running[name] = subprocess.Popen(
                ["bash", "-c", f"set -a; {'; '.join(files)}; {_given(more)} exec {command}"],
                cwd=self.folder,
                env=self.inherited,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def kill(self, name: str) -> None:
        """Kill a process with all that it started, as a power cut would."""
        process = self.running.pop(name)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def stop_all(self) -> None:
        for name in list(self.running):
            self.kill(name)


def _given(more: dict[str, str]) -> str:
    return "".join(f"{name}={value}; " for name, value in more.items())


@contextmanager
def proxy(folder: Path, port: int, web: list[int]) -> Iterator[Path]:
    """Run Caddy as ``deploy/Caddyfile`` says; give the file that it writes its log to."""
    caddy, log = needs("caddy"), folder / "access.txt"
    settings = configuration(caddy, folder, port, web)
    made = json.loads(settings.read_text())
    for kept in made["logging"]["logs"].values():
        if "writer" in kept:
            kept["writer"] = {"output": "file", "filename": str(log)}
    settings.write_text(json.dumps(made))
    home = os.environ | {"HOME": str(folder)}
    with (
        (folder / "proxy.txt").open("wb") as words,
        servers.started([caddy, "run", "--config", str(settings)], port, env=home, stderr=words),
    ):
        wait(lambda: _has_certificate(port))
        yield log


def _has_certificate(port: int) -> bool:
    """Tell whether Caddy, which listens before that, has made its certificate."""
    with suppress(ssl.SSLError), connected(port):
        return True
    return False


@contextmanager
def connected(port: int) -> Iterator[ssl.SSLSocket]:
    """Connect to the proxy as a browser does; its certificate is nobody's."""
    trusting = ssl._create_unverified_context()
    with (
        socket.create_connection(("127.0.0.1", port), timeout=60) as plain,
        trusting.wrap_socket(plain, server_hostname=HOST) as line,
    ):
        yield line


def ask(port: int, path: str) -> tuple[int, str]:
    """Ask the proxy for a page; give the status and all that it answers."""
    with connected(port) as line:
        head = {"Host": f"{HOST}:{port}", "Cookie": "sessionid=mine", "Connection": "close"}
        lines = [f"GET {path} HTTP/1.1", *(f"{name}: {value}" for name, value in head.items())]
        line.sendall("\r\n".join([*lines, "", ""]).encode())
        answer = b"".join(iter(lambda: line.recv(65536), b"")).decode("utf-8", "replace")
    return int(answer.split()[1]), answer


def readiness(port: int) -> dict[str, str]:
    """Ask a web server itself what it lacks; {} where it does not answer yet."""
    asked = Request(f"http://127.0.0.1:{port}/readyz", headers={"Host": HOST})
    try:
        with urlopen(asked) as page:
            return json.load(page)["checks"]
    except OSError as error:
        body = getattr(error, "read", lambda: b"{}")()
        return json.loads(body).get("checks", {})


def is_ready(port: int) -> Callable[[], bool]:
    return lambda: set(readiness(port).values()) == {"ok"}


@pytest.fixture
def walk(
    postgres_url: str, redis_url: str, server_folder: Path, tmp_path: Path
) -> Iterator[tuple[Walk, Mails]]:
    from moto.server import ThreadedMotoServer

    with psycopg.connect(postgres_url, autocommit=True) as connection:
        for name in ("walk", "walk_restored", "walk_first"):
            connection.execute(f"CREATE DATABASE {name}")
    with ExitStack() as stack:
        store = ThreadedMotoServer(port=0, verbose=False)
        store.start()
        stack.callback(store.stop)
        mails = Mails()
        mails.start()
        for name in ("checkout", "backups", "var"):
            (tmp_path / name).mkdir()
        reader = Walk(
            tmp_path / "checkout",
            {
                "postgresql://pwm:password@database.example.org/pwm": postgres_url[:-3] + "walk",
                "redis://redis.example.org/0": redis_url[:-1] + "3",
                "redis://redis.example.org/1": redis_url[:-1] + "4",
                "https://s3.example.org": "http://{}:{}".format(*store.get_host_and_port()),
                "smtp+tls://user:password@mail.example.org:587": f"smtp://127.0.0.1:{mails.port}",
                "/var/lib/pwm": str(tmp_path / "var"),
                "/backups": str(tmp_path / "backups"),
                "10.0.0.1": "127.0.0.1",
                "pwm.example.org": HOST,
                # Not part of what is tried: the packages are here, and so is the checkout.
                ".venv/bin/pip install": ": pip install",
                "git pull": ": git pull",
                # One of the two modalities: the other's data take ten times as long.
                "manage.py fill": "manage.py build_datasets stem",
            },
        )
        stack.callback(reader.stop_all)
        yield reader, mails


@pytest.mark.skipif(not FULL, reason="the long form, three minutes: PWM_FULL_TESTS=1")
def test_the_page_leads_to_a_site_that_survives(walk: tuple[Walk, Mails], tmp_path: Path) -> None:
    reader, mails = walk
    reader.run(VARIABLES)
    assert (reader.folder / "keys.env").stat().st_mode & 0o077 == 0
    printed = reader.run(ONCE)
    assert "Password:" in printed
    first, second, outside = (servers.free_port() for _ in range(3))
    for name, port in (("web 1", first), ("web 2", second)):
        reader.start(name, "web server", PWM_BIND=f"127.0.0.1:{port}", PWM_WEB_PROCESSES="1")
    reader.start("people1", "worker for people", PWM_WORKERS="1")
    reader.start("site", "worker for the site", PWM_WORKERS="1")
    reader.start("runner", "runner of programs")
    reader.start("mail", "worker for mail")
    reader.start("clock", "clock")
    with proxy(tmp_path, outside, [first, second]):
        for port in (first, second):
            wait(is_ready(port))
        assert ask(outside, "/")[0] == 200
        assert ask(outside, "/readyz")[0] == 404, "hidden from the internet"
        reader.run(LOOK)
        wait(lambda: mails.received)
        assert "From: pwm@example.org" in mails.received[0]
        one_of_each_dies(reader, outside, first, second)
    kept = reader.do(COUNT)
    reader.run(BACKUP)
    reader.stop_all()
    the_backup_fills_an_empty_database(reader, kept, tmp_path)
    the_first_database_is_upgraded(reader)
    for line in filter(str.strip, reader.log.read_text().splitlines()):
        assert json.loads(line)["event"], "every line is JSON, whoever writes it"


COUNT = """
from django.contrib.auth.models import User
from gallery.models import SceneResult
from modalities.models import Dataset
print(User.objects.count(), SceneResult.objects.count(), Dataset.objects.count())
"""


def one_of_each_dies(reader: Walk, outside: int, first: int, second: int) -> None:
    """A web server, a worker at work and the only worker of a queue: nobody loses anything."""
    reader.kill("web 1")
    assert {ask(outside, "/about/")[0] for _ in range(4)} == {200}

    asking = threading.Thread(target=reader.do, args=(ASK + "\nprint(made.pk)",))
    asking.start()
    wait(lambda: reader.sql("SELECT state FROM gallery_run") == [("running",)], pause=0.02)
    reader.kill("people1")
    asking.join()
    reader.start("people2", "worker for people", PWM_WORKERS="1")
    wait(lambda: reader.sql("SELECT state, token FROM gallery_run") == [("succeeded", 2)])

    reader.kill("site")
    ago = "UPDATE pwmsite_worker SET seen_at = seen_at - interval '1 minute'"
    reader.sql(f"{ago} WHERE name LIKE 'site@%' RETURNING name")
    wait(lambda: readiness(second).get("queues", "").startswith("No worker serves hidden:"))
    reader.start("site", "worker for the site", PWM_WORKERS="1")
    wait(is_ready(second))
    pools = [children_of(reader.running[name].pid) for name in ("people2", "site")]
    assert all(pools)


def the_backup_fills_an_empty_database(reader: Walk, kept: str, tmp_path: Path) -> None:
    database = reader.replaced["postgresql://pwm:password@database.example.org/pwm"]
    for name in ("site.env", "keys.env", "runner.env"):
        path = reader.folder / name
        changed = path.read_text().replace(f"{database}\n", f"{database}_restored\n")
        for folder in ("/var/truth", "/var/measurements"):
            changed = changed.replace(f"{folder}\n", f"{folder}_restored\n")
        path.write_text(changed)
    with (reader.folder / "keys.env").open("a") as keys:  # elsewhere it follows from PWM_VAR
        keys.write(f"PWM_MEASUREMENTS={tmp_path}/var/measurements_restored\n")
    (made,) = (tmp_path / "backups").iterdir()
    reader.replaced["pwm-2026-11-20.tar"] = made.name
    printed = reader.run(RESTORE)
    assert "All invariants hold" in printed
    assert reader.do(COUNT) == kept
    files = [p.name for p in (tmp_path / "var/truth_restored").rglob("*.h5")]
    assert files
    port = servers.free_port()
    reader.start("restored", "web server", PWM_BIND=f"127.0.0.1:{port}")
    reader.start("people", "worker for people")
    reader.start("site", "worker for the site")
    reader.start("runner", "runner of programs")
    reader.start("mail", "worker for mail")
    wait(is_ready(port))
    reader.stop_all()


def the_first_database_is_upgraded(reader: Walk) -> None:
    """A database of the first migrations alone, with a row of a person, takes the new release."""
    path = reader.folder / "site.env"
    path.write_text(path.read_text().replace("/walk_restored\n", "/walk_first\n"))
    for app in ("auth", "admin", "sessions", "account", "mfa"):
        reader.run(f"manage.py migrate --verbosity 0 {app}\n")
    for app in OURS:
        reader.run(f"manage.py migrate --verbosity 0 {app} 0001\n")
    reader.do(
        "from django.contrib.auth.models import User\n"
        "print(User.objects.create_superuser('ada', 'ada@example.org', 'correct horse').pk)"
    )
    reader.run(BEFORE)
    reader.run(UPGRADE)
    reader.run("manage.py migrate --check\n")
    assert reader.do("from django.contrib.auth.models import User\nprint(*User.objects.all())") == (
        "ada"
    )
    assert "All invariants hold" in reader.run("manage.py check_invariants\n")
