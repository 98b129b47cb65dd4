"""A refused input is a person's mistake, a fault is the server's: logs and mails say which."""

from __future__ import annotations

import logging

import pytest

from gallery.models import Run
from modalities.jobs import JobFailed, JobRefused, State, invariants, worker
from tests.factories import make_user
from tests.gallery.rows import make_run

pytestmark = pytest.mark.django_db(transaction=True)
REFUSED = JobRefused("refused", "The file has 2 problems; each is listed on the page.")
FAULT = JobFailed("no_truth", "The data are not here. The operator has to run build_datasets.")


def run_into(error: Exception) -> Run:
    """Run a job whose computation raises ``error``."""

    def compute(run: Run, report: object) -> None:
        raise error

    run = make_run(started_by=make_user())
    run.claim("worker-1")
    worker.run(run, compute)
    run.refresh_from_db()
    return run


def ends(caplog: pytest.LogCaptureFixture) -> list[tuple[int, bool]]:
    """Give the level of each line of the worker, and whether it has a traceback."""
    return [(r.levelno, bool(r.exc_info)) for r in caplog.records if r.name == worker.__name__]


def test_refusal_is_logged_as_an_event_without_a_traceback(caplog):
    caplog.set_level(logging.INFO)
    run_into(REFUSED)
    assert ends(caplog) == [(logging.INFO, False)]


@pytest.mark.parametrize("error", [FAULT, ValueError("odd")])
def test_fault_is_logged_as_an_error_with_its_traceback(caplog, error):
    run_into(error)
    assert ends(caplog) == [(logging.ERROR, True)]


def test_refused_job_has_failed_and_its_history_says_why():
    run = run_into(REFUSED)
    assert (run.state, run.error_code) == (State.FAILED, "refused")
    assert run.events.last().event == "refused"
    assert invariants.problems() == []
    assert run.restart("somebody")


def test_mail_of_a_refusal_says_so_and_what_to_do(mailoutbox):
    run = run_into(REFUSED)
    (mail,) = mailoutbox
    assert mail.subject == f"Your {run.in_words()} was refused"
    assert mail.body.startswith(REFUSED.message)
    assert "Correct it, and send it again" in mail.body
    assert run.get_absolute_url() in mail.body


def test_mail_of_a_fault_asks_for_no_correction(mailoutbox):
    run = run_into(FAULT)
    assert mailoutbox[0].subject == f"Your {run.in_words()} has failed"
    assert "Correct" not in mailoutbox[0].body
