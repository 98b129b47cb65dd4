"""One line in the log for every request, whatever serves it, and an id that all its lines share.

The id goes with the jobs that the request starts (``modalities.jobs``), and back to the client in
``X-Request-ID``. A client or proxy may choose it, in a form that cannot spoil a log.
"""

import re
import time
import uuid
from collections.abc import Callable

import structlog
from django.http import HttpRequest, HttpResponse
from django.utils.functional import SimpleLazyObject, empty
from structlog.contextvars import bound_contextvars

from .security_log import address

log = structlog.get_logger("pwmsite.access")

WELL_FORMED = re.compile(r"[A-Za-z0-9._-]{8,64}")
# Asked for every few seconds by machines: logged for those who look for it.
PROBES = {"/healthz", "/readyz", "/metrics"}
# Links in mails carry their key in the path.
KEYS_IN_PATH = "/accounts/"

GetResponse = Callable[[HttpRequest], HttpResponse]


class RequestLog:
    """The outermost middleware: it sees what all others answer."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        begun, name = time.monotonic(), request_id(request)
        with bound_contextvars(request_id=name):
            response = self.get_response(request)
            response["X-Request-ID"] = name
            write = log.debug if request.path in PROBES else log.info
            write(
                "request",
                method=request.method,
                path=path(request),
                status=response.status_code,
                milliseconds=round(1000 * (time.monotonic() - begun)),
                user=user(request),
                address=address(request),
            )
        return response


def request_id(request: HttpRequest) -> str:
    """Take the id that came with the request if it is well-formed, or make one."""
    given = request.headers.get("X-Request-ID", "")
    return given if WELL_FORMED.fullmatch(given) else uuid.uuid4().hex


def path(request: HttpRequest) -> str:
    """Give the path without its query; where it may hold a key, the pattern of its address."""
    if not request.path.startswith(KEYS_IN_PATH):
        return request.path
    match = request.resolver_match
    return f"/{match.route}" if match else KEYS_IN_PATH


def user(request: HttpRequest) -> int | None:
    """Name the person, where somebody asked who it is: the log itself asks the database nothing."""
    found = getattr(request, "user", None)
    if isinstance(found, SimpleLazyObject) and found.__dict__["_wrapped"] is empty:
        return None
    return getattr(found, "pk", None)
