"""The moves of a job, one at a time; gallery runs stand for every kind."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest
from django.db import IntegrityError, connection, transaction
from django.db.models import F
from django.db.models.functions import Now

from gallery.models import Run, RunEvent
from modalities.jobs import LeaseLost, State, invariants
from modalities.jobs.forecast import forecast
from modalities.jobs.rules import HEAD_OF_QUEUE, LEASE
from modalities.jobs.sweeper import sweep
from tests.gallery.rows import make_results, make_run

pytestmark = pytest.mark.django_db


def claimed(worker: str = "worker-1") -> Run:
    run = make_run()
    assert run.claim(worker)
    return run


def again(run: Run) -> Run:
    return Run.objects.get(pk=run.pk)


def silence(run: Run) -> None:
    """Let the run's lease end, as if its worker had been silent for long."""
    Run.objects.filter(pk=run.pk).update(lease_expires_at=Now() - timedelta(seconds=1))


def events(run: Run) -> list[str]:
    return list(run.events.values_list("event", flat=True))


def test_job_is_claimed_by_one_worker_only():
    run = make_run()
    first, second = again(run), again(run)
    assert first.claim("worker-1")
    assert not second.claim("worker-2")
    assert (again(run).worker, again(run).token, again(run).tries) == ("worker-1", 1, 1)


def test_results_and_state_are_written_together():
    run = claimed()
    run.succeed(lambda: make_results(run))
    assert again(run).state == State.SUCCEEDED
    assert run.results.count() == run.expected_result_count() > 0
    assert [*invariants.histories(), *invariants.results(), *invariants.stuck()] == []


def test_step_hands_over_to_the_workers_of_another_queue_with_fresh_tries():
    run = claimed()
    run.hand_over("scoring", lambda: Run.objects.filter(pk=run.pk).update(notifications=7))
    now = again(run)
    assert (now.state, now.queue, now.tries, now.token) == (State.QUEUED, "scoring", 0, 1)
    assert (now.notifications, now.worker, now.lease_expires_at) == (7, "", None)
    assert events(run)[-1] == "handed over"
    assert now.claim("worker-2")
    assert (now.token, now.tries) == (2, 1)
    assert [*invariants.histories(), *invariants.results()] == []


def test_step_that_was_lost_hands_nothing_over():
    run = claimed()
    silence(run)
    sweep()
    with pytest.raises(LeaseLost):
        run.hand_over("scoring", lambda: pytest.fail("It wrote what a lost step gave."))
    assert again(run).queue != "scoring"


def test_cancelled_step_ends_instead_of_handing_over():
    run = claimed()
    again(run).cancel("somebody")
    run.hand_over("scoring", lambda: pytest.fail("It wrote what a cancelled step gave."))
    assert again(run).state == State.CANCELLED


def test_step_that_cannot_be_written_is_not_handed_over():
    run = claimed()
    with pytest.raises(ZeroDivisionError):
        run.hand_over("scoring", lambda: 1 / 0)
    assert again(run).state == State.RUNNING
    assert events(run) == ["queued", "claimed"]


def test_failure_keeps_what_is_known_of_it():
    run = claimed()
    run.fail("error", "It broke.", lambda: Run.objects.filter(pk=run.pk).update(notifications=7))
    assert (again(run).state, again(run).notifications) == (State.FAILED, 7)


def test_failure_to_save_leaves_the_job_running():
    run = claimed()

    def save() -> None:
        make_results(run)
        raise IntegrityError("the second row")

    with pytest.raises(IntegrityError):
        run.succeed(save)
    assert again(run).state == State.RUNNING
    assert run.results.count() == 0


def test_worker_whose_lease_was_taken_can_do_nothing_more():
    run = claimed()
    silence(run)
    assert sweep()["reclaimed"] == 1
    new = again(run)
    assert new.claim("worker-2")
    for move in (
        lambda: run.beat("late", 50),
        lambda: run.is_cancel_requested(),
        lambda: run.succeed(lambda: make_results(run)),
        lambda: run.fail("late", "Too late."),
        lambda: run.stop(),
        lambda: run.release(),
    ):
        with pytest.raises(LeaseLost):
            move()
    assert run.results.count() == 0
    assert again(run).worker == "worker-2"


