"""Pages are cheap: one query when nothing changed, the same for all."""

from __future__ import annotations

from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from modalities.models import Modality
from tests.factories import make_entries, make_user
from tests.site import reading

URL = "/modalities/stem/"


def test_cached_page_takes_one_query(catalogue: None, client: Client) -> None:
    client.get(URL)
    with CaptureQueriesContext(connection) as seen:
        client.get(URL)
    assert len(seen) == 1


def test_unchanged_page_is_not_sent_again(catalogue: None, client: Client) -> None:
    tag = client.get(URL)["ETag"]
    again = client.get(URL, headers={"If-None-Match": tag})
    assert again.status_code == 304
    assert not again.content


def test_touched_modality_gets_a_new_page(catalogue: None, client: Client) -> None:
    tag = client.get(URL)["ETag"]
    Modality.objects.get(key="stem").touch()
    again = client.get(URL, headers={"If-None-Match": tag})
    assert again.status_code == 200
    assert again["ETag"] != tag


def test_page_is_the_same_for_everybody(catalogue: None, client: Client) -> None:
    stranger = client.get(URL)
    client.force_login(make_user(username="zelda9"))
    member = client.get(URL)
    assert stranger.content == member.content
    assert b"zelda9" not in member.content
    for response in (stranger, member):
        assert "Cookie" not in response["Vary"]
        assert not response.cookies


def test_corner_is_of_one_reader_only(catalogue: None, client: Client) -> None:
    assert b"Sign in" in client.get("/corner/").content
    client.force_login(make_user(username="zelda9"))
    response = client.get("/corner/")
    assert b"zelda9" in response.content
    assert "no-store" in response["Cache-Control"]


def test_compressed_and_plain_page_are_the_same(catalogue: None, client: Client) -> None:
    plain = client.get(URL)
    packed = client.get(URL, headers={"Accept-Encoding": "gzip"})
    assert packed["Content-Encoding"] == "gzip"
    assert len(packed.content) < len(plain.content) / 3


def test_long_boards_are_cut_and_say_so(catalogue: None, client: Client) -> None:
    stem = Modality.objects.get(key="stem")
    make_entries(stem, 151)
    stem.touch()
    words = reading.text(client.get(URL).content.decode())
    assert "51 more rows are in the data." in words
    assert "And 139 more:" in words
