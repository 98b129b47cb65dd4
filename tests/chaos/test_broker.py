"""A broker that is away delays work; it loses none, and keeps no visitor waiting."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.chaos.servers import RabbitMQ, Redis, Server
from tests.sites import Site, site, wait

LEASE = "6"
# Seconds that a visitor waits at most: a moment, but for a machine with a lot to do. A broker that
# does not answer holds its connections for much longer here.
MOMENT, SILENCE = 15.0, 60.0


@pytest.fixture(scope="module", params=[Redis, RabbitMQ])
def broker(request: pytest.FixtureRequest, server_folder: Path) -> Iterator[Server]:
    folder = server_folder / request.param.__name__
    folder.mkdir()
    server = request.param(folder)
    yield server
    server.kill()


@pytest.fixture
def served(tmp_path: Path, broker: Server) -> Iterator[Site]:
    with site(tmp_path, PWM_BROKER_URL=broker.url, PWM_LEASE_SECONDS=LEASE) as made:
        made.prepare()
        made.do("from time import monotonic")
        made.do("from modalities.jobs import invariants")
        made.do("from pwmsite.health import check_broker, outcome")
        yield made


def buy(of: Site, name: str, seconds: float, queue: str = "gallery") -> float:
    """Ask for a nap, under a name; say how long that took."""
    of.do("begun = monotonic()")
    of.do(f"{name} = Nap.objects.buy(purse, seconds=given[0], queue=given[1])", seconds, queue)
    return float(of.do("monotonic() - begun"))


def look(of: Site, name: str, *fields: str) -> list[Any]:
    of.do(f"{name}.refresh_from_db()")
    return [of.do(f"{name}.{field}") for field in fields]


def test_job_asked_for_while_the_broker_is_away_is_done_when_it_is_back(
    served: Site, broker: Server
):
    worker = served.worker()
    broker.kill()
    assert buy(served, "nap", 0.2) < MOMENT
    assert look(served, "nap", "state", "message_sent_at") == ["queued", None]
    assert served.do("outcome('broker', check_broker)").startswith("The broker cannot be used")
    wait(lambda: "Cannot connect" in served.log.read_text())
    broker.start()
    wait(lambda: look(served, "nap", "state") == ["succeeded"])
    assert served.do("outcome('broker', check_broker)") == "ok"
    assert worker.process.poll() is None


def test_broker_that_does_not_answer_keeps_nobody_waiting(served: Site, broker: Server):
    broker.process.send_signal(signal.SIGSTOP)
    thaw = threading.Timer(SILENCE, broker.process.send_signal, [signal.SIGCONT])
    thaw.start()
    try:
        assert buy(served, "nap", 0.2) < MOMENT
        assert look(served, "nap", "message_sent_at") == [None]
    finally:
        thaw.cancel()
        broker.process.send_signal(signal.SIGCONT)
    served.do("nap.notify()")
    assert look(served, "nap", "notifications") == [1]


@pytest.mark.parametrize("broker", [RabbitMQ], indirect=True)
def test_jobs_of_every_queue_outlive_rabbitmq_and_worker_and_are_done_once(
    served: Site, broker: Server
):
    remaining = served.worker(1, "--queues", "gallery")
    killed = served.worker(1, "--queues", "scoring,hidden")
    wait(lambda: served.log.read_text().count("ready.") == 2)
    buy(served, "hidden", 5.0, queue="hidden")
    wait(lambda: "delivery acknowledgement on channel 1 timed out" in served.log.read_text())
    wait(lambda: look(served, "hidden", "state") == ["succeeded"])
    two = {"gallery": 8.0, "scoring": 3600.0}
    for name, seconds in two.items():
        buy(served, name, seconds, queue=name)
    wait(lambda: all(look(served, name, "state") != ["queued"] for name in two))
    killed.kill()
    served.do("Nap.objects.filter(pk=scoring.pk).update(seconds=0.2)")
    broker.restart()
    served.worker(1, "--queues", "scoring,hidden")
    wait(lambda: served.do("Nap.objects.succeeded().count()") == 3)
    assert [look(served, name, "token") for name in ("hidden", *two)] == [[1], [1], [2]]
    assert served.do("invariants.problems()") == []
    assert remaining.process.poll() is None
