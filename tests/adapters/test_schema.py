"""Our tables' own history: made, checked, undone, on every database, beside tables of the host's."""

from __future__ import annotations

import re
import shutil
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from authflow.adapters.sql import schema
from authflow.adapters.sql.engine import make_engine
from authflow.adapters.sql.migrations import REVISIONS
from authflow.adapters.sql.tables import Tables, build
from authflow.errors import (
    ConfigInvalid,
    DatabaseError,
    DatabaseReadOnly,
    DatabaseUnavailable,
    ExtraMissing,
    InputInvalid,
    Retryable,
    SchemaMissing,
    SchemaTooNew,
    SchemaTooOld,
)
from authflow.testing.contracts.threads import at_once
from tests.empty import empty_database, run_alone

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

HEAD = REVISIONS[-1]

ADDED = re.compile(r"ALTER TABLE (?P<table>\S+) ADD COLUMN (?:IF NOT EXISTS )?(?P<column>.+)")


SECOND = """
from alembic import op
import sqlalchemy as sa
revision, down_revision = "9000", "0005"

def upgrade():
    prefix, schema = op.get_context().opts["prefix"], op.get_context().opts["schema"]
    op.create_table(f"{prefix}extra", sa.Column("id", sa.Integer, primary_key=True), schema=schema)
    op.add_column(f"{prefix}user", sa.Column("extra", sa.Integer), schema=schema)
    op.execute("SELECT * FROM nowhere")  # the fault

def downgrade(): ...
"""


@pytest.fixture(params=["sqlite", "postgresql", "mariadb"])
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[sa.Engine]:
    """An empty database."""
    with empty_database(request, request.param, tmp_path) as engine:
        yield engine


@pytest.fixture(params=["default", "chosen"])
def tables(request: pytest.FixtureRequest, engine: sa.Engine) -> Iterator[Tables]:
    """The tables under the names that we give them, and under names that a host chose."""
    if request.param == "default":
        yield build()
    elif engine.dialect.name == "sqlite":
        yield build(prefix="My_")
    else:
        quoted = engine.dialect.identifier_preparer.quote("Auth")
        run_alone(engine, f"CREATE SCHEMA {quoted}")  # on MariaDB another word for a database
        yield build(prefix="My_", schema="Auth")
        if engine.dialect.name == "mariadb":
            run_alone(engine, f"DROP SCHEMA {quoted}")


@pytest.fixture
def scripts(tmp_path: Path) -> Path:
    """Our history with one revision more, which fails in its middle."""
    copy = tmp_path / "50% more"
    shutil.copytree(schema.SCRIPTS, copy)
    (copy / "versions" / "r9000.py").write_text(SECOND)
    return copy


def mend(scripts: Path) -> None:
    revision = scripts / "versions" / "r9000.py"
    revision.write_text(revision.read_text().replace('op.execute("SELECT * FROM nowhere")', ""))


def names(engine: sa.Engine, tables: Tables) -> set[str]:
    with engine.begin() as connection:
        return set(sa.inspect(connection).get_table_names(schema=tables.metadata.schema))


def write_revision(engine: sa.Engine, tables: Tables, *revisions: str) -> None:
    version = sa.table(f"{tables.prefix}schema_version", sa.column("version_num"), schema=tables.metadata.schema)
    with engine.begin() as connection:
        connection.execute(sa.delete(version))
        connection.execute(sa.insert(version), [{"version_num": revision} for revision in revisions])


def add_host_table(engine: sa.Engine) -> sa.MetaData:
    host = sa.MetaData()
    sa.Table("auth_user", host, sa.Column("id", sa.Integer, primary_key=True))
    host.create_all(engine)
    return host


# --- making ---------------------------------------------------------------------------------------------------------


def test_the_history_makes_exactly_the_tables(engine: sa.Engine, tables: Tables):
    """What `build` says and what the migrations make is the same, to the last index. Fails when a table is new."""
    schema.upgrade(engine, tables)
    assert schema.differences(engine, tables) == ()
    assert schema.current(engine, tables) == HEAD
    schema.check(engine, tables)


def test_a_difference_is_found(engine: sa.Engine):
    tables = build()
    schema.upgrade(engine, tables)
    with engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE authflow_user ADD COLUMN extra INTEGER")
        next(index for index in tables.shared.audit.indexes if index.name == "authflow_ix_audit_user").drop(connection)
        connection.exec_driver_sql("CREATE TABLE authflow_forgotten (id INTEGER)")
    found = " ".join(schema.differences(engine, tables))
    assert all(name in found for name in ("add_index", "remove_column", "remove_table"))


