"""Which job is next: the one that has waited longest in its queue, whatever message comes first."""

from __future__ import annotations

from datetime import timedelta
from io import StringIO

import pytest
from django.conf import settings
from django.core.management import call_command
from django.db.models import F
from django.db.models.functions import Now

from gallery.models import Run
from leaderboards.models import QUEUES, Bound, Kind, SpecCurve
from modalities.jobs import BACKGROUND
from modalities.jobs.forecast import forecast, place_in_queue
from modalities.jobs.rules import HEAD_OF_QUEUE
from modalities.jobs.sweeper import sweep
from modalities.jobs.worker import claim_next
from modalities.models import Modality
from pwmsite import serve
from realdata.models import Calibration
from tests.factories import make_modality, make_user
from tests.gallery.rows import make_results, make_run

pytestmark = pytest.mark.django_db


def test_the_job_that_was_asked_for_first_is_next():
    first, second = make_run(), make_run()
    assert [place_in_queue(run) for run in (first, second)] == [1, 2]
    assert [claim_next(Run, "gallery"), claim_next(Run, "gallery"), claim_next(Run, "gallery")] == [
        first,
        second,
        None,
    ]


def test_the_job_of_a_dead_worker_goes_before_those_asked_for_since():
    lost = make_run()
    assert claim_next(Run, "gallery") == lost
    later = make_run()
    Run.objects.filter(pk=lost.pk).update(lease_expires_at=Now() - timedelta(seconds=1))
    sweep()
    assert [claim_next(Run, "gallery"), claim_next(Run, "gallery")] == [lost, later]


def test_what_a_person_asked_for_goes_before_what_the_site_queued_earlier():
    by_the_site, by_a_person = make_run(), make_run(started_by=make_user())
    later = make_run(started_by=make_user())
    assert [place_in_queue(run) for run in (by_a_person, later, by_the_site)] == [1, 2, 3]
    assert [claim_next(Run, "gallery") for _ in range(3)] == [by_a_person, later, by_the_site]


def test_a_persons_job_is_notified_however_long_the_sites_own_wait():
    for _ in range(HEAD_OF_QUEUE + 1):
        make_run()
    mine = make_run(started_by=make_user())
    assert mine in Run.objects.overdue()


def test_what_the_site_asks_for_itself_waits_in_a_queue_of_its_own():
    """The worker of people's queues is never held by a gallery, baseline, curve or series of the
    site's own, whatever it has to fill in."""
    make_modality("stem")
    call_command("run_gallery", stdout=StringIO())
    assert set(Run.objects.values_list("queue", flat=True)) == {BACKGROUND}
    assert {kind.default_queue for kind in (Bound, SpecCurve, Calibration)} == {BACKGROUND}
    assert QUEUES[Kind.BASELINE] == BACKGROUND
    assert make_run().queue == Run.default_queue != BACKGROUND
    assert QUEUES[Kind.FILE] != BACKGROUND


def test_make_run_has_one_worker_for_people_and_one_for_the_site():
    queues = [
        set(program.command[program.command.index("--queues") + 1].split(","))
        for program in serve.programs(0, serve.Plan(cores=2, memory=8 << 30, site=2, people=2))
        if "--queues" in program.command
    ]
    assert queues == [{"mail", "scoring", "gallery"}, {BACKGROUND}, {"programs"}]
    assert set.union(*queues) == set(settings.PWM_QUEUES)


def test_a_job_in_a_queue_without_a_worker_has_a_place_and_no_time(monkeypatch):
    monkeypatch.setattr("modalities.jobs.forecast.is_served", lambda queue: queue != "gallery")
    found = forecast(make_run(), Run.objects.all())
    assert (found.place, found.starts_at, found.is_unserved) == (1, None, True)
    assert not forecast(make_run(queue="hidden"), Run.objects.all()).is_unserved


def test_a_job_that_another_worker_takes_meanwhile_is_passed_over(monkeypatch):
    first, second = make_run(), make_run()
    claim = Run.claim

    def slow(self, worker: str) -> bool:
        Run.objects.filter(pk=first.pk).first().cancel()
        return claim(self, worker)

    monkeypatch.setattr(Run, "claim", slow)
    assert claim_next(Run, "gallery") == second


def test_the_jobs_of_other_queues_are_left_to_their_workers():
    other, mine = make_run(queue="hidden"), make_run()
    assert [place_in_queue(other), place_in_queue(mine)] == [1, 1]
    assert [claim_next(Run, "gallery"), claim_next(Run, "gallery")] == [mine, None]
    assert claim_next(Run, "hidden") == other


def test_a_busy_queue_does_not_delay_the_forecast_of_another(monkeypatch):
    monkeypatch.setattr("modalities.jobs.forecast.is_served", lambda queue: True)
    for queue in ("gallery", "hidden"):
        done = make_run(queue=queue)
        done.claim("worker-1")
        done.succeed(lambda done=done: make_results(done))
    Run.objects.update(started_at=F("finished_at") - timedelta(hours=1))
    make_run(queue="hidden").claim("worker-1")
    soon = forecast(make_run(), Run.objects.all()).starts_at
    late = forecast(make_run(queue="hidden"), Run.objects.all()).starts_at
    assert late - soon > timedelta(minutes=59)


def test_the_head_of_each_queue_is_notified_however_long_another_is():
    for _ in range(HEAD_OF_QUEUE + 1):
        make_run()
    hidden = make_run(queue="hidden")
    overdue = Run.objects.overdue()
    assert overdue.in_queue("gallery").count() == HEAD_OF_QUEUE
    assert list(overdue.in_queue("hidden")) == [hidden]


def test_modalities_with_small_objects_fill_in_first():
    for key in ("electron_tomography", "stem"):
        make_modality(key)
    assert [m.key for m in Modality.objects.quickest_first()] == ["stem", "electron_tomography"]
