"""A program from the form to the ledger: trial run, hidden run, credits; by keyboard, and clean."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import FilePayload, Page, expect

from tests.needs import FULL

LOOKS = [(1440, "light"), (390, "dark")]
if FULL:
    LOOKS += [(1440, "dark"), (390, "light")]
NEW, CREDITS = "/submissions/program/?modality=stem", "/accounts/credits/"


def script(text: str) -> FilePayload:
    return {"name": "algo.py", "mimeType": "text/x-python", "buffer": text.encode()}


@pytest.fixture
def ada(page: Page, said: list[str]) -> Page:
    page.set_viewport_size({"width": 1440, "height": 900})
    page.goto("/accounts/login/")
    page.locator("input[name=login]").fill("ada")
    page.locator("input[name=password]").fill("correct horse")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("ada")
    return page


def look(page: Page) -> None:
    """Hold the page in front of us to what every page is held to, in each look."""
    for width, theme in LOOKS:
        page.emulate_media(color_scheme="dark" if theme == "dark" else "light")
        page.set_viewport_size({"width": width, "height": 900})
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        found = Axe().run(page)
        assert found.violations_count == 0, found.generate_report()
    page.set_viewport_size({"width": 1440, "height": 900})


def send(page: Page, tier: str, text: str) -> None:
    page.goto(NEW)
    page.get_by_label("Method", exact=True).select_option(label="Sparse atoms")
    page.get_by_role("radio", name=tier).focus()
    page.keyboard.press("Space")
    page.get_by_label("Program", exact=True).set_input_files(script(text))
    page.get_by_role("button", name="Send the program").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Waits for a runner")


def test_program_goes_from_a_trial_to_the_ledger(
    ada: Page, said: list[str], on_site: Callable[..., None]
) -> None:
    ada.goto(NEW)
    look(ada)

    send(ada, "Trial run on public data", "print(")
    look(ada)
    on_site("tests.browser.end_run", "failed", "SyntaxError: '(' was never closed")
    expect(ada.get_by_role("heading", level=1)).to_have_text("Program failed")
    expect(ada.locator("#log")).to_contain_text("was never closed")
    look(ada)

    send(ada, "Hidden tier", "print(1)")
    expect(ada.locator("dl.facts")).to_contain_text("10 credits are held for this run.")
    ada.goto(CREDITS)
    expect(ada.locator("dl.facts")).to_contain_text("90")
    look(ada)
    ada.get_by_role("link", name=re.compile("Sparse atoms on the hidden tier")).first.click()
    on_site("tests.browser.end_run", "no_output", "nothing that anybody may read")
    expect(ada.get_by_role("heading", level=1)).to_have_text("No output")
    expect(ada.locator("#log")).to_contain_text("for curators alone")
    expect(ada.locator("body")).not_to_contain_text("nothing that anybody may read")
    look(ada)

    ada.goto("/programs/")
    look(ada)
    assert said == []
