"""The chart of a run that people explore: Plotly's figure as data.

Colours come from the page, which gives each ``meta.series`` one; so a figure serves both themes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .gallery_page import Mean, SceneRow


def mean_psnr(rows: Sequence[SceneRow], means: Sequence[Mean]) -> dict[str, Any]:
    """Draw every scene's PSNR as a dot and the mean as a line, with its value on the axis."""
    traces = []
    for i, mean in enumerate(means):
        # No <b>: Plotly sets it as an inline style, which the security policy refuses.
        name = f"{mean.scenario}<br>{mean.title.lower()}<br>{mean.score.text}"
        traces += [_dots(i, name, rows), _line(i, name, mean)]
    return {
        "data": traces,
        "layout": {
            "height": 340,
            "margin": {"l": 56, "r": 12, "t": 12, "b": 72},
            "showlegend": False,
            "hovermode": "closest",
            "xaxis": {"type": "category"},
            "yaxis": {"title": {"text": "PSNR (dB)"}},
        },
    }


def _dots(i: int, name: str, rows: Sequence[SceneRow]) -> dict[str, Any]:
    cells = [row.cells[i] for row in rows]
    return {
        "type": "scatter",
        "mode": "markers",
        "name": name,
        "x": [name] * len(rows),
        "y": [round(cell.score.psnr, 3) for cell in cells],
        "text": [row.name for row in rows],
        "customdata": [cell.score.ssim_text for cell in cells],
        "marker": {"size": 10, "opacity": 0.7},
        "meta": {"series": i},
        "hovertemplate": "%{text}: %{y:.2f} dB, SSIM %{customdata}<extra></extra>",
    }


def _line(i: int, name: str, mean: Mean) -> dict[str, Any]:
    return {
        "type": "scatter",
        "mode": "markers",
        "name": f"{name}, mean",
        "x": [name],
        "y": [round(mean.score.psnr, 3)],
        "marker": {"size": 48, "symbol": "line-ew-open", "line": {"width": 3}},
        "meta": {"series": i},
        "hovertemplate": "mean: %{y:.2f} dB<extra></extra>",
    }
