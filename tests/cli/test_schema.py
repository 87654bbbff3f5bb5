"""``authflow schema`` on real databases."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from authflow.adapters.sql import schema
from authflow.adapters.sql.engine import make_engine
from authflow.adapters.sql.tables import build
from authflow.cli import main

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NEWEST = schema.REVISIONS[-1]


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'app.sqlite3'}"


@pytest.fixture(params=["postgresql", "mariadb"])
def server_url(request: pytest.FixtureRequest) -> str:
    return str(request.getfixturevalue(f"{request.param}_url"))


@pytest.fixture
def own_prefix(server_url: str) -> Iterator[str]:
    """A prefix that nobody else uses on the servers of this run, emptied afterwards."""
    prefix = "cli_schema_"
    yield prefix
    engine = make_engine(server_url)
    schema.downgrade(engine, build(prefix=prefix), to="base")
    engine.dispose()


def run(action: str, url: str, *others: str) -> int:
    return main(["schema", action, "--database", url, *others])


@pytest.mark.parametrize("making", ["create", "upgrade"])
def test_tables_are_made_on_sqlite(sqlite_url: str, making: str, capsys: pytest.CaptureFixture[str]):
    assert run(making, sqlite_url) == 0
    assert NEWEST in capsys.readouterr().out
    assert run("check", sqlite_url) == 0
    engine = make_engine(sqlite_url)
    assert schema.current(engine, build()) == NEWEST
    engine.dispose()


@pytest.mark.parametrize("making", ["create", "upgrade"])
def test_tables_are_made_on_a_server(server_url: str, own_prefix: str, making: str, capsys: pytest.CaptureFixture[str]):
    assert run("check", server_url, "--prefix", own_prefix) == 1
    assert capsys.readouterr().err.startswith("error: schema.missing: ")
    assert run(making, server_url, "--prefix", own_prefix) == 0
    assert run("check", server_url, "--prefix", own_prefix) == 0
    assert f"The tables {own_prefix}* stand at revision {NEWEST}" in capsys.readouterr().out


def test_a_schema_of_a_server_is_not_made(server_url: str, capsys: pytest.CaptureFixture[str]):
    assert run("upgrade", server_url, "--schema", "nowhere") == 1
    assert capsys.readouterr().err.startswith("error: config.invalid: A setting makes no sense. [schema ")


@pytest.mark.parametrize("making", ["create", "upgrade"])
def test_what_stands_is_left_as_it_is(sqlite_url: str, making: str, capsys: pytest.CaptureFixture[str]):
    assert run("create", sqlite_url) == 0
    with closing(sqlite3.connect(sqlite_url.removeprefix("sqlite:///"))) as connection, connection:
        connection.execute("INSERT INTO authflow_attempt VALUES ('mine', 3, 0)")
    assert run(making, sqlite_url) == 0
    with closing(sqlite3.connect(sqlite_url.removeprefix("sqlite:///"))) as connection, connection:
        assert connection.execute("SELECT total FROM authflow_attempt").fetchall() == [(3,)]
    assert capsys.readouterr().err == ""


def test_a_prefix_names_other_tables(sqlite_url: str, capsys: pytest.CaptureFixture[str]):
    assert run("create", sqlite_url, "--prefix", "auth_") == 0
    assert run("check", sqlite_url, "--prefix", "auth_") == 0
    assert run("check", sqlite_url) == 1
    assert capsys.readouterr().err.startswith("error: schema.missing: ")


def test_older_tables_are_named_with_what_they_lack(
    sqlite_url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    assert run("create", sqlite_url) == 0
    monkeypatch.setitem(schema.check.__kwdefaults__, "revisions", (*schema.REVISIONS, "9999"))
    for action in ("check", "create"):
        assert run(action, sqlite_url) == 1
        said = capsys.readouterr().err
        assert said.startswith("error: schema.too_old: ")
        assert f"found {NEWEST}, missing 9999" in said


@pytest.mark.parametrize("action", ["create", "upgrade", "check"])
def test_newer_tables_are_left_alone(sqlite_url: str, action: str, capsys: pytest.CaptureFixture[str]):
    assert run("create", sqlite_url) == 0
    with closing(sqlite3.connect(sqlite_url.removeprefix("sqlite:///"))) as connection, connection:
        connection.execute("UPDATE authflow_schema_version SET version_num = '9999'")
    assert run(action, sqlite_url) == 1
    assert capsys.readouterr().err.startswith("error: schema.too_new: ")


def test_a_check_makes_no_file(tmp_path: Path, sqlite_url: str, capsys: pytest.CaptureFixture[str]):
    assert run("check", sqlite_url) == 1
    assert capsys.readouterr().err.startswith("error: database.unavailable: ")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("nonsense", "config.invalid"),
        ("", "config.invalid"),
        ("oracle://root@localhost/app", "config.invalid"),
        ("sqlite:////nowhere/at/all.db", "database.unavailable"),
        ("postgresql://ada:hunter2@127.0.0.1:1/app", "database.unavailable"),
    ],
)
@pytest.mark.parametrize("action", ["create", "upgrade", "check"])
def test_a_database_that_cannot_be_reached(url: str, code: str, action: str, capsys: pytest.CaptureFixture[str]):
    assert run(action, url) == 1
    said = capsys.readouterr()
    assert said.err.startswith(f"error: {code}: ")
    assert said.err.count("\n") == 1
    assert "hunter2" not in said.out + said.err


def test_a_file_that_is_no_database(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    (tmp_path / "letter.txt").write_text("Dear Ada, this is a letter. " * 100)
    assert run("check", f"sqlite:///{tmp_path / 'letter.txt'}") == 1
    assert capsys.readouterr().err.startswith("error: database.unavailable: ")


@pytest.mark.parametrize("database", ["sqlite", "sqlite:///app.db"])
def test_sql_makes_the_same_tables(database: str, sqlite_url: str, capsys: pytest.CaptureFixture[str]):
    assert run("sql", database) == 0
    with closing(sqlite3.connect(sqlite_url.removeprefix("sqlite:///"))) as connection, connection:
        connection.executescript(capsys.readouterr().out)
    assert run("check", sqlite_url) == 0


def test_sql_connects_to_nothing(capsys: pytest.CaptureFixture[str]):
    assert run("sql", "postgresql://127.0.0.1:1/app", "--prefix", "auth_", "--schema", "security") == 0
    assert "CREATE TABLE security.auth_audit" in capsys.readouterr().out


def test_sql_is_written_for_a_dialect(capsys: pytest.CaptureFixture[str]):
    written = []
    for named in ("--dialect", "--database"):
        assert main(["schema", "sql", named, "postgresql"]) == 0
        written.append(capsys.readouterr().out)
    assert written[0] == written[1]
    assert "CREATE TABLE authflow_audit" in written[0]
    assert "BIGSERIAL" in written[0]


@pytest.mark.parametrize("prefix", ["a b", "1st_", "authflow-", "a;DROP TABLE users", "\u00e4_", "a" * 21, '"'])
@pytest.mark.parametrize("action", ["upgrade", "check", "sql"])
def test_a_prefix_that_begins_no_name_is_refused(
    sqlite_url: str, action: str, prefix: str, capsys: pytest.CaptureFixture[str]
):
    assert run(action, sqlite_url, "--prefix", prefix) == 1
    assert capsys.readouterr().err.startswith("error: config.invalid: A setting makes no sense. [prefix ")


def test_the_longest_prefix_is_not_cut(postgresql_url: str):
    """PostgreSQL would cut a longer name, and then not know it again."""
    longest = "p" * 20
    try:
        for action in ("upgrade", "check"):
            assert run(action, postgresql_url, "--prefix", longest) == 0
        engine = make_engine(postgresql_url)
        assert schema.differences(engine, build(prefix=longest)) == ()
    finally:
        schema.downgrade(engine, build(prefix=longest), to="base")
        engine.dispose()


def test_sql_of_another_database_is_refused(capsys: pytest.CaptureFixture[str]):
    assert run("sql", "oracle") == 1
    assert capsys.readouterr().err.startswith("error: config.invalid: ")


@pytest.mark.parametrize(("library", "extra"), [("sqlalchemy", "sql"), ("alembic", "sql"), ("psycopg", "postgres")])
def test_a_missing_library_is_named_by_its_extra(library: str, extra: str, sqlite_url: str):
    url = "postgresql://127.0.0.1:1/app" if library == "psycopg" else sqlite_url
    code = f"import sys; sys.modules[{library!r}] = None; from authflow.cli import main; sys.exit(main(sys.argv[1:]))"
    command = [sys.executable, "-c", code, "schema", "upgrade", "--database", url]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    told = f"error: extra.missing: An optional dependency is not installed. [pip install '.[{extra}]'"
    assert done.stderr.startswith(told)
