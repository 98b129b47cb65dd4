"""A page asks the database as often for a thousand entries as for fifty."""

import pytest
from django.core.cache import cache
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from leaderboards.models import Board, Origin
from modalities.models import Modality
from tests.factories import make_entries, make_entry, make_method, make_modality

pytestmark = pytest.mark.django_db
FACTS = {
    "signal_chain": [{"component": "Stage", "does": "Turns.", "mismatch": ["tilt_angle"]}],
    "setup": [{"label": "Voltage", "value": "300 kV"}],
    "references": [{"citation": "Frank (2006)", "year": 2006}],
    "datasets": [{"name": "EMPIAR", "description": "Tilt series."}],
    "source_gallery": None,
}

TIERS = dict.fromkeys(("public", "dev", "hidden"), (0.5, 25.0, 0.8))


@pytest.fixture
def modality() -> Modality:
    return make_modality("electron_tomography", facts=FACTS)


def fill(modality: Modality, n: int) -> None:
    """Add n measured challenge entries and n reported standard ones."""
    make_entries(modality, n)
    make_entries(modality, n, Board.STANDARD, Origin.REPORTED)


def queries(client: Client, path: str) -> int:
    """Count the queries of a page that no cache holds."""
    cache.clear()
    with CaptureQueriesContext(connection) as asked:
        assert client.get(path).status_code == 200
    return len(asked)


@pytest.mark.parametrize(
    ("path", "most"),
    [("/modalities/electron_tomography/", 12), ("/", 3), ("/methods/steady/", 6)],
)
def test_page_asks_as_often_for_a_thousand_entries_as_for_fifty(
    client: Client, modality: Modality, path: str, most: int
) -> None:
    make_entry(modality, make_method(modality, slug="steady"), tiers=TIERS)
    fill(modality, 25)
    few = queries(client, path)
    fill(modality, 475)
    assert queries(client, path) == few <= most
