"""The tables of the leaderboards for staff; decisions about entries are made at the desk."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.html import format_html, linebreaks
from simple_history.admin import SimpleHistoryAdmin

from modalities.admin import ReadOnly
from modalities.typed_text import ProseField

from .models import CreditAccount, CreditChange, Decision, Entry, Method, TierScore


class DecisionForm(forms.Form):
    """Why a curator decides; kept with the decision."""

    reason = ProseField(widget=forms.Textarea(attrs={"rows": 4}), max_length=2000)


def ask(
    desk: admin.ModelAdmin,
    request: HttpRequest,
    rows: QuerySet[Any],
    decision: str,
    form: forms.Form,
) -> HttpResponse:
    """Show the page between choosing an action and carrying it out."""
    context = desk.admin_site.each_context(request) | {
        "title": f"{decision.capitalize()}: give a reason",
        "opts": desk.opts,
        "rows": rows,
        "decision": decision,
        "form": form,
    }
    return TemplateResponse(request, "admin/leaderboards/decide.html", context)


class TierScoreInline(ReadOnly, admin.TabularInline):
    model = TierScore
    fields = ("tier", "score", "psnr", "ssim", "consistency", "metrics_version", "scored_at")
    fk_name = "entry"


class DecisionInline(ReadOnly, admin.TabularInline):
    model = Decision
    fields = ("at", "word", "by", "reason")
    readonly_fields = ("at",)
    fk_name = "entry"


@admin.register(Entry)
class EntryAdmin(ReadOnly, SimpleHistoryAdmin):
    """Entries are written by scoring and by sync; curators decide about them at their desk."""

    list_display = ("name", "modality", "board", "origin", "trust", "score", "is_listed", "desk")
    list_filter = ("modality", "board", "origin", "trust", "variant", "is_listed")
    list_select_related = ("modality", "method")
    search_fields = ("method__name", "method__slug", "source")
    inlines = (TierScoreInline, DecisionInline)
    history_list_display = ("trust", "is_listed")

    @admin.display(description="curator's desk")
    def desk(self, entry: Entry) -> str:
        return format_html('<a href="{}">decide</a>', reverse("leaderboards:desk", args=[entry.pk]))


@admin.register(Method)
class MethodAdmin(SimpleHistoryAdmin):
    """Registered methods may be corrected; those of the catalogue are edited in its files."""

    list_display = ("name", "slug", "family", "checkpoint", "owner", "is_ours")
    list_filter = ("family", "checkpoint", "is_ours", "modalities")
    list_select_related = ("owner",)
    search_fields = ("name", "slug", "citation")
    filter_horizontal = ("modalities",)
    raw_id_fields = ("owner",)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: Method, form: Any, change: bool) -> None:
        """Show a corrected description as the plain text that it is."""
        if "description" in form.changed_data:
            obj.description_html = linebreaks(obj.description, autoescape=True)
        super().save_model(request, obj, form, change)
        for modality in obj.modalities.all():
            modality.touch()

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        registered = obj is None or obj.owner_id is not None
        return registered and super().has_change_permission(request, obj)


class CreditChangeInline(ReadOnly, admin.TabularInline):
    model = CreditChange
    fields = ("at", "kind", "amount", "subject", "reason", "by")
    readonly_fields = ("at",)
    fk_name = "account"


class GrantForm(DecisionForm):
    """How many credits, and why."""

    amount = forms.IntegerField(min_value=1, max_value=10_000)


@admin.register(CreditAccount)
class CreditAccountAdmin(ReadOnly, admin.ModelAdmin):
    """Balances with their ledger; credits are given by an action, with a reason."""

    list_display = ("user", "balance")
    list_select_related = ("user",)
    search_fields = ("user__username",)
    inlines = (CreditChangeInline,)
    actions = ("grant",)

    def has_grant_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("leaderboards.change_creditaccount")

    @admin.action(description="Give credits …", permissions=["grant"])
    def grant(self, request: HttpRequest, accounts: QuerySet[CreditAccount]) -> HttpResponse | None:
        form = GrantForm(request.POST if "decide" in request.POST else None)
        if not form.is_valid():
            return ask(self, request, accounts, "grant", form)
        for account in accounts:
            account.grant(form.cleaned_data["amount"], form.cleaned_data["reason"], request.user)
        messages.success(request, f"Given to {len(accounts)} and recorded.")
        return None
