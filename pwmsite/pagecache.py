"""Public pages, kept as bytes until what they show changes.

A page's version is one cheap query. It names the cached page and is its ETag, so that a reader who
has the page already gets 304, and nothing ever has to be invalidated: nobody requests an old page
any more. Such a page is the same for everybody; what belongs to one reader comes in a fragment of
its own (views.corner).
"""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.cache import cache
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.utils.cache import get_conditional_response
from django.views.decorators.http import require_safe

KEEP_SECONDS = 24 * 3600
LONGEST_QUERY = 100  # characters; longer ones are answered but not kept

View = Callable[..., HttpResponse]
KeptView = Callable[..., HttpResponseBase]


def _release() -> str:
    """Name the code that draws the pages: the time of the newest of its files."""
    folders = (
        "pwmsite",
        "modalities",
        "leaderboards",
        "gallery",
        "realdata",
        "templates",
        "static",
        "docs",
    )
    files = (
        path
        for folder in folders
        for path in (Path(settings.BASE_DIR) / folder).rglob("*")
        if path.suffix in {".py", ".html", ".css", ".js", ".md"}
    )
    return str(max(path.stat().st_mtime_ns for path in files))


RELEASE = _release()


def public_page(
    version: Callable[..., str], by: tuple[str, ...] = ()
) -> Callable[[View], KeptView]:
    """Keep the view's page under the version that ``version(**kwargs)`` gives.

    by: the query parameters that the page depends on; all others are ignored.
    """

    def decorate(view: View) -> KeptView:
        @require_safe
        @wraps(view)
        def answer(request: HttpRequest, **kwargs: Any) -> HttpResponseBase:
            asked = [request.GET.get(name, "") for name in by]
            name = _digest(request.path, *asked, version(**kwargs), RELEASE)
            etag = f'"{name}"'
            if unchanged := get_conditional_response(request, etag=etag):
                return unchanged
            packed = None if settings.DEBUG else cache.get(name)
            if packed is None:
                response = view(request, **kwargs)
                if response.status_code != 200:
                    return response
                packed = gzip.compress(response.content, 6, mtime=0)
                if sum(map(len, asked)) <= LONGEST_QUERY:
                    cache.set(name, packed, KEEP_SECONDS)
            return _respond(request, packed, etag)

        return answer

    return decorate


def _respond(request: HttpRequest, packed: bytes, etag: str) -> HttpResponse:
    if "gzip" in request.headers.get("Accept-Encoding", ""):
        response = HttpResponse(packed, headers={"Content-Encoding": "gzip"})
    else:
        response = HttpResponse(gzip.decompress(packed))
    response["ETag"] = etag
    response["Cache-Control"] = "public, no-cache"
    response["Vary"] = "Accept-Encoding"
    return response


def _digest(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]
