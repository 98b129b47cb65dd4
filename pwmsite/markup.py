"""Rendered Markdown, made fit for a page: tables that scroll on a phone and name their columns."""

from __future__ import annotations

from django.utils.html import escape
from django.utils.safestring import SafeString, mark_safe


def fit(html: str, label: str) -> SafeString:
    """Frame the tables of cleaned HTML; ``label`` is what a screen reader calls them."""
    frame = f'<section class="tw" tabindex="0" aria-label="{escape(label)}: table">'
    made = (
        html.replace("<table>", f'{frame}<table class="plain">')
        .replace("</table>", "</table></section>")
        .replace("<th></th>", '<td class="corner-cell"></td>')
        .replace("<th>", '<th scope="col">')
        .replace("<pre>", '<pre data-copy tabindex="0">')
    )
    return mark_safe(made)  # noqa: S308 -- prose.py has cleaned it