def test_heartbeat_saves_a_lease_that_the_sweeper_had_seen_expired():
    run = claimed()
    silence(run)
    seen = list(Run.objects.expired())
    run.beat("still here", 10)
    assert [job.reclaim() for job in seen] == [False]
    assert again(run).state == State.RUNNING


def test_third_lost_lease_fails_the_job_with_a_reason():
    run = make_run()
    for attempt in (1, 2, 3):
        assert again(run).claim(f"worker-{attempt}")
        silence(run)
        sweep()
    run = again(run)
    assert (run.state, run.error_code) == (State.FAILED, "lost")
    assert run.error_message.endswith(".")
    assert events(run)[-1] == "lost"


def test_lease_that_ends_too_late_is_taken_back():
    run = claimed()
    Run.objects.filter(pk=run.pk).update(lease_expires_at=Now() + timedelta(hours=1))
    assert sweep()["reclaimed"] == 1


def test_released_job_waits_again_and_loses_no_attempt():
    run = claimed()
    run.release()
    assert (again(run).state, again(run).tries, again(run).token) == (State.QUEUED, 0, 1)


def test_waiting_job_is_cancelled_at_once():
    run = make_run()
    assert run.cancel("somebody")
    assert again(run).state == State.CANCELLED
    assert not again(run).claim("worker-1")


def test_cancel_of_a_running_job_comes_before_its_success():
    run = claimed()
    assert not run.is_cancel_requested()
    assert again(run).cancel("somebody")
    assert run.is_cancel_requested()
    run.succeed(lambda: make_results(run))
    assert again(run).state == State.CANCELLED
    assert run.results.count() == 0


def test_cancel_reaches_a_job_that_was_claimed_meanwhile():
    run = make_run()
    seen_waiting = again(run)
    again(run).claim("worker-1")
    assert seen_waiting.cancel("somebody")
    assert again(run).cancel_requested_at is not None


def test_job_that_was_to_stop_is_not_queued_again_when_its_worker_dies():
    run = claimed()
    run.cancel("somebody")
    silence(run)
    sweep()
    assert again(run).state == State.CANCELLED


def test_job_that_was_to_stop_is_not_queued_again_when_its_worker_leaves():
    run = claimed()
    again(run).cancel("somebody")
    run.release()
    assert again(run).state == State.CANCELLED


def test_ended_job_cannot_be_cancelled_but_failed_one_can_be_restarted():
    run = claimed()
    run.fail("error", "It broke.")
    assert not again(run).cancel()
    assert again(run).restart("curator")
    run = again(run)
    assert (run.state, run.tries, run.error_code) == (State.QUEUED, 0, "")
    assert run.claim("worker-2")
    assert run.token == 2


def test_success_cannot_be_restarted():
    run = claimed()
    run.succeed(lambda: make_results(run))
    assert not again(run).restart()


def test_message_that_was_lost_is_sent_again():
    run = make_run()
    Run.objects.filter(pk=run.pk).update(message_sent_at=Now() - LEASE, notifications=1)
    assert sweep()["notified"] == 1
    assert sweep()["notified"] == 0


def test_only_the_head_of_a_long_queue_is_notified():
    first = make_run()
    for _ in range(HEAD_OF_QUEUE + 5):
        make_run()
    Run.objects.exclude(pk=first.pk).update(queued_at=F("queued_at") + timedelta(seconds=1))
    assert Run.objects.overdue().count() == HEAD_OF_QUEUE
    assert first in Run.objects.overdue()


def test_place_in_the_queue_counts_those_before():
    runs = [make_run() for _ in range(3)]
    for i, run in enumerate(runs):
        Run.objects.filter(pk=run.pk).update(queued_at=Now() + timedelta(seconds=i))
    assert [forecast(again(r), Run.objects.all()).place for r in runs] == [1, 2, 3]


