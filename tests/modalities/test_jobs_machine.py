"""The whole machine of jobs under every fault at any step: crash, freeze, doubled, late and lost
messages, cancel, clocks of workers that are wrong, and a database's clock that jumps.

A message is modelled by its effect: any job may be looked at by any worker at any time, and the
claim may follow much later.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from unittest.mock import patch

import pytest
from django.db import transaction
from django.db.models import F
from django.utils import timezone
from hypothesis import HealthCheck, settings, strategies
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)

from gallery.models import Run
from modalities.jobs import ENDED, Job, LeaseLost, State, invariants
from modalities.jobs.rules import LEASE, MAX_TRIES
from modalities.jobs.sweeper import sweep
from tests.gallery.rows import make_results, make_run
from tests.needs import FULL

pytestmark = pytest.mark.django_db
TIMES = ("lease_expires_at", "heartbeat_at", "message_sent_at", "queued_at", "started_at")
real_now = timezone.now


class Machine(RuleBasedStateMachine):
    seen = Bundle("seen")
    holders = Bundle("holders")
    expired = Bundle("expired")

    def __init__(self) -> None:
        super().__init__()
        self._example = transaction.atomic()
        self._example.__enter__()
        self.jobs: list[Job] = []
        self.ended: dict[Job, str] = {}
        self.successes: dict[Job, int] = {}
        self._clock = patch.object(timezone, "now", real_now)
        self._clock.start()

    def teardown(self) -> None:
        self._clock.stop()
        try:
            self.every_job_ends()
        finally:
            transaction.set_rollback(True)
            self._example.__exit__(None, None, None)

    @initialize(count=strategies.integers(1, 2))
    def queue(self, count: int) -> None:
        for _ in range(count):
            self.jobs.append(make_run())

    # Messages: doubled, late, out of order, or never.

    @rule(target=seen, data=strategies.data())
    def message_arrives(self, data: strategies.DataObject) -> Job:
        return self.fresh(data)

    @rule(target=holders, job=consumes(seen))
    def worker_claims_late(self, job: Job) -> object:
        return job if job.claim("late") else multiple()

    @rule(target=holders)
    def worker_claims_what_waits(self) -> object:
        # In the order in which they were made: their keys are UUIDs, and rows have no order.
        jobs = Run.objects.queued().in_bulk([job.pk for job in self.jobs])
        waiting = [jobs[job.pk] for job in self.jobs if job.pk in jobs]
        return multiple(*(job for job in waiting if job.claim("prompt")))

    # Workers. One that crashed does nothing more; one that froze goes on later, with its old
    # copy of the row, and may even do so twice.

    @rule(
        job=holders,
        act=strategies.sampled_from(
            ["beat", "beat", "succeed", "fail", "leave", "look", "hand_over"]
        ),
    )
    def worker_acts(self, job: Job, act: str) -> None:
        row = Run.objects.get(pk=job.pk)
        held = row.state == State.RUNNING and row.token == job.token
        try:
            getattr(self, act)(job)
        except LeaseLost:
            assert not held
        else:
            assert held

    def beat(self, job: Job) -> None:
        job.beat("working", 50)

    def succeed(self, job: Job) -> None:
        def save() -> None:
            make_results(job)
            self.successes[job] = self.successes.get(job, 0) + 1

        job.succeed(save)

    def fail(self, job: Job) -> None:
        job.fail("error", "It broke.")

    def hand_over(self, job: Job) -> None:
        job.hand_over("next", lambda: None)

    def leave(self, job: Job) -> None:
        job.release()

    def look(self, job: Job) -> None:
        if job.is_cancel_requested():
            job.stop()

    # People.

    @rule(data=strategies.data(), restarts=strategies.booleans())
    def somebody_interferes(self, data: strategies.DataObject, restarts: bool) -> None:
        job = self.fresh(data)
        if not restarts:
            job.cancel("somebody")
        elif job.restart("curator"):
            self.ended.pop(job, None)

    # Time, and clocks.

    @rule(leases=strategies.sampled_from([0.3, 1.1, 3.0]), sweeps=strategies.booleans())
    def time_passes(self, leases: float, sweeps: bool) -> None:
        self.shift(-leases * LEASE)
        if sweeps:
            sweep()

    @rule(hours=strategies.integers(1, 30))
    def clock_of_the_database_goes_back(self, hours: int) -> None:
        self.shift(timedelta(hours=hours))

    @rule(hours=strategies.integers(-48, 48))
    def clock_of_the_workers_is_wrong(self, hours: int) -> None:
        def wrong() -> datetime:
            return real_now() + timedelta(hours=hours)

        self._clock.stop()
        self._clock = patch.object(timezone, "now", wrong)
        self._clock.start()

    @rule(target=expired)
    def sweeper_finds(self) -> object:
        return multiple(*Run.objects.expired())

    @rule(job=consumes(expired))
    def sweeper_reclaims_late(self, job: Job) -> None:
        leased = Run.objects.running().exclude(pk__in=Run.objects.expired()).filter(pk=job.pk)
        had_lease = leased.exists()
        job.reclaim()
        assert leased.exists() == had_lease, "A lease that still ran was taken."

    def fresh(self, data: strategies.DataObject) -> Job:
        return Run.objects.get(pk=data.draw(strategies.sampled_from(self.jobs)).pk)

    def shift(self, time: timedelta) -> None:
        """Let ``-time`` pass, for every row at once."""
        Run.objects.update(**{name: F(name) + time for name in TIMES})

    # What must hold after every step.

    @invariant()
    def history_and_results_agree_with_the_rows(self) -> None:
        assert [*invariants.histories(), *invariants.results()] == []

    @invariant()
    def ended_jobs_stay_as_they_are(self) -> None:
        for job in Run.objects.filter(state__in=ENDED):
            assert self.ended.setdefault(job, job.state) == job.state

    @invariant()
    def no_job_is_done_twice(self) -> None:
        assert all(count == 1 for count in self.successes.values())

    def every_job_ends(self) -> None:
        """From wherever the faults have left it, two sweeps and a worker bring every job home."""
        for _ in range(MAX_TRIES + 1):
            if not Run.objects.live().exists():
                break
            Run.objects.update(lease_expires_at=F("lease_expires_at") - 2 * LEASE)
            sweep()
            for job in Run.objects.queued():
                if job.claim("last"):
                    job.succeed(lambda job=job: make_results(job))
        assert not Run.objects.live().exists()
        assert [*invariants.histories(), *invariants.results()] == []


def test_nothing_is_lost_or_done_twice_whatever_happens():
    run_state_machine_as_test(
        Machine,
        settings=settings(
            max_examples=200 if FULL else 30,
            # Newcomers search where it is known to hold; .ci/run searches on.
            derandomize=not FULL,
            stateful_step_count=40,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
