"""Nothing is lost, stuck or done twice, whatever dies: on one machine and on many.

The short form belongs to every test run; PWM_FULL_TESTS=1 asks for the full one.
"""

from __future__ import annotations

import sqlite3
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.chaos.servers import Postgres, Redis
from tests.chaos.storm import LEASE, TAKEN, Plan, Storm
from tests.needs import FULL
from tests.sites import Site, site

AWAY = 3 * LEASE if FULL else LEASE  # seconds for which the broker is gone; `make storm`: 300
MAX_TRIES = 3  # as the pages say
PATIENCE = 2400.0 if FULL else 900.0  # only ends a storm that goes on for ever


@pytest.fixture
def embedded(tmp_path: Path) -> Iterator[Site]:
    with site(tmp_path, PWM_LEASE_SECONDS=str(LEASE)) as made:
        made.prepare()
        with made.web():
            yield made


@pytest.fixture
def database(server_folder: Path) -> Iterator[Postgres]:
    folder = server_folder / "storm-postgres"
    folder.mkdir()
    server = Postgres(folder)
    yield server
    server.kill()


@pytest.fixture
def broker(server_folder: Path) -> Iterator[Redis]:
    server = Redis(server_folder)
    yield server
    server.kill()


@pytest.fixture
def distributed(tmp_path: Path, database: Postgres, broker: Redis) -> Iterator[Site]:
    servers = {"PWM_DATABASE_URL": database.url, "PWM_BROKER_URL": broker.url}
    with site(tmp_path, PWM_LEASE_SECONDS=str(LEASE), **servers) as made:
        made.prepare()
        yield made


def nothing_is_lost(storm: Storm) -> None:
    record = storm.record()
    assert storm.bought <= {nap["id"] for nap in record}
    for nap in record:
        assert (nap["state"], nap["code"]) == fate(nap["events"]), nap
        assert nap["dreams"] == (nap["state"] == "succeeded")
    assert sum(nap["state"] == "cancelled" for nap in record) == storm.plan.cancels
    assert "All invariants hold" in storm.site.manage("check_invariants")


def fate(events: list[str]) -> tuple[str, str]:
    """Say how a nap has to end: well, unless it was cancelled or lost with three workers."""
    if {"cancelled", "cancel asked"} & set(events):
        return "cancelled", ""
    if sum(event in TAKEN for event in events) == MAX_TRIES:
        return "failed", "lost"
    return "succeeded", ""


def what_was_lost_came_back_at_once(storm: Storm) -> None:
    """Within two leases, then: one until it ends, and less than one until the next sweep."""
    assert Counter(strike.fault for strike in storm.hits) == storm.plan.strikes()
    assert storm.late() == []
    assert storm.pause() < LEASE / 2


def test_one_machine_with_one_worker_loses_nothing(embedded: Site):
    messages = embedded.folder / "broker" / "messages"

    def lose_messages() -> None:
        for message in messages.iterdir():
            message.unlink(missing_ok=True)

    def hold_database() -> None:
        """Hold the write lock for longer than a heartbeat may be late."""
        with sqlite3.connect(embedded.folder / "pwm.sqlite3", isolation_level=None) as other:
            other.execute("BEGIN IMMEDIATE")
            time.sleep(LEASE / 2)
            other.execute("ROLLBACK")

    plan = Plan(60, 1, 2, kills=20, freezes=5, cancels=3) if FULL else Plan(8, 1, 2, 3, 1, 1)
    storm = Storm(embedded, plan, {"lose messages": lose_messages, "hold": hold_database})
    storm.blow(PATIENCE)
    nothing_is_lost(storm)
    what_was_lost_came_back_at_once(storm)


def accidents(database: Postgres, broker: Redis) -> dict[str, Callable[[], None]]:
    def broker_away() -> None:
        broker.kill()
        time.sleep(AWAY)
        broker.start()

    return {"restart database": database.restart, "broker away": broker_away}


def test_two_workers_on_postgresql_and_redis_lose_nothing(
    distributed: Site, database: Postgres, broker: Redis
):
    plan = Plan(60, 2, 2, kills=20, freezes=5, cancels=3) if FULL else Plan(10, 2, 1, 4, 1, 1)
    storm = Storm(distributed, plan, accidents(database, broker))
    storm.blow(PATIENCE)
    nothing_is_lost(storm)
    what_was_lost_came_back_at_once(storm)
