"""Bodies are refused by their length, before anything reads them."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client, RequestFactory

from leaderboards import programs, upload
from pwmsite import bodies

FORM, API = "/submissions/new/", "/api/v1/submissions/"
PROGRAM, PROGRAM_API = "/submissions/program/", "/api/v1/programs/"


def announce(path: str, length: int) -> Any:
    """Send a request that announces a body, which nobody may try to read."""
    kind = "multipart/form-data; boundary=x"
    return Client().generic("POST", path, b"", content_type=kind, CONTENT_LENGTH=str(length))


@pytest.mark.parametrize(
    "path", ["/accounts/login/", "/methods/register/", "/nowhere/", FORM, PROGRAM]
)
def test_a_page_says_that_it_was_too_much(path):
    answer = announce(path, bodies.largest(path) + 1)
    assert answer.status_code == 413
    assert "too large" in answer.content.decode()
    assert "Nothing was stored" in answer.content.decode()
    assert "default-src 'none'" in answer["Content-Security-Policy"]


@pytest.mark.parametrize("path", [API, PROGRAM_API, "/api/v1/methods/"])
def test_the_api_says_so_in_json(path):
    answer = announce(path, bodies.largest(path) + 1)
    assert answer.status_code == 413
    assert "too large" in answer.json()["detail"]


def test_only_the_addresses_that_take_files_take_more_than_1_mb():
    assert set(bodies.uploads()) == {FORM, API, PROGRAM, PROGRAM_API}
    for path, most in (
        *((path, upload.largest_of_all()) for path in (FORM, API)),
        *((path, programs.largest_of_all()) for path in (PROGRAM, PROGRAM_API)),
    ):
        assert most < bodies.largest(path) < 1.1 * most
    for path in ("/", "/admin/login/", f"{FORM}x", f"{API}0/", "/submissions/"):
        assert bodies.largest(path) == 10**6


def test_a_length_that_is_no_number_is_left_to_django():
    answer = bodies.BodyLimit(lambda request: "passed on")(
        RequestFactory().get("/", CONTENT_LENGTH="-1")
    )
    assert answer == "passed on"