def test_expected_finish_follows_from_past_durations(monkeypatch):
    monkeypatch.setattr("modalities.jobs.forecast.is_served", lambda queue: True)
    for _ in range(2):
        done = claimed()
        done.succeed(lambda done=done: make_results(done))
        Run.objects.filter(pk=done.pk).update(started_at=F("finished_at") - timedelta(seconds=60))
    expected = forecast(again(make_run()), Run.objects.all())
    assert (expected.ends_at - expected.starts_at).total_seconds() == pytest.approx(60)


@pytest.mark.parametrize(
    "row",
    [
        {"state": "stuck"},
        {"queue": ""},
        {"state": State.RUNNING},
        {"state": State.SUCCEEDED, "finished_at": Now()},
        {"state": State.SUCCEEDED, "percent": 100},
        {"state": State.FAILED, "finished_at": Now()},
        {"state": State.CANCELLED, "finished_at": Now()},
        {"error_code": "odd", "error_message": "A waiting job has no error."},
        {"finished_at": Now()},
        {"percent": 101},
        {"tries": 4, "token": 4},
        {"tries": 2, "token": 1},
        {"worker": "worker-1"},
        {"lease_expires_at": Now()},
        {"cancel_requested_at": Now()},
    ],
)
def test_database_refuses_a_row_that_cannot_be(row):
    run = make_run()
    with pytest.raises(IntegrityError), transaction.atomic():
        Run.objects.filter(pk=run.pk).update(**row)


def test_history_cannot_be_changed():
    event = RunEvent.objects.get(job=make_run())
    event.detail = "It never happened."
    with pytest.raises(TypeError, match="History cannot be"):
        event.save()
    with pytest.raises(TypeError, match="History cannot be"):
        event.delete()
    with pytest.raises(TypeError, match="History cannot be"):
        RunEvent.objects.update(detail="It never happened.")
    with pytest.raises(TypeError, match="History cannot be"):
        RunEvent.objects.all().delete()


def test_invariants_name_a_state_without_its_event():
    run = make_run()
    Run.objects.filter(pk=run.pk).update(
        state=State.FAILED, error_code="odd", error_message="Odd.", finished_at=Now()
    )
    assert "its last event is 'queued'" in invariants.problems()[0]


def test_invariants_name_a_success_without_results():
    run = claimed()
    run.succeed(lambda: None)
    expected = f"has 0 results instead of {run.expected_result_count()}"
    assert any(expected in p for p in invariants.problems())


@contextmanager
def just_before_update(number: int, act: Callable[[], object]) -> Iterator[None]:
    """Let ``act`` happen in another process, right before the UPDATE with that number."""
    updates = 0

    def watch(execute, sql, *args):
        nonlocal updates
        updates += sql.startswith("UPDATE")
        if updates == number and sql.startswith("UPDATE"):
            act()
        return execute(sql, *args)

    with connection.execute_wrapper(watch):
        yield
    assert updates >= number


def test_cancel_that_meets_a_claim_reaches_the_worker():
    run = make_run()
    with just_before_update(1, lambda: again(run).claim("worker-1")):
        assert run.cancel("somebody")
    assert events(run) == ["queued", "claimed", "cancel asked"]
    assert again(run).is_cancel_requested()


def test_cancel_that_meets_a_change_of_workers_reaches_the_second():
    run = claimed()

    def change() -> None:
        again(run).release()
        again(run).claim("worker-2")

    with just_before_update(2, change):
        assert again(run).cancel("somebody")
    assert (again(run).worker, again(run).is_cancel_requested()) == ("worker-2", True)


def test_cancel_that_meets_a_release_cancels_the_waiting_job():
    run = claimed()
    with just_before_update(2, lambda: again(run).release()):
        assert again(run).cancel("somebody")
    assert again(run).state == State.CANCELLED


def test_cancel_that_meets_the_end_says_that_the_job_has_ended():
    run = claimed()
    with just_before_update(1, lambda: again(run).fail("error", "It broke.")):
        assert not again(run).cancel("somebody")
    assert events(run)[-1] == "failed"


def test_second_cancel_of_a_running_job_is_no_mistake():
    run = claimed()
    assert [again(run).cancel("somebody"), again(run).cancel("somebody")] == [True, True]
    assert events(run) == ["queued", "claimed", "cancel asked"]
