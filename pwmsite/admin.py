"""Second factors in the admin: whose they are, without their secrets, and a way to remove them."""

from typing import Any

from allauth.mfa import admin as theirs  # registers the model in its own way, which we replace
from allauth.mfa.models import Authenticator
from django.contrib import admin

admin.site.unregister(Authenticator)


@admin.register(Authenticator)
class AuthenticatorAdmin(theirs.AuthenticatorAdmin):
    """Whoever could read or write the secret of another person could sign in as that person."""

    fields = ("user", "type", "created_at", "last_used_at")

    def has_add_permission(self, *args: Any) -> bool:
        return False

    def has_change_permission(self, *args: Any) -> bool:
        return False
