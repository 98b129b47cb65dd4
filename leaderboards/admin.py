"""The curators' desk: entries with their evidence, and the four decisions about them."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.html import linebreaks
from simple_history.admin import SimpleHistoryAdmin

from modalities.admin import ReadOnly

from .credits import CreditAccount, CreditChange
from .curation import CurationError, Evidence, sha256_rule
from .models import Entry, Method, Publication, TierScore

HASHES = ("inputs_sha256", "program_sha256", "outputs_sha256", "environment_sha256")


class DecisionForm(forms.Form):
    """Why a curator decides; kept with the decision."""

    reason = forms.CharField(widget=forms.Textarea(attrs={"rows": 4}), max_length=2000)


class CertifyForm(DecisionForm):
    """Why, and on what evidence."""

    inputs_sha256 = forms.CharField(label="SHA-256 of the inputs", validators=[sha256_rule])
    program_sha256 = forms.CharField(label="SHA-256 of the program", validators=[sha256_rule])
    outputs_sha256 = forms.CharField(label="SHA-256 of the outputs", validators=[sha256_rule])
    environment_sha256 = forms.CharField(
        label="SHA-256 of the environment", validators=[sha256_rule]
    )
    second_score = forms.FloatField(label="Score of the second run", min_value=0, max_value=1)

    def evidence(self) -> Evidence:
        return Evidence(
            second_score=self.cleaned_data["second_score"],
            **{name: self.cleaned_data[name] for name in HASHES},
        )


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
    readonly_fields = ("scored_at",)


@admin.register(Entry)
class EntryAdmin(ReadOnly, SimpleHistoryAdmin):
    """Entries are written by scoring and by sync; people only decide about them."""

    list_display = (
        "name",
        "modality",
        "board",
        "origin",
        "trust",
        "score",
        "reference",
        "certified_by",
        "disqualified_by",
    )
    list_filter = ("modality", "board", "origin", "trust", "reference")
    list_select_related = ("modality", "certified_by", "disqualified_by")
    search_fields = ("name", "method__slug", "source")
    inlines = (TierScoreInline,)
    actions = ("certify", "revoke", "disqualify", "reinstate")
    history_list_display = ("trust", "score")

    def has_curate_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("leaderboards.curate_entry")

    @admin.action(description="Certify the selected entry …", permissions=["curate"])
    def certify(self, request: HttpRequest, entries: QuerySet[Entry]) -> HttpResponse | None:
        if entries.count() != 1:
            messages.error(request, "Certify one entry at a time: each has its own evidence.")
            return None
        return self._decide(request, entries, "certify", CertifyForm)

    @admin.action(description="Revoke the certificate …", permissions=["curate"])
    def revoke(self, request: HttpRequest, entries: QuerySet[Entry]) -> HttpResponse | None:
        return self._decide(request, entries, "revoke", DecisionForm)

    @admin.action(description="Disqualify the selected entries …", permissions=["curate"])
    def disqualify(self, request: HttpRequest, entries: QuerySet[Entry]) -> HttpResponse | None:
        return self._decide(request, entries, "disqualify", DecisionForm)

    @admin.action(description="Reinstate the selected entries …", permissions=["curate"])
    def reinstate(self, request: HttpRequest, entries: QuerySet[Entry]) -> HttpResponse | None:
        return self._decide(request, entries, "reinstate", DecisionForm)

    def _decide(
        self,
        request: HttpRequest,
        entries: QuerySet[Entry],
        decision: str,
        kind: type[DecisionForm],
    ) -> HttpResponse | None:
        """Ask for a reason first; once it is given, call the entry's own method."""
        if "decide" not in request.POST:
            return ask(self, request, entries, decision, kind(initial=self._known(entries)))
        form = kind(request.POST)
        if not form.is_valid():
            return ask(self, request, entries, decision, form)
        evidence = (form.evidence(),) if isinstance(form, CertifyForm) else ()
        for entry in entries:
            try:
                getattr(entry, decision)(request.user, form.cleaned_data["reason"], *evidence)
            except CurationError as error:
                messages.error(request, f"{entry}: {error}")
            else:
                messages.success(request, f"{entry}: done, and on record.")
        return None

    def _known(self, entries: QuerySet[Entry]) -> dict[str, Any]:
        """Offer the hashes that are on record already."""
        first = entries[0]
        return {name: getattr(first, name) for name in (*HASHES, "second_score")}


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
        messages.success(request, f"Given to {len(accounts)}, and on record.")
        return None


@admin.register(Publication)
class PublicationAdmin(ReadOnly, admin.ModelAdmin):
    list_display = ("modality", "dataset")
