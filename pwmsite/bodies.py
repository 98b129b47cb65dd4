"""How large the body of a request may be: 1 MB, and more at the addresses that take files in.

The web server asks here how much to keep while a body arrives (pwmsite/http_server.py). What is
larger it counts and drops, so that the length tells the middleware below to answer 413.
"""

from collections.abc import Callable
from functools import cache

from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.shortcuts import render
from django.template.defaultfilters import filesizeformat
from django.urls import reverse

from leaderboards import programs, upload

LARGEST = 1_000_000  # bytes; the longest form, with all its texts, has a few thousand


@cache
def uploads() -> dict[str, int]:
    """Return the addresses that take files in, and the most bytes that each may be sent."""
    most = {
        reverse("leaderboards:submit"): upload.largest_of_all(),
        reverse("api:submission-list"): upload.largest_of_all(),
        reverse("leaderboards:submit_program"): programs.largest_of_all(),
        reverse("api:program-list"): programs.largest_of_all(),
    }
    # The form's other fields come in the same body.
    return {address: count + LARGEST for address, count in most.items()}


def largest(path: str) -> int:
    """Return the most bytes that the body of a request to ``path`` may have."""
    return uploads().get(path, LARGEST)


class BodyLimit:
    """Middleware that answers 413 by the length of the body, before anything reads it."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        length = request.META.get("CONTENT_LENGTH") or "0"
        if length.isdecimal() and int(length) > largest(request.path_info):
            return _refuse(request)
        return self.get_response(request)


def _refuse(request: HttpRequest) -> HttpResponse:
    is_upload = request.path_info in uploads()
    most = filesizeformat(largest(request.path_info) - LARGEST if is_upload else LARGEST)
    if request.path_info.startswith(reverse("api:api-root")):
        told = f"This is too large: at most {most} can be sent here. Nothing was stored."
        return JsonResponse({"detail": told}, status=413)
    template = "leaderboards/too_large.html" if is_upload else "413.html"
    is_program = request.path_info == reverse("leaderboards:submit_program")
    return render(request, template, {"most": most, "is_program": is_program}, status=413)
