"""Real workers on the embedded default: what they do when killed, told to stop, or not called."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.sites import Site, Worker, site, wait

LEASE = 5.0
FOR_EVER = 3600.0  # seconds of work that nobody waits for


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder: Path = tmp_path_factory.mktemp("site")
    with site(folder, PWM_LEASE_SECONDS=str(LEASE)) as made:
        made.prepare()
        yield made


@pytest.fixture
def embedded(prepared: Site) -> Iterator[Site]:
    yield prepared
    prepared.kill_workers()
    prepared.do("[one.cancel() for one in Nap.objects.live()]")


def buy(of: Site, seconds: float, queue: str = "gallery") -> None:
    of.do("nap = Nap.objects.buy(purse, seconds=given[0], queue=given[1])", seconds, queue)


def state(of: Site) -> str:
    return of.do("nap.refresh_from_db() or nap.state")


def shorten(of: Site) -> None:
    """Let the nap be over soon, when the next worker takes it."""
    of.do("Nap.objects.filter(pk=nap.pk).update(seconds=0.1)")


def clean(of: Site) -> None:
    assert "All invariants hold" in of.manage("check_invariants")


def test_tables_made_without_migrations_guard_their_history(embedded: Site):
    buy(embedded, 0.1)
    with pytest.raises(AssertionError, match="History cannot be changed"):
        embedded.do("NapEvent._base_manager.update(detail='It never happened.')")


def test_killed_process_of_the_pool_costs_one_attempt(embedded: Site):
    buy(embedded, FOR_EVER)
    worker = embedded.worker()
    wait(lambda: state(embedded) == "running")
    os.kill(int(embedded.do("nap.worker").rsplit(":", 1)[1]), signal.SIGKILL)
    shorten(embedded)
    wait(lambda: state(embedded) == "succeeded")
    assert embedded.do("nap.token") == 2
    assert worker.process.poll() is None
    clean(embedded)


def test_cancel_stops_a_running_computation_within_two_seconds(embedded: Site):
    """Once in a few times, that is, on a machine with a lot to do."""
    embedded.worker()
    took = [60.0]
    while min(took) >= 2.0 and len(took) < 6:
        buy(embedded, FOR_EVER)
        wait(lambda: state(embedded) == "running")
        embedded.do("nap.cancel('somebody')")
        wait(lambda: state(embedded) == "cancelled")
        took += [embedded.do("(nap.finished_at - nap.cancel_requested_at).total_seconds()")]
        assert not (embedded.folder / "media" / "naps" / embedded.do("str(nap.pk)")).exists()
    assert min(took) < 2.0, took
    clean(embedded)


def test_worker_that_is_asked_to_stop_gives_its_job_back(embedded: Site):
    buy(embedded, FOR_EVER)
    worker = embedded.worker()
    wait(lambda: state(embedded) == "running")
    worker.process.send_signal(signal.SIGTERM)
    worker.process.wait(300)
    assert state(embedded) == "queued"
    assert embedded.do("nap.tries") == 0
    about = [
        line for line in embedded.log.read_text().splitlines() if embedded.do("str(nap.pk)") in line
    ]
    assert any("released" in line for line in about)
    assert not any("succeeded" in line for line in about)
    clean(embedded)


def test_frozen_worker_loses_its_job_and_does_not_finish_it(embedded: Site):
    frozen = embedded.worker()
    freeze_at_work(embedded, frozen)
    embedded.worker()
    wait(lambda: state(embedded) == "succeeded")
    frozen.signal(signal.SIGCONT)
    wait(lambda: f"Stopped: nap {embedded.do('nap.pk')}" in embedded.log.read_text())
    assert embedded.do("list(nap.dreams.values_list('token', flat=True))") == [2]
    clean(embedded)


def freeze_at_work(of: Site, worker: Worker) -> None:
    """Freeze it in the middle of a nap, however long it took to look whether there is one."""
    while True:
        buy(of, 2.5)
        wait(lambda: state(of) != "queued")
        worker.signal(signal.SIGSTOP)
        if state(of) == "running":
            return
        worker.signal(signal.SIGCONT)


def test_web_server_takes_back_a_job_when_no_worker_is_left(embedded: Site):
    buy(embedded, FOR_EVER)
    worker = embedded.worker()
    wait(lambda: state(embedded) == "running")
    with embedded.web():
        worker.kill()
        wait(lambda: state(embedded) == "queued")
    clean(embedded)


def test_message_that_the_broker_lost_is_sent_again(embedded: Site):
    buy(embedded, 0.1)
    for message in (embedded.folder / "broker" / "messages").iterdir():
        message.unlink()
    embedded.worker()
    wait(lambda: state(embedded) == "succeeded")
    clean(embedded)


def test_a_queue_has_one_unread_message_however_many_jobs_wait(embedded: Site):
    """And every process of a worker gets its share."""
    messages = embedded.folder / "broker" / "messages"
    embedded.do("naps = [Nap.objects.buy(purse, seconds=0.05).pk for _ in range(30)]")
    embedded.do("naps += [Nap.objects.buy(purse, seconds=3600).pk for _ in range(3)]")
    embedded.do("from modalities.jobs.sweeper import sweep")
    for _ in range(3):
        embedded.do("Nap.objects.queued().update(message_sent_at=None)")
        embedded.do("sweep()")
        assert len(list(messages.glob("*.gallery.msg"))) == 1
    embedded.worker(2)
    wait(lambda: embedded.do("Nap.objects.filter(pk__in=naps).succeeded().count()") == 30)
    wait(lambda: embedded.do("Nap.objects.running().count()") == 2)
    assert len(list(messages.glob("*.gallery.msg"))) <= 1
    clean(embedded)


def test_worker_of_one_queue_leaves_older_jobs_of_another(embedded: Site):
    buy(embedded, 0.1)
    embedded.do("older = nap")
    buy(embedded, 0.1, queue="hidden")
    worker = embedded.worker(1, "--queues", "hidden")
    wait(lambda: state(embedded) == "succeeded")
    assert embedded.do("older.refresh_from_db() or older.state") == "queued"
    worker.kill()
    embedded.worker()
    wait(lambda: embedded.do("older.refresh_from_db() or older.state") == "succeeded")
    clean(embedded)


def test_worker_that_starts_before_the_database_waits_for_it(embedded: Site):
    buy(embedded, 0.1)
    database = embedded.folder / "pwm.sqlite3"
    database.rename(database.with_suffix(".away"))
    worker = embedded.worker()
    wait(lambda: "the database is unreachable" in embedded.log.read_text())
    for path in embedded.folder.glob("pwm.sqlite3*"):
        path.unlink()
    database.with_suffix(".away").rename(database)
    wait(lambda: state(embedded) == "succeeded")
    assert worker.process.poll() is None
    clean(embedded)
