"""Read a page as a person without scripts and styles does: its tables and its text."""

from __future__ import annotations

from html.parser import HTMLParser


class _Reader(HTMLParser):
    """Collect the text of the page, and of each table row, cell by cell."""

    def __init__(self) -> None:
        super().__init__()
        self.text: list[str] = []
        self.rows: list[list[str]] = []
        self._silent = 0
        self._in_cell = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._silent += tag in ("script", "style")
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")
            self._in_cell = True

    def handle_endtag(self, tag: str) -> None:
        self._silent -= tag in ("script", "style")
        if tag in ("td", "th"):
            self._in_cell = False

    def handle_data(self, data: str) -> None:
        if self._silent:
            return
        self.text.append(data)
        if self._in_cell:
            self.rows[-1][-1] += f" {data}"


def _read(html: str) -> _Reader:
    reader = _Reader()
    reader.feed(html)
    return reader


def text(html: str) -> str:
    """Give the words of a page, with single spaces."""
    return " ".join(" ".join(_read(html).text).split())


def rows(html: str) -> list[list[str]]:
    """Give the cells of every row of every table, with single spaces."""
    return [[" ".join(cell.split()) for cell in row] for row in _read(html).rows]


def part(html: str, start: str, end: str) -> str:
    """Cut a piece of HTML out, from ``start`` to the next ``end``."""
    at = html.index(start)
    return html[at : html.index(end, at)]
