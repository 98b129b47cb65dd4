"""A sign-up on one process, its mail from another: the whole way, with a server that comes late."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.mail_server import mail_server
from tests.needs import FULL
from tests.servers import free_port
from tests.sites import PLAIN, site, wait

SIGN_UP = """
from django.test import Client
fields = {"username": "ada", "email": "ada@example.org"}
fields |= {"password1": "a long enough phrase", "password2": "a long enough phrase"}
answer = Client().post("/accounts/signup/", fields, headers={"host": "localhost"})
"""


@pytest.mark.skipif(not FULL, reason="the long form: PWM_FULL_TESTS=1")
def test_a_worker_sends_what_the_web_server_queued_once_the_mail_server_is_there(tmp_path: Path):
    port = free_port()
    variables = {
        "DJANGO_SETTINGS_MODULE": PLAIN,
        "PWM_EMAIL_URL": f"smtp://127.0.0.1:{port}",
        "PWM_SITE_URL": "https://pwm.example.org",
        "PWM_LEASE_SECONDS": "6",
    }
    with site(tmp_path, **variables) as made:
        made.migrate()
        made.do("from pwmsite.models import Mail")
        made.worker(1, "--queues", "mail")
        made.do(SIGN_UP)
        assert made.do("answer.status_code") == 302
        wait(lambda: made.do("Mail.objects.to_retry().count()") == 1)
        with mail_server(port) as server:
            made.do("Mail.objects.get().restart()")
            wait(lambda: made.do("Mail.objects.succeeded().count()") == 1)
        assert server.greetings == ["pwm.example.org"]
        assert server.mails[0]["To"] == "ada@example.org"
