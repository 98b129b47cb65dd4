"""A run of somebody's program: asked for, paid for, given back, and never twice."""

from __future__ import annotations

import hashlib
from datetime import timedelta
from typing import Any

import pytest
from django.core.files.base import ContentFile
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import IntegrityError, transaction

from leaderboards import keeping, programs
from leaderboards.models import (
    PRICE_OF_A_HIDDEN_RUN,
    QUEUES,
    Attempt,
    CreditAccount,
    Kind,
    NotEnoughCredits,
    ProgramRun,
    Quota,
    run_storage,
)
from modalities.jobs import State, invariants
from modalities.jobs.models import Job
from modalities.models import Modality
from tests.factories import make_attempt, make_method, make_modality, make_user

pytestmark = pytest.mark.django_db

CODES_OF_PROGRAMS = ("no_output", "output_refused", "time", "memory", "failed", "signal")


@pytest.fixture
def stem() -> Modality:
    return make_modality("stem")


@pytest.fixture
def method(stem: Modality) -> Any:
    return make_method(stem, owner=make_user())


@pytest.fixture(autouse=True)
def consistent() -> Any:
    """After every test the ledger says what the histories of the runs demand."""
    yield
    assert invariants.problems() == []


def send(method: Any, source: bytes = b"print()", tier: str = "hidden", **more: Any) -> Any:
    upload: Any = SimpleUploadedFile("algo.py", source)
    upload.sha256 = hashlib.sha256(source).hexdigest()
    fields = {"modality": method.modalities.get(), "method": method, "tier": tier} | more
    made, is_new = programs.submit_program(method.owner, upload, form="script", **fields)
    return made if is_new else None


def balance(method: Any) -> int:
    return CreditAccount.objects.of(method.owner).balance


def again(attempt: Attempt) -> Attempt:
    return Attempt.objects.get(pk=attempt.pk)


def stored() -> int:
    storage = run_storage()
    try:
        days = storage.listdir(programs.FOLDER)[0]
    except FileNotFoundError:
        return 0
    return sum(len(storage.listdir(f"{programs.FOLDER}/{day}")[1]) for day in days)


def test_hidden_run_is_paid_for_when_it_is_queued(method):
    run = send(method)
    assert (run.kind, run.queue, run.state) == (Kind.PROGRAM, QUEUES[Kind.PROGRAM], State.QUEUED)
    assert balance(method) == 100 - PRICE_OF_A_HIDDEN_RUN
    assert run.program.source.read() == b"print()"


def test_trial_is_free(method):
    assert send(method, tier="public").is_trial
    assert balance(method) == 100


def test_program_that_is_on_its_way_is_the_run_that_it_is(method):
    assert send(method)
    before = stored()
    assert send(method) is None
    assert (balance(method), Attempt.objects.count(), stored()) == (90, 1, before)


def test_what_cannot_be_paid_leaves_nothing_behind(method, settings):
    settings.PWM_CREDITS_AT_START = 15
    send(method)
    before = stored()
    with pytest.raises(NotEnoughCredits, match="costs 10 credits and you have 5"):
        send(method, b"another")
    assert (Attempt.objects.count(), stored(), balance(method)) == (1, before, 5)


def test_daily_limit_of_hidden_runs_counts_those_that_were_made(method, settings):
    settings.PWM_HIDDEN_RUNS_A_DAY = 1
    run = send(method)
    assert run.claim("worker")
    run.fail("server", "The disk broke.")
    second = send(method, b"second")
    with pytest.raises(Quota, match="1 runs on the hidden tier in 24 hours"):
        send(method, b"third")
    assert balance(method) == 90
    assert second.cancel("ann")
    assert send(method, b"fourth")


def test_trials_have_a_limit_of_their_own(method, settings):
    settings.PWM_TRIAL_RUNS_A_DAY = 0
    assert send(method)
    with pytest.raises(Quota, match="0 runs on the public tier"):
        send(method, tier="public")


@pytest.mark.parametrize(("name", "value"), [("PWM_PROGRAMS_KEPT", 1), ("PWM_PROGRAM_MB_KEPT", 0)])
def test_programs_that_are_kept_have_a_limit(method, settings, name, value):
    if name == "PWM_PROGRAMS_KEPT":
        send(method, tier="public")
    setattr(settings, name, value)
    with pytest.raises(Quota, match="kept of a person"):
        send(method)


def lose(run: Job) -> None:
    for _ in range(3):
        assert run.claim("worker")
        type(run).objects.filter(pk=run.pk).update(lease_expires_at="2020-01-01T00:00:00Z")
        run = type(run).objects.get(pk=run.pk)
        assert run.reclaim()
        run = type(run).objects.get(pk=run.pk)


def cancel_while_running(run: Job) -> None:
    run.claim("worker")
    again(run).cancel("ann")
    run.stop()


def cancel_while_the_output_waits(run: Job) -> None:
    run.claim("worker")
    run.hand_over("scoring", lambda: None)
    again(run).cancel("ann")


def cancel_after_a_worker_died(run: Job) -> None:
    run.claim("worker")
    Attempt.objects.filter(pk=run.pk).update(lease_expires_at="2020-01-01T00:00:00Z")
    again(run).reclaim()
    again(run).cancel("ann")


