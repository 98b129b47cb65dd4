"""Pages are cheap: few queries however many rows, none when nothing changed, the same for all."""

from __future__ import annotations

import pytest
from django.core.cache import cache
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from leaderboards.models import Entry, TierScore
from modalities.models import Modality
from tests.factories import make_entry, make_method, make_user
from tests.site import reading

URL = "/modalities/stem/"


def queries(client: Client, url: str) -> list[str]:
    """List the queries of a page that is not cached, in a process that has drawn one before."""
    for _ in range(2):
        cache.clear()
        with CaptureQueriesContext(connection) as seen:
            assert client.get(url).status_code == 200
    return [query["sql"] for query in seen.captured_queries]


def fill(count: int) -> None:
    """Add measured entries of ``count`` methods to the blind challenge, cheaply."""
    stem = Modality.objects.get(key="stem")
    first = make_entry(stem, tiers={"public": (0.5, 25.0, 0.7)})
    entries = []
    for _ in range(count):
        method = make_method(stem)
        values = {f.attname: getattr(first, f.attname) for f in Entry._meta.concrete_fields}
        del values["id"], values["created_at"]
        entries.append(Entry(**(values | {"method_id": method.pk, "name": method.name})))
    Entry.objects.bulk_create(entries)
    TierScore.objects.bulk_create(
        TierScore(entry=entry, tier="public", score=0.5, psnr=25.0, ssim=0.7) for entry in entries
    )
    stem.touch()


@pytest.mark.parametrize(("url", "most"), [(URL, 12), ("/", 3), ("/methods/bm3d/", 6)])
def test_queries_do_not_grow_with_entries(
    catalogue: None, client: Client, url: str, most: int
) -> None:
    fill(50)
    few = queries(client, url)
    fill(950)
    many = queries(client, url)
    assert len(many) == len(few) <= most, [*few, "---", *many]


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
    fill(150)
    words = reading.text(client.get(URL).content.decode())
    assert "51 more rows are in the data." in words
    assert "And 139 more:" in words
