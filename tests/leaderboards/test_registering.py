"""Of two equal methods that are registered at once, the second is an error of the form."""

from __future__ import annotations

import pytest

from leaderboards.method_form import MethodForm
from leaderboards.models import Checkpoint, Family
from tests import faster
from tests.factories import make_method, make_modality, make_user

pytestmark = pytest.mark.django_db
METHOD = {
    "name": "Twice",
    "family": Family.CLASSICAL.value,
    "description": "It reconstructs.",
    "checkpoint": Checkpoint.NOT_NEEDED.value,
}


def test_the_second_of_two_equal_methods_gets_an_error_of_the_form(client, monkeypatch):
    client.force_login(make_user())
    modality = make_modality("stem")
    faster.write_first(monkeypatch, MethodForm, lambda: make_method(slug="twice"))
    answer = client.post("/methods/register/", METHOD | {"modalities": [modality.pk]})
    assert answer.status_code == 400
    assert "A method twice already exists" in answer.content.decode()


def test_the_second_of_two_equal_methods_gets_an_error_of_the_api(client, monkeypatch):
    client.force_login(make_user())
    make_modality("stem")
    faster.write_first(monkeypatch, MethodForm, lambda: make_method(slug="twice"))
    answer = client.post(
        "/api/v1/methods/", METHOD | {"modalities": ["stem"]}, content_type="application/json"
    )
    assert answer.status_code == 400
    assert "already exists" in answer.json()["name"][0]


def test_a_method_that_exists_is_refused_as_before(client):
    client.force_login(make_user())
    make_method(make_modality("stem"), slug="twice", name="Twice")
    answer = client.post("/methods/register/", METHOD)
    assert answer.status_code == 400
