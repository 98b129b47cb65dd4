"""A feature that is off comes with what it needs and how to get it; others go unmentioned."""

import pytest

from pwmsite import features


def test_a_feature_that_is_off_says_what_it_needs_and_how_to_get_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    off = features.Feature("flying", lambda: False, "wings", "apt install wings")
    on = features.Feature("walking", lambda: True, "legs", "grow them")
    monkeypatch.setattr(features, "FEATURES", [off, on])
    assert features.missing() == ["Off here: flying, which needs wings (apt install wings)."]


@pytest.mark.parametrize("feature", features.FEATURES, ids=lambda feature: feature.needs)
def test_every_feature_can_be_looked_for_on_this_machine(feature: features.Feature) -> None:
    assert feature.is_there() in {True, False}
