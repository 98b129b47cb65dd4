"""No request makes the site fail: whatever comes, the answer is one that was meant.

Also run on PostgreSQL (tests/chaos/test_postgresql.py), which refuses what SQLite takes.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator
from itertools import product

import pytest
import schemathesis
from django.core.signals import request_finished, request_started
from django.core.wsgi import get_wsgi_application
from django.db import close_old_connections, transaction
from django.test import Client, RequestFactory
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rest_framework.throttling import SimpleRateThrottle
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error

from modalities import send_file
from modalities.models import Modality
from pwmsite.models import ApiToken
from tests.factories import make_entry, make_method, make_modality, make_user
from tests.needs import FULL

pytestmark = pytest.mark.django_db
EXAMPLES = 20 if FULL else 4  # for each operation
HUGE = "9" * 5000
ODD = ("%00", "a%00b", "10" + "0" * 19, "-1", HUGE, "%ED%A0%80", "%FF", "[]", "null", "")
PARAMETERS = {
    "/": ("q", "category"),
    "/search/": ("q",),
    "/methods/": ("q", "kind"),
    "/methods/register/": ("modality",),
    "/submissions/new/": ("modality", "tier", "method"),
    "/curate/": ("page", "modality"),
    "/history/": ("page", "modality"),
    "/history/feed.atom": ("modality",),
    "/modalities/stem/boards/challenge/": ("at",),
    "/api/v1/modalities/": ("q", "limit", "offset", "category", "format"),
    "/api/v1/methods/": ("modality", "family"),
    "/api/v1/runs/": ("modality__key", "state", "method"),
    "/api/v1/submissions/": ("limit",),
    "/api/v1/modalities/stem/boards/challenge/": ("limit", "at", "origin"),
    "/admin/leaderboards/method/": ("q", "p", "o", "id__exact"),
}


@pytest.fixture(autouse=True)
def stem(db) -> Modality:
    stem = make_modality("stem")
    make_entry(stem, tiers={"public": (0.7, 28.0, 0.85)})
    make_method(stem)
    return stem


@pytest.fixture
def client() -> Client:
    """A superuser, who may ask for every page."""
    client = Client(raise_request_exception=False)
    client.force_login(make_user(is_staff=True, is_superuser=True))
    return client


def test_odd_query_is_no_error_of_the_server(client):
    failed = [
        f"{page}?{name}={value[:30]}"
        for page, names in PARAMETERS.items()
        for name, value in product(names, ODD)
        if client.get(f"{page}?{name}={value}").status_code >= 500
    ]
    assert not failed


@pytest.mark.parametrize(
    "path",
    [
        "/methods/%00/",
        "/api/v1/methods/%00/",
        "/api/v1/modalities/%00/",
        "/api/v1/runs/%00/",
        "/api/v1/submissions/%00/",
        "/runs/00000000-0000-0000-0000-000000000000/files/%00",
        "/accounts/tokens/99999999999999999999/revoke/",
        "/media/%00",
        "/static/%00",
        "/%00",
    ],
)
def test_odd_path_is_no_error_of_the_server(client, path):
    assert client.get(path).status_code < 500
    assert client.post(path).status_code < 500


def test_odd_cookie_is_no_error_of_the_server():
    client = Client(raise_request_exception=False)
    answer = client.get("/accounts/", headers={"Cookie": r'sessionid="abcdefgh\000ijkl"'})
    assert answer.status_code == 400


def test_nul_in_a_form_is_no_error_of_the_server(client):
    odd = "a\0b"
    for page, field in (("/submissions/new/", "modality"), ("/methods/register/", "name")):
        assert client.post(page, {field: odd}).status_code == 400
    for page, field in (("/accounts/login/", "login"), ("/accounts/signup/", "username")):
        assert Client().post(page, {field: odd, "password": odd}).status_code == 200


def test_a_page_of_the_api_has_a_most(client):
    answer = client.get(f"/api/v1/methods/?limit={10**20}")
    assert answer.status_code == 200
    assert len(answer.json()["results"]) == answer.json()["count"] == 2


@pytest.mark.parametrize("wanted", [f"bytes={HUGE}-", f"bytes=-{HUGE}", f"bytes=0-{HUGE}"])
def test_range_of_many_digits_is_no_range(wanted):
    content = b"0123456789"
    sha256 = hashlib.sha256(content).hexdigest()
    request = RequestFactory().get("/", headers={"Range": wanted})
    answer = send_file.response(request, io.BytesIO(content), 10, sha256, "a.h5")
    assert (answer.status_code, b"".join(answer.streaming_content)) == (200, content)


@pytest.fixture
def keep_connection() -> Iterator[None]:
    """Let requests not close the connection that the test's transaction is on."""
    signals = request_started, request_finished
    for signal in signals:
        signal.disconnect(close_old_connections)
    yield
    for signal in signals:
        signal.connect(close_old_connections)


@pytest.mark.usefixtures("keep_connection")
@pytest.mark.parametrize("role", ["anonymous", "member"])
def test_requests_made_from_the_schema_are_no_error_of_the_server(role, monkeypatch):
    monkeypatch.setattr(SimpleRateThrottle, "allow_request", lambda *_: True)
    headers = {}
    if role == "member":
        _, token = ApiToken.objects.make(make_user(), "walk")
        headers["Authorization"] = f"Bearer {token}"
    api = schemathesis.openapi.from_wsgi("/api/v1/schema/?format=json", get_wsgi_application())
    operations = [found.ok() for found in api.get_all_operations()]
    assert len(operations) > 12

    @settings(
        max_examples=EXAMPLES * len(operations),
        derandomize=True,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(st.data())
    def walk(data: st.DataObject) -> None:
        operation = data.draw(st.sampled_from(operations))
        mode = data.draw(st.sampled_from(GenerationMode))
        case = data.draw(operation.as_strategy(mode))
        with transaction.atomic():
            answer = case.call(headers=headers)
            transaction.set_rollback(True)
        case.validate_response(answer, checks=[not_a_server_error])

    walk()
