"""On the page of a submission its owner sees whether it counts, and chooses another one."""

from __future__ import annotations

import pytest

from leaderboards.models import Attempt, TierScore
from tests.factories import make_attempt, make_method, make_modality, make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def ada(client):
    user = make_user(username="ada")
    client.force_login(user)
    return user


@pytest.fixture
def attempts(ada):
    """The better of two files to the public tier, and the other one."""
    method = make_method(make_modality(), owner=ada)
    return [make_attempt(None, method, "public", (s, 25.0, 0.8)) for s in (0.7, 0.6)]


def page(client, attempt) -> str:
    return client.get(attempt.get_absolute_url()).content.decode()


def choose(client, attempt, **data: str):
    return client.post(f"{attempt.get_absolute_url()}choose/", data, follow=True)


def test_the_page_says_whether_the_result_counts_and_why(client, attempts):
    best, other = attempts
    assert "This result counts on the board" in page(client, best)
    assert "the best counts" in page(client, best)
    assert "This result does not count." in page(client, other)
    listed = client.get("/submissions/").context["lines"]
    assert {line["id"]: line["counts"] for line in listed} == {
        str(best.pk): True,
        str(other.pk): False,
    }


def test_the_owner_lets_another_result_count_and_goes_back_to_the_rule(client, attempts):
    best, other = attempts
    assert "This result counts now." in choose(client, other).content.decode()
    assert TierScore.objects.get().attempt == other
    assert "because you chose it" in page(client, other)
    back = choose(client, other, by_rule="yes").content.decode()
    assert "The board follows its rule again." in back
    assert TierScore.objects.get().attempt == best


def test_nobody_else_chooses(client, attempts):
    client.force_login(make_user(is_staff=True, is_superuser=True))
    assert choose(client, attempts[1]).status_code == 404
    assert TierScore.objects.get().attempt == attempts[0]


def test_what_has_no_score_cannot_be_chosen(client, ada, attempts):
    method = attempts[0].method
    waiting = Attempt.objects.submit(
        ada,
        modality=attempts[0].modality,
        method=method,
        tier="public",
        file="submissions/waiting.h5",
        sha256="e" * 64,
    )
    assert "This submission has no score" in choose(client, waiting).content.decode()
    assert TierScore.objects.get().chosen is None
