"""A real server of its own and Debian's Chromium, which needs no download."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest
from playwright.sync_api import BrowserContext, ConsoleMessage, Page, expect

from tests.needs import needs
from tests.servers import free_port
from tests.sites import made_once, tables

ROOT = Path(__file__).resolve().parents[2]
QUIET = (
    "--disable-background-networking",
    "--disable-quic",
    "--no-first-run",
    "--disable-component-update",
    "--disable-sync",
)
# Seconds; only ends a wait that would go on for ever on a machine with a lot to do.
PATIENCE = 180
expect.set_options(timeout=1000 * PATIENCE)


@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args: dict[str, Any]) -> dict[str, Any]:
    sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []
    return browser_type_launch_args | {
        "executable_path": needs("chromium"),
        "args": [*QUIET, *sandbox],
    }


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The state of a site with both modalities and their galleries."""
    needs("chromium")
    folder = tmp_path_factory.mktemp("browser") / "site"
    shutil.copytree(made_once("seeded", _seed), folder)
    return folder


@pytest.fixture(scope="session")
def on_site(folder: Path) -> Callable[..., None]:
    """Runs a module of the tests with the site's database and files."""

    def run(*arguments: str) -> None:
        command = [sys.executable, "-m", *arguments]
        subprocess.run(command, cwd=ROOT, env=_environment(folder), check=True)

    return run


@pytest.fixture(scope="session")
def base_url(folder: Path) -> Iterator[str]:
    """The address of the site, while it is served."""
    port = free_port()
    command = [sys.executable, "manage.py", "runserver", "--noreload", f"127.0.0.1:{port}"]
    with (folder / "server.log").open("w") as log:
        server = subprocess.Popen(
            command, cwd=ROOT, env=_environment(folder), stdout=log, stderr=log
        )
    try:
        _wait(f"http://127.0.0.1:{port}/about/", server, folder / "server.log")
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait(PATIENCE)


def _seed(folder: Path) -> None:
    (folder / "pwm.sqlite3").write_bytes(tables())
    command = [sys.executable, "-m", "tests.browser.seed"]
    subprocess.run(command, cwd=ROOT, env=_environment(folder), check=True)


def _environment(folder: Path) -> dict[str, str]:
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("PWM_", "PYTEST"))}
    settings = {"PWM_VAR": str(folder), "DJANGO_SETTINGS_MODULE": "pwmsite.settings"}
    return kept | settings | {"OMP_NUM_THREADS": "1"}


def _wait(url: str, server: subprocess.Popen[bytes], log: Path) -> None:
    """Wait until the server answers; fail with its log if it does not."""
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until and server.poll() is None:
        try:
            with urlopen(url, timeout=5):
                return
        except OSError:  # refused, or no answer in time
            time.sleep(0.2)
    pytest.fail(f"The server did not start:\n{log.read_text()}")


@pytest.fixture
def context(context: BrowserContext) -> BrowserContext:
    context.set_default_timeout(1000 * PATIENCE)
    return context


@pytest.fixture
def said(page: Page) -> list[str]:
    """All that the browser complained about on the page; nothing is expected."""
    lines: list[str] = []

    def listen(message: ConsoleMessage) -> None:
        lines.append(f"{message.type}: {message.text}")

    page.on("console", listen)
    page.on("pageerror", lambda error: lines.append(f"error: {error}"))
    return lines
