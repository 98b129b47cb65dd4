"""Checks of the invariants see one state of a live site, and a bounded part of its history."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import psycopg
import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from gallery.models import Run
from modalities.jobs import files, invariants, rounds
from modalities.models import Checked
from tests.gallery.rows import make_finished_run, make_run
from tests.sites import site

LONG_AGO = timezone.now() - timedelta(days=400)
# A check during which somebody else, on a connection of their own, finishes what they were doing.
LIVE = """
import contextlib, threading
from django.db import connection
from modalities.jobs import invariants
from modalities.models import Checked

def elsewhere():
    Checked.objects.create(name="written meanwhile")
    connection.close()

def looks_twice():
    before = Checked.objects.count()
    other = threading.Thread(target=elsewhere)
    other.start()
    other.join()
    if Checked.objects.count() != before:
        yield "The check saw two states of the database."

invariants.CHECKS[:] = [looks_twice]
invariants.OUTSIDE[:] = []
"""


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_all_checks_see_one_state_while_others_write(database, tmp_path: Path, request):
    environment = {"DJANGO_SETTINGS_MODULE": "pwmsite.settings"}
    if database == "postgresql":
        url = request.getfixturevalue("postgres_url")
        with psycopg.connect(url, autocommit=True) as connected:
            connected.execute("CREATE DATABASE rounds")
        environment["PWM_DATABASE_URL"] = url.removesuffix("/pwm") + "/rounds"
    with site(tmp_path, **environment) as live:
        live.migrate()
        live.do(LIVE)
        assert live.do("invariants.problems(everything=False)") == []
        assert live.do("Checked.objects.filter(name='written meanwhile').count()") == 1
        live.do("Checked.objects.all().delete()")
        live.do("invariants.snapshot = contextlib.nullcontext")
        assert live.do("invariants.problems(everything=False)") != []  # so the test can fail


@pytest.fixture
def old(db, monkeypatch) -> list[Run]:
    """Seven runs that ended long ago, after a first round that looked at everything."""
    monkeypatch.setattr(rounds, "PART", 3)
    monkeypatch.setattr(invariants, "OUTSIDE", [])
    made = [make_finished_run() for _ in range(7)]
    Run.objects.update(queued_at=LONG_AGO, finished_at=LONG_AGO)
    assert invariants.problems(everything=False) == []
    return sorted(made, key=lambda run: run.pk)


def spoil(run: Run) -> None:
    Run.objects.filter(pk=run.pk).update(token=5)


@pytest.mark.parametrize("which", range(7))
def test_what_is_wrong_in_old_history_is_found_within_so_many_rounds(old, which):
    spoil(old[which])
    found = [bool(invariants.problems(everything=False)) for _ in range(5)]
    assert found == [i >= which // 3 for i in range(5)]  # and told until it is right again
    assert invariants.problems()


def test_what_changed_since_the_last_round_is_looked_at_each_time(old):
    new = make_finished_run()
    spoil(new)
    assert invariants.problems(everything=False)
    live = make_run()
    live.claim("test")
    Run.objects.filter(pk=new.pk).update(token=1)
    assert invariants.problems(everything=False) == []
    assert Checked.objects.get(name=rounds.CLOCK).place


def test_a_round_reads_no_more_however_long_history_is(old):
    def cost() -> int:
        with CaptureQueriesContext(connection) as captured:
            assert invariants.problems(everything=False) == []
        return len(captured)

    before = max(cost() for _ in range(3))
    for _ in range(9):
        make_finished_run()
    Run.objects.update(queued_at=LONG_AGO, finished_at=LONG_AGO)
    assert max(cost() for _ in range(6)) <= before


def test_a_file_that_went_with_its_row_meanwhile_is_not_missing(db, monkeypatch):
    run = make_finished_run()
    assert any(files.missing(Run, [run]))
    stale = Run.objects.get(pk=run.pk)
    names = stale.kept_files()
    monkeypatch.setattr(Run, "kept_files", lambda self: names if self is stale else set())
    assert not any(files.missing(Run, [stale]))
