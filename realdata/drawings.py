"""Drawings of a calibration: the residual at one value after another, and where the axis passes."""

from __future__ import annotations

from collections.abc import Sequence

from django.utils.safestring import SafeString

from modalities import svg
from modalities.figures import fixed, shortest

WIDTH, HEIGHT = 620, 270
LEFT, RIGHT, TOP, BOTTOM = 70, 16, 34, 48
Range = tuple[float, float]


class Plot:
    """The frame of a plot: ranges of both axes, and the parts drawn so far."""

    def __init__(self, across: Range, up: Range, names: tuple[str, str], digits: int) -> None:
        self.across, self.up = across, _wider(up)
        self.parts = [
            svg.text(LEFT, 16, names[1], "t2", 12),
            svg.text(WIDTH - RIGHT, HEIGHT - 6, names[0], "t2", 12, "end"),
        ]
        for i in range(5):
            x = across[0] + (across[1] - across[0]) * i / 4
            y = self.up[0] + (self.up[1] - self.up[0]) * i / 4
            self.parts += [
                svg.line(LEFT, self._y(y), WIDTH - RIGHT, self._y(y), "gl"),
                svg.text(LEFT - 8, self._y(y) + 4, fixed(y, digits), "t3", 11, "end"),
                svg.text(self._x(x), HEIGHT - BOTTOM + 18, shortest(x, 3), "t3", 11, "middle"),
            ]

    def curve(self, xs: Sequence[float], ys: Sequence[float], css: str = "3") -> None:
        """Draw a line through the points, and the points."""
        places = [(self._x(x), self._y(y)) for x, y in zip(xs, ys, strict=True)]
        path = " ".join(f"{svg.num(x)},{svg.num(y)}" for x, y in places)
        self.parts.append(
            f'<polyline class="s{css}" fill="none" stroke-width="2" points="{path}"/>'
        )
        self.dots(xs, ys, css, 3.4)

    def dots(self, xs: Sequence[float], ys: Sequence[float], css: str, radius: float = 2) -> None:
        for x, y in zip(xs, ys, strict=True):
            place = f'cx="{svg.num(self._x(x))}" cy="{svg.num(self._y(y))}"'
            self.parts.append(f'<circle class="f{css}" {place} r="{radius}"/>')

    def upright(self, x: float, label: str, css: str, row: int) -> None:
        """Mark a value by a line from bottom to top, with its name beside it."""
        at = self._x(x)
        anchor, beside = ("start", 6) if at < WIDTH / 2 else ("end", -6)
        self.parts += [
            svg.line(at, TOP, at, HEIGHT - BOTTOM, f"s{css}", 1.6),
            svg.text(at + beside, TOP + 12 + 15 * row, label, "t", 12, anchor),
        ]

    def drawn(self, label: str) -> SafeString:
        return svg.drawing(WIDTH, HEIGHT, self.parts, label)

    def _x(self, x: float) -> float:
        low, high = self.across
        return LEFT + (x - low) / (high - low) * (WIDTH - LEFT - RIGHT)

    def _y(self, y: float) -> float:
        low, high = self.up
        return TOP + (high - y) / (high - low) * (HEIGHT - TOP - BOTTOM)


def residual(
    at: Sequence[float], values: Sequence[float], name: str, marks: Sequence[tuple[str, float]]
) -> SafeString:
    """Draw the residual (%) over a parameter in degrees, with named values of the parameter."""
    percent = [100 * v for v in values]
    plot = Plot(
        (min(at), max(at)), (min(percent), max(percent)), (f"{name} (°)", "Residual (%)"), 2
    )
    plot.curve(at, percent)
    for i, (label, value) in enumerate(marks):
        plot.upright(value, f"{label} {fixed(value, 2)}°", ("1", "2", "4")[i], i)
    least = min(zip(percent, at, strict=True))
    return plot.drawn(
        f"The residual is least, {fixed(least[0], 2)} %, near {fixed(least[1], 2)} degrees."
    )


def axis(slices: Sequence[float], positions: Sequence[float], slope: float) -> SafeString:
    """Draw where the axis passes each slice as recorded, and the line of ``slope`` through it."""
    recorded = [p - slope * v for p, v in zip(positions, slices, strict=True)]
    ends = [slices[0], slices[-1]]
    middle = sum(positions) / len(positions)
    line = [middle - slope * v for v in ends]
    names = ("Slice along the axis (pixels from the middle)", "Axis across it (pixels)")
    plot = Plot((ends[0], ends[1]), (min(recorded), max(recorded)), names, 1)
    plot.curve(ends, line, "1")
    plot.dots(slices, recorded, "3")
    return plot.drawn(
        f"Over {fixed(ends[1] - ends[0], 0)} pixels the axis moves by "
        f"{fixed(abs(line[1] - line[0]), 1)} pixels across the image, in a line."
    )


def _wider(values: Range) -> Range:
    low, high = values
    spare = 0.08 * (high - low) or 1.0
    return low - spare, high + spare
