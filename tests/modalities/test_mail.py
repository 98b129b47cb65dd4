"""Whoever asked for a job hears of its end."""

from __future__ import annotations

import pytest

from gallery.models import Run
from modalities import physics
from modalities.jobs.mail import notify_owner
from tests.factories import make_attempt, make_method, make_modality, make_user
from tests.gallery.rows import make_results, make_run

pytestmark = pytest.mark.django_db


def ended(capture, act, **fields) -> Run:
    run = make_run(**fields)
    run.claim("worker-1")
    with capture(execute=True):
        act(run)
    return run


def succeed(run: Run) -> None:
    run.succeed(lambda: make_results(run))


def test_success_is_told_with_the_address_of_the_page(
    django_capture_on_commit_callbacks, mailoutbox
):
    user = make_user()
    run = ended(django_capture_on_commit_callbacks, succeed, started_by=user)
    (mail,) = mailoutbox
    assert mail.to == [user.email]
    assert mail.subject == f"Your run of {run.modality.name} with wiener is done"
    assert f"http://127.0.0.1:8000{run.get_absolute_url()}" in mail.body


def test_the_subject_names_modality_and_method(django_capture_on_commit_callbacks, mailoutbox):
    user = make_user()
    run = make_run(make_modality("stem", name="STEM"), method="wiener", started_by=user)
    assert run.in_words() == f"run of STEM with {physics.METHODS['stem']['wiener'].label}"
    attempt = make_attempt(run.modality, make_method(name="Mine"), "dev", started_by=user)
    with django_capture_on_commit_callbacks(execute=True):
        notify_owner(attempt, "succeeded")
    assert mailoutbox[-1].subject == "Your submission of Mine to STEM, dev tier, is done"


def test_failure_is_told_with_its_reason(django_capture_on_commit_callbacks, mailoutbox):
    ended(
        django_capture_on_commit_callbacks,
        lambda run: run.fail("disk_full", "The disk is full."),
        started_by=make_user(),
    )
    assert "The disk is full." in mailoutbox[0].body


@pytest.mark.parametrize("fields", [{}, {"email": ""}])
def test_nobody_hears_of_a_job_without_an_address(
    django_capture_on_commit_callbacks, mailoutbox, fields
):
    starter = {"started_by": make_user(**fields)} if fields else {}
    ended(django_capture_on_commit_callbacks, succeed, **starter)
    assert mailoutbox == []


def test_mail_server_that_is_away_costs_no_result(django_capture_on_commit_callbacks, settings):
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 9
    run = ended(django_capture_on_commit_callbacks, succeed, started_by=make_user())
    assert Run.objects.get(pk=run.pk).state == "succeeded"