def test_upgrading_twice_is_upgrading_once(engine: sa.Engine, tables: Tables):
    schema.upgrade(engine, tables)
    with engine.begin() as connection:
        connection.execute(
            sa.insert(tables.shared.account), {"user_id": "anne", "epoch": 7, "enrollment_required": False}
        )
    schema.upgrade(engine, tables)
    with engine.begin() as connection:
        assert connection.execute(sa.select(tables.shared.account.c.epoch)).scalars().all() == [7]


def test_two_installations_share_a_database(engine: sa.Engine):
    """Each has a version of its own."""
    one, other = build(prefix="one_"), build(prefix="other_")
    schema.upgrade(engine, one)
    with pytest.raises(SchemaMissing):
        schema.check(engine, other)
    schema.upgrade(engine, other)
    schema.downgrade(engine, one, to="base")
    schema.check(engine, other)


def test_the_hosts_own_engine_will_do(tmp_path: Path, scripts: Path):
    """On SQLite Python's driver begins no transaction for a CREATE TABLE; we do."""
    engine, tables = sa.create_engine(f"sqlite:///{tmp_path / 'host.db'}"), build()
    with pytest.raises(SchemaMissing):
        schema.upgrade(engine, tables, scripts=scripts)
    assert names(engine, tables) == set()
    schema.upgrade(engine, tables)
    schema.check(engine, tables)
    engine.dispose()


def test_the_start_up_check_knows_every_revision():
    config = Config()
    config.set_main_option("script_location", str(schema.SCRIPTS))
    config.set_main_option("path_separator", "os")
    walked = [script.revision for script in ScriptDirectory.from_config(config).walk_revisions()]
    assert tuple(reversed(walked)) == REVISIONS


# --- failing --------------------------------------------------------------------------------------------------------


def test_a_step_that_fails_leaves_what_stood_before(engine: sa.Engine, tables: Tables, scripts: Path):
    """Where the database can."""
    schema.upgrade(engine, tables)
    before = names(engine, tables)
    with pytest.raises(DatabaseError):
        schema.upgrade(engine, tables, scripts=scripts)
    assert schema.current(engine, tables) == HEAD
    if engine.dialect.name == "mariadb":
        assert names(engine, tables) == {*before, f"{tables.prefix}extra"}
        return
    assert names(engine, tables) == before
    assert schema.differences(engine, tables) == ()
    schema.check(engine, tables)


def test_a_first_run_that_fails_leaves_nothing(engine: sa.Engine, tables: Tables, scripts: Path):
    with pytest.raises(DatabaseError):
        schema.upgrade(engine, tables, scripts=scripts)
    if engine.dialect.name == "mariadb":
        assert schema.current(engine, tables) == HEAD  # only the last step was interrupted
        return
    assert names(engine, tables) == set()
    assert schema.current(engine, tables) is None


def test_a_step_that_was_mended_goes_through(engine: sa.Engine, tables: Tables, scripts: Path):
    with pytest.raises(DatabaseError):
        schema.upgrade(engine, tables, scripts=scripts)
    mend(scripts)
    schema.upgrade(engine, tables, scripts=scripts)
    assert schema.current(engine, tables) == "9000"
    assert f"{tables.prefix}extra" in names(engine, tables)


def test_tables_that_no_history_made_are_not_touched(engine: sa.Engine, tables: Tables):
    tables.metadata.create_all(engine)
    before = names(engine, tables)
    with pytest.raises(DatabaseError):
        schema.upgrade(engine, tables)
    assert names(engine, tables) == before


def test_a_schema_is_the_hosts_to_create(engine: sa.Engine):
    with pytest.raises(ConfigInvalid) as raised:
        schema.upgrade(engine, build(schema="nowhere"))
    assert raised.value.setting == "schema"


def test_faults_of_the_database_are_ours(tmp_path: Path):
    tables = build()
    gone = make_engine(f"sqlite:///{tmp_path / 'nowhere' / 'app.db'}")
    for ask in (schema.current, schema.check, schema.upgrade, schema.differences):
        with pytest.raises(DatabaseUnavailable):
            ask(gone, tables)
    sqlite3.connect(tmp_path / "app.db").close()
    fixed = make_engine(f"sqlite:///file:{tmp_path / 'app.db'}?mode=ro&uri=true")
    with pytest.raises(DatabaseReadOnly):
        schema.upgrade(fixed, tables)
    fixed.dispose()


def test_alembic_is_an_extra(engine: sa.Engine, monkeypatch: pytest.MonkeyPatch):
    """The start-up check does without."""
    tables = build()
    schema.upgrade(engine, tables)
    for name in [name for name in sys.modules if name.partition(".")[0] == "alembic"]:
        monkeypatch.setitem(sys.modules, name, None)
    schema.check(engine, tables)
    asked: list[Any] = [schema.upgrade, schema.differences, lambda _, tables: schema.sql("sqlite", tables)]
    for ask in asked:
        with pytest.raises(ExtraMissing) as raised:
            ask(engine, tables)
        assert raised.value.extra == "sql"


