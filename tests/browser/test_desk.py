"""The curator's desk by keyboard, in a browser."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.test import Client
from playwright.sync_api import Page, expect

from leaderboards.models import Attempt, Decision, Entry, Kind
from tests.factories import make_attempt, make_method, make_modality, make_user

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def desk(live_server: Any, page: Page, client: Client) -> Page:
    """The queue of a curator, with two entries; the second run of the first one agrees."""
    curator = make_user()
    curator.groups.add(Group.objects.get(name="curators"))
    stem = make_modality()
    for name in ("First", "Second"):
        method = make_method(stem, name=name, owner=make_user())
        make_attempt(stem, method, outputs_sha256=f"{Entry.objects.count():064x}")
    first = Attempt.objects.get(method__name="First")
    make_attempt(
        stem, first.method, kind=Kind.RERUN, repeats=first, outputs_sha256=first.outputs_sha256
    )
    client.force_login(curator)
    cookie = {"name": "sessionid", "value": client.cookies["sessionid"].value}
    page.context.add_cookies([cookie | {"url": live_server.url}])
    page.goto(f"{live_server.url}/curate/")
    return page


def open_entry(desk: Page, name: str) -> None:
    desk.get_by_role("link", name=name).click()
    expect(desk.locator("h1")).to_have_text(name)


def test_j_and_k_move_and_enter_opens(desk: Page) -> None:
    for key, name in (("j", "First"), ("j", "Second"), ("j", "Second"), ("k", "First")):
        desk.keyboard.press(key)
        expect(desk.locator("[data-row]:focus")).to_have_text(name)
    desk.keyboard.press("Enter")
    expect(desk.locator("h1")).to_have_text("First")
    desk.keyboard.press("j")
    expect(desk.locator("h1")).to_have_text("Second")
    desk.keyboard.press("u")
    expect(desk.locator("h1")).to_have_text("Curator’s desk")


def test_a_letter_picks_a_decision_and_goes_on_to_its_reason(desk: Page) -> None:
    open_entry(desk, "First")
    desk.keyboard.press("c")
    expect(desk.get_by_label("Certify")).to_be_checked()
    expect(desk.get_by_label("Reason")).to_be_focused()
    desk.keyboard.type("a clear case")
    expect(desk.get_by_label("Certify")).to_be_checked()
    desk.keyboard.press("Tab")
    desk.keyboard.press("Enter")
    expect(desk.locator("#messages")).to_contain_text("Certified: First.")
    assert Decision.objects.get().reason == "a clear case"


def test_no_letter_decides_or_runs_by_itself(desk: Page) -> None:
    open_entry(desk, "Second")
    for key in "abcdvir":
        desk.keyboard.press(key)
        desk.keyboard.press("Escape")
    expect(desk.get_by_role("button", name="Re-run now")).to_be_focused()
    assert not Decision.objects.exists()
    assert not Attempt.objects.live().exists()


def test_keys_can_be_turned_off_and_stay_off(desk: Page) -> None:
    keys = desk.get_by_role("button", name="Keys")
    keys.click()
    expect(keys).to_have_attribute("aria-pressed", "false")
    desk.keyboard.press("j")
    expect(desk.locator("[data-row]:focus")).to_have_count(0)
    desk.reload()
    expect(keys).to_have_attribute("aria-pressed", "false")


def test_progress_ends_by_itself(desk: Page) -> None:
    open_entry(desk, "Second")
    desk.get_by_role("button", name="Re-run now").click()
    expect(desk.locator("#second-runs")).to_contain_text("waiting for a worker")
    run = Attempt.objects.live().get()
    run.claim("here:1")
    run.beat("scoring scene 2 of 4", 40)
    expect(desk.locator("#second-runs")).to_contain_text("scoring scene 2 of 4")
    run.fail("no_truth", "The data are not here.")
    expect(desk.get_by_text("The second run failed: The data are not here.")).to_be_visible()
    expect(desk.locator("#second-runs progress")).to_have_count(0)
