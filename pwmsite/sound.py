"""Refuse requests that nothing behind can read, before anything tries."""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest, HttpResponseBadRequest, HttpResponseBase

NUL = "\0"
REFUSAL = "The address or a cookie has a NUL character. Remove it and ask again.\n"


class NoNul:
    """Answer 400 to a NUL in the path, the query or a cookie: PostgreSQL stores no such text.

    Forms and serializers refuse it in bodies.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        query = request.META.get("QUERY_STRING", "")
        if "%00" in query or NUL in request.path or any(map(_has_nul, request.COOKIES.values())):
            return HttpResponseBadRequest(REFUSAL, content_type="text/plain; charset=utf-8")
        return self.get_response(request)


def _has_nul(text: str) -> bool:
    return NUL in text
