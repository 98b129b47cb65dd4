"""Pages answer, say what is wrong, keep to the security policy, and can be read without scripts."""

from __future__ import annotations

import re
from collections.abc import Callable
from uuid import UUID

import pytest
from django.test import Client

from leaderboards.models import Entry
from modalities import physics
from modalities.models import Modality
from tests.gallery.rows import make_finished_run
from tests.site import reading

Read = Callable[[str], str]
NOBODYS = UUID(int=7)
PAGES = (
    "/",
    "/about/",
    "/api/",
    "/methods/",
    "/methods/bm3d/",
    "/modalities/stem/",
    "/modalities/electron_tomography/",
    "/real-data/",
    "/programs/",
)


@pytest.mark.parametrize("url", PAGES)
def test_page_keeps_to_the_strict_policy(catalogue: None, client: Client, url: str) -> None:
    response = client.get(url)
    policy = response["Content-Security-Policy"]
    assert "script-src 'self'" in policy
    assert "unsafe" not in policy
    html = response.content.decode()
    assert not re.search(r"<style|\sstyle=|\son[a-z]+=|javascript:", html)
    for script in re.findall(r"<script[^>]*>", html):
        assert "src=" in script or 'type="application/json"' in script


@pytest.mark.parametrize("url", PAGES)
def test_page_has_one_heading_a_title_and_landmarks(read: Read, url: str) -> None:
    html = read(url)
    assert len(re.findall(r"<h1[ >]", html)) == 1
    assert re.search(r"<title>[^<]{5,}</title>", html)
    assert '<main id="content"' in html
    assert 'class="skip" href="#content"' in html
    ids = re.findall(r'\sid="([^"]+)"', html)
    assert len(ids) == len(set(ids))


def test_every_link_within_a_page_leads_somewhere(read: Read) -> None:
    for url in ("/modalities/stem/", "/about/"):
        html = read(url)
        ids = set(re.findall(r'\sid="([^"]+)"', html))
        assert set(re.findall(r'href="#([^"]+)"', html)) <= ids


@pytest.mark.parametrize(
    "url",
    [
        "/nothing/",
        "/modalities/nothing/",
        "/methods/nothing/",
        f"/entries/{NOBODYS}/",
        f"/runs/{NOBODYS}/",
        f"/runs/{NOBODYS}/progress/",
    ],
)
def test_unknown_address_is_a_404_that_says_how_to_go_on(
    catalogue: None, client: Client, url: str
) -> None:
    response = client.get(url)
    assert response.status_code == 404
    words = reading.text(response.content.decode())
    assert "There is nothing at this address" in words
    assert "All modalities" in words


def test_unknown_modality_is_named(catalogue: None, client: Client) -> None:
    assert "“nothing”" in client.get("/modalities/nothing/").content.decode()


def test_writing_to_a_reading_page_is_refused(catalogue: None, client: Client) -> None:
    for url in PAGES:
        assert client.post(url).status_code == 405


def test_modality_page_is_whole_without_scripts(read: Read) -> None:
    html = read("/modalities/stem/")
    main = reading.part(html, "<main", "</main>")
    assert not re.search(r"<(section|div|table|details)[^>]*\shidden", main)
    words = reading.text(main)
    for phrase in (
        "Blind challenge, measured here",
        "Blind challenge, reported by the source",
        "Standard, measured here",
        "Standard, reported by the source",
        "Three tiers, each blinder than the last",
        "Reconstruction gallery",
        "Forward model",
        "Mistakes and remedies",
        "Experimental setup",
    ):
        assert phrase in words


def test_modality_page_says_what_is_not_computed_yet(read: Read) -> None:
    words = reading.text(read("/modalities/stem/"))
    assert "not computed yet" in words
    assert "Nothing has been computed yet." in words


def test_reported_figures_are_called_reported(read: Read) -> None:
    words = reading.text(read("/modalities/stem/"))
    assert "Leader, blind challenge (reported) SwinIR + gradient 0.683" in words
    assert "Leader, hidden tier (reported) BM3D + gradient 0.614" in words
    assert "Copied from the source, not run here" in words


def test_method_page_has_all_its_rows(read: Read) -> None:
    words = reading.text(read("/methods/bm3d/"))
    for phrase in ("0.635", "0.649", "26.19", "24.26", "reported by Dabov et al., IEEE TIP 2007"):
        assert phrase in words


def test_entry_page_says_that_nothing_was_run(catalogue: None, client: Client) -> None:
    entry = Entry.objects.get(source_name="SwinIR + gradient")
    words = reading.text(client.get(entry.get_absolute_url()).content.decode())
    assert "Nothing was run here." in words
    assert "certifies nothing here" in words


@pytest.mark.parametrize(
    "q", ["convergence", "SCANNING transmission", "probe_size", "probe size", "atomic"]
)
def test_search_finds_a_modality_by_names_task_and_unknowns(read: Read, q: str) -> None:
    words = reading.text(read(f"/?q={q}"))
    assert "1 of 2 modalities" in words
    assert "Scanning Transmission Electron Microscopy" in words


def test_search_without_a_match_says_how_to_go_on(read: Read) -> None:
    words = reading.text(read("/?q=zebrafish"))
    assert "Nothing matches “zebrafish”" in words
    assert "Show all modalities." in words


def test_search_finds_methods_too(read: Read) -> None:
    assert "SwinIR" in read("/?q=swinir")
    assert "SwinIR" in read("/search/?q=swinir")


def test_category_narrows_the_list(read: Read) -> None:
    assert "2 modalities" in reading.text(read("/?category=Electron+microscopy"))
    assert "0 of 2 modalities" in reading.text(read("/?category=Astronomy"))


def test_a_search_is_shown_as_text(read: Read) -> None:
    assert "<script>alert" not in read("/?q=<script>alert(1)</script>")


def test_home_shows_the_pictures_and_the_cost_of_a_computed_gallery(read: Read) -> None:
    run = make_finished_run(Modality.objects.get(key="stem"))
    html = read("/")
    assert html.count(f"/runs/{run.pk}/files/") == 3
    assert "−4.0 dB" in html


def test_modality_page_says_which_kinds_are_at_home_and_which_away(read: Read) -> None:
    html = read("/modalities/stem/")
    rows = reading.rows(reading.part(html, 'id="kinds"', "</table>"))[1:]
    spec = physics.load("stem")
    assert [row[0] for row in rows] == [s.name for s in (*spec.scenes, *spec.away)]
    for row, scene in zip(rows, (*spec.scenes, *spec.away), strict=True):
        assert row[1:4] == [scene.group, ", ".join(scene.tiers) or "all", scene.description]
    assert rows[-1][4].startswith("not its truth")


def test_modality_page_shows_our_figures_above_those_of_the_source(read: Read) -> None:
    make_finished_run(Modality.objects.get(key="stem"))
    html = read("/modalities/stem/")
    rows = reading.rows(reading.part(html, 'id="scores-home"', "</table>"))
    assert rows[1][1:3] == ["30.00 23.51", "0.900 0.368"]
    assert "not computed yet" not in reading.text(html)


def test_modality_page_shows_second_opinions_with_their_dates(read: Read) -> None:
    for key in ("stem", "electron_tomography"):
        words = reading.text(read(f"/modalities/{key}/"))
        assert "Second opinions" in words
        assert "Checked against" in words
