"""The Django app makes our tables by ``manage.py migrate``: the same tables, in Django's own transaction."""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import attrs
import pytest
import sqlalchemy as sa

import authflow
from authflow.adapters.sql import schema
from authflow.adapters.sql.engine import make_engine
from authflow.adapters.sql.migrations import REVISIONS
from authflow.adapters.sql.tables import build
from tests.empty import empty_database
from tests.integrations.django_project import Managed, Nowhere, Settings
from tests.integrations.django_settings import settings_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from authflow.adapters.sql.tables import Tables

ROOT = Path(authflow.__file__).parent
MIGRATIONS = sorted((ROOT / "integrations" / "django" / "migrations").glob("[0-9]*.py"))
NEWEST = MIGRATIONS[-1].stem


@attrs.frozen(kw_only=True)
class Project:
    """A Django project on one database."""

    engine: sa.Engine
    tables: Tables
    renamed: bool

    def manage(self, *commands: str, failing: bool = False, check: bool = True) -> Managed:
        own = {"prefix": self.tables.prefix, "schema": self.tables.metadata.schema} if self.renamed else {}
        project = Settings(database=settings_of(self.engine.url), failing=failing, **own)
        done = project.manage(*commands)
        assert not check or not done.failed, done.failed
        return done

    def names(self) -> set[str]:
        inspected = sa.inspect(self.engine)
        schemas = {None, self.tables.metadata.schema}
        return {name for where in schemas for name in inspected.get_table_names(schema=where)}

    def ours(self) -> set[str]:
        known = {table.name for table in self.tables.metadata.tables.values()}
        return self.names() & known


@pytest.fixture(params=["sqlite", "sqlite renamed", "postgresql", "postgresql renamed", "mariadb"])
def project(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Project]:
    """A project on an empty database, under the names that we give or under names of its own."""
    database, _, renamed = request.param.partition(" ")
    with empty_database(request, database, tmp_path) as engine:
        if not renamed:
            yield Project(engine=engine, tables=build(), renamed=False)
            return
        own = "Auth" if database == "postgresql" else None
        if own is not None:
            with engine.begin() as connection:
                connection.exec_driver_sql(f'CREATE SCHEMA "{own}"')
        yield Project(engine=engine, tables=build(prefix="My_", schema=own), renamed=True)


def test_there_is_one_migration_for_each_revision():
    """Fails when a revision is new. Each follows the one before it."""
    assert [re.findall(r'Revision\("(\w+)"\)', file.read_text("utf-8")) for file in MIGRATIONS] == [
        [revision] for revision in REVISIONS
    ]
    assert [file.stem.partition("_")[0] for file in MIGRATIONS] == list(REVISIONS)
    scripts = sorted((ROOT / "adapters" / "sql" / "migrations" / "versions").glob("r[0-9]*.py"))
    assert [f"r{file.name}" for file in MIGRATIONS] == [script.name for script in scripts]


def test_migrating_makes_exactly_our_tables(project: Project):
    """And every other command of Django's stays clean."""
    shown = project.manage("migrate", "showmigrations authflow", "makemigrations --check --dry-run", "migrate --check")
    assert shown.printed.count("[X]") == len(REVISIONS)
    schema.check(project.engine, project.tables)
    assert schema.differences(project.engine, project.tables) == ()
    assert "django_content_type" in project.names()


def test_migrating_back_deletes_ours_only(project: Project):
    project.manage("migrate", "migrate authflow zero")
    assert project.ours() == set()
    assert "django_content_type" in project.names()
    project.manage("migrate authflow")
    schema.check(project.engine, project.tables)


def test_one_revision_at_a_time(project: Project):
    for file, revision in zip(MIGRATIONS, REVISIONS, strict=True):
        project.manage(f"migrate authflow {file.stem}")
        assert schema.current(project.engine, project.tables) == revision
    project.manage(f"migrate authflow {MIGRATIONS[0].stem}")
    assert schema.current(project.engine, project.tables) == REVISIONS[0]


def test_a_migration_that_failed_is_run_again(project: Project):
    """It runs in Django's transaction, on SQLite too. MariaDB has none for it, and keeps what was done until then."""
    failed = project.manage("migrate authflow", failing=True, check=False)
    assert "nowhere" in failed.failed
    assert bool(project.ours()) == (project.engine.dialect.name == "mariadb")
    project.manage("migrate authflow")
    schema.check(project.engine, project.tables)


def test_tables_that_stand_already_are_taken_over(project: Project):
    """Made by ``authflow schema upgrade``, before Django or after a part of it: neither minds the other."""
    project.manage(f"migrate authflow {MIGRATIONS[0].stem}")
    schema.upgrade(project.engine, project.tables)
    with project.engine.begin() as connection:
        row = {"user_id": "anne", "epoch": 7, "enrollment_required": False}
        connection.execute(sa.insert(project.tables.shared.account), row)
    project.manage("migrate authflow", "makemigrations --check --dry-run")
    with project.engine.begin() as connection:
        assert connection.execute(sa.select(project.tables.shared.account.c.epoch)).scalars().all() == [7]
    schema.downgrade(project.engine, project.tables, to="base")
    project.manage("migrate authflow zero", "migrate authflow")
    schema.check(project.engine, project.tables)


def test_tables_of_a_newer_library_are_left_alone(project: Project):
    project.manage("migrate authflow", "migrate authflow zero --fake")
    version = sa.table(
        f"{project.tables.prefix}schema_version", sa.column("version_num"), schema=project.tables.metadata.schema
    )
    with project.engine.begin() as connection:
        connection.execute(sa.update(version).values(version_num="9999"))
    failed = project.manage("migrate authflow", check=False)
    assert "schema.too_new" in failed.failed


def test_the_statements_can_be_read_before(tmp_path: Path):
    """``sqlmigrate`` prints what a database administrator runs: the same tables again."""
    engine = make_engine(f"sqlite:///{tmp_path / 'app.db'}")
    project = Project(engine=engine, tables=build(), renamed=False)
    written = project.manage(*(f"sqlmigrate authflow {file.stem}" for file in MIGRATIONS)).printed
    assert project.ours() == set()
    with closing(sqlite3.connect(tmp_path / "app.db")) as raw:
        raw.executescript(written)
    schema.check(engine, build())
    assert schema.differences(engine, build()) == ()
    back = project.manage(*(f"sqlmigrate authflow {file.stem} --backwards" for file in reversed(MIGRATIONS))).printed
    with closing(sqlite3.connect(tmp_path / "app.db")) as raw:
        raw.executescript(back)
    assert project.ours() == set()
    engine.dispose()


def test_another_database_of_the_project_gets_no_tables(tmp_path: Path):
    """Routers decide, as for every app."""
    engine = make_engine(f"sqlite:///{tmp_path / 'app.db'}")
    project = Project(engine=engine, tables=build(), renamed=False)
    routers = (f"{Nowhere.__module__}.{Nowhere.__name__}",)
    done = Settings(database=settings_of(engine.url), routers=routers).manage("migrate")
    assert not done.failed, done.failed
    assert project.ours() == set()
    assert "django_content_type" in project.names()
    engine.dispose()
