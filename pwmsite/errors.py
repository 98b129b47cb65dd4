"""What a visitor is told when the site fails: what is full or away has its own page and status."""

import sys

from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.template.loader import render_to_string
from django.views import defaults

from modalities import disk, storage

FULL = (
    "The server's disk is full, so nothing of what you sent was kept. "
    "Send it again after the operator has freed space."
)
AWAY = (
    "The store that keeps the site's files does not answer, so nothing of what you sent was kept. "
    "Try again in a few minutes."
)


def server_error(request: HttpRequest) -> HttpResponseBase:
    """Answer after an exception; Django calls this while it is being handled."""
    error = sys.exception()
    if disk.is_full(error):
        return _told(request, 507, "Our disk is full", FULL)
    if storage.is_away(error):
        return _told(request, 503, "Our file store does not answer", AWAY)
    return defaults.server_error(request)


def _told(request: HttpRequest, status: int, title: str, sentence: str) -> HttpResponse:
    if request.path.startswith("/api/"):
        return JsonResponse({"detail": sentence}, status=status)
    page = render_to_string("full_or_away.html", {"title": title, "sentence": sentence})
    return HttpResponse(page, status=status)
