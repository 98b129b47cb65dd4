"""A board as a file: CSV for spreadsheets, LaTeX for papers, BibTeX for citing its methods."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping, Sequence
from typing import Any

from rest_framework.renderers import BaseRenderer, JSONRenderer

from . import board_rows
from .board_rows import Row
from .models import Method

_HEAD = (
    *("rank", "medal", "name", "method", "family"),
    *("score", "score_home", "score_away", "score_low", "score_high"),
)
_TIER = ("score", "score_home", "score_away", "psnr", "ssim", "consistency")
_TAIL = ("origin", "trust", "source", "source_label", "checkpoint", "variant", "entry")
_LATEX = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    **{character: f"\\{character}" for character in "&%$#_{}"},
    "–": "--",
    "−": "$-$",
}


# BibTeX counts braces, also those behind a backslash, to find where a value ends.
_BIBTEX = _LATEX | {"{": r"\textbraceleft{}", "}": r"\textbraceright{}"}
_FORMULA = re.compile(r"\s*[=+\-@\t\r\n]")


def to_csv(rows: Sequence[Row]) -> str:
    """Write rows as CSV with a header; one group of columns per tier, as the tier tells them."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    tiers = [cell.tier for cell in rows[0].cells] if rows else []
    parts = [f"{tier}_{part}" for tier in tiers for part in _TIER]
    writer.writerow([*_HEAD, *parts, *_TAIL])
    for row in rows:
        cells = [getattr(cell, part) for cell in row.cells for part in _TIER]
        head = [_safe(getattr(row, name)) for name in _HEAD]
        tail = [_safe(getattr(row, name)) for name in _TAIL]
        writer.writerow([*head, *cells, *tail])
    return out.getvalue()


def to_latex(rows: Sequence[Row]) -> str:
    """Write rows as a booktabs table; challenge rows have a column of scores per tier.

    The scores at home and away stand beside the score where the board has both.
    """
    many = bool(rows) and len(rows[0].cells) > 1
    columns = [c.tier.capitalize() for c in rows[0].cells] if many else ["PSNR (dB)", "SSIM"]
    has_groups = board_rows.has_groups(rows)
    columns = ["Home", "Away", *columns] if has_groups else columns
    lines = [
        rf"\begin{{tabular}}{{rl{'r' * (1 + len(columns))}}}",
        r"\toprule",
        " & ".join(["\\#", "Method", "Score", *columns]) + r" \\",
        r"\midrule",
    ]
    for row in rows:
        texts = [c.score_text for c in row.cells] if many else [row.psnr_text, row.ssim_text]
        groups = [row.home_text, row.away_text] if has_groups else []
        cells = (row.rank_text, row.name, row.score_text, *groups, *texts)
        lines.append(" & ".join(map(latex, cells)) + r" \\")
    return "\n".join([*lines, r"\bottomrule", r"\end{tabular}", ""])


def to_bibtex(rows: Sequence[Row]) -> str:
    """Write one entry per method of the board, in the order of the board."""
    methods = Method.objects.in_bulk({row.method_slug for row in rows}, field_name="slug")
    slugs = dict.fromkeys(row.method_slug for row in rows)
    return "\n".join(_bib(methods[slug]) for slug in slugs)


def latex(text: str) -> str:
    """Escape what LaTeX would read as a command."""
    return "".join(_LATEX.get(character, character) for character in text)


def _bib(method: Method) -> str:
    fields = {"title": f"{{{_bibtex(method.name)}}}", "note": _bibtex(method.citation)}
    if method.year:
        fields["year"] = str(method.year)
    if method.paper_url:
        link = method.paper_url.replace("{", "%7B").replace("}", "%7D").replace("\\", "%5C")
        fields["howpublished"] = rf"\url{{{link}}}"
    body = ",\n".join(f"  {name} = {{{value}}}" for name, value in fields.items())
    return f"@misc{{{method.slug},\n{body}\n}}\n"


def _bibtex(text: str) -> str:
    """Escape what LaTeX would read as a command, with every brace in a pair."""
    return "".join(_BIBTEX.get(character, character) for character in text)


def _safe(value: Any) -> Any:
    """Keep a spreadsheet from reading a text as a formula."""
    return f"'{value}" if isinstance(value, str) and _FORMULA.match(value) else value


class _RowsRenderer(BaseRenderer):
    """Render a board's rows; an error stays JSON."""

    charset = "utf-8"

    def render(self, data: Any, media_type: Any = None, context: Any = None) -> bytes:
        if not isinstance(data, Mapping) or "rows" not in data:
            return JSONRenderer().render(data)
        return self.write(data["rows"]).encode()

    def write(self, rows: Sequence[Row]) -> str:
        raise TypeError("A renderer of rows says how to write them.")


class CSVRenderer(_RowsRenderer):
    media_type = "text/csv"
    format = "csv"

    def write(self, rows: Sequence[Row]) -> str:
        return to_csv(rows)


class LaTeXRenderer(_RowsRenderer):
    media_type = "application/x-tex"
    format = "tex"

    def write(self, rows: Sequence[Row]) -> str:
        return to_latex(rows)


class BibTeXRenderer(_RowsRenderer):
    media_type = "application/x-bibtex"
    format = "bib"

    def write(self, rows: Sequence[Row]) -> str:
        return to_bibtex(rows)
