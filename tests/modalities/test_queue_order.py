"""Which job is next: the one that has waited longest, whatever message comes first."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db.models.functions import Now

from gallery.models import Run
from modalities.jobs.forecast import place_in_queue
from modalities.jobs.sweeper import sweep
from modalities.jobs.worker import claim_next
from modalities.models import Modality
from tests.factories import make_modality
from tests.gallery.rows import make_run

pytestmark = pytest.mark.django_db


def test_the_job_that_was_asked_for_first_is_next():
    first, second = make_run(), make_run()
    assert [place_in_queue(run) for run in (first, second)] == [1, 2]
    assert [claim_next(Run), claim_next(Run), claim_next(Run)] == [first, second, None]


def test_the_job_of_a_dead_worker_goes_before_those_asked_for_since():
    lost = make_run()
    assert claim_next(Run) == lost
    later = make_run()
    Run.objects.filter(pk=lost.pk).update(lease_expires_at=Now() - timedelta(seconds=1))
    sweep()
    assert [claim_next(Run), claim_next(Run)] == [lost, later]


def test_a_job_that_another_worker_takes_meanwhile_is_passed_over(monkeypatch):
    first, second = make_run(), make_run()
    claim = Run.claim

    def slow(self, worker: str) -> bool:
        Run.objects.filter(pk=first.pk).first().cancel()
        return claim(self, worker)

    monkeypatch.setattr(Run, "claim", slow)
    assert claim_next(Run) == second


def test_modalities_with_small_objects_fill_in_first():
    for key in ("electron_tomography", "stem"):
        make_modality(key)
    assert [m.key for m in Modality.objects.quickest_first()] == ["stem", "electron_tomography"]
