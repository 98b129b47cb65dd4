"""The site with its catalogue in the database."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.test import Client

from leaderboards.catalogue import sync_everything


@pytest.fixture
def catalogue(db: None) -> None:
    """Both modalities and what the source reported, as ``sync_catalogue`` writes them."""
    sync_everything()


@pytest.fixture
def read(catalogue: None, client: Client) -> Callable[[str], str]:
    """Get a page that must be there, as HTML."""

    def get(url: str) -> str:
        response = client.get(url)
        assert response.status_code == 200, url
        return str(response.content.decode())

    return get
