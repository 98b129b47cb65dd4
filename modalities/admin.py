"""The catalogue in the admin, read-only: it is edited in its files."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.contrib import admin
from django.utils.html import format_html_join
from django.utils.safestring import SafeString, mark_safe

from .figures import shortest
from .models import Modality


class ReadOnly:
    """Rows that the admin shows and nobody edits."""

    def has_add_permission(self, *args: Any) -> bool:
        return False

    def has_change_permission(self, *args: Any) -> bool:
        return False

    def has_delete_permission(self, *args: Any) -> bool:
        return False


@admin.register(Modality)
class ModalityAdmin(ReadOnly, admin.ModelAdmin):
    list_display = ("name", "key", "category", "is_listed", "version", "revision")
    list_filter = ("category", "is_listed")
    search_fields = ("name", "key")
    readonly_fields = ("unknowns", "scenes")

    @admin.display
    def unknowns(self, modality: Modality) -> str:
        return _lines(
            f"{m.symbol}, {m.name}: {m.description}; added to {m.acts_on}, "
            f"nominal {shortest(m.nominal)}, perturbed {shortest(m.perturbed)} {m.unit}"
            for m in (modality.spec.mismatches if modality.is_listed else ())
        )

    @admin.display
    def scenes(self, modality: Modality) -> str:
        return _lines(
            f"{s.name} ({s.phantom}, {', '.join(s.tiers) or 'every tier'}): {s.description}"
            for s in (modality.spec.scenes + modality.spec.away if modality.is_listed else ())
        )


def _lines(sentences: Iterable[str]) -> SafeString:
    return format_html_join(mark_safe("<br>"), "{}", ((s,) for s in sentences))
