"""Signing up tells nobody whether an address is known; two at once are no error of the server."""

from __future__ import annotations

import re
import time

import pytest
from allauth.account.models import EmailAddress
from django.contrib.auth.models import User
from django.core import mail
from django.core.cache import cache
from django.test import Client

from pwmsite.sign_up import SignupForm
from tests import faster
from tests.factories import make_user

pytestmark = pytest.mark.django_db
GOOD = "a long enough phrase"


@pytest.fixture
def sends_mail(settings) -> None:
    settings.SENDS_MAIL, settings.ACCOUNT_EMAIL_VERIFICATION = True, "mandatory"
    settings.ACCOUNT_PREVENT_ENUMERATION = "strict"


@pytest.fixture
def ada(db) -> User:
    user = make_user(username="ada", email="ada@example.org")
    EmailAddress.objects.create(user=user, email=user.email, verified=True, primary=True)
    return user


def sign_up(client: Client, email: str, username: str = "visitor", **more):
    fields = {"username": username, "email": email, "password1": GOOD, "password2": GOOD}
    return client.post("/accounts/signup/", fields, **more)


def seen(client: Client, email: str) -> list[object]:
    """Sign up and try to go on; give all that a visitor sees."""
    answers = [
        sign_up(client, email),
        client.get("/accounts/confirm-email/"),
        client.post("/accounts/login/", {"login": "visitor", "password": GOOD}),
        client.get("/accounts/confirm-email/"),
        sign_up(Client(), "third@example.org"),
    ]
    return [
        (
            answer.status_code,
            answer.headers.get("Location"),
            sorted(answer.cookies),
            re.sub(r'value="\w{64}"', "", answer.content.decode()).replace(email, "EMAIL"),
        )
        for answer in answers
    ]


def test_a_known_address_looks_like_a_new_one_then_and_later(sends_mail, ada):
    new = seen(Client(), "new@example.org")
    User.objects.exclude(pk=ada.pk).delete()
    cache.clear()
    known = seen(Client(), "ada@example.org")
    for one, other in zip(known, new, strict=True):
        assert one == other


def test_the_owner_of_a_known_address_is_told_and_gets_no_link(client, sends_mail, ada):
    sign_up(client, "ada@example.org")
    (told,) = mail.outbox
    assert told.to == ["ada@example.org"]
    assert "already exists" in told.body
    assert "confirm-email" not in told.body


def test_the_address_stays_its_owners(client, sends_mail, ada):
    sign_up(client, "ada@example.org")
    client.post("/accounts/password/reset/", {"email": "ada@example.org"})
    assert len(mail.outbox) == 2
    assert EmailAddress.objects.get(email="ada@example.org", verified=True).user == ada
    link = re.search(r"http://testserver(/accounts/password/reset/key/\S+)", mail.outbox[1].body)[1]
    page = client.get(link, follow=True)
    client.post(page.redirect_chain[-1][0], {"password1": "x" + GOOD, "password2": "x" + GOOD})
    ada.refresh_from_db()
    assert ada.check_password("x" + GOOD)


def test_an_address_that_somebody_else_only_claimed_can_be_confirmed(client, sends_mail):
    sign_up(Client(), "ada@example.org", "squatter")
    cache.clear()
    sign_up(client, "ada@example.org", "owner")
    link = re.search(r"http://testserver(/accounts/confirm-email/\S+)", mail.outbox[1].body)[1]
    client.post(link)
    assert EmailAddress.objects.get(verified=True).user.username == "owner"


def test_known_and_new_addresses_cost_the_same_hash(sends_mail, ada, settings, monkeypatch):
    """What takes most of the time is the password's hash; it is made once for each."""
    made = []
    plain = User.set_password
    monkeypatch.setattr(User, "set_password", lambda *a: (made.append(1), plain(*a))[1])
    for email in ("ada@example.org", "new@example.org"):
        made.clear()
        sign_up(Client(), email, username=email.split("@")[0] + "2")
        assert len(made) == 1


def test_times_are_alike(sends_mail, ada):
    """CPU time, the least of several tries, within a factor that a hash would exceed by far."""

    def least(email: str) -> float:
        taken = []
        for n in range(3):
            cache.clear()
            begun = time.process_time()
            sign_up(Client(), email, username=f"v{email[0]}{n}")
            taken.append(time.process_time() - begun)
        return min(taken)

    least("warm@example.org")
    known, new = least("ada@example.org"), least("new@example.org")
    assert 0.4 < known / new < 2.5


def test_at_home_where_no_mail_is_sent_the_page_says_that_the_address_is_taken(client, ada):
    page = sign_up(client, "ada@example.org")
    assert "already registered" in page.content.decode()


def test_the_second_of_two_equal_accounts_gets_an_error_of_the_form(client, monkeypatch):
    faster.write_first(monkeypatch, SignupForm, lambda: make_user(username="ada"))
    answer = sign_up(client, "ada@example.org", "ada")
    assert answer.status_code == 200
    assert "already exists" in answer.content.decode()
    assert not EmailAddress.objects.exists()
