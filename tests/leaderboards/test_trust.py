"""The database itself holds the trust ladder: what must not be cannot be written."""

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from leaderboards.models import Checkpoint, Entry, Origin, Trust
from tests.factories import make_entry, make_method, make_modality, make_user

pytestmark = pytest.mark.django_db

HASHES = {
    "inputs_sha256": "a" * 64,
    "program_sha256": "b" * 64,
    "outputs_sha256": "c" * 64,
    "environment_sha256": "d" * 64,
}


def update(entry: Entry, **fields: object) -> None:
    with transaction.atomic():
        Entry.objects.filter(pk=entry.pk).update(**fields)


def certificate(**fields: object) -> dict[str, object]:
    """All that a certified entry with score 0.5 needs, but for what ``fields`` say otherwise."""
    full = HASHES | {
        "trust": Trust.CERTIFIED,
        "certified_by": make_user(),
        "certified_at": timezone.now(),
        "certified_reason": "Ran it again.",
        "second_score": 0.5004,
    }
    return full | fields


@pytest.mark.parametrize("trust", [Trust.SCORED, Trust.RERUN, Trust.CERTIFIED])
def test_reported_entry_cannot_climb(trust: str) -> None:
    entry = make_entry(origin=Origin.REPORTED, score=0.5)
    with pytest.raises(IntegrityError):
        update(entry, **certificate(trust=trust))


def test_measured_entry_cannot_be_called_reported() -> None:
    with pytest.raises(IntegrityError):
        update(make_entry(), trust=Trust.REPORTED)


def test_reported_entry_needs_a_source() -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        make_entry(origin=Origin.REPORTED, source="")


def test_entry_without_program_goes_no_further_than_scored() -> None:
    with pytest.raises(IntegrityError):
        update(make_entry(), trust=Trust.RERUN)


def test_entry_without_checkpoint_goes_no_further_than_scored() -> None:
    entry = make_entry(checkpoint=Checkpoint.UNAVAILABLE)
    with pytest.raises(IntegrityError):
        update(entry, trust=Trust.RERUN, program_sha256="b" * 64)


def test_entry_with_program_and_checkpoint_can_be_rerun() -> None:
    entry = make_entry()
    update(entry, trust=Trust.RERUN, program_sha256="b" * 64)
    entry.refresh_from_db()
    assert entry.trust == Trust.RERUN


def test_complete_certificate_is_accepted() -> None:
    entry = make_entry(score=0.5)
    update(entry, **certificate())
    entry.refresh_from_db()
    assert entry.is_certified


@pytest.mark.parametrize(
    "missing",
    [
        {"certified_by": None},
        {"certified_at": None},
        {"certified_reason": ""},
        {"inputs_sha256": ""},
        {"program_sha256": ""},
        {"outputs_sha256": ""},
        {"environment_sha256": ""},
        {"second_score": None},
        {"second_score": 0.502},
    ],
    ids=lambda missing: "-".join(f"{k}={v}" for k, v in missing.items()),
)
def test_certificate_that_lacks_a_part_is_refused(missing: dict[str, object]) -> None:
    entry = make_entry(score=0.5)
    with pytest.raises(IntegrityError):
        update(entry, **certificate(**missing))


def test_entry_without_score_cannot_be_certified() -> None:
    with pytest.raises(IntegrityError):
        update(make_entry(), **certificate())


def test_certified_entry_cannot_be_disqualified_and_stay_certified() -> None:
    entry = make_entry(score=0.5)
    update(entry, **certificate())
    with pytest.raises(IntegrityError):
        update(
            entry,
            disqualified_by=make_user(),
            disqualified_at=timezone.now(),
            disqualified_reason="It knew the truth.",
        )


def test_disqualification_needs_a_reason() -> None:
    with pytest.raises(IntegrityError):
        update(make_entry(), disqualified_by=make_user(), disqualified_at=timezone.now())


def test_method_has_one_entry_of_a_name_on_a_board() -> None:
    entry = make_entry()
    with pytest.raises(IntegrityError), transaction.atomic():
        make_entry(entry.modality, entry.method)


@pytest.mark.parametrize("field", ["paper_url", "code_url"])
def test_method_link_that_is_not_https_is_refused(field: str) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        make_method(make_modality(), **{field: "http://example.org/"})


@pytest.mark.parametrize("change", ["save", "delete"])
def test_history_is_append_only(change: str) -> None:
    entry = make_entry()
    with pytest.raises(TypeError, match="History cannot be"):
        getattr(entry.history.get(), change)()
