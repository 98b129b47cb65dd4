"""What an entry's page tells of the spec, and what it keeps to itself."""

from __future__ import annotations

import pytest

from leaderboards import dossier
from tests.factories import make_entry, make_tier_score

pytestmark = pytest.mark.django_db


def test_spec_errors_are_told_for_the_public_tier_alone():
    entry = make_entry()
    for tier in ("public", "dev", "hidden"):
        make_tier_score(entry, tier, spec_error={"probe_size": 0.125})
    told = {row["name"]: row["spec_error"] for row in dossier.of(entry)["tiers"]}
    assert told == {"Public": [("probe_size", "12.5 %")], "Dev": [], "Hidden": []}
