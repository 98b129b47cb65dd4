"""What a person may be called here: read by everybody, and typed on any keyboard."""

from __future__ import annotations

from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.core.validators import MaxLengthValidator, RegexValidator

from modalities.typed_text import look

LONGEST = 30
letters = RegexValidator(
    r"^[A-Za-z0-9][A-Za-z0-9._-]*\Z",
    "A user name has Latin letters, digits, and . _ - after the first one.",
)
length = MaxLengthValidator(LONGEST, f"A user name has at most {LONGEST} characters.")


def unlike_others(name: str) -> None:
    """Raise ValidationError for a name that cannot be told from another person's by eye."""
    mine = look(name)
    for other in User.objects.values_list("username", flat=True).iterator():
        if other.casefold() != name.casefold() and look(other) == mine:
            raise ValidationError("This name looks like that of another person; choose another.")


# allauth asks these when somebody signs up (ACCOUNT_USERNAME_VALIDATORS).
VALIDATORS = [letters, length, unlike_others]