# --- checking -------------------------------------------------------------------------------------------------------


def test_no_tables_are_missing_tables(engine: sa.Engine, tables: Tables):
    assert schema.current(engine, tables) is None
    with pytest.raises(SchemaMissing):
        schema.check(engine, tables)


def test_older_tables_name_the_revision_to_reach(engine: sa.Engine, tables: Tables):
    schema.upgrade(engine, tables)
    with pytest.raises(SchemaTooOld) as raised:
        schema.check(engine, tables, revisions=(*REVISIONS, "8888", "9999"))
    assert (raised.value.found, raised.value.missing) == (HEAD, "9999")


@pytest.mark.parametrize("revisions", [["9999"], [HEAD, "9999"]])
def test_newer_tables_are_left_alone(engine: sa.Engine, tables: Tables, revisions: list[str]):
    schema.upgrade(engine, tables)
    write_revision(engine, tables, *revisions)
    for ask in (schema.check, schema.upgrade, lambda e, t: schema.downgrade(e, t, to="base")):
        with pytest.raises(SchemaTooNew) as raised:
            ask(engine, tables)
        assert raised.value.found == ", ".join(revisions)
    assert schema.differences(engine, tables) == ()


# --- undoing --------------------------------------------------------------------------------------------------------


def test_downgrading_to_the_base_deletes_ours_only(engine: sa.Engine, tables: Tables):
    add_host_table(engine)
    schema.upgrade(engine, tables)
    schema.downgrade(engine, tables, to="base")
    assert names(engine, tables) - {"auth_user"} == {f"{tables.prefix}schema_version"}
    assert "auth_user" in names(engine, build())
    with pytest.raises(SchemaMissing):
        schema.check(engine, tables)
    schema.upgrade(engine, tables)
    schema.check(engine, tables)


@pytest.mark.parametrize("to", ["", "-1", "head", "9999"])
def test_a_downgrade_names_a_revision(engine: sa.Engine, to: str):
    schema.upgrade(engine, build())
    with pytest.raises(InputInvalid):
        schema.downgrade(engine, build(), to=to)
    schema.check(engine, build())


# --- two at once ----------------------------------------------------------------------------------------------------


def test_a_second_one_waits_and_finds_it_done(engine: sa.Engine, tables: Tables):
    with engine.begin() as connection, schema._alone(connection, tables):
        second = threading.Thread(target=schema.upgrade, args=(engine, tables))
        second.start()
        second.join(0.3)
        assert sa.inspect(connection).get_table_names(schema=tables.metadata.schema) == []
        assert second.is_alive()
    second.join()
    schema.check(engine, tables)


def test_many_processes_upgrade_at_once(engine: sa.Engine):
    url = engine.url.render_as_string(hide_password=False)
    program = (
        "from authflow.adapters.sql import engine, schema, tables\n"
        f"database = engine.make_engine({url!r})\n"
        "schema.upgrade(database, tables.build())\n"
        "schema.check(database, tables.build())\n"
    )
    running = [subprocess.Popen([sys.executable, "-c", program]) for _ in range(4)]
    assert [process.wait() for process in running] == [0, 0, 0, 0]
    assert schema.differences(engine, build()) == ()


def test_threads_upgrade_databases_of_their_own_at_once(tmp_path: Path):
    """Alembic keeps the command that runs in globals of its own; one thread never runs another's."""

    def make(number: int) -> None:
        engine, tables = make_engine(f"sqlite:///{tmp_path / f'{number}.db'}"), build(prefix=f"p{number}_")
        schema.upgrade(engine, tables)
        schema.check(engine, tables)
        assert schema.differences(engine, tables) == ()
        engine.dispose()

    at_once(make, threads=8)


