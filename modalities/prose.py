"""The prose of a modality: Markdown with formulas, rendered once, split at its headings."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Literal

import nh3
from latex2mathml.converter import convert
from markdown_it import MarkdownIt
from markdown_it.rules_inline import StateInline
from markdown_it.token import Token

from .physics.tables import CatalogueError

# The page's sections in its order, with the columns of the one table that some of them hold.
SECTIONS: dict[str, tuple[str, ...]] = {
    "About": (),
    "Principle": (),
    "How to build the system": (),
    "Reconstruction algorithms": (),
    "Mistakes and remedies": ("Mistake", "Remedy"),
    "Mismatch cases and corrections": ("Mismatch case", "Correction"),
}
_INLINE_MATH = re.compile(r"\$(?![\s$])([^$\n]*[^\s$])\$(?!\d)")
_BLOCK_MATH = re.compile(r"\$\$([^$]+)\$\$")
_MATH_TAGS = (
    "math mrow mi mn mo ms mtext mspace msup msub msubsup mfrac msqrt mroot mover munder "
    "munderover mtable mtr mtd mstyle mpadded"
)
_TEXT_TAGS = (
    "p br em strong code pre a ul ol li h3 h4 table thead tbody tr th td sup sub blockquote"
)


def sections(text: str, filename: str) -> list[dict[str, str]]:
    """Split a modality's Markdown at its level-2 headings: ``[{"slug", "title", "html"}]``.

    Raise CatalogueError, with the line, for HTML, bad formulas, and headings or tables other than
    the catalogue asks for.
    """
    tokens = _parse(text, filename)
    starts = [i for i, t in enumerate(tokens) if t.type == "heading_open" and t.tag in ("h1", "h2")]
    _check_headings(tokens, starts, filename)
    parts = []
    for (title, columns), start, end in zip(
        SECTIONS.items(), starts, [*starts[1:], len(tokens)], strict=True
    ):
        body = tokens[start + 3 : end]
        if not body:
            raise CatalogueError(f"{filename}: line {_line(tokens[start])}: '{title}' is empty.")
        if columns:
            _check_table(body, columns, filename, _line(tokens[start]))
        parts.append({"slug": slug(title), "title": title, "html": _html(body)})
    return parts


def split(text: str, filename: str) -> list[dict[str, str]]:
    """Split any Markdown at its level-2 headings, as ``sections`` does, with any titles."""
    tokens = _parse(text, filename)
    starts = [i for i, t in enumerate(tokens) if t.type == "heading_open" and t.tag == "h2"]
    titles = [tokens[i + 1].content for i in starts]
    return [
        {"slug": slug(title), "title": title, "html": _html(tokens[start + 3 : end])}
        for title, start, end in zip(titles, starts, [*starts[1:], len(tokens)], strict=True)
    ]


def inline(text: str, where: str) -> str:
    """Render a line with emphasis and ``$…$`` to safe HTML; ``where`` names file and field."""
    return _html(_parse(text, where, inline_only=True))


def slug(title: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")


def _parse(text: str, filename: str, inline_only: bool = False) -> list[Token]:
    tokens = _MARKDOWN.parseInline(text) if inline_only else _MARKDOWN.parse(text)
    line = 1
    for token in tokens:
        line = token.map[0] + 1 if token.map else line
        for t in (token, *(token.children or ())):
            if t.type in ("html_block", "html_inline"):
                raise CatalogueError(
                    f"{filename}: line {line}: HTML is not allowed: {t.content.strip()[:60]}"
                )
            if t.type == "math" and not t.meta["mathml"]:
                raise CatalogueError(
                    f"{filename}: line {line}: not a valid formula: ${t.content}$."
                )
    return tokens


def _html(tokens: Sequence[Token]) -> str:
    """Render tokens, and keep only what prose and formulas need."""
    html = _MARKDOWN.renderer.render(tokens, _MARKDOWN.options, {})
    return nh3.clean(
        html,
        tags=set((_TEXT_TAGS + " " + _MATH_TAGS).split()),
        attributes={
            "a": {"href"},
            "math": {"display", "xmlns"},
            "mo": {"stretchy", "fence", "form"},
            "mi": {"mathvariant"},
            "ol": {"start"},
        },
        url_schemes={"https"},
    ).strip()


def _check_headings(tokens: Sequence[Token], starts: Sequence[int], filename: str) -> None:
    if tokens and (not starts or starts[0] != 0):
        raise CatalogueError(
            f"{filename}: line 1: the file begins with '## {next(iter(SECTIONS))}'."
        )
    titles = [tokens[i + 1].content for i in starts]
    for i, expected in enumerate(SECTIONS):
        if i >= len(starts):
            raise CatalogueError(f"{filename}: the section '## {expected}' is missing.")
        if titles[i] != expected or tokens[starts[i]].tag != "h2":
            raise CatalogueError(
                f"{filename}: line {_line(tokens[starts[i]])}: expected '## {expected}', "
                f"got '{titles[i]}'."
            )
    if len(starts) > len(SECTIONS):
        extra = starts[len(SECTIONS)]
        raise CatalogueError(
            f"{filename}: line {_line(tokens[extra])}: '{tokens[extra + 1].content}' is not a "
            f"section that a modality page has."
        )


def _check_table(body: Sequence[Token], columns: tuple[str, ...], filename: str, line: int) -> None:
    tables = sum(t.type == "table_open" for t in body)
    heads = [body[i + 1].content for i, t in enumerate(body) if t.type == "th_open"]
    if tables != 1 or tuple(heads) != columns:
        raise CatalogueError(
            f"{filename}: line {line}: expected one table with the columns "
            f"{' and '.join(columns)}, got {tables} with {', '.join(heads) or 'none'}."
        )


def _line(token: Token) -> int:
    return token.map[0] + 1 if token.map else 1


def _math_rule(state: StateInline, silent: bool) -> bool:
    """Read ``$…$`` as a formula, ``$$…$$`` as one on a line of its own; a dollar before a space, or
    without its partner, is a dollar."""
    block = _BLOCK_MATH.match(state.src, state.pos)
    found = block or _INLINE_MATH.match(state.src, state.pos)
    if not found:
        return False
    if not silent:
        token = state.push("math", "math", 0)
        token.content = found[1]
        token.meta = {"mathml": _mathml(found[1], "block" if block else "inline")}
    state.pos = found.end()
    return True


def _mathml(latex: str, display: Literal["block", "inline"]) -> str:
    """Return MathML, or "" for a formula that cannot be read."""
    try:
        mathml = convert(latex, display=display)
    except Exception:  # latex2mathml has a dozen kinds of its own, without a common base
        return ""
    return "" if "\\" in mathml else mathml  # an unknown command comes back as it was


def _render_math(self: Any, tokens: Sequence[Token], i: int, options: Any, env: Any) -> str:
    return str(tokens[i].meta["mathml"])


def _markdown() -> MarkdownIt:
    parser = MarkdownIt("commonmark").enable("table")
    parser.inline.ruler.before("escape", "math", _math_rule)
    parser.add_render_rule("math", _render_math)
    return parser


_MARKDOWN = _markdown()
