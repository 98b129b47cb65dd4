"""Failed attempts to sign in, one line each, for programs such as fail2ban (docs/deploy.md).

A line has the address and what failed. It has no name and nothing that was typed: people type
passwords into the wrong field.
"""

from __future__ import annotations

import ipaddress
import logging

from allauth.account.adapter import get_adapter
from django.core.exceptions import ImproperlyConfigured, PermissionDenied
from django.http import HttpRequest

log = logging.getLogger("pwm.security")


def failed(request: HttpRequest | None, what: str) -> None:
    """Note that an attempt to sign in failed because of ``what``."""
    if request is not None:
        log.warning("Failed sign-in from %s: %s.", address(request), what)


def address(request: HttpRequest) -> str:
    """Give the visitor's address as the rate limits see it; ``unknown`` if it is none."""
    try:
        return str(ipaddress.ip_address(get_adapter().get_client_ip(request)))
    except (ValueError, PermissionDenied, ImproperlyConfigured):
        return "unknown"


def wrong_password(sender: object, request: HttpRequest | None = None, **_: object) -> None:
    failed(request, "wrong name or password")


def wrong_code(sender: object, request: HttpRequest | None = None, **_: object) -> None:
    failed(request, "wrong code of the second factor")
