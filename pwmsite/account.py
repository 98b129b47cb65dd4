"""The account page: a person's API tokens, methods and submissions."""

from __future__ import annotations

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_variables
from django.views.decorators.http import require_POST, require_safe

from leaderboards import attempt_page
from leaderboards.models import Attempt, Method
from modalities.typed_text import NameField

from .models import ApiToken

MOST_TOKENS = 10
NEWEST = 8


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
    newest = mine.select_related("modality", "method", "entry")[:NEWEST]
    context = {
        "form": form,
        "made": made,
        "text": text,
        "tokens": ApiToken.objects.filter(user=request.user),
        "methods": Method.objects.owned_by(request.user).prefetch_related("modalities"),
        "lines": [attempt_page.line(attempt) for attempt in newest],
    }
    return render(request, "account/page.html", context, status=status)
