"""Staff and curators sign in where everybody does, and in production with a second factor."""

from __future__ import annotations

import re

import pytest
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import TOTP, generate_totp_secret
from django.contrib.auth.models import Group, User
from django.core.cache import cache
from django.test import Client

from leaderboards import curators
from tests import totp
from tests.factories import make_user

pytestmark = pytest.mark.django_db
PASSWORD = "correct horse"
PAGES = ["/admin/", "/operations/"]


@pytest.fixture(autouse=True)
def a_code_is_good_for_a_while(settings) -> None:
    """Take the neighbouring codes too, so that no test depends on when in a step it runs."""
    settings.MFA_TOTP_TOLERANCE = 1


@pytest.fixture
def production(settings) -> None:
    settings.PWM_SECOND_FACTOR = True


def make_staff(**fields) -> User:
    return make_user(is_staff=True, is_superuser=True, **fields)


def with_totp(user: User) -> str:
    """Set up an authenticator app; return its secret."""
    secret = generate_totp_secret()
    TOTP.activate(user, secret)
    return secret


def sign_in(client: Client, user: User, password: str = PASSWORD, then: str = "/operations/"):
    fields = {"login": user.username, "password": password, "next": then}
    return client.post("/accounts/login/", fields)


@pytest.mark.parametrize("path", ["/admin/", "/admin/login/", "/operations/"])
def test_the_pages_of_staff_lead_to_the_sign_in_of_the_site(client, path):
    answer = client.get(path, follow=True)
    assert answer.redirect_chain[-1][0].startswith("/accounts/login/?next=/")


def test_the_admin_takes_no_password_itself(client):
    user = make_staff()
    client.post("/admin/login/", {"username": user.username, "password": PASSWORD})
    assert "_auth_user_id" not in client.session


def test_after_many_wrong_passwords_the_right_one_opens_no_admin(client):
    user = make_staff()
    for _ in range(25):
        client.post("/admin/login/", {"username": user.username, "password": "no"})
        sign_in(client, user, "no", "/admin/")
    sign_in(client, user, then="/admin/")
    assert client.get("/admin/").status_code == 302


@pytest.mark.parametrize("path", PAGES)
def test_a_password_alone_does_not_open_the_account_of_somebody_with_a_second_factor(client, path):
    user = make_staff()
    secret = with_totp(user)
    answer = sign_in(client, user, then=path)
    assert answer["Location"].startswith("/accounts/2fa/authenticate/")
    assert client.get(path).status_code == 302
    wrong = f"{(int(totp.code(secret)) + 1) % 10**6:06d}"
    client.post("/accounts/2fa/authenticate/", {"code": wrong})
    assert client.get(path).status_code == 302
    client.post("/accounts/2fa/authenticate/", {"code": totp.code(secret)})
    assert client.get(path).status_code == 200


@pytest.mark.parametrize("path", PAGES)
def test_at_home_a_password_is_enough(client, path):
    assert sign_in(client, make_staff(), then=path)["Location"] == path
    assert client.get(path).status_code == 200


@pytest.mark.parametrize("path", PAGES)
def test_staff_without_a_second_factor_are_led_to_set_one_up(client, production, path):
    sign_in(client, make_staff())
    answer = client.get(path, follow=True)
    assert "needs a second factor" in answer.content.decode()
    again = answer.redirect_chain[-1][0]
    assert again == "/accounts/reauthenticate/?next=%2Faccounts%2F2fa%2Ftotp%2Factivate%2F"
    text = client.post(again, {"password": PASSWORD}, follow=True).content.decode()
    secret = re.search(r'value="([A-Z2-7]{32})"', text)[1]
    client.post("/accounts/2fa/totp/activate/", {"code": totp.code(secret)})
    asked = client.get(path, follow=True)
    assert asked.redirect_chain[-1][0].startswith("/accounts/2fa/reauthenticate/")
    back = client.post(asked.redirect_chain[-1][0], {"code": totp.code(secret, 1)})
    assert back["Location"] == path
    assert client.get(path).status_code == 200


@pytest.mark.parametrize("path", PAGES)
def test_a_session_that_is_older_than_the_second_factor_is_asked_for_a_code(
    client, production, path
):
    user = make_staff()
    client.force_login(user)
    with_totp(user)
    answer = client.get(path, follow=True)
    assert answer.redirect_chain[-1][0].startswith("/accounts/2fa/reauthenticate/?next=")


def test_a_second_factor_that_was_removed_opens_nothing_any_more(client, production):
    user = make_staff()
    secret = with_totp(user)
    sign_in(client, user)
    client.post("/accounts/2fa/authenticate/", {"code": totp.code(secret)})
    assert client.get("/operations/").status_code == 200
    user.authenticator_set.all().delete()
    assert client.get("/operations/")["Location"] == "/accounts/2fa/totp/activate/"


def test_a_code_opens_one_session(client, production):
    user = make_staff()
    secret = with_totp(user)
    code = totp.code(secret)
    for visitor, opened in ((client, 200), (Client(), 302)):
        sign_in(visitor, user)
        visitor.post("/accounts/2fa/authenticate/", {"code": code})
        assert visitor.get("/operations/").status_code == opened


@pytest.mark.parametrize("path", PAGES)
def test_members_are_refused_where_staff_work(client, production, path):
    client.force_login(make_user())
    assert client.get(path, follow=True).status_code == 403


def test_curators_decide_only_with_a_second_factor(client, production):
    user = make_user()
    user.groups.add(Group.objects.get(name=curators.GROUP))
    sign_in(client, user)
    assert client.get("/curate/")["Location"] == "/accounts/2fa/totp/activate/"
    secret = with_totp(user)
    client.logout()
    cache.clear()
    sign_in(client, user)
    client.post("/accounts/2fa/authenticate/", {"code": totp.code(secret)})
    assert client.get("/curate/").status_code == 200


def test_the_admin_shows_no_secret_of_a_second_factor_and_takes_none(client):
    """A lost one can be removed there; whoever read or wrote it could sign in as its owner."""
    client.force_login(make_staff())
    ada = make_user()
    kept = [with_totp(ada), *RecoveryCodes.activate(ada).get_unused_codes()]
    for factor in ada.authenticator_set.all():
        place = f"/admin/mfa/authenticator/{factor.pk}"
        kept += [value for value in factor.data.values() if isinstance(value, str)]
        for path in (f"{place}/change/", f"{place}/delete/", f"{place}/history/"):
            page = client.get(path)
            assert page.status_code == 200, path
            assert not [secret for secret in kept if secret in page.content.decode()], path
        assert client.post(f"{place}/change/", {"data": "{}"}).status_code == 403
    assert client.get("/admin/mfa/authenticator/add/").status_code == 403
    client.post(f"{place}/delete/", {"post": "yes"})
    assert not ada.authenticator_set.filter(pk=factor.pk).exists()
