"""The downloads of each tier: addresses, sizes and checksums, ready to print."""

from __future__ import annotations

from dataclasses import dataclass

from django.urls import reverse

from . import datasets, physics
from .figures import file_size
from .models import Dataset, Modality

NO_HIDDEN_DATA = (
    "The hidden tier has no download: its measurements never leave the server, "
    "so that nobody can tune a method to them. Develop on the public and the dev tier."
)
NOT_BUILT = (
    "The data of this tier are not built yet; a new site makes them in the background. "
    "Try again in a few minutes, or ask the operator to run build_datasets."
)


@dataclass(frozen=True)
class Download:
    """The data of one tier. ``url`` is empty where there is nothing to download; ``why`` says why.

    holds: what the file contains for each of its samples.
    """

    tier: str
    title: str
    holds: str
    url: str = ""
    name: str = ""
    size: str = ""
    bytes: int = 0
    sha256: str = ""
    version: str = ""
    why: str = ""


HOLDS = {
    "public": "measurements, nominal operator, ranges, and the truth",
    "dev": "measurements, nominal operator, ranges",
    "hidden": "nothing",
}


def of(modality: Modality) -> list[Download]:
    """List all tiers, from public to hidden. One query."""
    rows = {row.tier: row for row in modality.datasets.all()}
    return [_download(modality, tier, rows.get(tier)) for tier in physics.TIERS]


def file_name(key: str, tier: str) -> str:
    """Name the file as it arrives on the reader's disk."""
    return f"pwm-{key}-{tier}.h5"


def _download(modality: Modality, tier: str, row: Dataset | None) -> Download:
    title, holds = tier.capitalize(), HOLDS[tier]
    if tier not in datasets.DOWNLOADABLE:
        return Download(tier, title, holds, why=NO_HIDDEN_DATA)
    if row is None:
        return Download(tier, title, holds, why=NOT_BUILT)
    return Download(
        tier,
        title,
        holds,
        url=reverse("modalities:data", args=[modality.key, tier]),
        name=file_name(modality.key, tier),
        size=file_size(row.size),
        bytes=row.size,
        sha256=row.sha256,
        version=row.version,
    )
