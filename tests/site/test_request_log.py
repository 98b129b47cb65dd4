"""Who did what: one line for each request, and an id that leads from it to the job and back."""

from __future__ import annotations

import json
import logging
import os
import secrets
import subprocess
import sys
from pathlib import Path

import pytest
from celery import current_app
from django.contrib.auth.models import User
from django.test import Client
from structlog.contextvars import bound_contextvars

from gallery.models import Run
from modalities.jobs import worker
from pwmsite.models import ApiToken
from tests.factories import make_modality, make_user
from tests.gallery.rows import make_run

ROOT = Path(__file__).resolve().parents[2]
OURS = "a-request.of_ours-1"


@pytest.fixture
def lines(caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.INFO)
    caplog.set_level(logging.INFO, "pwmsite.access")

    def found(name: str = "pwmsite.access") -> list[dict]:
        return [r.msg for r in caplog.records if r.name == name and isinstance(r.msg, dict)]

    return found


@pytest.mark.django_db
def test_a_request_has_one_line_that_says_who_did_what(client: Client, lines) -> None:
    person = make_user()
    client.force_login(person)
    answer = client.get("/accounts/", headers={"X-Request-ID": OURS})
    (line,) = lines()
    assert answer["X-Request-ID"] == OURS
    assert line["request_id"] == OURS
    assert line["milliseconds"] >= 0
    assert {k: line[k] for k in ("method", "path", "status", "user", "address")} == {
        "method": "GET",
        "path": "/accounts/",
        "status": 200,
        "user": person.pk,
        "address": "127.0.0.1",
    }


@pytest.mark.parametrize("given", ["", "short", "x" * 65, "a line\nand another", "<script>alert"])
def test_an_id_that_could_spoil_the_log_is_not_taken(client: Client, lines, given: str) -> None:
    made = client.get("/healthz-not-there", headers={"X-Request-ID": given})["X-Request-ID"]
    assert made != given
    assert len(made) == 32


def test_probes_are_no_news(client: Client, lines) -> None:
    client.get("/healthz")
    assert lines() == []


@pytest.mark.parametrize(("proxies", "said"), [(0, "127.0.0.1"), (1, "9.9.9.9"), (2, "8.8.8.8")])
def test_an_address_is_what_our_own_proxies_vouch_for(
    client: Client, lines, settings, proxies: int, said: str
) -> None:
    settings.ALLAUTH_TRUSTED_PROXY_COUNT = proxies
    client.get("/not-there", headers={"X-Forwarded-For": "6.6.6.6, 8.8.8.8, 9.9.9.9"})
    assert lines()[-1]["address"] == said


@pytest.mark.django_db
def test_no_secret_of_a_person_is_in_the_log(client: Client, lines, caplog) -> None:
    person = make_user()
    token = ApiToken.objects.make(person, "laptop")[1]
    session = "not a password of anybody"
    client.post("/accounts/login/", {"login": person.username, "password": session})
    client.get("/api/v1/modalities/", headers={"Authorization": f"Bearer {token}"})
    client.get("/search/?q=looked-for")
    for link in ("confirm-email/MTIz:key-in-mail/", "password/reset/key/1-key-in-mail/"):
        client.get(f"/accounts/{link}")
    client.get("/accounts/password/reset/key/mangled key-in-mail")
    written = caplog.text + str([vars(record) for record in caplog.records])
    for secret in (token, session, "looked-for", "key-in-mail"):
        assert secret not in written
    assert len(lines()) == 6


# ---------------------------------------------------------------- through to the job
@pytest.mark.django_db(transaction=True)
def test_the_lines_of_a_job_carry_the_request_that_asked_for_it(client: Client, lines) -> None:
    make_modality("stem")
    client.post("/modalities/stem/compute/", headers={"X-Request-ID": OURS})
    run = Run.objects.get()
    assert run.request_id == OURS

    def refuse(job: Run, report) -> None:
        logging.getLogger("physics").info("computing")
        raise worker.JobRefused("no_data", "There are no data.")

    seen = []
    watch = logging.Handler()
    watch.emit = lambda record: seen.append(dict(worker_context()))
    logging.getLogger("physics").addHandler(watch)
    # The message that woke the worker came from another request.
    with bound_contextvars(request_id="another-request"):
        worker.run_next(Run, "gallery", refuse)
    assert [(s["request_id"], s["job"]) for s in seen] == [(OURS, str(run.pk))]


def worker_context() -> dict:
    from structlog.contextvars import get_contextvars

    return get_contextvars()


@pytest.mark.django_db
def test_a_job_that_no_request_asked_for_has_no_request() -> None:
    assert make_run().request_id == ""


def test_a_message_carries_the_request_it_comes_from() -> None:
    sent = {}

    def keep(headers, **_: object) -> None:
        sent.update(headers)

    from celery.signals import before_task_publish

    before_task_publish.connect(keep, weak=False)
    try:
        with bound_contextvars(request_id=OURS):
            current_app.send_task("nothing", queue="nobody", ignore_result=True)
    finally:
        before_task_publish.disconnect(keep)
    assert sent["request_id"] == OURS


# ---------------------------------------------------------------- in production
SPEAK = """
import logging, warnings
import django
django.setup()
import structlog
structlog.get_logger("ours").warning("Two\\nlines", number=1)
logging.getLogger("celery.worker").warning("theirs %s", 2)
logging.getLogger("gunicorn.error").warning("the server")
warnings.warn("old")
try:
    1 / 0
except ZeroDivisionError:
    logging.getLogger("django.request").exception("failed")
from django.test import Client
Client().get("/nowhere/", HTTP_HOST="pwm.example.org")
from celery import signals
from celery.apps import worker
signals.setup_logging.send(None)
worker.safe_say("worker: Warm shutdown (MainProcess)")
"""


def test_every_line_in_production_is_json(tmp_path: Path) -> None:
    given = {k: v for k, v in os.environ.items() if not k.startswith(("PWM_", "PYTEST"))}
    given |= {
        "PWM_DEBUG": "0",
        "PWM_VAR": str(tmp_path),
        "PWM_ALLOWED_HOSTS": "pwm.example.org",
        "PWM_SECRET_KEY": secrets.token_urlsafe(48),
        "DJANGO_SETTINGS_MODULE": "pwmsite.settings",
    }
    done = subprocess.run(
        [sys.executable, "-c", SPEAK], cwd=ROOT, env=given, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""
    written = [json.loads(line) for line in done.stderr.splitlines() if line]
    events = [line["event"] for line in written]
    assert {"Two\nlines", "theirs 2", "the server", "failed", "request"} <= set(events)
    assert "worker: Warm shutdown (MainProcess)" in events
    assert all({"level", "logger", "timestamp"} <= line.keys() for line in written)
    assert "ZeroDivisionError" in next(x for x in written if x["event"] == "failed")["exception"]


@pytest.mark.django_db
def test_staff_are_named_where_a_page_asks_who_they_are(client: Client, lines) -> None:
    staff = User.objects.create_user("op", is_staff=True)
    client.force_login(staff)
    client.get("/operations/")
    assert lines()[-1]["user"] == staff.pk