@pytest.mark.parametrize(
    ("end", "left"),
    [
        (lambda run: run.cancel("ann"), 100),
        (cancel_after_a_worker_died, 100),
        (lambda run: run.claim("w") and run.fail("blocked", "No sandbox."), 100),
        (lambda run: run.claim("w") and run.fail("memory", "The scorer has no memory."), 100),
        (lambda run: run.claim("w") and run.refuse("not_a_program", "It is a picture."), 100),
        (lose, 100),
        (cancel_while_running, 90),
        (cancel_while_the_output_waits, 90),
        *(
            (lambda run, c=c: run.claim("w") and run.refuse(c, "Sorry."), 90)
            for c in CODES_OF_PROGRAMS
        ),
    ],
)
def test_price_is_given_back_unless_the_program_ran(method, end, left):
    end(send(method))
    assert balance(method) == left
    assert again(Attempt.objects.get()).has_ended


def test_price_comes_back_to_an_account_whose_person_is_gone(method):
    run = send(method)
    account = CreditAccount.objects.get()
    Attempt.objects.filter(pk=run.pk).update(started_by=None)
    CreditAccount.objects.filter(pk=account.pk).update(user=None)
    again(run).cancel("staff")
    account.refresh_from_db()
    assert account.balance == 100


def test_run_that_failed_is_not_started_again_for_nothing(method):
    run = send(method)
    run.cancel("ann")
    assert not run.restart("ann")


def test_second_run_by_a_curator_costs_nothing_and_has_the_same_program(method):
    run = send(method)
    second = Attempt.objects.repeat(run)
    assert second.program.source.name == run.program.source.name
    assert (second.queue, balance(method)) == (QUEUES[Kind.PROGRAM], 90)


@pytest.mark.parametrize(
    "wrong", [{"tier": "dev"}, {"variant": "nominal"}, {"sha256": ""}, {"queue": "hidden"}]
)
def test_database_refuses_a_run_that_cannot_be(method, wrong):
    run = send(method)
    with pytest.raises(IntegrityError), transaction.atomic():
        Attempt.objects.filter(pk=run.pk).update(**wrong)


def test_database_keeps_what_a_run_gave(method):
    run = send(method)
    row = ProgramRun.objects.filter(pk=run.pk)
    with pytest.raises(IntegrityError), transaction.atomic():
        row.update(ending="done")
    row.update(ran_at="2026-01-01T00:00:00Z", output_sha256="1" * 64)
    with pytest.raises(IntegrityError), transaction.atomic():
        row.update(output_sha256="2" * 64)


def grow_old(run: Attempt) -> None:
    Attempt.objects.filter(pk=run.pk).update(finished_at="2020-01-01T00:00:00Z")


def test_program_of_a_run_without_a_result_goes_after_its_days(
    method, django_capture_on_commit_callbacks
):
    run = send(method)
    name = run.program.source.name
    run.claim("worker")
    run.refuse("no_output", "Nothing.")
    assert keeping.forget_runs() == 0
    grow_old(run)
    with django_capture_on_commit_callbacks(execute=True):
        assert keeping.forget_runs() == 1
    assert not run_storage().exists(name)
    assert ProgramRun.objects.kept_of(method.owner)["programs"] == 0


def test_program_with_a_score_stays_and_its_output_goes(method, django_capture_on_commit_callbacks):
    scored = make_attempt(tier="hidden", method=method, kind=Kind.PROGRAM, queue="scoring")
    account = CreditAccount.objects.of(method.owner)
    account.spend(10, scored.subject, "A run.")
    storage = run_storage()
    names = {n: storage.save(f"programs/x/{n}", ContentFile(b"x")) for n in ("source", "output")}
    ProgramRun.objects.create(attempt=scored, form="script", **names)
    grow_old(scored)
    with django_capture_on_commit_callbacks(execute=True):
        assert keeping.forget_runs() == 1
    assert storage.exists(names["source"])
    assert not storage.exists(names["output"])


def test_program_that_a_second_run_needs_stays(method, django_capture_on_commit_callbacks):
    run = send(method)
    run.cancel("ann")
    Attempt.objects.repeat(run)
    grow_old(run)
    with django_capture_on_commit_callbacks(execute=True):
        assert keeping.forget_runs() == 1
    assert run_storage().exists(run.program.source.name)


def test_program_that_no_row_names_is_swept(method, monkeypatch):
    run = send(method)
    storage = run_storage()
    left = storage.save(run.program.source.name.replace(".py", "-left.py"), ContentFile(b"x"))
    monkeypatch.setattr(keeping, "SETTLED", timedelta(seconds=-10))
    assert keeping.sweep_uploads() >= 1
    assert not storage.exists(left)
    assert storage.exists(run.program.source.name)


def test_ledger_that_lacks_a_line_is_found(method):
    run = send(method)
    with transaction.atomic():
        Attempt.objects.filter(pk=run.pk).update(tier="public")
        found = invariants.problems()
        transaction.set_rollback(True)
    assert any("the ledger has" in problem for problem in found)
    assert any("no run that costs" in problem for problem in found)
