"""History stays as it was written, whoever asks: the database says no, also to SQL by hand."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.apps import apps
from django.db import IntegrityError, connection, models, transaction
from django.db.migrations import RemoveConstraint
from django.db.migrations.loader import MigrationLoader
from django.test import Client

from gallery.models import RunEvent
from leaderboards.models import (
    AttemptEvent,
    Bound,
    BoundEvent,
    Certificate,
    CreditAccount,
    CreditChange,
    Decision,
    Entry,
    Kind,
    Method,
    SpecCurve,
    SpecCurveEvent,
    TierScore,
)
from modalities.append_only import AppendOnly
from modalities.jobs import JobEvent
from pwmsite.models import Mail, MailEvent
from realdata.models import Calibration, CalibrationEvent
from tests.factories import make_attempt, make_entry, make_user
from tests.gallery.rows import make_run

HISTORY = [
    AttemptEvent,
    BoundEvent,
    CalibrationEvent,
    Certificate,
    CreditChange,
    Decision,
    RunEvent,
    SpecCurveEvent,
    MailEvent,
    *(kind.history.model for kind in (Entry, Method, TierScore)),
]
REFUSED = "History cannot be changed or deleted"


@pytest.fixture
def rows(db: None) -> None:
    """One row of each kind of history, at least."""
    first = make_attempt()
    second = make_attempt(first.modality, first.method, kind=Kind.RERUN, repeats=first)
    first.entry.certify(make_user(), "The second run agrees.", second)
    make_run(first.modality)
    CreditAccount.objects.of(make_user())
    inputs = {"modality": first.modality, "inputs": "1" * 64}
    Bound.objects.enqueue(**inputs)
    SpecCurve.objects.enqueue(method=first.method, parameter="probe_size", **inputs)
    Calibration.objects.enqueue(series="needle")
    Mail.objects.enqueue(letter="sealed")
    connection.check_constraints()  # now, not at the end: PostgreSQL truncates nothing before that


def test_all_history_is_meant() -> None:
    kept = {kind for kind in apps.get_models() if issubclass(kind, AppendOnly)}
    assert kept == set(HISTORY)
    assert {kind for kind in apps.get_models() if issubclass(kind, JobEvent)} < kept


@pytest.mark.parametrize("kind", HISTORY)
@pytest.mark.usefixtures("rows")
def test_database_refuses_to_change_or_delete_history(kind: type[models.Model]) -> None:
    before = list(kind._base_manager.values())
    assert before
    for column in kind._meta.concrete_fields:
        _refused(f'UPDATE {kind._meta.db_table} SET "{column.column}" = "{column.column}"')
    _refused(f"DELETE FROM {kind._meta.db_table}")
    if connection.vendor == "postgresql":
        # Without CASCADE PostgreSQL itself refuses to empty a table that another one refers to.
        _refused(f"TRUNCATE {kind._meta.db_table} CASCADE")
    else:
        _refused(f"REPLACE INTO {kind._meta.db_table} SELECT * FROM {kind._meta.db_table}")
    assert list(kind._base_manager.values()) == before


def _refused(sql: str) -> None:
    with (
        pytest.raises(IntegrityError, match=REFUSED),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute(sql)


@pytest.mark.usefixtures("rows")
def test_job_cannot_go_without_its_history() -> None:
    job = RunEvent.objects.get().job
    with pytest.raises(models.ProtectedError):
        job.delete()


@pytest.mark.django_db
def test_person_can_go_and_what_they_did_stays(client: Client) -> None:
    curator, entry = make_user(), make_entry()
    entry.disqualify(curator, "It read the truth.")
    entry.reinstate(curator, "It did not.")
    number = curator.pk
    CreditAccount.objects.of(curator)
    other = CreditAccount.objects.of(make_user())
    other.grant(5, "For the workshop.", by=curator)
    curator.delete()
    assert other.changes.first().by_id == number
    assert {decision.by_id for decision in entry.decisions.all()} == {number}
    page = client.get(entry.get_absolute_url()).content.decode()
    assert page.count("<td>a closed account</td>") == 2
    left = CreditAccount.objects.get(user=None)
    assert left.changes.exists()
    assert not CreditAccount.objects.unbalanced()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("make", "rule", "change"),
    [
        (lambda: make_run().events.get(), "gallery_runevent_append_only", {"detail": "Never."}),
        (make_attempt, "attempt_evidence_once", {"cpu_seconds": 0.1}),
    ],
    ids=["append only", "written once"],
)
def test_migration_takes_a_guard_away_and_gives_it_back(
    make: Callable[[], models.Model], rule: str, change: dict[str, object]
) -> None:
    row = make()
    label, kind = row._meta.app_label, type(row)
    rows = models.QuerySet(kind).filter(pk=row.pk)
    guarded = MigrationLoader(connection).project_state()
    free, operation = guarded.clone(), RemoveConstraint(row._meta.model_name, rule)
    operation.state_forwards(label, free)
    try:
        with connection.schema_editor() as editor:
            operation.database_forwards(label, editor, guarded, free)
        assert rows.update(**change) == 1
    finally:
        with connection.schema_editor() as editor:
            operation.database_backwards(label, editor, free, guarded)
    with pytest.raises(IntegrityError, match=f"{REFUSED}|is written once"):
        rows.update(**dict.fromkeys(change))
    assert rows.filter(**change).exists()
