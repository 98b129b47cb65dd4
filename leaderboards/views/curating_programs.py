"""What curators do about programs: read what a run left, and give credits."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.contrib.auth import get_user_model
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods, require_safe

from leaderboards import attempt_page, program_page
from leaderboards.curators import curators_only
from leaderboards.models import Attempt, CreditAccount, CreditChange
from leaderboards.models.credit import Kind as Change
from modalities.typed_text import ProseField

PAGE = 50


class GrantForm(forms.Form):
    """Whom a curator gives how many credits, and why."""

    username = forms.CharField(
        label="User name",
        max_length=150,
        error_messages={"required": "Say who gets the credits."},
    )
    amount = forms.IntegerField(
        label="Credits",
        min_value=1,
        max_value=1000,
        error_messages={"required": "Say how many credits; a hidden run costs 10."},
    )
    reason = ProseField(
        widget=forms.Textarea(attrs={"rows": 3}),
        max_length=500,
        help_text="The person reads it in their ledger.",
        error_messages={"required": "Give a reason; it is kept in the ledger."},
    )

    def __init__(self, *args: Any, by: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.by = by

    def clean_username(self) -> Any:
        """Give the person; nobody gives credits to themselves."""
        name = self.cleaned_data["username"]
        person = get_user_model()._default_manager.filter(username=name, is_active=True).first()
        if person is None:
            raise forms.ValidationError("There is nobody with this user name.")
        if person == self.by:
            raise forms.ValidationError("Another curator has to give you credits.")
        return person


@curators_only
@require_http_methods(["GET", "HEAD", "POST"])
def give_credits(request: HttpRequest) -> HttpResponse:
    """Give credits, with a reason, and list what was given before."""
    form = GrantForm(request.POST or None, by=request.user)
    if request.method == "POST" and form.is_valid():
        person, amount = form.cleaned_data["username"], form.cleaned_data["amount"]
        account = CreditAccount.objects.of(person)
        account.grant(amount, form.cleaned_data["reason"], request.user)
        messages.success(
            request, f"{amount} credits given to {person}, who has {account.balance} now."
        )
        return redirect("leaderboards:give_credits")
    given = CreditChange.objects.filter(kind=Change.GRANT, by__isnull=False)
    found = given.select_related("account__user", "by").order_by("-pk")
    page = Paginator(found, PAGE).get_page(request.GET.get("page"))
    is_bad = request.method == "POST"
    context = {"nav": "", "form": form, "page": page}
    return render(request, "leaderboards/give_credits.html", context, status=400 if is_bad else 200)


@curators_only
@require_safe
def runs(request: HttpRequest) -> HttpResponse:
    """List the runs of programs, the newest first, those that failed too."""
    found = Attempt.objects.programs().select_related("modality", "method", "entry", "started_by")
    page = Paginator(found, PAGE).get_page(request.GET.get("page"))
    lines = [(attempt, attempt_page.line(attempt)) for attempt in page.object_list]
    context = {"nav": "", "page": page, "lines": lines}
    return render(request, "leaderboards/curate_programs.html", context)


@curators_only
@require_safe
def run(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Show a curator what a run left, its log too, which a stranger wrote."""
    related = ("modality", "method", "entry", "program", "started_by")
    found = Attempt.objects.filter(program__isnull=False)  # second runs too
    attempt = get_object_or_404(found.select_related(*related), pk=pk)
    context = {
        "nav": "",
        "attempt": attempt,
        "line": attempt_page.line(attempt),
        **program_page.of_run(attempt),
        "told": program_page.for_curators(attempt),
    }
    return render(request, "leaderboards/curate_program.html", context)
