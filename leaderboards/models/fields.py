"""Fields and rules that several models share."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from django.core.exceptions import ValidationError
from django.core.validators import RegexValidator, URLValidator
from django.db import models
from simple_history.models import HistoricalRecords

from modalities import typed_text
from modalities.append_only import AppendOnly

slug_rule = RegexValidator(
    r"^[a-z0-9]+(-[a-z0-9]+)*$", "A slug is lower case: letters, digits and single hyphens."
)
sha256_rule = RegexValidator(r"^[0-9a-f]{64}$", "A SHA-256 hash has 64 hexadecimal digits.")


class HttpsRule(URLValidator):
    """A link that may be shown: https, and without user information, which looks like a host."""

    def __call__(self, value: Any) -> None:
        super().__call__(value)
        parts = urlsplit(value)
        if parts.username is not None or parts.password is not None:
            raise ValidationError("Give a link without a user name before the host.", "user_info")


_AS_MIGRATED = URLValidator(schemes=["https"], message="Give a link that begins with https://.")
https_rule = HttpsRule(schemes=["https"], message="Give a link that begins with https://.")


def link(url: str) -> str:
    """Give a stored address where it may be a link on a page, and nothing where it may not."""
    try:
        https_rule(url)
    except ValidationError:
        return ""
    return url


class HttpsField(models.URLField):
    """A link that begins with https://; it is shown and never fetched."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("blank", True)
        kwargs["validators"] = [https_rule]
        super().__init__(*args, **kwargs)

    def formfield(self, **kwargs: Any) -> Any:
        kwargs.setdefault("assume_scheme", "https")
        return super().formfield(**kwargs)

    def deconstruct(self) -> Any:
        """Appear in migrations as the plain field that it is to the database."""
        name, _, args, kwargs = super().deconstruct()
        kwargs["validators"] = [_AS_MIGRATED]
        return name, "django.db.models.URLField", args, kwargs


class NameField(models.CharField):
    """One line of text that people type, normalised."""

    def formfield(self, **kwargs: Any) -> Any:
        return super().formfield(**{"form_class": typed_text.NameField, **kwargs})

    def deconstruct(self) -> Any:
        """Appear in migrations as the plain field that it is to the database."""
        name, _, args, kwargs = super().deconstruct()
        return name, "django.db.models.CharField", args, kwargs


class ProseField(models.TextField):
    """A text that people type, normalised and of a limited length."""

    def formfield(self, **kwargs: Any) -> Any:
        return super().formfield(**{"form_class": typed_text.ProseField, **kwargs})

    def deconstruct(self) -> Any:
        """Appear in migrations as the plain field that it is to the database."""
        name, _, args, kwargs = super().deconstruct()
        kwargs.pop("max_length", None)
        return name, "django.db.models.TextField", args, kwargs


class Sha256Field(models.CharField):
    """64 hexadecimal digits, or nothing while there is nothing to hash."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(
            *args, **{"max_length": 64, "blank": True, "validators": [sha256_rule], **kwargs}
        )

    def deconstruct(self) -> Any:
        """Appear in migrations as the plain field that it is to the database."""
        name, _, args, kwargs = super().deconstruct()
        return name, "django.db.models.CharField", args, kwargs


class History(HistoricalRecords):
    """Every version of a row, with who made it, for good.

    When a person's account goes, their number stays: history says no less than it did.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(bases=[AppendOnly], user_db_constraint=False, **options)

    def get_meta_options(self, model: Any) -> dict[str, Any]:
        return super().get_meta_options(model) | {"constraints": AppendOnly.Meta.constraints}

    def get_extra_fields(self, model: Any, fields: Any) -> dict[str, Any]:
        extra: dict[str, Any] = super().get_extra_fields(model, fields)
        extra["history_user"].remote_field.on_delete = models.DO_NOTHING
        return extra
