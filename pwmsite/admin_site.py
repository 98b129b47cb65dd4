"""The admin behind the site's own sign-in, with its rate limits and second factor."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from allauth.account.utils import get_next_redirect_url
from django.contrib import admin
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.decorators import method_decorator
from django.views.decorators.cache import never_cache

from leaderboards import second_factor

View = Callable[..., HttpResponse]


class AdminSite(admin.AdminSite):
    """Django's admin without a sign-in form of its own."""

    def has_permission(self, request: HttpRequest) -> bool:
        return super().has_permission(request) and second_factor.is_proved(request)

    @method_decorator(never_cache)
    def login(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Lead to the sign-in of the site, or to what this session lacks."""
        then = get_next_redirect_url(request) or reverse("admin:index", current_app=self.name)
        return _obstacle(request, then) or redirect(then)


def staff_only(view: View) -> View:
    """Let staff in, in a session that may operate; answer everybody else as the admin does."""

    @wraps(view)
    def answer(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        refused = _obstacle(request, request.get_full_path())
        return refused or view(request, *args, **kwargs)

    return answer


def _obstacle(request: HttpRequest, then: str) -> HttpResponse | None:
    """Answer what keeps a person from the pages of staff; None for who may see them."""
    if not request.user.is_authenticated:
        return redirect_to_login(then)
    if not (request.user.is_active and request.user.is_staff):
        raise PermissionDenied
    return None if second_factor.is_proved(request) else second_factor.ask(request, then)
