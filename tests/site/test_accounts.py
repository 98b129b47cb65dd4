"""People: sign-up, sign-in, password reset, API tokens; and that nobody sees another's things."""

from __future__ import annotations

import re
from io import StringIO

import pytest
from django.contrib.auth.models import User
from django.core import mail
from django.core.cache import cache

from leaderboards.catalogue import sync_everything
from pwmsite.management.commands import prepare
from pwmsite.models import ApiToken
from tests.factories import make_user

pytestmark = pytest.mark.django_db
GOOD = "a long enough phrase"


@pytest.fixture(autouse=True)
def fresh_rate_limits():
    cache.clear()


def sign_up(client, **changes: str):
    fields = {"username": "ada", "email": "ada@example.org", "password1": GOOD, "password2": GOOD}
    return client.post("/accounts/signup/", fields | changes)


def test_signing_up_leads_to_ones_account(client):
    answer = sign_up(client)
    assert (answer.status_code, answer["Location"]) == (302, "/accounts/")
    page = client.get("/accounts/").content.decode()
    assert "ada@example.org" in page
    assert "You have not submitted anything yet" in page


def test_wrong_fields_are_named_in_a_summary_that_leads_to_them(client):
    page = sign_up(client, email="nowhere", password1="short").content.decode()
    assert "There is a problem" in page
    assert 'href="#id_email"' in page
    assert "autofocus" in page


def test_signing_in_and_out(client):
    make_user(username="ada")
    wrong = client.post("/accounts/login/", {"login": "ada", "password": "no"})
    assert wrong.status_code == 200
    assert "There is a problem" in wrong.content.decode()
    answer = client.post(
        "/accounts/login/", {"login": "ada", "password": "correct horse", "next": "/methods/"}
    )
    assert answer["Location"] == "/methods/"
    client.post("/accounts/logout/")
    assert client.get("/accounts/")["Location"] == "/accounts/login/?next=/accounts/"


def test_the_administrator_signs_in_where_addresses_must_be_confirmed(client, settings):
    settings.ACCOUNT_EMAIL_VERIFICATION = "mandatory"
    printed = StringIO()
    prepare.Command(stdout=printed).make_administrator()
    password = re.search(r"Password: (\S+)", printed.getvalue())[1]
    answer = client.post("/accounts/login/", {"login": "admin", "password": password})
    assert answer["Location"] == "/accounts/"


def test_after_many_wrong_passwords_signing_in_is_refused_for_a_while(client):
    make_user(username="ada")
    for _ in range(6):
        client.post("/accounts/login/", {"login": "ada", "password": "no"})
    answer = client.post("/accounts/login/", {"login": "ada", "password": "correct horse"})
    assert answer.status_code != 302


def test_a_forgotten_password_is_set_anew_by_a_link_that_works_once(client):
    make_user(username="ada", email="ada@example.org")
    client.post("/accounts/password/reset/", {"email": "ada@example.org"})
    link = re.search(r"http://testserver(/accounts/password/reset/key/\S+)", mail.outbox[0].body)[1]
    page = client.get(link, follow=True)
    client.post(page.redirect_chain[-1][0], {"password1": GOOD, "password2": GOOD})
    assert client.login(username="ada", password=GOOD)
    client.logout()
    again = client.get(link, follow=True).content.decode()
    assert 'type="password"' not in again


def test_nobody_learns_from_a_reset_whether_an_address_is_known(client):
    make_user(email="ada@example.org")
    answers = [
        client.post("/accounts/password/reset/", {"email": email}, follow=True)
        for email in ("ada@example.org", "nobody@example.org")
    ]
    assert answers[0].redirect_chain == answers[1].redirect_chain
    bodies = [re.sub(r'value="\w{64}"', "", a.content.decode()) for a in answers]
    assert bodies[0] == bodies[1]


@pytest.mark.parametrize(
    "page",
    ["login", "signup", "password/reset", "email", "password/change", "2fa", "logout"],
)
def test_every_page_of_an_account_has_the_sites_look(client, page):
    if page not in ("login", "signup", "password/reset"):
        client.force_login(make_user())
    text = client.get(f"/accounts/{page}/").content.decode()
    assert 'class="brand"' in text
    assert "css/forms.css" in text


def token_of(client) -> str:
    page = client.post("/accounts/tokens/", {"name": "my laptop"})
    assert page.status_code == 201
    return re.search(r"pwm_[\w-]{40,}", page.content.decode())[0]


def ask(client, token: str):
    return client.get("/api/v1/submissions/", headers={"Authorization": f"Bearer {token}"})


def test_a_token_is_shown_once_and_only_its_hash_is_kept(client):
    client.force_login(make_user())
    token = token_of(client)
    assert token not in client.get("/accounts/").content.decode()
    assert token not in str(list(ApiToken.objects.values()))


def test_a_token_opens_the_api_for_its_owner_until_it_is_revoked(client):
    user = make_user()
    client.force_login(user)
    token = token_of(client)
    client.logout()
    assert ask(client, token).status_code == 200
    row = ApiToken.objects.get(user=user)
    assert row.last_used_at is not None
    client.force_login(user)
    client.post(f"/accounts/tokens/{row.pk}/revoke/")
    client.logout()
    refused = ask(client, token)
    assert refused.status_code == 401
    assert "revoked" in refused.json()["detail"]


def test_the_token_of_somebody_who_may_not_sign_in_any_more_opens_nothing(client):
    user = make_user()
    client.force_login(user)
    token = token_of(client)
    client.logout()
    user.is_active = False
    user.save()
    assert ask(client, token).status_code == 401


def test_a_stranger_cannot_revoke_a_token(client):
    row, _ = ApiToken.objects.make(make_user(), "theirs")
    client.force_login(make_user())
    assert client.post(f"/accounts/tokens/{row.pk}/revoke/").status_code == 404
    assert ApiToken.objects.filter(pk=row.pk).exists()


def test_a_token_needs_a_purpose_and_there_are_not_too_many(client):
    user = make_user()
    client.force_login(user)
    nameless = client.post("/accounts/tokens/", {"name": ""})
    assert nameless.status_code == 400
    assert "Say what the token is for" in nameless.content.decode()
    for _ in range(10):
        ApiToken.objects.make(user, "one more")
    assert client.post("/accounts/tokens/", {"name": "too many"}).status_code == 400
    assert ApiToken.objects.count() == 10


def test_the_account_page_asks_the_database_as_often_for_many_things(
    client, django_assert_max_num_queries
):
    sync_everything()
    client.force_login(user := make_user())
    for _ in range(6):
        ApiToken.objects.make(user, "one")
    client.get("/accounts/")  # the first visit opens the account of credits
    with django_assert_max_num_queries(10):
        client.get("/accounts/")


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("аda", "Latin letters"),  # the first one is Cyrillic
        ("ad\u200ba", "Latin letters"),
        ("ada\u202e", "Latin letters"),
        ("lovelacе", "Latin letters"),
        ("love1ace", "looks like that of another person"),
        ("LoveIace", "looks like that of another person"),
        ("a" * 31, "at most 30 characters"),
        ("-ada", "Latin letters"),
    ],
)
def test_a_user_name_that_could_be_taken_for_another_is_refused(client, name, told):
    make_user(username="lovelace")
    answer = sign_up(client, username=name)
    assert told in answer.content.decode()
    assert not User.objects.filter(username=name).exists()


def test_a_token_has_a_name_that_can_be_seen(client):
    client.force_login(make_user())
    for name in ("a\u202eb", "x" * 61):
        assert client.post("/accounts/tokens/", {"name": name}).status_code == 400
