"""Pages at two widths and in two themes: no complaint, no overflow, nothing axe would object to."""

from __future__ import annotations

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from tests.needs import FULL

PAGES = (
    *("/modalities/stem/", "/modalities/electron_tomography/", "/", "/about/", "/methods/bm3d/"),
    *("/entries/00000000-0000-4000-8000-000000000001/", "/history/"),
)
# Each width and each theme on every page, or each width in each theme.
LOOKS = [(1440, "light"), (390, "dark")]
if FULL:
    LOOKS += [(1440, "dark"), (390, "light")]


def open_whole(page: Page, url: str, width: int, theme: str) -> None:
    """Open a page and scroll through it, so that all that loads late has loaded."""
    page.emulate_media(color_scheme="dark" if theme == "dark" else "light", reduced_motion="reduce")
    page.set_viewport_size({"width": width, "height": 900})
    page.goto(url)
    height = page.evaluate("document.documentElement.scrollHeight")
    for y in range(0, height, 800):
        page.evaluate(f"scrollTo(0, {y})")
        page.wait_for_timeout(30)
    page.wait_for_load_state("networkidle")


@pytest.mark.parametrize(("width", "theme"), LOOKS)
@pytest.mark.parametrize("url", PAGES)
def test_page_is_clean(page: Page, said: list[str], url: str, width: int, theme: str) -> None:
    open_whole(page, url, width, theme)
    assert said == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()


@pytest.mark.parametrize("url", PAGES[:2])
def test_first_row_of_the_leaderboard_is_above_the_fold(page: Page, url: str) -> None:
    page.set_viewport_size({"width": 1440, "height": 900})
    page.goto(url)
    row = page.locator(".panel.on tbody tr").first.bounding_box()
    assert row
    assert row["y"] + row["height"] <= 900


@pytest.mark.parametrize("url", PAGES)
def test_page_can_be_read_without_scripts(browser: Browser, base_url: str, url: str) -> None:
    context = browser.new_context(java_script_enabled=False, base_url=base_url)
    page = context.new_page()
    page.goto(url)
    expect(page.locator("h1")).to_be_visible()
    for button in page.locator("main button:not([type=submit])").all():
        expect(button).to_be_hidden()
    if url.startswith("/modalities/"):
        for name in ("challenge", "standard"):
            expect(page.locator(f"#{name}-reported table")).to_be_visible()
            empty = (url, name) != ("/modalities/stem/", "challenge")
            part = ".note" if empty else "table"
            expect(page.locator(f"#{name}-measured {part}")).to_be_visible()
        expect(page.locator(".mx img").first).to_be_visible()
    context.close()


def test_printed_page_shows_every_board(page: Page) -> None:
    page.goto("/modalities/stem/")
    page.emulate_media(media="print")
    for name in ("challenge", "standard"):
        expect(page.locator(f"#{name}-reported table")).to_be_visible()
    expect(page.locator("header.top")).to_be_hidden()
