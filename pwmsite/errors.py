"""What a visitor is told when the site fails: a full disk has its own page and status."""

import sys

from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.template.loader import render_to_string
from django.views import defaults

from modalities import disk

INSUFFICIENT_STORAGE = 507
FULL = (
    "The server's disk is full, so nothing of what you sent was kept. "
    "Send it again after the operator has freed space."
)


def server_error(request: HttpRequest) -> HttpResponseBase:
    """Answer after an exception; Django calls this while it is being handled."""
    if not disk.is_full(sys.exception()):
        return defaults.server_error(request)
    if request.path.startswith("/api/"):
        return JsonResponse({"detail": FULL}, status=INSUFFICIENT_STORAGE)
    page = render_to_string("507.html", {"sentence": FULL})
    return HttpResponse(page, status=INSUFFICIENT_STORAGE)
