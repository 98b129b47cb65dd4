"""The few SVG parts that the site's drawings are made of.

Colours come from CSS classes (static/css/site.css), so that one drawing serves the light and the
dark theme and needs no inline style. Lengths are user units of the drawing's viewBox.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable

from django.utils.html import escape
from django.utils.safestring import SafeString, mark_safe


def num(value: float) -> str:
    """Write a coordinate with one decimal at most."""
    return f"{value:.1f}".removesuffix(".0")


def text(
    x: float, y: float, content: str, css: str = "t", size: float = 12, anchor: str = ""
) -> str:
    """Write one line of text, its baseline at ``y``; anchor is start, middle or end."""
    at = f' text-anchor="{anchor}"' if anchor else ""
    return (
        f'<text class="{css}" x="{num(x)}" y="{num(y)}" font-size="{num(size)}"{at}>'
        f"{escape(content)}</text>"
    )


def lines(
    x: float, y: float, content: Iterable[str], css: str = "t", size: float = 12, anchor: str = ""
) -> str:
    """Write lines of text below each other, the first baseline at ``y``."""
    return "".join(
        text(x, y + i * size * 1.25, line, css, size, anchor) for i, line in enumerate(content)
    )


def wrap(content: str, width: int, most: int) -> list[str]:
    """Break ``content`` into at most ``most`` lines of ``width`` letters; shorten the last."""
    found = textwrap.wrap(content, width)
    if len(found) <= most:
        return found
    return [
        *found[: most - 1],
        textwrap.shorten(" ".join(found[most - 1 :]), width, placeholder="…"),
    ]


def arrow(x: float, y: float, length: float = 18) -> str:
    """Draw an arrow that points right, starting at (x, y)."""
    return (
        f'<path class="ax" d="M{num(x)} {num(y)}h{num(length)}m-5 -4l5 4l-5 4" stroke-width="1.5"/>'
    )


def line(
    x1: float, y1: float, x2: float, y2: float, css: str, width: float = 1, more: str = ""
) -> str:
    """Draw a straight line; ``more`` holds further attributes."""
    return (
        f'<line class="{css}" x1="{num(x1)}" y1="{num(y1)}" x2="{num(x2)}" y2="{num(y2)}" '
        f'stroke-width="{num(width)}"{more and " " + more}/>'
    )


def box(x: float, y: float, width: float, height: float, css: str) -> str:
    """Draw a box with round corners."""
    return (
        f'<rect class="{css}" x="{num(x)}" y="{num(y)}" width="{num(width)}" '
        f'height="{num(height)}" rx="11" stroke-width="1.5"/>'
    )


def drawing(
    width: float, height: float, parts: Iterable[str], label: str, css: str = "w"
) -> SafeString:
    """Put the parts together; ``label`` is what a screen reader says instead of the drawing."""
    return mark_safe(  # noqa: S308 -- every text has passed through escape()
        f'<svg class="{css}" viewBox="0 0 {num(width)} {num(height)}" role="img" '
        f'aria-label="{escape(label)}">{"".join(parts)}</svg>'
    )


def linked_drawing(width: float, height: float, parts: Iterable[str], label: str) -> SafeString:
    """Put parts with links together, as a group, so that screen readers can reach the links."""
    made = drawing(width, height, parts, label)
    return mark_safe(made.replace('role="img"', 'role="group"', 1))  # noqa: S308


def bar(share: float, width: int = 70) -> SafeString:
    """Draw a score between 0 and 1 as a filled track."""
    filled = num(max(0.0, min(1.0, share)) * width)
    return mark_safe(  # noqa: S308 -- numbers only
        f'<svg width="{width}" height="8" viewBox="0 0 {width} 8" aria-hidden="true">'
        f'<rect class="track" width="{width}" height="8" rx="4"/>'
        f'<rect class="val" width="{filled}" height="8" rx="4"/></svg>'
    )


def spread(positions: list[float], apart: float) -> list[float]:
    """Move labels that would overlap until all are ``apart``, keeping their order and their middle.

    Neighbours that touch are merged into a group around its mean, again and again (pool adjacent
    violators), which moves every label as little as possible in the sense of least squares.
    """
    order = sorted(range(len(positions)), key=positions.__getitem__)
    groups: list[tuple[float, int]] = []  # (mean of position minus its offset, members)
    for rank, i in enumerate(order):
        groups.append((positions[i] - rank * apart, 1))
        while len(groups) > 1 and groups[-2][0] > groups[-1][0]:
            (a, n), (b, m) = groups[-2:]
            groups[-2:] = [((a * n + b * m) / (n + m), n + m)]
    placed = [0.0] * len(positions)
    offsets = [mean for mean, members in groups for _ in range(members)]
    for rank, (i, offset) in enumerate(zip(order, offsets, strict=True)):
        placed[i] = offset + rank * apart
    return placed
