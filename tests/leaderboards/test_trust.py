"""The database itself holds the trust ladder: what must not be cannot be written."""

import pytest
from django.db import IntegrityError, transaction

from leaderboards.models import Attempt, Decision, Entry, Kind, Origin, Trust, Word
from tests.factories import make_attempt, make_entry, make_method, make_modality, make_user

pytestmark = pytest.mark.django_db


def update(row: Attempt | Entry, **fields: object) -> None:
    with transaction.atomic():
        type(row).objects.filter(pk=row.pk).update(**fields)


def decide(entry: Entry, word: Word) -> Decision:
    return Decision.objects.create(entry=entry, word=word, by=make_user(), reason="Because.")


@pytest.mark.parametrize("trust", [Trust.SCORED, Trust.RERUN, Trust.CERTIFIED])
def test_reported_entry_cannot_climb(trust: str) -> None:
    entry = make_entry(origin=Origin.REPORTED)
    decision = decide(entry, Word.CERTIFIED)
    with pytest.raises(IntegrityError, match="entry_reported_stays_reported"):
        update(entry, trust=trust, decision=decision)


def test_measured_entry_cannot_be_called_reported() -> None:
    with pytest.raises(IntegrityError, match="entry_reported_stays_reported"):
        update(make_entry(), trust=Trust.REPORTED)


def test_reported_entry_needs_a_source() -> None:
    with pytest.raises(IntegrityError, match="names_source"), transaction.atomic():
        make_entry(origin=Origin.REPORTED, source="")


def test_measured_entry_has_no_source() -> None:
    with pytest.raises(IntegrityError, match="names_source"), transaction.atomic():
        make_entry(source="Somebody 2024")


@pytest.mark.parametrize("change", [{"trust": Trust.CERTIFIED}, {"is_listed": False}])
def test_entry_is_certified_or_taken_off_by_a_decision_alone(change: dict[str, object]) -> None:
    entry = make_entry()
    with pytest.raises(IntegrityError, match="entry_decided"):
        update(entry, **change)
    update(entry, decision=decide(entry, Word.APPROVED), **change)


def test_entry_that_is_off_its_board_is_not_certified() -> None:
    entry = make_entry()
    decision = decide(entry, Word.DISQUALIFIED)
    with pytest.raises(IntegrityError, match="entry_certified_is_listed"):
        update(entry, decision=decision, trust=Trust.CERTIFIED, is_listed=False)


@pytest.mark.parametrize(
    "missing", ["inputs_sha256", "outputs_sha256", "environment_sha256", "metrics_version", "entry"]
)
def test_score_without_its_evidence_is_refused(missing: str) -> None:
    entry = make_attempt().entry
    sent = make_attempt(entry.modality, entry.method, sha256="5" * 64)
    values = {
        field.attname: getattr(sent, field.attname) for field in Attempt._meta.concrete_fields
    }
    attname = Attempt._meta.get_field(missing).attname
    values |= {"sha256": "6" * 64, "inputs": "6" * 64, attname: None if missing == "entry" else ""}
    del values["id"]
    with pytest.raises(IntegrityError, match="attempt_score_has_evidence"), transaction.atomic():
        Attempt.objects.create(**values)


@pytest.mark.parametrize("kind", [Kind.BASELINE, Kind.PROGRAM])
def test_run_by_the_server_names_its_program(kind: str) -> None:
    with pytest.raises(IntegrityError, match="attempt_run_has_program"), transaction.atomic():
        make_attempt(tier="public", kind=kind, program_sha256="")


@pytest.mark.parametrize("tier", ["standard", "hidden"])
def test_files_are_taken_for_the_public_and_the_dev_tier_alone(tier: str) -> None:
    with pytest.raises(IntegrityError, match="attempt_tier_takes_uploads"), transaction.atomic():
        make_attempt(tier=tier, kind=Kind.FILE)


def test_second_run_names_the_first_and_no_other_attempt_does() -> None:
    first = make_attempt()
    with pytest.raises(IntegrityError, match="attempt_rerun_repeats"), transaction.atomic():
        make_attempt(first.modality, first.method, kind=Kind.FILE, repeats=first)


def test_method_has_one_entry_of_a_variant_on_a_board() -> None:
    entry = make_entry()
    with pytest.raises(IntegrityError), transaction.atomic():
        make_entry(entry.modality, entry.method)


@pytest.mark.parametrize("field", ["paper_url", "code_url"])
def test_method_link_that_is_not_https_is_refused(field: str) -> None:
    with pytest.raises(IntegrityError, match="method_links_https"), transaction.atomic():
        make_method(make_modality(), **{field: "http://example.org/"})


@pytest.mark.parametrize("change", ["save", "delete"])
def test_history_is_append_only(change: str) -> None:
    entry = make_entry()
    with pytest.raises(TypeError, match="History cannot be"):
        getattr(entry.history.get(), change)()
