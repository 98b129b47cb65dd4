"""What all tests share: seeded arrays, real servers, and no silent skips in CI."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from django.core.cache import cache

from . import emptying, servers, sites

ROOT = Path(__file__).resolve().parents[1]
LONG = (
    "tests/chaos/",
    "tests/browser/",
    "tests/modalities/test_workers.py",
    "tests/site/test_backup.py",
    "tests/site/test_serve.py",
    "tests/site/test_production.py",
    "tests/physics/test_stem",
    "tests/physics/test_scenarios.py",
    "tests/physics/test_blindness.py",
)

# Playwright keeps an event loop in this thread for the rest of the session, and Django would refuse
# the database to every test that comes after one with a browser.
os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(20260101)


@pytest.fixture(autouse=True)
def quick_passwords(settings: Any) -> None:
    """Hash passwords in no time: the real hash takes half a second, and no test is about it."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture(autouse=True)
def empty_cache() -> None:
    """Forget the pages that another test drew: rows start from the same numbers in each."""
    cache.clear()


@pytest.fixture(autouse=True)
def same_data_every_time(settings: Any) -> None:
    """Draw the secret tiers' scenes and mismatch from one key; a site of its own makes one up."""
    settings.DATA_KEY = "the same in every run of the tests, on every machine"
    settings.SIGNING_KEY = "it signs the same in every run of the tests, on every machine"


@pytest.fixture(autouse=True, scope="session")
def history_goes_between_tests() -> Iterator[None]:
    with emptying.without_triggers():
        yield


@pytest.fixture(autouse=True, scope="session")
def folder_of_the_whole_run(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> None:
    """Let what is made once be made once for all workers of pytest-xdist."""
    mine = tmp_path_factory.getbasetemp()
    sites.SHARED = mine if worker_id == "master" else mine.parent


@pytest.fixture(scope="session")
def server_folder() -> Iterator[Path]:
    """A short path that other users may enter; sockets and PostgreSQL need both."""
    with tempfile.TemporaryDirectory(prefix="pwm") as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


@pytest.fixture(scope="session")
def redis_url(server_folder: Path) -> Iterator[str]:
    with servers.redis(server_folder) as url:
        yield url


@pytest.fixture(scope="session")
def postgres_url(server_folder: Path) -> Iterator[str]:
    home = server_folder / "postgres"
    home.mkdir()
    with servers.postgres(home) as url:
        yield url


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """Run one process more than there are cores, since many tests wait, but not too many."""
    return min(6, len(os.sched_getaffinity(0)) + 1)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes long, so that no process is left with it at the end."""
    items.sort(key=lambda item: not item.nodeid.startswith(LONG))


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport() -> Iterator[pytest.TestReport]:
    """Fail a test that is skipped in CI: what was not tried was not shown to work."""
    return _never_skipped((yield))


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_make_collect_report() -> Iterator[pytest.CollectReport]:
    """Fail a file that is skipped as a whole, too."""
    return _never_skipped((yield))


def _never_skipped(report: Any) -> Any:
    if os.environ.get("CI") and report.skipped and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        path, line, reason = report.longrepr
        report.longrepr = f"{path}:{line}: CI accepts no skipped test. {reason}"
    return report


def pytest_sessionfinish() -> None:
    """Remove the state of this process, which the settings keep apart."""
    shutil.rmtree(ROOT / "var" / "tests" / str(os.getpid()), ignore_errors=True)
