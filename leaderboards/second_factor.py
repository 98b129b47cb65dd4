"""A second factor from people who decide or operate: in production, no such page opens without one.

A password can be guessed, read over a shoulder or used elsewhere too; what these people can do
touches everybody's results.
"""

from __future__ import annotations

from urllib.parse import urlencode

from allauth.account.authentication import get_authentication_records
from allauth.mfa.utils import is_mfa_enabled
from django.conf import settings
from django.contrib import messages
from django.contrib.auth import REDIRECT_FIELD_NAME
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse

SET_IT_UP = (
    "This page needs a second factor. Set one up here, keep the recovery codes, and open the page "
    "again."
)


def is_proved(request: HttpRequest) -> bool:
    """Tell whether the person of this session gave a second factor, or needs none here."""
    if not settings.PWM_SECOND_FACTOR:
        return True
    records = get_authentication_records(request, request.user)
    return is_mfa_enabled(request.user) and any(r["method"] == "mfa" for r in records)


def ask(request: HttpRequest, then: str = "") -> HttpResponse:
    """Lead a person who is signed in to the page that asks for a code, or sets up what gives codes.

    then: where to go on; by default the page that was asked for.
    """
    if not is_mfa_enabled(request.user):
        messages.warning(request, SET_IT_UP)
        return redirect("mfa_activate_totp")
    then = then or (request.get_full_path() if request.method == "GET" else "")
    query = f"?{urlencode({REDIRECT_FIELD_NAME: then})}" if then else ""
    return redirect(reverse("mfa_reauthenticate") + query)
