"""The catalogue in the admin: to look at. It is edited in its files, and only there."""

from __future__ import annotations

from typing import Any

from django.contrib import admin

from .models import MismatchParameter, Modality, Scene, Tier


class ReadOnly:
    """Rows that the admin shows and nobody edits."""

    def has_add_permission(self, *args: Any) -> bool:
        return False

    def has_change_permission(self, *args: Any) -> bool:
        return False

    def has_delete_permission(self, *args: Any) -> bool:
        return False


class MismatchInline(ReadOnly, admin.TabularInline):
    model = MismatchParameter
    fields = ("symbol", "name", "description", "acts_on", "nominal", "perturbed", "unit")


class SceneInline(ReadOnly, admin.TabularInline):
    model = Scene
    fields = ("index", "name", "phantom", "description")


class TierInline(ReadOnly, admin.TabularInline):
    model = Tier
    fields = ("name", "title", "summary")


@admin.register(Modality)
class ModalityAdmin(ReadOnly, admin.ModelAdmin):
    list_display = ("name", "key", "category", "is_listed", "version", "revision")
    list_filter = ("category", "is_listed")
    search_fields = ("name", "key")
    inlines = (MismatchInline, SceneInline, TierInline)
