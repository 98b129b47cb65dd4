"""Fields and rules that several models share."""

from __future__ import annotations

from typing import Any

from django.core.validators import RegexValidator, URLValidator
from django.db import models
from simple_history.models import HistoricalRecords

from modalities.append_only import AppendOnly

slug_rule = RegexValidator(
    r"^[a-z0-9]+(-[a-z0-9]+)*$", "A slug is lower case: letters, digits and single hyphens."
)
https_rule = URLValidator(schemes=["https"], message="Give a link that begins with https://.")
sha256_rule = RegexValidator(r"^[0-9a-f]{64}$", "A SHA-256 hash has 64 hexadecimal digits.")


class HttpsField(models.URLField):
    """A link that begins with https://; it is shown and never fetched."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("blank", True)
        kwargs.setdefault("validators", [https_rule])
        super().__init__(*args, **kwargs)

    def formfield(self, **kwargs: Any) -> Any:
        kwargs.setdefault("assume_scheme", "https")
        return super().formfield(**kwargs)

    def deconstruct(self) -> Any:
        """Appear in migrations as the plain field that it is to the database."""
        name, _, args, kwargs = super().deconstruct()
        return name, "django.db.models.URLField", args, kwargs


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
