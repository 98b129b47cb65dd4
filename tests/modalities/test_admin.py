"""The admin shows a modality …"""

from __future__ import annotations

import pytest
from django.urls import reverse

from tests.factories import make_modality

pytestmark = pytest.mark.django_db


def test_with_the_unknowns_and_scenes_of_its_file(admin_client):
    page = shown(admin_client, make_modality("stem"))
    assert "added to propagate.convergence_angle, nominal 0" in page
    assert "(strontium_titanate, every tier)" in page


def test_that_has_lost_its_file(admin_client):
    assert "xray" in shown(admin_client, make_modality("xray", is_listed=False))


def shown(client, modality) -> str:
    answer = client.get(reverse("admin:modalities_modality_change", args=[modality.pk]))
    assert answer.status_code == 200
    return answer.content.decode()
