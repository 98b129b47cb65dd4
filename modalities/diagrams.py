"""Drawings of a modality: its signal chain, the graph of its spec, its unknowns over the tiers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.utils.html import escape
from django.utils.safestring import SafeString

from . import svg
from .figures import shortest
from .physics.spec import TIERS, Spec, tier_range

WIDTH = 900
TIER_COLOUR = {"public": "s1", "dev": "s4", "hidden": "s2"}


def pretty(symbol: str) -> str:
    """Turn a catalogue symbol into one line of text: ``Δd_p`` becomes ``Δdₚ``."""
    subscripts = str.maketrans("0123456789aehijklmnoprstuvx", "₀₁₂₃₄₅₆₇₈₉ₐₑₕᵢⱼₖₗₘₙₒₚᵣₛₜᵤᵥₓ")
    stem, mark, index = symbol.partition("_")
    return stem + index.translate(subscripts) if mark else stem


def signal_chain(spec: Spec, parts: Sequence[Mapping[str, Any]]) -> SafeString:
    """Draw the hardware in the order of the signal, and where each mismatch acts on it."""
    symbols = {m.name: pretty(m.symbol) for m in spec.mismatches}
    gap = 26
    width = (WIDTH - 4 - gap * (len(parts) - 1)) / len(parts)
    letters = int(width / 7.8)
    named = [svg.wrap(part["component"], letters, 3) for part in parts]
    rows = max(len(name) for name in named)
    height = 42 + rows * 16
    drawn = []
    for i, (part, name) in enumerate(zip(parts, named, strict=True)):
        x = 2 + i * (width + gap)
        unknown = [symbols[m] for m in part["mismatch"]]
        drawn.append(svg.box(x, 2, width, height - 4, "nd" if unknown else "nd0"))
        middle = 20 + (rows - len(name)) * 8 + 4
        drawn.append(svg.lines(x + width / 2, middle, name, "t b", 12.5, "middle"))
        if unknown:
            acts = f"{', '.join(unknown)} {'act' if len(unknown) > 1 else 'acts'} here"
            drawn.append(svg.text(x + width / 2, height - 16, acts, "f2 b", 11.5, "middle"))
        if i:
            drawn.append(svg.arrow(x - gap + 4, height / 2))
    names = ", ".join(part["component"] for part in parts)
    return svg.drawing(WIDTH, height, drawn, f"Signal chain: {names}")


def spec_graph(spec: Spec, symbols: Mapping[str, str]) -> SafeString:
    """Draw x → steps → y; each step links to its primitive's row (``#prim-<name>``).

    symbols: letter of each primitive, such as ``{"propagate": "P"}``.
    """
    gap, edge, height = 30, 34, 92
    width = (WIDTH - 2 * edge - gap * (len(spec.chain) + 1)) / len(spec.chain)
    drawn = [svg.text(8, 52, "x", "t serif", 22), svg.arrow(26, 46, 26)]
    for i, step in enumerate(spec.chain):
        x = edge + gap + i * (width + gap)
        unknown = [pretty(m.symbol) for m in spec.mismatches if m.step == step.name]
        head = f"{symbols[step.primitive]}({step.label})"
        note = f"changed by {', '.join(unknown)}" if unknown else step.model.replace("_", " ")
        drawn.append(
            f'<a href="#prim-{escape(step.primitive)}">'
            f"<title>{escape(step.description)}</title>"
            + svg.box(x, 4, width, height - 8, "nd" if unknown else "nd0")
            + svg.text(x + 15, 36, head, "t serif", 20)
            + svg.text(x + 15, 56, step.primitive.capitalize(), "t2 b", 12.5)
            + svg.text(x + 15, 74, note, "f2 b" if unknown else "t3", 11.5)
            + "</a>"
        )
        drawn.append(svg.arrow(x + width + 5, 46, 20))
    drawn.append(svg.text(WIDTH - 22, 52, "y", "t serif", 22))
    names = ", then ".join(f"{symbols[s.primitive]}({s.label})" for s in spec.chain)
    return svg.linked_drawing(WIDTH, height, drawn, f"Forward model: x goes through {names}, to y")


def ranges(spec: Spec) -> SafeString:
    """Draw the range of each unknown in the three tiers; every unknown has its own scale."""
    left, right, row = 300, 820, 80
    drawn = []
    for i, m in enumerate(spec.mismatches):
        top = i * row
        spans = {tier: tier_range(spec, m.name, tier) for tier in TIERS}
        low = min(a for a, _ in spans.values())
        high = max(b for _, b in spans.values())
        scale = (right - left) / (high - low)
        zero = left + (m.nominal - low) * scale
        drawn += [
            svg.text(0, top + 28, f"{pretty(m.symbol)}  {m.name}", "t b", 13.5),
            svg.text(0, top + 46, f"{m.description} ({m.unit})", "t3", 12),
            svg.line(zero, top + 10, zero, top + 58, "ax", 1, 'stroke-dasharray="2 3"'),
            svg.text(zero, top + 70, "nominal", "t3", 11, "middle"),
        ]
        for j, (tier, (a, b)) in enumerate(spans.items()):
            y = top + 17 + j * 16
            xa, xb = left + (a - low) * scale, left + (b - low) * scale
            drawn += [
                svg.line(xa, y, xb, y, TIER_COLOUR[tier], 6, 'stroke-linecap="round"'),
                svg.text(xa - 9, y + 4, shortest(a), "t2", 11.5, "end"),
                svg.text(xb + 9, y + 4, shortest(b), "t2", 11.5),
            ]
    label = "Range of each unknown in the public, dev and hidden tiers; the table below is exact"
    return svg.drawing(WIDTH, row * len(spec.mismatches) - 4, drawn, label)
