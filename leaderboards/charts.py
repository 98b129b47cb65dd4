"""Drawings of leaderboards: how every method's score changes from tier to tier."""

from __future__ import annotations

from collections.abc import Sequence

from django.utils.safestring import SafeString

from modalities import svg

WIDTH, TOP, LABEL_APART = 860, 36, 15
COLUMNS = {"Public": 230, "Dev": 430, "Hidden": 630}
# The first four have a colour each; the others stay gray, or nobody could tell them apart.
COLOURS = ("3", "1", "4", "2")


def slope(series: Sequence[tuple[str, Sequence[float]]]) -> SafeString:
    """Draw one line per method over the three tiers.

    series: (name, (public, dev, hidden) scores), the leader first; all three scores are there.
    """
    height = max(220, TOP + 24 + LABEL_APART * (len(series) + 3))
    scores = [score for _, row in series for score in row]
    low, high = min(scores), max(scores)
    scale = (height - TOP - 24) / ((high - low) or 1)
    ys = [[TOP + 12 + (high - score) * scale for score in row] for _, row in series]
    drawn = []
    for name, x in COLUMNS.items():
        drawn += [
            svg.line(x, 26, x, height - 4, "gl"),
            svg.text(x, 15, name, "t2 b", 13, "middle"),
        ]
    for i in reversed(range(len(series))):
        drawn.append(_line(ys[i], COLOURS[i] if i < len(COLOURS) else "5"))
    drawn += _labels(series, [y[0] for y in ys], 0, COLUMNS["Public"] - 12, "end")
    drawn += _labels(series, [y[2] for y in ys], 2, COLUMNS["Hidden"] + 12, "start")
    return svg.drawing(WIDTH, height, drawn, _spoken(series))


def _line(ys: Sequence[float], colour: str) -> str:
    points = list(zip(COLUMNS.values(), ys, strict=True))
    path = " ".join(f"{x},{svg.num(y)}" for x, y in points)
    dots = "".join(
        f'<circle class="f{colour}" cx="{x}" cy="{svg.num(y)}" r="4.2"/>' for x, y in points
    )
    width = 1.4 if colour == "5" else 2.4
    return f'<polyline class="s{colour}" fill="none" stroke-width="{width}" points="{path}"/>{dots}'


def _labels(
    series: Sequence[tuple[str, Sequence[float]]],
    ys: list[float],
    tier: int,
    x: float,
    anchor: str,
) -> list[str]:
    placed = svg.spread(ys, LABEL_APART)
    labels = []
    for (name, row), y in zip(series, placed, strict=True):
        score = f"{row[tier]:.3f}"
        words = f"{name}  {score}" if anchor == "end" else f"{score}  {name}"
        labels.append(svg.text(x, y + 4, words, "t", 12, anchor))
    return labels


def _spoken(series: Sequence[tuple[str, Sequence[float]]]) -> str:
    rows = (f"{name} {', '.join(f'{s:.3f}' for s in row)}" for name, row in series)
    return f"Scores in the public, dev and hidden tiers. {'; '.join(rows)}."
