"""What people do on the pages: switch boards, sort, filter, search, compare pictures, compute."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

STEM = "/modalities/stem/"


@pytest.fixture
def stem(page: Page, said: list[str]) -> Page:
    page.set_viewport_size({"width": 1440, "height": 900})
    page.goto(STEM)
    return page


def names(page: Page) -> list[str]:
    return page.locator(".panel.on tbody tr:visible .meth b").all_inner_texts()


def test_boards_switch_and_stay_in_the_address(stem: Page) -> None:
    expect(stem.locator("#challenge-reported")).to_be_visible()
    stem.get_by_role("button", name="Standard", exact=True).click()
    expect(stem.locator("#standard-reported")).to_be_visible()
    expect(stem.locator("#challenge-reported")).to_be_hidden()
    assert stem.url.endswith("#standard-reported")
    stem.reload()
    expect(stem.locator("#standard-reported")).to_be_visible()
    expect(stem.get_by_role("button", name="Standard", exact=True)).to_have_attribute(
        "aria-pressed", "true"
    )


def test_link_to_a_row_opens_its_board(stem: Page) -> None:
    anchor = stem.locator("#standard-reported tbody tr").first.get_attribute("id")
    stem.goto("about:blank")
    stem.goto(f"{STEM}#{anchor}")
    expect(stem.locator(f"#{anchor}")).to_be_in_viewport()


def test_sorting_marks_the_sorted_column_only(stem: Page) -> None:
    board = stem.locator("#challenge-reported")
    assert names(stem)[0] == "SwinIR + gradient"
    board.get_by_role("button", name="Hidden").click()
    assert names(stem)[0] == "BM3D + gradient"
    expect(board.locator("th[aria-sort]")).to_have_count(1)
    expect(board.locator("th[aria-sort=descending]")).to_have_text("Hidden")
    board.get_by_role("button", name="Hidden").click()
    assert names(stem)[-1] == "BM3D + gradient"
    expect(stem.locator("#live")).to_contain_text("Sorted by Hidden, ascending.")


def test_filters_narrow_the_rows(stem: Page) -> None:
    stem.get_by_role("button", name="Classical", exact=True).click()
    assert names(stem) == ["BM3D + gradient", "Wiener Filter + gradient"]
    stem.get_by_role("button", name="Classical", exact=True).click()
    assert len(names(stem)) == 4


def test_theme_is_remembered(stem: Page) -> None:
    stem.emulate_media(color_scheme="light")
    stem.get_by_role("button", name="Switch between light and dark").click()
    expect(stem.locator("html")).to_have_attribute("data-theme", "dark")
    stem.goto("/")
    expect(stem.locator("html")).to_have_attribute("data-theme", "dark")


def test_slash_searches_and_finds_as_one_types(stem: Page) -> None:
    stem.keyboard.press("/")
    expect(stem.locator("#q")).to_be_focused()
    stem.keyboard.type("tomo")
    expect(stem.locator("#found a").first).to_contain_text("Electron Tomography")
    stem.keyboard.press("Escape")
    expect(stem.locator("#found a")).to_have_count(0)


def test_home_narrows_while_one_types(page: Page, said: list[str]) -> None:
    page.goto("/")
    expect(page.locator(".mod")).to_have_count(2)
    page.locator("#find").press_sequentially("tomography")
    expect(page.locator(".mod")).to_have_count(1)
    expect(page).to_have_url(re.compile("q=tomography"))
    assert said == []


def test_viewer_shows_the_cell_that_was_picked(stem: Page) -> None:
    stem.locator(".mx a[data-cell='2-II']").click()
    expect(stem.locator("#gallery-home .cap")).to_contain_text("scenario II")
    expect(stem.locator("#gallery-home [data-part=over] img")).to_have_attribute(
        "src", re.compile("scene_02_II_reconstruction")
    )
    stem.get_by_role("button", name="Error map").click()
    expect(stem.locator("#gallery-home [data-part=under] img")).to_have_attribute(
        "src", re.compile("scene_02_II_difference")
    )
    expect(stem.locator("#gallery-home .mx a[aria-current]")).to_have_count(1)


def test_divider_moves_by_keyboard(stem: Page) -> None:
    slider = stem.get_by_role("slider", name="Position of the divider")
    slider.focus()
    stem.keyboard.press("Home")
    assert "inset(0px 0px 0px 0%)" in stem.locator("#gallery-home [data-part=over]").evaluate(
        "e => getComputedStyle(e).clipPath"
    ).replace("inset(0px)", "inset(0px 0px 0px 0%)")


def test_zoom_holds_for_all_pictures(stem: Page) -> None:
    stem.get_by_role("button", name="4×").click()
    for picture in (".cmp img", ".mx img"):
        transform = stem.locator(picture).first.evaluate("e => e.style.transform")
        assert transform == "scale(4)"


def test_chart_is_drawn_when_it_comes_into_view(stem: Page, said: list[str]) -> None:
    assert not stem.evaluate("'Plotly' in window")
    stem.locator("#gallery-home [data-plotly]").scroll_into_view_if_needed()
    expect(stem.locator("#gallery-home [data-plotly] .main-svg").first).to_be_visible()
    assert said == []


def test_away_tab_has_a_viewer_of_its_own(stem: Page, said: list[str]) -> None:
    stem.locator("#gallery").get_by_role("button", name="Away").click()
    expect(stem.locator("#gallery-home")).to_be_hidden()
    stem.locator("#gallery-away .mx a[data-cell='5-III']").click()
    expect(stem.locator("#gallery-away .cap")).to_contain_text("scenario III")
    expect(stem.locator("#gallery-away [data-part=over] img")).to_have_attribute(
        "src", re.compile("scene_05_III_reconstruction")
    )
    expect(stem).to_have_url(re.compile("#gallery-away$"))
    assert said == []


def test_node_of_the_graph_opens_its_primitive(stem: Page) -> None:
    stem.locator("#dag a").nth(1).click()
    expect(stem.locator("#prim-convolve")).to_be_in_viewport()


def test_contents_follow_the_scroll(stem: Page) -> None:
    stem.locator("#model").scroll_into_view_if_needed()
    stem.evaluate("document.querySelector('#model').scrollIntoView()")
    expect(stem.locator(".toc a[aria-current]")).to_have_text("Forward model")


def test_menu_opens_on_a_phone(page: Page) -> None:
    page.set_viewport_size({"width": 390, "height": 800})
    page.goto("/")
    expect(page.get_by_role("navigation", name="Main")).to_be_hidden()
    page.locator(".menu summary").click()
    page.get_by_role("navigation", name="Menu").get_by_role("link", name="Methods").click()
    expect(page.locator("h1")).to_have_text("Methods")


def test_computing_again_shows_its_progress(page: Page, said: list[str]) -> None:
    page.goto("/modalities/electron_tomography/")
    page.wait_for_selector("[data-csrf]", state="attached")
    page.get_by_role("button", name="Compute again").click()
    expect(page.locator("#progress")).to_contain_text("Waiting for a worker")
    expect(page.locator("#progress")).to_contain_text("You can leave this page")
    page.get_by_role("link", name="Details").click()
    page.get_by_role("button", name="Cancel this run").click()
    expect(page.locator(".lede")).to_contain_text("cancelled")
    assert said == []
