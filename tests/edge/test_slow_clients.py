"""The web server of ``make run``: clients that are slow hold a connection, and no thread."""

from __future__ import annotations

import http.client
from collections.abc import Iterator

import pytest

from tests import sites

from . import clients

MANY = 64


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """Run the web server as at home, in two processes, with the tables and no row."""
    folder = tmp_path_factory.mktemp("home")
    with sites.site(folder, DJANGO_SETTINGS_MODULE=sites.PLAIN) as home:
        home.migrate()
        with home.web(processes=2) as port:
            yield port


@pytest.mark.parametrize(
    "sent",
    [b"", clients.HALF_HEADER, clients.HALF_FORM, clients.HALF_UPLOAD],
    ids=["nothing", "half a header", "half a form", "half an upload"],
)
def test_readers_are_answered_while_many_clients_have_sent_half(port: int, sent: bytes) -> None:
    with clients.waiting(port, sent, MANY):
        for path in ("/healthz", "/", "/about/"):
            assert clients.status(port, path) == 200


def test_a_body_too_large_answers_413_in_the_words_of_the_site(port: int) -> None:
    connection = http.client.HTTPConnection(clients.HOST, port, timeout=clients.PATIENCE)
    for path, said in (("/accounts/login/", b"too large</h1>"), ("/api/v1/methods/", b"detail")):
        connection.request("POST", path, bytes(5_000_000))
        response = connection.getresponse()
        assert response.status == 413
        assert said in response.read()
    connection.close()
