"""History: rows that are added and never changed. The database itself refuses the rest."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from django.core.exceptions import ValidationError
from django.db import models
from django.db.backends.ddl_references import Statement, Table
from django.db.utils import DEFAULT_DB_ALIAS

# The triggers name no column, so that later migrations may change the table as they like.
_SQLITE = """
CREATE TRIGGER %(name)s BEFORE {event} ON %(table)s BEGIN SELECT RAISE(ABORT, %(message)s); END
"""
_POSTGRESQL = """
CREATE OR REPLACE FUNCTION %(name)s() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION USING MESSAGE = %(message)s, ERRCODE = 'restrict_violation'; END $$;
CREATE TRIGGER append_only_rows BEFORE UPDATE OR DELETE ON %(table)s
    FOR EACH ROW EXECUTE FUNCTION %(name)s();
CREATE TRIGGER append_only_table BEFORE TRUNCATE ON %(table)s
    FOR EACH STATEMENT EXECUTE FUNCTION %(name)s()
"""
_SQLITE_ONCE = """
CREATE TRIGGER %(name)s BEFORE UPDATE ON %(table)s
WHEN {written} AND ({changed}) BEGIN SELECT RAISE(ABORT, %(message)s); END
"""
_POSTGRESQL_ONCE = """
CREATE OR REPLACE FUNCTION %(name)s() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION USING MESSAGE = %(message)s, ERRCODE = 'restrict_violation'; END $$;
CREATE TRIGGER written_once BEFORE UPDATE ON %(table)s FOR EACH ROW
    WHEN ({written} AND ({changed})) EXECUTE FUNCTION %(name)s()
"""


class _Triggers(models.BaseConstraint):
    """A rule that the database keeps by triggers on the model's own table."""

    def _statements(self, model: Any, editor: Any) -> list[Statement]:
        raise TypeError("A rule says what its triggers are.")

    def constraint_sql(self, model: Any, schema_editor: Any) -> str:
        """Add nothing to CREATE TABLE; the triggers follow once the table has its final name."""
        schema_editor.deferred_sql += self._statements(model, schema_editor)
        return ""

    def create_sql(self, model: Any, schema_editor: Any) -> Any:
        """Add the triggers to an existing table. PostgreSQL only: on SQLite Django remakes it."""
        return self._statements(model, schema_editor)[0]

    def remove_sql(self, model: Any, schema_editor: Any) -> Any:
        """Drop the function together with its triggers."""
        return self._statement("DROP FUNCTION %(name)s() CASCADE", model, schema_editor)

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and self.deconstruct() == other.deconstruct()

    def _statement(self, template: str, model: Any, editor: Any, suffix: str = "") -> Statement:
        return Statement(
            template.strip(),
            name=editor.quote_name(self.name + suffix),
            table=Table(model._meta.db_table, editor.quote_name),
            message=editor.quote_value(self.get_violation_error_message()),
        )


class NeverChanged(_Triggers):
    """Refuse to change or delete a row, from Django, another program or an SQL prompt.

    There is no exception, so a row of history never depends on a row that can be deleted: its
    foreign keys are PROTECT, or DO_NOTHING without a constraint, which keep the deleted row's id.
    """

    default_violation_error_message = "History cannot be changed or deleted."

    def validate(
        self, model: Any, instance: Any, exclude: Any = None, using: str = DEFAULT_DB_ALIAS
    ) -> None:
        if not instance._state.adding:
            raise ValidationError(self.get_violation_error_message())

    def _statements(self, model: Any, editor: Any) -> list[Statement]:
        if editor.connection.vendor == "postgresql":
            return [self._statement(_POSTGRESQL, model, editor)]
        return [
            self._statement(_SQLITE.format(event=event), model, editor, f"_{event.lower()}")
            for event in ("UPDATE", "DELETE")
        ]


class WrittenOnce(_Triggers):
    """Refuse to change ``fields`` of a row once its field ``when`` has a value."""

    default_violation_error_message = "Evidence is written once."

    def __init__(self, *, fields: Sequence[str], when: str, **options: Any) -> None:
        super().__init__(**options)
        self.fields, self.when = tuple(fields), when

    def deconstruct(self) -> Any:
        path, args, kwargs = super().deconstruct()
        return path, args, kwargs | {"fields": self.fields, "when": self.when}

    def validate(
        self, model: Any, instance: Any, exclude: Any = None, using: str = DEFAULT_DB_ALIAS
    ) -> None:
        """Leave it to the database, which alone knows the old row."""

    def _statements(self, model: Any, editor: Any) -> list[Statement]:
        is_postgresql = editor.connection.vendor == "postgresql"
        differs = "IS DISTINCT FROM" if is_postgresql else "IS NOT"

        def column(row: str, field: str) -> str:
            return f"{row}.{editor.quote_name(model._meta.get_field(field).column)}"

        changed = " OR ".join(
            f"{column('NEW', field)} {differs} {column('OLD', field)}" for field in self.fields
        )
        written = f"{column('OLD', self.when)} IS NOT NULL"
        template = _POSTGRESQL_ONCE if is_postgresql else _SQLITE_ONCE
        return [self._statement(template.format(written=written, changed=changed), model, editor)]


class AppendOnlyQuerySet(models.QuerySet):
    """Read and add history; nothing else."""

    def update(self, **kwargs: Any) -> int:
        raise TypeError("History cannot be changed.")

    def delete(self) -> Any:
        raise TypeError("History cannot be deleted.")


class AppendOnly(models.Model):
    """A row of history. Python refuses a change before the database does, with a traceback."""

    class Meta:
        abstract = True
        constraints: ClassVar[tuple[models.BaseConstraint, ...]] = (
            NeverChanged(name="%(app_label)s_%(class)s_append_only"),
        )

    def save(self, *args: Any, **kwargs: Any) -> None:
        if not self._state.adding:
            raise TypeError("History cannot be changed.")
        super().save(*args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> Any:
        raise TypeError("History cannot be deleted.")
