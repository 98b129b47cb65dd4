"""Mail is sent by a job: a mail server that is away delays it, and nothing else."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.conf import settings as original
from django.contrib.auth.models import User
from django.core.mail import DNS_NAME, EmailMessage, send_mail
from django.db.models import F
from django.db.models.functions import Now
from django.test import Client

from modalities.jobs import State, invariants, sweeper
from pwmsite import mail as sending
from pwmsite import operations
from pwmsite.models import MOST_FAILURES, Mail
from pwmsite.tasks import send_mail as worker_sends
from tests.factories import make_user
from tests.mail_server import mail_server
from tests.servers import free_port

pytestmark = pytest.mark.django_db(transaction=True)
GOOD = "a long enough phrase"


@pytest.fixture
def port(settings) -> int:
    """Let the site send its mail to this port, where nobody listens yet."""
    settings.EMAIL_BACKEND = "pwmsite.mail.Backend"
    settings.PWM_MAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.SENDS_MAIL, settings.ACCOUNT_EMAIL_VERIFICATION = True, "mandatory"
    settings.ACCOUNT_PREVENT_ENUMERATION = "strict"
    settings.PWM_SITE_URL = "https://pwm.example.org"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", free_port()
    return settings.EMAIL_PORT


@pytest.fixture
def named(port, monkeypatch) -> None:
    """Name the site, as its start does."""
    monkeypatch.setattr(DNS_NAME, "_fqdn", "", raising=False)
    sending.name_the_site()


def sign_up(client: Client, name: str = "ada"):
    fields = {"username": name, "email": f"{name}@example.org"}
    return client.post(
        "/accounts/signup/", fields | {"password1": GOOD, "password2": GOOD}, follow=True
    )


def work() -> Mail:
    """Do what a worker does with the next mail; return its row."""
    row = Mail.objects.queued().get()
    worker_sends(str(row.pk), row.queue)
    row.refresh_from_db()
    return row


def pass_time(by: timedelta) -> None:
    """Let the pauses of all mails be shorter by so much, and sweep."""
    Mail.objects.to_retry().update(retry_at=F("retry_at") - by)
    sweeper.sweep()


def test_signing_up_works_while_the_mail_server_is_away_and_the_link_comes_later(client, port):
    page = sign_up(client)
    assert page.status_code == 200
    assert "a mail to your address is on its way" in page.content.decode()
    row = work()
    assert (row.state, row.error_code, row.failures) == (State.FAILED, "mail_server", 1)
    assert "late at the moment" in sign_up(Client(), "bob").content.decode()
    assert User.objects.count() == 2
    Mail.objects.queued().get().cancel()
    with mail_server(port) as server:
        pass_time(timedelta(minutes=2))
        assert work().state == State.SUCCEEDED
        (mail,) = server.mails
    link = re.search(r"http://testserver(/accounts/confirm-email/\S+)", str(mail))[1]
    client.post(link)
    signed_in = client.post("/accounts/login/", {"login": "ada", "password": GOOD})
    assert signed_in["Location"] == "/accounts/"


def test_tries_are_made_later_and_later_and_end(port):
    send_mail("Subject", "Body", None, ["ada@example.org"])
    pauses = []
    for _ in range(MOST_FAILURES):
        row = work()
        if row.retry_at is None:
            break
        pauses.append(round((row.retry_at - row.finished_at).total_seconds() / 60))
        pass_time(timedelta(days=1))
    assert pauses[:4] == [1, 2, 4, 8]
    assert pauses[-1] == 4 * 60
    assert 40 < sum(pauses) / 60 < 50
    assert (row.letter, row.error_code) == ("", "mail_server")
    pass_time(timedelta(days=1))
    assert not Mail.objects.queued().exists()
    assert invariants.problems() == []


def test_a_mail_that_waits_is_not_sent_before_its_time(port):
    send_mail("Subject", "Body", None, ["ada@example.org"])
    work()
    sweeper.sweep()
    assert not Mail.objects.queued().exists()


@pytest.mark.parametrize(
    ("answer", "code", "again"),
    [("550 No such user", "refused", False), ("450 Come back later", "mail_server", True)],
)
def test_a_refusal_for_good_is_not_tried_again(port, answer, code, again):
    send_mail("Subject", "Body", None, ["ada@example.org"])
    with mail_server(port) as server:
        server.refuse = answer
        row = work()
    assert (row.state, row.error_code) == (State.FAILED, code)
    assert (row.retry_at is not None, bool(row.letter)) == (again, again)
    assert "ada" not in row.error_message


def test_the_mail_comes_as_it_was_written_and_is_forgotten(port, named):
    with mail_server(port) as server:
        EmailMessage(
            "Größe",
            "Zeile 1\n.\nZeile 3",
            "pwm@example.org",
            ["ada@example.org"],
            reply_to=["a@b.org"],
        ).send()
        kept = Mail.objects.get().letter
        row = work()
        (mail,) = server.mails
    assert "Zeile" not in kept
    assert row.letter == ""
    assert mail.get_payload(decode=True).decode().splitlines() == ["Zeile 1", ".", "Zeile 3"]
    assert mail["Reply-To"] == "a@b.org"
    assert mail["Message-ID"].endswith("@pwm.example.org>")
    assert server.greetings == ["pwm.example.org"]


def test_a_mail_that_is_sent_twice_is_the_same_mail(port, named):
    send_mail("Subject", "Body", None, ["ada@example.org"])
    letter = Mail.objects.get().letter
    first, second = (sending.unseal(letter).message()["Message-ID"] for _ in range(2))
    assert first == second


def test_a_mail_from_before_another_secret_key_is_given_up(port, settings):
    send_mail("Subject", "Body", None, ["ada@example.org"])
    settings.SECRET_KEY = "another key, as long as it has to be, and a little longer"
    assert work().error_code == "secret_key"


def test_mails_greet_with_the_name_of_the_site_not_of_the_machine(client, port):
    make_user(email="ada@example.org")
    with mail_server(port) as server:
        client.post("/accounts/password/reset/", {"email": "ada@example.org"})
        work()
        (mail,) = server.mails
    text = mail.get_payload(decode=True).decode()
    assert text.startswith("Hello from PWM")
    assert text.rstrip().endswith("pwm.example.org")
    assert mail["Subject"].startswith("[PWM] ")


def test_operators_see_what_waits_and_what_was_given_up(client, port, settings):
    for address in ("a@example.org", "b@example.org"):
        send_mail("Subject", "Body", None, [address])
    row = Mail.objects.in_queue_order().first()
    worker_sends(str(row.pk), row.queue)
    assert operations.mails() == {"waiting": 1, "to_retry": 1, "sent": 0, "given_up": 0}
    settings.PWM_METRICS_TOKEN = "swordfish"
    text = client.get("/metrics", headers={"Authorization": "Bearer swordfish"}).content.decode()
    assert 'pwm_mails{state="to_retry"} 1' in text
    client.force_login(make_user(is_staff=True))
    assert "<dt>to retry</dt><dd>1</dd>" in client.get("/operations/").content.decode()


def test_mail_that_finds_no_worker_counts_as_late(port):
    send_mail("Subject", "Body", None, ["ada@example.org"])
    assert not Mail.objects.late().exists()
    Mail.objects.update(queued_at=Now() - timedelta(minutes=5))
    assert Mail.objects.late().exists()


def test_at_home_mail_goes_to_the_terminal_and_is_no_job():
    assert original.PWM_MAIL_BACKEND.endswith("console.EmailBackend")
