"""Runs in the admin: look at them, cancel them, start them again. No field can be edited."""

from __future__ import annotations

from django.contrib import admin, messages
from django.db import IntegrityError
from django.db.models import QuerySet
from django.http import HttpRequest

from modalities.admin import ReadOnly

from .models import Run, RunEvent, SceneResult


class EventInline(ReadOnly, admin.TabularInline):
    model = RunEvent
    extra = 0
    fields = readonly_fields = ("at", "event", "token", "worker", "detail")


class ResultInline(ReadOnly, admin.TabularInline):
    model = SceneResult
    extra = 0
    fields = ("scene", "scenario", "psnr", "ssim", "consistency", "cpu_seconds")


@admin.register(Run)
class RunAdmin(ReadOnly, admin.ModelAdmin):
    list_display = (
        "id",
        "modality",
        "method",
        "state",
        "percent",
        "phase",
        "tries",
        "queued_at",
        "finished_at",
        "error_code",
    )
    list_filter = ("state", "modality", "error_code")
    list_select_related = ("modality",)
    date_hierarchy = "queued_at"
    fields = readonly_fields = tuple(field.name for field in Run._meta.concrete_fields)
    inlines = (EventInline, ResultInline)
    actions = ("cancel", "restart")

    @admin.action(description="Cancel the selected runs", permissions=["operate"])
    def cancel(self, request: HttpRequest, runs: QuerySet[Run]) -> None:
        done = sum(run.cancel(by=request.user.get_username()) for run in runs)
        self.message_user(request, f"Cancelled {done} of {len(runs)} runs; the others had ended.")

    @admin.action(description="Start the selected runs again", permissions=["operate"])
    def restart(self, request: HttpRequest, runs: QuerySet[Run]) -> None:
        for run in runs:
            try:
                started = run.restart(by=request.user.get_username())
            except IntegrityError:  # another run of the modality is live
                started = False
            if not started:
                self.message_user(request, _why_not(run), messages.WARNING)

    def has_operate_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("gallery.change_run")


def _why_not(run: Run) -> str:
    if run.is_live:
        return f"Run {run.pk} is already live."
    if Run.objects.filter(modality=run.modality_id).live().exists():
        return f"Run {run.pk} waits for another run of {run.modality}: only one can be live."
    return f"Run {run.pk} succeeded; compute the gallery again from its page instead."
