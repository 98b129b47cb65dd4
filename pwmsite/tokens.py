"""API tokens: ``Authorization: Bearer pwm_…`` acts for the person who made the token."""

from __future__ import annotations

from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.plumbing import build_bearer_security_scheme_object
from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from . import security_log
from .models import ApiToken

SCHEMES = (b"bearer", b"token")


class TokenAuthentication(BaseAuthentication):
    """Read a token from the Authorization header; leave requests without one to other schemes."""

    def authenticate(self, request: Request) -> tuple[Any, ApiToken] | None:
        scheme, _, text = get_authorization_header(request).partition(b" ")
        if scheme.lower() not in SCHEMES:
            return None
        row = ApiToken.objects.known(text.strip().decode("latin-1"))
        if row is None:
            security_log.failed(request, "unknown API token")
            raise AuthenticationFailed(
                "This token is unknown: it was revoked, or mistyped. Make one at /accounts/."
            )
        return row.user, row

    def authenticate_header(self, request: Request) -> str:
        return "Bearer"


class TokenScheme(OpenApiAuthenticationExtension):
    """Describe the tokens in the OpenAPI schema."""

    target_class = TokenAuthentication
    name = "token"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        scheme: dict[str, str] = build_bearer_security_scheme_object("Authorization", "Bearer")
        return scheme
