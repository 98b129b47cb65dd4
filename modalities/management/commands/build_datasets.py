"""Make the tiers' data: measurements to download, and the truth that the scorer keeps."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.db import transaction

from modalities import datasets, physics
from modalities.management.chosen import add_keys, chosen
from modalities.models import Dataset, Modality


class Command(BaseCommand):
    help = (
        "Make the data of the public, dev and hidden tiers. Repeatable: keeps what is up "
        "to date. Needs PWM_DATA_KEY where the site did not make one itself."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        add_keys(parser)
        parser.add_argument("--force", action="store_true", help="make all of it again")

    def handle(self, *args: Any, keys: list[str], force: bool, **options: Any) -> None:
        for modality in chosen(keys):
            for tier in physics.TIERS:
                self.stdout.write(build(modality, tier, force))


def build(modality: Modality, tier: str, force: bool = False) -> str:
    """Make one tier's data where they are missing or out of date; say what was done."""
    spec = modality.spec
    row = modality.datasets.filter(tier=tier, version=datasets.version_of(spec, tier)).first()
    if row and datasets.is_built(spec, tier) and not force:
        return f"{modality.key} {tier}: up to date ({row.version})."
    written = datasets.build(spec, tier)
    with transaction.atomic():
        Dataset.objects.update_or_create(
            modality=modality,
            tier=tier,
            defaults={
                "version": written.version,
                "file": written.name,
                "sha256": written.sha256,
                "size": written.size,
            },
        )
        modality.touch()
    return f"{modality.key} {tier}: made ({written.version}, {written.size:,} bytes)."
