"""The drawing of the gallery's PSNR that needs no script: every scene a dot, the mean a line."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from django.utils.safestring import SafeString

from modalities import svg
from modalities.figures import decibels, fixed, shortest
from modalities.physics.scenarios import WORDS

WIDTH, HEIGHT, LEFT, TOP, BOTTOM = 440, 240, 40, 24, 186
COLOUR = {"I": "1", "II": "2", "III": "3", "IV": "4"}


def mean_psnr(psnr: Mapping[str, Sequence[float]]) -> SafeString:
    """Draw the PSNR (dB) of every scene per scenario: ``{"I": [28.1, …], "II": […], …}``."""
    values = [v for row in psnr.values() for v in row]
    step = _step(max(values) - min(values))
    low = math.floor(min(values) / step - 0.2) * step
    high = math.ceil(max(values) / step + 0.2) * step
    scale = (BOTTOM - TOP) / (high - low)
    drawn = []
    for i in range(round((high - low) / step) + 1):
        y = BOTTOM - i * step * scale
        drawn += [
            svg.line(LEFT, y, WIDTH, y, "gl"),
            svg.text(LEFT - 8, y + 4, shortest(low + i * step), "t3", 11.5, "end"),
        ]
    column = (WIDTH - LEFT) / len(psnr)
    for i, (scenario, row) in enumerate(psnr.items()):
        drawn += _column(scenario, row, LEFT + column * (i + 0.5), BOTTOM + low * scale, scale)
    spoken = ", ".join(f"{s} {decibels(_mean(row), 2)}" for s, row in psnr.items())
    return svg.drawing(WIDTH, HEIGHT, drawn, f"Mean PSNR over the scenes: {spoken}", css="")


def _column(scenario: str, row: Sequence[float], x: float, zero: float, scale: float) -> list[str]:
    colour, middle = COLOUR[scenario], zero - _mean(row) * scale
    drawn = [svg.line(x - 34, middle, x + 34, middle, f"s{colour}", 3)]
    for i, value in enumerate(row):
        at = x - 24 + 48 * (i + 0.5) / len(row)
        drawn.append(
            f'<circle class="f{colour}" fill-opacity=".6" cx="{svg.num(at)}" '
            f'cy="{svg.num(zero - value * scale)}" r="4.2"/>'
        )
    return [
        *drawn,
        svg.text(x, HEIGHT - 34, scenario, "t b", 13, "middle"),
        svg.text(x, HEIGHT - 19, WORDS[scenario].short, "t3", 11.5, "middle"),
        svg.text(x, HEIGHT - 3, fixed(_mean(row), 2), "t b", 12.5, "middle"),
    ]


def _mean(row: Sequence[float]) -> float:
    return sum(row) / len(row)


def _step(span: float) -> float:
    """Choose the distance of the grid lines so that four to eight of them are drawn."""
    for step in (0.1, 0.2, 0.5, 1, 2, 5, 10):
        if span / step <= 5:
            return step
    return 20
