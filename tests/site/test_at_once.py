"""Of equal registrations at the same instant one is taken, and the others are errors of the form.

On a database with connections of its own for each: a file of SQLite, and PostgreSQL where
tests/chaos/test_postgresql.py runs these tests again.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.db import connection

from tests.sites import PLAIN, Site, site

PEOPLE = 4
# What a process of the site runs; it gives the answers as pairs of status and text.
PREPARE = """
from django.conf import settings
from django.test import Client
from leaderboards.method_form import MethodForm
from leaderboards.models import Method
from django.contrib.auth.models import User
from allauth.account.models import EmailAddress
from pwmsite.sign_up import SignupForm
from tests.factories import make_modality, make_user
from tests.race import at_once
settings.EMAIL_BACKEND = "django.core.mail.backends.dummy.EmailBackend"
settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
def visitor(user=None):
    made = Client(headers={"Host": "127.0.0.1"}, raise_request_exception=False)
    if user:
        made.force_login(user)
    return made
"""
SIGN_UP = "[visitor() for _ in range(given[0])], SignupForm"
REGISTER = "[visitor(make_user()) for _ in range(given[0])], MethodForm"


@pytest.fixture
def real(tmp_path: Path, transactional_db: None) -> Iterator[Site]:
    """A process of a site, on a new file of SQLite or on the PostgreSQL of these tests."""
    where = {"DJANGO_SETTINGS_MODULE": PLAIN}
    if connection.vendor == "postgresql":
        at = connection.settings_dict
        where["PWM_DATABASE_URL"] = (
            f"postgresql://{at['USER']}@{at['HOST']}:{at['PORT']}/{at['NAME']}"
        )
    with site(tmp_path, **where) as made:
        if connection.vendor == "sqlite":
            made.migrate()
        made.do(PREPARE)
        yield made


def race(real: Site, who: str, path: str, fields: dict[str, Any], **options: str) -> list[Any]:
    send = "lambda client: client.post(given[1], given[2], **given[3])"
    return real.do(f"at_once({who}, {send})", PEOPLE, path, fields, options)


def test_of_equal_accounts_one_is_made(real):
    phrase = "a long enough phrase"
    fields = {"username": "ada", "email": "a@example.org", "password1": phrase, "password2": phrase}
    answers = race(real, SIGN_UP, "/accounts/signup/", fields)
    assert sorted(status for status, _ in answers) == [200] * (PEOPLE - 1) + [302]
    assert all("already exists" in text for status, text in answers if status == 200)
    assert real.do("User.objects.count(), EmailAddress.objects.count()") == [1, 1]


@pytest.mark.parametrize(
    ("path", "taken", "names_it", "options"),
    [
        ("/methods/register/", 302, "pk", {}),
        (
            "/api/v1/methods/",
            201,
            "key",
            {"content_type": "application/json"},
        ),
    ],
)
def test_of_equal_methods_one_is_registered(real, path, taken, names_it, options):
    fields = {
        "name": "Twice",
        "family": "classical",
        "description": "It reconstructs.",
        "checkpoint": "none needed",
        "modalities": [real.do(f"make_modality('stem').{names_it}")],
    }
    answers = race(real, REGISTER, path, fields, **options)
    assert sorted(status for status, _ in answers) == sorted([taken] + [400] * (PEOPLE - 1))
    assert all("already exists" in text for status, text in answers if status == 400)
    assert real.do("Method.objects.filter(slug='twice').count()") == 1
