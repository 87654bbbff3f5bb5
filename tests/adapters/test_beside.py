"""Our migrations beside a host's own Alembic environment: neither sees, changes or disturbs the other."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import pytest
import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.util.exc import CommandError

from authflow.adapters.sql import schema
from authflow.adapters.sql.tables import build
from authflow.errors import DatabaseError
from tests.empty import empty_database

if TYPE_CHECKING:
    from collections.abc import Iterator

    from authflow.adapters.sql.tables import Tables


ENV = """
from alembic import context
import sqlalchemy as sa

metadata = sa.MetaData()
sa.Table("host_user", metadata, sa.Column("id", sa.Integer, primary_key=True), sa.Column("email", sa.String(254)))
given = context.config.attributes
with given["engine"].connect() as connection:
    context.configure(connection=connection, target_metadata=metadata, **given["options"])
    with context.begin_transaction():
        context.run_migrations()
"""

MAKO = '''"""${message}"""
from alembic import op
import sqlalchemy as sa
revision, down_revision = ${repr(up_revision)}, ${repr(down_revision)}

def upgrade():
    ${upgrades if upgrades else "pass"}

def downgrade():
    ${downgrades if downgrades else "pass"}
'''


@attrs.frozen(kw_only=True)
class HostEnvironment:
    """A project's own ``alembic init``, with one revision that makes its table."""

    config: Config
    engine: sa.Engine
    tables: Tables

    @classmethod
    def made(cls, folder: Path, engine: sa.Engine, tables: Tables, *, told: bool = True) -> HostEnvironment:
        (folder / "versions").mkdir(parents=True)
        (folder / "env.py").write_text(ENV)
        (folder / "script.py.mako").write_text(MAKO)
        options: dict[str, Any] = {"include_schemas": tables.metadata.schema is not None}
        if told:
            options["include_name"] = schema.leave_out(tables)
        config = Config(attributes={"engine": engine, "options": options})
        config.set_main_option("script_location", str(folder))
        config.set_main_option("path_separator", "os")
        host = cls(config=config, engine=engine, tables=tables)
        host.revise("first")
        return host

    def revise(self, message: str) -> str:
        """Return what ``alembic revision --autogenerate`` wrote."""
        made: Any = command.revision(self.config, message, autogenerate=True)
        return Path(made.path).read_text("utf-8")

    def upgrade(self) -> None:
        command.upgrade(self.config, "head")

    def check(self) -> None:
        """Raise unless ``alembic check`` finds nothing to do."""
        command.check(self.config)

    def names(self) -> set[str]:
        return set(sa.inspect(self.engine).get_table_names())


@pytest.fixture(params=["sqlite", "postgresql"])
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[sa.Engine]:
    """An empty database."""
    with empty_database(request, request.param, tmp_path) as engine:
        yield engine


@pytest.fixture(params=["default", "prefixed", "in a schema"])
def tables(request: pytest.FixtureRequest, engine: sa.Engine) -> Tables:
    """Our tables as they are called, under another prefix, and in a PostgreSQL schema."""
    if request.param == "default":
        return build()
    if request.param == "prefixed" or engine.dialect.name == "sqlite":
        return build(prefix="login_")
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE SCHEMA security")
    return build(schema="security")


@pytest.fixture
def host(tmp_path: Path, engine: sa.Engine, tables: Tables) -> HostEnvironment:
    return HostEnvironment.made(tmp_path / "migrations", engine, tables)


def test_the_host_first(host: HostEnvironment):
    host.upgrade()
    schema.upgrade(host.engine, host.tables)
    host.check()
    assert "pass" in host.revise("nothing")
    host.upgrade()
    schema.check(host.engine, host.tables)
    assert schema.differences(host.engine, host.tables) == ()


def test_ours_first(host: HostEnvironment):
    schema.upgrade(host.engine, host.tables)
    host.upgrade()
    host.check()
    assert "pass" in host.revise("nothing")
    schema.check(host.engine, host.tables)
    assert schema.differences(host.engine, host.tables) == ()


def test_each_goes_back_alone(host: HostEnvironment):
    host.upgrade()
    schema.upgrade(host.engine, host.tables)
    schema.downgrade(host.engine, host.tables, to="base")
    host.check()
    assert "host_user" in host.names()
    schema.upgrade(host.engine, host.tables)
    command.downgrade(host.config, "base")
    assert "host_user" not in host.names()
    schema.check(host.engine, host.tables)
    host.upgrade()
    host.check()


def test_a_host_that_was_not_told_wants_to_drop_ours(tmp_path: Path, engine: sa.Engine):
    """So the hook is what keeps its check clean."""
    host = HostEnvironment.made(tmp_path / "migrations", engine, build(), told=False)
    host.upgrade()
    host.check()
    schema.upgrade(engine, build())
    with pytest.raises(CommandError):
        host.check()
    assert "drop_table('authflow_user')" in host.revise("everything of ours")


def test_a_failing_step_of_ours_leaves_the_hosts_tables_as_they_were(host: HostEnvironment):
    """Half of our tables are made, then it fails: nothing of ours stands, everything of the host's does."""
    host.upgrade()
    before = host.names()

    def fail_at_last(connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if "CREATE TABLE" in statement and "user_address" in statement:
            connection.exec_driver_sql("SELECT * FROM nowhere")

    sa.event.listen(host.engine, "before_cursor_execute", fail_at_last)
    with pytest.raises(DatabaseError):
        schema.upgrade(host.engine, host.tables)
    sa.event.remove(host.engine, "before_cursor_execute", fail_at_last)
    assert host.names() == before
    host.check()
    schema.upgrade(host.engine, host.tables)
    schema.check(host.engine, host.tables)
