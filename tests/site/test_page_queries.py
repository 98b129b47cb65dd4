"""A page asks the database as often for a thousand entries as for fifty."""

import pytest
from django.core.cache import cache
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from leaderboards.models import Entry, Method, TierScore
from modalities.models import Modality
from tests.factories import make_entry, make_method, make_modality

pytestmark = pytest.mark.django_db
FACTS = {
    "signal_chain": [{"component": "Stage", "does": "Turns.", "mismatch": ["tilt_angle"]}],
    "setup": [{"label": "Voltage", "value": "300 kV"}],
    "references": [{"citation": "Frank (2006)", "year": 2006}],
    "datasets": [{"name": "EMPIAR", "description": "Tilt series."}],
    "source_gallery": None,
}


@pytest.fixture
def modality() -> Modality:
    return make_modality("electron_tomography", facts=FACTS)


def fill(modality: Modality, n: int) -> None:
    """Add n measured challenge entries and n reported standard ones, of n methods."""
    start = Method.objects.count()
    methods = Method.objects.bulk_create(
        Method(slug=f"m{i}", name=f"M{i}", family="classical", checkpoint="none needed")
        for i in range(start, start + n)
    )
    kinds = (("challenge", "measured", "scored"), ("standard", "reported", "reported"))
    entries = Entry.objects.bulk_create(
        Entry(
            modality=modality,
            method=method,
            board=board,
            origin=origin,
            trust=trust,
            name=method.name,
            source="Somebody 2024",
            checkpoint=method.checkpoint,
            score=i / (start + n + 1),
        )
        for i, method in enumerate(methods)
        for board, origin, trust in kinds
    )
    TierScore.objects.bulk_create(
        TierScore(entry=entry, tier=tier, score=entry.score, psnr=25.0, ssim=0.8)
        for entry in entries
        for tier in (("standard",) if entry.board == "standard" else ("public", "dev", "hidden"))
    )


def queries(client: Client, path: str) -> int:
    """Count the queries of a page that no cache holds."""
    cache.clear()
    with CaptureQueriesContext(
        connection,
    ) as asked:
        assert client.get(path).status_code == 200
    return len(asked)


@pytest.mark.parametrize(
    ("path", "most"),
    [("/modalities/electron_tomography/", 11), ("/", 3), ("/methods/steady/", 6)],
)
def test_page_asks_as_often_for_a_thousand_entries_as_for_fifty(
    client: Client, modality: Modality, path: str, most: int
) -> None:
    make_entry(modality, make_method(modality, slug="steady"), score=0.5)
    fill(modality, 25)
    few = queries(client, path)
    fill(modality, 475)
    assert queries(client, path) == few <= most
