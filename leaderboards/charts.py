"""Drawings of leaderboards: how scores change from tier to tier, and with an error in the spec."""

from __future__ import annotations

from collections.abc import Sequence

from django.utils.safestring import SafeString

from modalities import svg

WIDTH, TOP, LABEL_APART = 860, 36, 15
COLUMNS = {"Public": 230, "Dev": 430, "Hidden": 630}
# The first four have a colour each; the others stay gray, or nobody could tell them apart.
COLOURS = ("3", "1", "4", "2")
# Score against spec error: the plot inside its drawing, and room for the methods' names beside it.
PLOT_WIDTH, PLOT_LEFT, PLOT_RIGHT, PLOT_TOP, PLOT_BOTTOM = 560, 46, 190, 14, 44


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


def curves(
    series: Sequence[tuple[str, Sequence[float], Sequence[float]]], x_label: str
) -> SafeString:
    """Draw score against spec error, a line per method, with a dot where each is highest.

    series: (name, errors as parts of the range, scores), the best method first.
    """
    height = max(240, PLOT_TOP + PLOT_BOTTOM + LABEL_APART * len(series))
    every = [score for _, _, scores in series for score in scores]
    ends = (
        min(e for _, errors, _ in series for e in errors),
        max(e for _, errors, _ in series for e in errors),
    )
    low, high = min(every), max(every)
    span = (high - low) or 1
    right, bottom = PLOT_WIDTH - PLOT_RIGHT, height - PLOT_BOTTOM

    def x_of(error: float) -> float:
        return PLOT_LEFT + (error - ends[0]) / (ends[1] - ends[0]) * (right - PLOT_LEFT)

    def y_of(score: float) -> float:
        return PLOT_TOP + (high - score) / span * (bottom - PLOT_TOP)

    drawn = [
        svg.line(x_of(0), PLOT_TOP, x_of(0), bottom, "ax", 1, 'stroke-dasharray="3 3"'),
        svg.line(PLOT_LEFT, bottom, right, bottom, "gl"),
        svg.text((PLOT_LEFT + right) / 2, height - 6, x_label, "t2", 12, "middle"),
        svg.text(PLOT_LEFT - 6, PLOT_TOP + 4, f"{high:.2f}", "t3", 11, "end"),
        svg.text(PLOT_LEFT - 6, bottom + 4, f"{low:.2f}", "t3", 11, "end"),
    ]
    for error in (ends[0], 0.0, ends[1]):
        label = "truth" if error == 0 else f"{round(100 * error):+d}".replace("-", "−")
        drawn.append(svg.text(x_of(error), bottom + 16, label, "t3", 11, "middle"))
    for i in reversed(range(len(series))):
        _, errors, scores = series[i]
        colour = COLOURS[i] if i < len(COLOURS) else "5"
        points = [(x_of(e), y_of(s)) for e, s in zip(errors, scores, strict=True)]
        drawn.append(_curve(points, colour))
    lasts = [y_of(scores[-1]) for _, _, scores in series]
    for (name, _, _), y in zip(series, svg.spread(lasts, LABEL_APART), strict=True):
        drawn.append(svg.text(right + 10, y + 4, name, "t", 12))
    return svg.drawing(PLOT_WIDTH, height, drawn, _spoken_curves(series, x_label))


def _curve(points: Sequence[tuple[float, float]], colour: str) -> str:
    path = " ".join(f"{svg.num(x)},{svg.num(y)}" for x, y in points)
    x, y = min(points, key=lambda point: point[1])
    width = 1.4 if colour == "5" else 2.4
    return (
        f'<polyline class="s{colour}" fill="none" stroke-width="{width}" points="{path}"/>'
        f'<circle class="f{colour}" cx="{svg.num(x)}" cy="{svg.num(y)}" r="4.2"/>'
    )


def _spoken_curves(
    series: Sequence[tuple[str, Sequence[float], Sequence[float]]], x_label: str
) -> str:
    rows = []
    for name, errors, scores in series:
        best = max(range(len(scores)), key=scores.__getitem__)
        rows.append(f"{name} is best at {100 * errors[best]:+.3g} %")
    return f"Score on the public tier against {x_label}. {'; '.join(rows)}."


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
