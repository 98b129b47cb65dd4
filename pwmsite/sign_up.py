"""Signing up, without telling the page whether an address is known.

Where mail is sent, everybody gets an account, which opens once its address is confirmed. An address
that belongs to somebody else is never confirmed; its owner gets a mail that says so
(``account_adapter``). Nothing is different for the page, then or later.
"""

from __future__ import annotations

from typing import Any

from allauth.account import app_settings, forms, views
from django.contrib.auth.models import User
from django.db import IntegrityError, transaction
from django.http import HttpRequest, HttpResponse


class SignupForm(forms.SignupForm):
    """allauth's form, which makes the account and its address together or neither."""

    def validate_unique_email(self, value: str) -> str:
        if app_settings.EMAIL_VERIFICATION == app_settings.EmailVerificationMethod.MANDATORY:
            return value
        return str(super().validate_unique_email(value))

    def save(self, request: HttpRequest) -> Any:
        with transaction.atomic():
            return super().save(request)


class SignupView(views.SignupView):
    """allauth's page, where the second of two equal registrations is an error of the form."""

    def form_valid(self, form: SignupForm) -> HttpResponse:
        try:
            return super().form_valid(form)
        except IntegrityError:
            if not User.objects.filter(username=form.cleaned_data["username"]).exists():
                raise
            form.add_error("username", "A user with that username already exists.")
            return self.form_invalid(form)


sign_up = SignupView.as_view()
