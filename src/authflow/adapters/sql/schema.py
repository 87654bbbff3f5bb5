"""Makes, checks and writes down our tables, by a history of their own.

A branch in the host's Alembic history would break the host's ``upgrade head``; so ours has its own scripts and its own
version table, ``<prefix>schema_version`` inside the chosen schema. There is no ``alembic.ini``.
"""

from __future__ import annotations

import hashlib
import io
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa

from authflow.adapters.sql.autocommit import in_transaction
from authflow.adapters.sql.engine import DRIVERS, READS
from authflow.adapters.sql.faults import Bracket, Rules, translated
from authflow.adapters.sql.history import (
    SCRIPTS,
    Statements,
    commanding,
    include_ours,
    known,
    options_of,
    version_table,
)
from authflow.adapters.sql.migrations import REVISIONS
from authflow.adapters.sql.migrations.repeatable import make_repeatable
from authflow.errors import (
    ConfigInvalid,
    DatabaseError,
    ExtraMissing,
    InputInvalid,
    Retryable,
    SchemaMissing,
    SchemaTooNew,
    SchemaTooOld,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, MutableMapping, Sequence

    from authflow.adapters.sql.history import IncludeName, Kind, Parent
    from authflow.adapters.sql.tables import Tables

NO_RULES: Final = Rules({}, {})

PATIENCE_S: Final = 60
"""How long an upgrade waits for another one on MariaDB, where each table is written to disk before the next one."""


# --- what stands there ----------------------------------------------------------------------------------------------


def current(engine: sa.Engine, tables: Tables) -> str | None:
    """Return the revision of the tables in the database, or none if it holds none; nobody who writes is waited for.

    Raises:
        DatabaseError: Its subclass says what is wrong with the database.
    """
    reading = engine.execution_options(**{READS: True})
    with Bracket(reading.begin(), NO_RULES) as connection:
        return _found(connection, tables)


def check(engine: sa.Engine, tables: Tables, *, revisions: Sequence[str] = REVISIONS) -> None:
    """Do nothing if the tables are those that this version of the library needs. For the start of an application.

    Args:
        engine: Where they should be.
        tables: They say the prefix and the schema.
        revisions: The history, oldest first; another one is for tests of migrations.

    Raises:
        SchemaMissing: There are none.
        SchemaTooOld: They are older; *missing* names the revision to reach.
        SchemaTooNew: A newer library made them.
        DatabaseError: Its other subclasses say what is wrong with the database.
    """
    file = engine.url.database
    if engine.dialect.name == "sqlite" and file and Path(file).parent.is_dir() and not Path(file).exists():
        raise SchemaMissing  # connecting would make an empty file
    found = current(engine, tables)
    if found is None:
        raise SchemaMissing
    _refuse_newer(found, revisions)
    if found != revisions[-1]:
        raise SchemaTooOld(found=found, missing=revisions[-1])


def differences(engine: sa.Engine, tables: Tables) -> tuple[str, ...]:
    """Return how the tables in the database differ from *tables*, as Alembic finds it. Nothing of the host's is seen.

    Raises:
        DatabaseError: Its subclass says what is wrong with the database.
        ExtraMissing: Alembic is not installed.
    """
    try:
        from alembic.autogenerate import compare_metadata
        from alembic.migration import MigrationContext
    except ImportError as error:
        raise ExtraMissing(extra="sql") from error
    with Bracket(engine.begin(), NO_RULES) as connection, translated(NO_RULES):
        context = MigrationContext.configure(connection, opts=options_of(tables))
        return tuple(repr(difference) for difference in compare_metadata(context, tables.metadata))


def leave_out(tables: Tables) -> IncludeName:
    """Return an ``include_name`` for the host's own ``env.py``; without it ``alembic check`` wants to drop our tables.

    Everything behind our prefix, in our schema, is left out; behind an empty prefix, the tables that stand there now.
    """
    ours = include_ours(tables)

    def include_name(name: str | None, kind: Kind, parents: MutableMapping[Parent, str | None]) -> bool:
        return kind != "table" or not ours(name, kind, parents)

    return include_name


# --- changes --------------------------------------------------------------------------------------------------------


def upgrade(engine: sa.Engine, tables: Tables, *, scripts: Path = SCRIPTS) -> None:
    """Bring the tables to the newest revision, in one transaction; without need, do nothing.

    Two processes may do it at once: the second one waits, and finds it done. A step that fails leaves what stood
    before, on SQLite too. MariaDB knows no transaction of this kind: there a step that fails can leave a part of it
    done, and the next upgrade takes it up again.

    Args:
        engine: On SQLite any engine of the host's will do; the transaction is begun here.
        tables: They say the prefix and the schema, which must exist.
        scripts: The history; another one is for tests of migrations.

    Raises:
        SchemaTooNew: A newer library made the tables. Nothing was changed.
        ConfigInvalid: The chosen schema does not exist.
        Retryable: Another process holds the lock for too long.
        DatabaseError: Its other subclasses say what is wrong with the database.
        ExtraMissing: Alembic is not installed.
    """
    _migrate(engine, tables, scripts, lambda command, config: command.upgrade(config, "head"))


def downgrade(engine: sa.Engine, tables: Tables, *, to: str, scripts: Path = SCRIPTS) -> None:
    """Bring the tables back to revision *to*; ``base`` deletes them all, **with everything in them**.

    Raises:
        InputInvalid: There is no such revision.
        SchemaTooNew: A newer library made the tables. Nothing was changed.
        DatabaseError: Its other subclasses say what is wrong with the database.
        ExtraMissing: Alembic is not installed.
    """

    def work(command: Any, config: Any) -> None:
        if to not in {"base", *known(config)}:
            raise InputInvalid(field="to", problem="is no revision")
        command.downgrade(config, to)

    _migrate(engine, tables, scripts, work)


def sql(database: str, tables: Tables) -> str:
    """Return the statements that make the tables, for a host that runs them itself.

    Args:
        database: ``sqlite``, ``postgresql``, ``mariadb``, or a URL of one of them. Nothing is connected to.
        tables: They say the prefix and the schema.

    Raises:
        ConfigInvalid: It is none of them.
        ExtraMissing: Alembic is not installed.
    """
    text = io.StringIO()
    with _written(database, tables, text) as (command, config):
        command.upgrade(config, "head", sql=True)
    return text.getvalue()


def steps(database: str, tables: Tables, *, start: str, to: str) -> tuple[str, ...]:
    """Return the statements that lead from revision *start* to *to*, one by one, the version table's included.

    For whoever runs a transaction of their own, such as Django's migrations. ``base`` is before the first revision.

    Args:
        database: As of `sql`.
        tables: They say the prefix and the schema.
        start: Where the tables stand; an older *to* leads back, **with everything in them deleted** that is newer.
        to: Where they shall stand.

    Raises:
        ConfigInvalid, ExtraMissing: As `sql` does.
        InputInvalid: There is no such revision.
    """
    order = ("base", *REVISIONS)
    for field, revision in (("start", start), ("to", to)):
        if revision not in order:
            raise InputInvalid(field=field, problem="is no revision")
    statements = Statements()
    with _written(database, tables, statements) as (command, config):
        lead = command.upgrade if order.index(start) < order.index(to) else command.downgrade
        lead(config, f"{start}:{to}", sql=True)
    if start == "base":  # a way back may have left the version table, empty
        statements.seen[0] = statements.seen[0].replace("CREATE TABLE ", "CREATE TABLE IF NOT EXISTS ", 1)
    return tuple(statements.seen)


@contextmanager
def _written(database: str, tables: Tables, onto: Any) -> Generator[tuple[Any, Any]]:
    name = database.partition(":")[0].partition("+")[0]
    if name not in DRIVERS:
        raise ConfigInvalid(setting="database", problem="must be sqlite, postgresql or mariadb")
    dialect = DRIVERS[name].partition("+")[0]
    with commanding(SCRIPTS, {**options_of(tables), "dialect_name": dialect, "output_buffer": onto}) as alembic:
        yield alembic


# --- how ------------------------------------------------------------------------------------------------------------


def _migrate(engine: sa.Engine, tables: Tables, scripts: Path, work: Callable[[Any, Any], None]) -> None:
    with Bracket(engine.begin(), NO_RULES) as connection, translated(NO_RULES):
        _require_schema(connection, tables.metadata.schema)
        with _alone(connection, tables):
            options = {**options_of(tables), "connection": connection, "transactional_ddl": True}
            if connection.dialect.name == "mariadb":
                options["transactional_ddl"] = False
                _refuse_strangers(connection, tables)
                make_repeatable(connection)
            with commanding(scripts, options) as (command, config):
                _refuse_newer(_found(connection, tables), known(config))
                work(command, config)


def _require_schema(connection: sa.Connection, name: str | None) -> None:
    if name is not None and not sa.inspect(connection).has_schema(name):
        raise ConfigInvalid(setting="schema", problem="does not exist; it is the host's to create")


def _refuse_strangers(connection: sa.Connection, tables: Tables) -> None:
    """Refuse tables that no history of ours has begun to make, where no CREATE TABLE would stumble over them."""
    standing = set(sa.inspect(connection).get_table_names(schema=tables.metadata.schema))
    ours = {table.name for table in tables.metadata.tables.values()}
    if standing & ours and version_table(tables) not in standing:
        detail = "[tables of these names stand there, and no history has made them]"
        raise DatabaseError(detail)


@contextmanager
def _alone(connection: sa.Connection, tables: Tables) -> Generator[None]:
    """Keep other processes out, and put everything into one transaction where the database can."""
    name = hashlib.sha256(f"{tables.metadata.schema}.{version_table(tables)}".encode()).digest()
    if connection.dialect.name == "postgresql":
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(int.from_bytes(name[:8], "big", signed=True))))
        yield
    elif connection.dialect.name == "mariadb":
        with _named_lock(connection, name.hex()[:32]):
            yield
    else:
        driver: Any = connection.connection.dbapi_connection
        if not in_transaction(driver):  # the host's engine: Python's driver begins none for a CREATE TABLE
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        yield


@contextmanager
def _named_lock(connection: sa.Connection, name: str) -> Generator[None]:
    """Hold a lock of MariaDB's that outlives the commits between; it is the server's, so it names the database."""
    lock = sa.func.sha2(sa.func.concat(sa.func.database(), name), 256)
    if connection.execute(sa.select(sa.func.get_lock(lock, PATIENCE_S))).scalar_one() != 1:
        detail = "[somebody else is changing the tables]"
        raise Retryable(detail)
    try:
        yield
    finally:
        if not connection.invalidated:  # else the server has released it
            connection.execute(sa.select(sa.func.release_lock(lock)))


def _found(connection: sa.Connection, tables: Tables) -> str | None:
    name, schema = version_table(tables), tables.metadata.schema
    with translated(NO_RULES):
        if not sa.inspect(connection).has_table(name, schema=schema):
            return None
        version = sa.table(name, sa.column("version_num"), schema=schema)
        found = sorted(connection.execute(sa.select(version.c.version_num)).scalars())
    return ", ".join(found) or None


def _refuse_newer(found: str | None, known: Sequence[str]) -> None:
    if found is not None and found not in known:
        raise SchemaTooNew(found=found)
