"""The account page: a person's API tokens, methods and submissions; and their credits."""

from __future__ import annotations

from django import forms
from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.contrib.auth.models import User
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_variables
from django.views.decorators.http import require_POST, require_safe

from leaderboards import attempt_page, program_page, programs
from leaderboards.models import PRICE_OF_A_HIDDEN_RUN, Attempt, CreditAccount, Method
from modalities.typed_text import NameField

from .models import ApiToken

MOST_TOKENS = 10
NEWEST = 8
LINES = 50  # of the ledger on a page


class SignedIn(HttpRequest):
    """A request that ``login_required`` has let through."""

    user: User


class TokenForm(forms.Form):
    """What a token is for, so that its owner knows which one to revoke."""

    name = NameField(
        label="What is it for?",
        max_length=60,
        error_messages={"required": "Say what the token is for, so that you recognise it later."},
    )


@never_cache
@login_required
@require_safe
def page(request: SignedIn) -> HttpResponse:
    """Show a person what is theirs."""
    return _page(request, TokenForm())


@never_cache
@login_required
@require_safe
def credits_page(request: SignedIn) -> HttpResponse:
    """Show a person's balance, what is held, the ledger and the rules."""
    account = CreditAccount.objects.of(request.user)
    page = Paginator(account.changes.all(), LINES).get_page(request.GET.get("page"))
    context = {
        "balance": account.balance,
        "held": program_page.held(request.user),
        "holds": programs.holds(request.user).select_related("modality", "method"),
        "price": PRICE_OF_A_HIDDEN_RUN,
        "affordable": account.balance // PRICE_OF_A_HIDDEN_RUN,
        "at_start": settings.PWM_CREDITS_AT_START,
        "waits_for_address": settings.PWM_CREDITS_AT_START and not account.has_started(),
        "sends_mail": settings.SENDS_MAIL,
        "page": page,
        "lines": program_page.ledger(list(page.object_list)),
    }
    return render(request, "account/credits.html", context)


@never_cache
@login_required
@require_POST
@sensitive_variables("text")
def make_token(request: SignedIn) -> HttpResponse:
    """Make a token and show its text once, in this answer; the text is not stored."""
    form = TokenForm(request.POST)
    if ApiToken.objects.filter(user=request.user).count() >= MOST_TOKENS:
        form.add_error(None, f"You have {MOST_TOKENS} tokens; revoke one that you do not need.")
    if not form.is_valid():
        return _page(request, form, status=400)
    row, text = ApiToken.objects.make(request.user, form.cleaned_data["name"])
    return _page(request, TokenForm(), made=row, text=text, status=201)


@login_required
@require_POST
def revoke_token(request: SignedIn, pk: int) -> HttpResponse:
    """Revoke a token at once; for anybody but its owner it does not exist."""
    row = get_object_or_404(ApiToken, pk=pk, user=request.user)
    row.delete()
    messages.success(request, f"The token {row} is revoked; programs that use it are refused.")
    return redirect("account")


def _page(
    request: SignedIn,
    form: TokenForm,
    made: ApiToken | None = None,
    text: str = "",
    status: int = 200,
) -> HttpResponse:
    mine = Attempt.objects.of(request.user).with_place()
    newest = mine.select_related("modality", "method", "entry", "program")[:NEWEST]
    context = {
        "form": form,
        "made": made,
        "text": text,
        "tokens": ApiToken.objects.filter(user=request.user),
        "methods": Method.objects.owned_by(request.user).prefetch_related("modalities"),
        "balance": CreditAccount.objects.of(request.user).balance,
        "price": PRICE_OF_A_HIDDEN_RUN,
        "lines": [attempt_page.line(attempt) for attempt in newest],
    }
    return render(request, "account/page.html", context, status=status)
