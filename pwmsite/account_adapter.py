"""What the site does its own way in sign-up and sign-in; allauth asks this adapter."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

from allauth.account.adapter import DefaultAccountAdapter
from allauth.account.models import EmailAddress
from allauth.core import context as current
from django.conf import settings
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest

from . import security_log
from .models import Mail

LATE = (
    "Our mails go out late at the moment. Yours is kept and sent as soon as that is possible; we "
    "try for two days. You need not ask again."
)


class Adapter(DefaultAccountAdapter):
    def send_mail(self, template_prefix: str, email: str, context: dict[str, Any]) -> None:
        """Greet with the site's name, whatever host was asked; say on the page if mail is late."""
        site = SimpleNamespace(name="PWM", domain=urlsplit(settings.PWM_SITE_URL).netloc)
        super().send_mail(template_prefix, email, {"current_site": site} | context)
        if current.request and settings.SENDS_MAIL and Mail.objects.late().exists():
            messages.warning(current.request, LATE)

    def send_confirmation_mail(
        self, request: HttpRequest, emailconfirmation: Any, signup: bool
    ) -> None:
        """Tell the owner of an address, not the page, that there is an account with it."""
        address = emailconfirmation.email_address
        others = EmailAddress.objects.filter(email=address.email, verified=True)
        if others.exclude(user=address.user_id).exists():
            self.send_account_already_exists_mail(address.email)
        else:
            super().send_confirmation_mail(request, emailconfirmation, signup)

    def pre_authenticate(self, request: HttpRequest, **credentials: Any) -> None:
        try:
            super().pre_authenticate(request, **credentials)
        except ValidationError:
            security_log.failed(request, "too many attempts")
            raise
