"""History stays as it was written, whoever asks: the database says no, also to SQL by hand."""

from __future__ import annotations

import pytest
from django.apps import apps
from django.core.management import call_command
from django.db import IntegrityError, connection, models, transaction
from django.test import Client
from leaderboards.credits import CreditAccount, CreditChange
from leaderboards.submission import Evaluation, EvaluationEvent, Submission, SubmissionEvent

from gallery.models import RunEvent
from leaderboards.models import Entry, Method, TierScore
from modalities.append_only import AppendOnly
from modalities.jobs import JobEvent
from tests.factories import make_entry, make_method, make_modality, make_user
from tests.gallery.rows import make_run

HISTORY = [
    CreditChange,
    EvaluationEvent,
    RunEvent,
    SubmissionEvent,
    *(kind.history.model for kind in (Entry, Method, TierScore)),
]
REFUSED = "History cannot be changed or deleted"


@pytest.fixture
def rows(db: None) -> None:
    """One row of each kind of history, at least."""
    modality = make_modality()
    method = make_method(modality)
    what = {"modality": modality, "method": method, "tier": "public"}
    make_entry(modality, method, tiers={"public": (0.5, 25.0, 0.8)})
    make_run(modality)
    Submission.objects.enqueue(**what, sha256="0" * 64, started_by=make_user())
    Evaluation.objects.enqueue(**what, variant="nominal", inputs="0" * 64)
    CreditAccount.objects.of(make_user())
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
        _refused(f"TRUNCATE {kind._meta.db_table}")
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
    curator, entry = make_user(), make_entry(score=0.5)
    entry.disqualify(curator, "It read the truth.")
    entry.reinstate(curator, "It did not.")
    number = curator.pk
    CreditAccount.objects.of(curator)
    other = CreditAccount.objects.of(make_user())
    other.grant(5, "For the workshop.", by=curator)
    curator.delete()
    assert other.changes.first().by_id == number
    page = client.get(entry.get_absolute_url()).content.decode()
    assert page.count("<td>a closed account</td>") == 2
    left = CreditAccount.objects.get(user=None)
    assert left.changes.exists()
    assert not CreditAccount.objects.unbalanced()


@pytest.mark.django_db(transaction=True)
def test_migration_gives_the_guard_and_takes_it_away() -> None:
    run = make_run()
    events = RunEvent._base_manager.filter(job=run)
    try:
        call_command("migrate", "gallery", "0001", verbosity=0)
        assert events.update(detail="It never happened.") == 1
    finally:
        call_command("migrate", "gallery", verbosity=0)
    with pytest.raises(IntegrityError, match=REFUSED):
        events.delete()
    assert events.get().detail == "It never happened."
