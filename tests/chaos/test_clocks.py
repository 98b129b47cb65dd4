"""Clocks that jump an hour forward or back under a running job: the worker's, the web's, the
database's, and on one machine all of them at once."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.chaos.servers import Postgres
from tests.needs import FULL, needs
from tests.sites import Site, site, wait

LEASE = 15.0
NAP = LEASE / 2  # seconds: several sweeps of every process


@pytest.fixture(scope="module")
def library(server_folder: Path) -> Path:
    built = server_folder / "clock.so"
    source = Path(__file__).with_name("clock.c")
    compiler = needs("cc", "gcc libc6-dev")
    subprocess.run([compiler, "-shared", "-fPIC", "-O2", "-o", built, source], check=True)
    built.chmod(0o755)
    return built


class Clock:
    """The time of day that processes with this environment see; their monotonic clock stays."""

    def __init__(self, file: Path, library: Path) -> None:
        self._file = file
        self.environment = {"LD_PRELOAD": str(library), "CLOCK_FILE": str(file)}
        self.step("0")

    def step(self, seconds: str) -> None:
        draft = self._file.with_suffix(".new")
        draft.write_text(f"{seconds}\n")
        draft.chmod(0o644)
        draft.replace(self._file)


@pytest.fixture(scope="module")
def clocks(server_folder: Path, library: Path) -> dict[str, Clock]:
    names = ("worker", "web", "database", "machine")
    return {name: Clock(server_folder / f"clock-{name}", library) for name in names}


@pytest.fixture(scope="module")
def distributed(
    tmp_path_factory: pytest.TempPathFactory, server_folder: Path, clocks: dict[str, Clock]
) -> Iterator[Site]:
    """A site with a clock of its own for worker, web server and database."""
    home = server_folder / "clock-postgres"
    home.mkdir()
    database = Postgres(home, **clocks["database"].environment)
    given = {"PWM_DATABASE_URL": database.url, "PWM_LEASE_SECONDS": str(LEASE)}
    with site(tmp_path_factory.mktemp("site"), **given) as made:
        made.prepare()
        plain = made.environment
        made.environment = plain | clocks["web"].environment
        with made.web():
            made.environment = plain | clocks["worker"].environment
            made.worker()
            yield made
    database.kill()


@pytest.fixture(scope="module")
def embedded(tmp_path_factory: pytest.TempPathFactory, clocks: dict[str, Clock]) -> Iterator[Site]:
    given = clocks["machine"].environment | {"PWM_LEASE_SECONDS": str(LEASE)}
    with site(tmp_path_factory.mktemp("site"), **given) as made:
        made.prepare()
        with made.web():
            made.worker()
            yield made


def jumps_during(of: Site, clock: Clock) -> list[int]:
    """Let a clock jump forward, and back again, each in the middle of a nap that succeeds.

    Give how often each nap was begun. Who looks must find the worker alive all the same.
    """
    of.do("from pwmsite.models import Worker")
    begun = []
    for step in ("3600", "0"):
        of.do("nap = Nap.objects.buy(purse, seconds=given[0])", NAP)
        wait(lambda: of.do("nap.refresh_from_db() or nap.state") == "running")
        clock.step(step)
        wait(lambda: of.do("nap.refresh_from_db() or nap.has_ended"))
        assert of.do("(nap.state, nap.dreams.count())") == ["succeeded", 1]
        wait(lambda: of.do("Worker.objects.alive().exists()"))
        begun.append(of.do("nap.token"))
    assert "All invariants hold" in of.manage("check_invariants")
    return begun


@pytest.mark.skipif(not FULL, reason="the long form: PWM_FULL_TESTS=1")
@pytest.mark.parametrize("whose", ["worker", "web"])
def test_a_jump_of_a_clock_beside_the_database_costs_nothing(
    distributed: Site, clocks: dict[str, Clock], whose: str
):
    assert jumps_during(distributed, clocks[whose]) == [1, 1]


@pytest.mark.skipif(not FULL, reason="the long form: PWM_FULL_TESTS=1")
def test_a_jump_of_the_databases_clock_costs_a_try_at_most(
    distributed: Site, clocks: dict[str, Clock]
):
    assert max(jumps_during(distributed, clocks["database"])) <= 2


def test_a_jump_of_the_one_clock_of_a_machine_costs_a_try_at_most(
    embedded: Site, clocks: dict[str, Clock]
):
    assert max(jumps_during(embedded, clocks["machine"])) <= 2
