"""Runs one revision of our own history as an operation of a Django migration: the same DDL, in Django's transaction."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.apps import apps
from django.db import DatabaseError, router, transaction
from django.db.migrations.operations.base import Operation

from authflow.adapters.sql.migrations import REVISIONS
from authflow.adapters.sql.migrations.repeatable import repeatable
from authflow.adapters.sql.schema import steps
from authflow.errors import SchemaTooNew

if TYPE_CHECKING:
    from django.db.backends.base.base import BaseDatabaseWrapper
    from django.db.backends.base.schema import BaseDatabaseSchemaEditor
    from django.db.migrations.state import ProjectState

    from authflow.adapters.sql.tables import Tables

DATABASES = {"sqlite": "sqlite", "postgresql": "postgresql", "mysql": "mariadb"}
"""What Django calls a database, and we."""

HISTORY = ("base", *REVISIONS)


class Revision(Operation):
    """Leads our tables to *revision*, or back to the one before it.

    Where ``authflow schema upgrade`` was there already, it does nothing: the version table says so to both.

    Raises:
        SchemaTooNew: A newer library made the tables.
        ConfigInvalid: The database is none that we know.
    """

    reduces_to_sql = True
    reversible = True

    def __init__(self, revision: str) -> None:
        self.revision = revision

    def state_forwards(self, app_label: str, state: ProjectState) -> None:
        """Change no model: there is none."""

    def database_forwards(
        self,
        app_label: str,
        schema_editor: BaseDatabaseSchemaEditor,
        from_state: ProjectState,  # noqa: ARG002  # Django passes it
        to_state: ProjectState,  # noqa: ARG002  # as above
    ) -> None:
        """Run the statements of this revision, unless they have been run."""
        before = HISTORY[HISTORY.index(self.revision) - 1]
        if not _stands(schema_editor, at_least=self.revision):
            _run(app_label, schema_editor, start=before, to=self.revision)

    def database_backwards(
        self,
        app_label: str,
        schema_editor: BaseDatabaseSchemaEditor,
        from_state: ProjectState,  # noqa: ARG002  # Django passes it
        to_state: ProjectState,  # noqa: ARG002  # as above
    ) -> None:
        """Run the statements that lead back, **with everything in the tables that they drop**."""
        before = HISTORY[HISTORY.index(self.revision) - 1]
        if _collecting(schema_editor) or _stands(schema_editor, at_least=self.revision):
            _run(app_label, schema_editor, start=self.revision, to=before)

    def describe(self) -> str:
        """Say what it does, for ``manage.py migrate --plan``."""
        return f"Lead the tables of authflow to their revision {self.revision}"


def _run(app_label: str, schema_editor: BaseDatabaseSchemaEditor, *, start: str, to: str) -> None:
    connection = schema_editor.connection
    if not router.allow_migrate(connection.alias, app_label):
        return
    database = DATABASES.get(connection.vendor, connection.vendor)
    # What stands already counts as done where a failed migration leaves a part of itself, as MariaDB's does.
    written = str if connection.features.can_rollback_ddl else repeatable
    for statement in steps(database, _tables(), start=start, to=to):
        schema_editor.execute(written(statement), params=None)


def _stands(schema_editor: BaseDatabaseSchemaEditor, *, at_least: str) -> bool:
    found = None if _collecting(schema_editor) else _found(schema_editor.connection)
    if found is None:
        return False
    if found not in HISTORY:
        raise SchemaTooNew(found=found)
    return HISTORY.index(found) >= HISTORY.index(at_least)


def _found(connection: BaseDatabaseWrapper) -> str | None:
    """Return the revision that our version table names, or none; a missing table undoes nothing else."""
    tables, quoted = _tables(), connection.ops.quote_name
    names = [name for name in (tables.metadata.schema, f"{tables.prefix}schema_version") if name]
    try:
        with transaction.atomic(using=connection.alias), connection.cursor() as cursor:
            cursor.execute(f"SELECT version_num FROM {'.'.join(map(quoted, names))}")  # noqa: S608  # quoted names
            row = cursor.fetchone()
    except DatabaseError:
        return None
    return None if row is None else str(row[0])


def _collecting(schema_editor: BaseDatabaseSchemaEditor) -> bool:
    """Tell whether ``manage.py sqlmigrate`` asks: then nothing is read, and everything is written down."""
    return schema_editor.collect_sql


def _tables() -> Tables:
    config: Any = apps.get_app_config("authflow")
    tables: Tables = config.tables()
    return tables