def test_somebody_who_does_not_end_is_retryable(tmp_path: Path):
    engine, tables = make_engine(f"sqlite:///{tmp_path / 'app.db'}"), build()
    sa.event.listen(engine, "connect", lambda raw, _: raw.execute("PRAGMA busy_timeout = 1"))
    with closing(sqlite3.connect(tmp_path / "app.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(Retryable):
            schema.upgrade(engine, tables)
    engine.dispose()


# --- beside the host's history --------------------------------------------------------------------------------------


def host_differences(engine: sa.Engine, host: sa.MetaData, **options: Any) -> list[Any]:
    with engine.begin() as connection:
        return compare_metadata(MigrationContext.configure(connection, opts=options), host)


@pytest.mark.parametrize("options", [{}, {"include_schemas": True}], ids=["one schema", "all schemas"])
def test_the_hosts_check_can_leave_ours_out(engine: sa.Engine, tables: Tables, options: dict[str, Any]):
    host = add_host_table(engine)
    schema.upgrade(engine, tables)
    without_ours = schema.leave_out(tables)

    def include_name(name: str | None, kind: Any, parents: Any) -> bool:
        if kind == "schema":
            return name in {None, tables.metadata.schema}  # MariaDB shows the server's own beside them
        return without_ours(name, kind, parents)

    asked = {**options, "include_name": include_name}
    assert host_differences(engine, host, **asked) == []
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE forgotten (id INTEGER)")
    assert [change[0] for change in host_differences(engine, host, **asked)] == ["remove_table"]


def test_behind_no_prefix_the_tables_themselves_are_left_out(engine: sa.Engine):
    host, tables = add_host_table(engine), build(prefix="")
    schema.upgrade(engine, tables)
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE forgotten (id INTEGER)")
    found = host_differences(engine, host, include_name=schema.leave_out(tables))
    assert [(change[0], change[1].name) for change in found] == [("remove_table", "forgotten")]
    assert schema.differences(engine, tables) == ()


def test_without_the_hook_the_hosts_check_wants_to_drop_ours(engine: sa.Engine):
    host = add_host_table(engine)
    schema.upgrade(engine, build())
    dropped = {change[1].name for change in host_differences(engine, host) if change[0] == "remove_table"}
    assert dropped == {table.name for table in build().metadata.tables.values()} | {"authflow_schema_version"}


def test_ours_does_not_see_the_hosts(engine: sa.Engine, tables: Tables):
    add_host_table(engine)
    schema.upgrade(engine, tables)
    assert schema.differences(engine, tables) == ()


# --- written down ---------------------------------------------------------------------------------------------------


def test_the_written_statements_make_the_same_tables(engine: sa.Engine, tables: Tables):
    text = schema.sql(engine.dialect.name, tables)
    if engine.dialect.name == "sqlite":
        with closing(sqlite3.connect(engine.url.database or "")) as raw:
            raw.executescript(text)
    elif engine.dialect.name == "mariadb":
        with engine.connect() as connection:
            for statement in filter(None, map(str.strip, text.split(";"))):
                connection.exec_driver_sql(statement)
            connection.commit()
    else:
        with engine.connect() as connection:
            raw_connection: Any = connection.connection.dbapi_connection
            raw_connection.autocommit = True
            raw_connection.execute(text)
    schema.check(engine, tables)
    assert schema.differences(engine, tables) == ()


def definitions(text: str) -> set[frozenset[str]]:
    """Return each CREATE statement of *text* as its lines, in any order, with the columns that are added later."""
    statements = (statement.strip() for statement in text.split(";"))
    lines = [{line.strip(" ,\t") for line in s.splitlines() if not line.startswith("--")} for s in statements]
    for added in [ADDED.fullmatch(line) for found in lines for line in found if line.startswith("ALTER")]:
        assert added is not None
        (table,) = (found for found in lines if f"CREATE TABLE {added['table']} (" in found)
        table.add(added["column"])
    return {frozenset(line for line in found if line) for found in lines if any("CREATE" in line for line in found)}


@pytest.mark.parametrize("dialect", ["sqlite", "postgresql", "mariadb"])
def test_the_history_says_what_the_tables_say(dialect: str):
    """Word for word: also what Alembic does not compare, such as how a database numbers its rows."""
    tables = build()
    speaks = sa.make_url(f"{dialect}://").get_dialect()()
    made = [str(sa.schema.CreateTable(table).compile(dialect=speaks)) for table in tables.metadata.sorted_tables]
    indexes = [index for table in tables.metadata.sorted_tables for index in table.indexes]
    made += [str(sa.schema.CreateIndex(index).compile(dialect=speaks)) for index in indexes]
    version = definitions(schema.sql(dialect, tables)) - definitions(";".join(made))
    assert definitions(";".join(made)) <= definitions(schema.sql(dialect, tables))
    assert ["schema_version" in " ".join(statement) for statement in version] == [True]


@pytest.mark.parametrize(
    ("database", "same"),
    [
        ("sqlite:///nowhere/app.db", "sqlite"),
        ("postgresql+psycopg://nowhere/name", "postgresql"),
        ("mysql://nowhere/name", "mariadb"),
    ],
)
def test_a_url_says_the_database(database: str, same: str):
    assert schema.sql(database, build()) == schema.sql(same, build())


@pytest.mark.parametrize("database", ["", "oracle", "oracle://host/name", "Postgres", "://"])
def test_other_databases_are_refused(database: str):
    with pytest.raises(ConfigInvalid):
        schema.sql(database, build())
