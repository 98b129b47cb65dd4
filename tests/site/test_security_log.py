"""Failed sign-ins are logged with their address, in one line, without secrets."""

from __future__ import annotations

import re

import pytest
from allauth.mfa.totp.internal.auth import TOTP, generate_totp_secret

from tests.factories import make_user

pytestmark = pytest.mark.django_db
LINE = re.compile(r"Failed sign-in from (\S+): ([\w ]+)\.")
FROM = {"REMOTE_ADDR": "203.0.113.7"}


@pytest.fixture
def lines(caplog):
    """Give the address and the reason of each line."""

    def read() -> list[tuple[str, str]]:
        mine = [r.getMessage() for r in caplog.records if r.name == "pwm.security"]
        return [LINE.fullmatch(line).groups() for line in mine]

    return read


def sign_in(client, password: str = "sesame", login: str = "ada", **more):
    return client.post("/accounts/login/", {"login": login, "password": password}, **(FROM | more))


def test_a_wrong_password_is_logged_once_with_the_address_and_nothing_typed(client, lines, caplog):
    make_user(username="ada")
    sign_in(client)
    assert lines() == [("203.0.113.7", "wrong name or password")]
    assert "sesame" not in caplog.text


def test_an_unknown_name_is_logged_like_a_wrong_password(client, lines, caplog):
    sign_in(client, login="hunter2")
    assert lines() == [("203.0.113.7", "wrong name or password")]
    assert "hunter2" not in caplog.text


def test_a_sign_in_that_works_is_not(client, lines):
    make_user(username="ada")
    sign_in(client, "correct horse")
    assert lines() == []


def test_attempts_beyond_the_limit_are_logged_too(client, lines):
    make_user(username="ada")
    for _ in range(7):
        sign_in(client)
    assert lines()[-1] == ("203.0.113.7", "too many attempts")
    assert len(lines()) == 7


def test_a_wrong_code_is_logged(client, lines):
    user = make_user(username="ada")
    TOTP.activate(user, generate_totp_secret())
    sign_in(client, "correct horse")
    client.post("/accounts/2fa/authenticate/", {"code": "wrong"}, **FROM)
    assert lines() == [("203.0.113.7", "wrong code of the second factor")]


def test_an_unknown_token_is_logged(client, lines, caplog):
    client.get("/api/v1/submissions/", headers={"Authorization": "Bearer pwm_guess"}, **FROM)
    assert lines() == [("203.0.113.7", "unknown API token")]
    assert "pwm_guess" not in caplog.text


def test_the_address_is_the_one_that_the_proxy_saw(client, lines, settings):
    settings.ALLAUTH_TRUSTED_PROXY_COUNT = 1
    sign_in(client, headers={"X-Forwarded-For": "6.6.6.6, 198.51.100.4"})
    assert lines() == [("198.51.100.4", "wrong name or password")]
