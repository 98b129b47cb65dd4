"""The modalities that a command is asked to work on."""

from __future__ import annotations

from django.core.management.base import CommandError, CommandParser

from modalities.models import Modality


def add_keys(parser: CommandParser) -> None:
    """Let a command take the keys of modalities."""
    parser.add_argument("keys", nargs="*", help="modalities; all of them unless named")


def chosen(keys: list[str]) -> list[Modality]:
    """List the modalities with these keys, or all of them, the quickest first.

    Raise CommandError for a key that no listed modality has.
    """
    listed = list(Modality.objects.listed().quickest_first())
    if unknown := sorted(set(keys) - {modality.key for modality in listed}):
        raise CommandError(f"There is no modality {', '.join(unknown)}; run sync_catalogue first.")
    return [modality for modality in listed if not keys or modality.key in keys]
