"""A connection that died in the pool is replaced unseen, whether or not its end was told."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from authflow.adapters.sql import alive
from authflow.adapters.sql.engine import make_engine

if TYPE_CHECKING:
    from collections.abc import Iterator

    import sqlalchemy as sa


class Asked:
    """Counts how often a server is asked whether it is there."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, engine: sa.Engine) -> None:
        self.times = 0
        ping = engine.dialect.do_ping

        def asked(raw: Any) -> bool:
            self.times += 1
            return ping(raw)

        monkeypatch.setattr(engine.dialect, "do_ping", asked)


@pytest.fixture(params=["postgresql_url", "mariadb_url"])
def engine(request: pytest.FixtureRequest) -> Iterator[sa.Engine]:
    made = make_engine(request.getfixturevalue(request.param))
    yield made
    made.dispose()


def used(engine: sa.Engine) -> int:
    """Use a connection of the pool, and return its number at the server."""
    numbers = {"postgresql": "SELECT pg_backend_pid()", "mariadb": "SELECT connection_id()"}
    with engine.connect() as connection:
        return int(connection.exec_driver_sql(numbers[engine.dialect.name]).scalar_one())


def end(engine: sa.Engine, number: int) -> None:
    """End the session *number* from the server's side."""
    ends = {"postgresql": f"SELECT pg_terminate_backend({number}, 5000)", "mariadb": f"KILL {number}"}
    other = make_engine(engine.url.render_as_string(hide_password=False))
    with other.connect() as connection:
        connection.exec_driver_sql(ends[engine.dialect.name])
    other.dispose()


@pytest.mark.parametrize("trusted", [0.0, 3600.0], ids=["idle for long", "used a moment ago"])
def test_a_session_that_was_ended_in_the_pool_is_replaced(
    engine: sa.Engine, monkeypatch: pytest.MonkeyPatch, trusted: float
):
    monkeypatch.setattr(alive, "TRUSTED_SECONDS", trusted)
    number = used(engine)
    end(engine, number)
    assert used(engine) != number


def test_a_server_that_was_heard_a_moment_ago_is_not_asked_again(engine: sa.Engine, monkeypatch: pytest.MonkeyPatch):
    """Not so on MariaDB, whose driver shows no socket."""
    asked = Asked(monkeypatch, engine)
    assert len({used(engine) for _ in range(3)}) == 1
    assert asked.times == {"postgresql": 0, "mariadb": 2}[engine.dialect.name]


def test_a_server_that_was_silent_for_long_is_asked(engine: sa.Engine, monkeypatch: pytest.MonkeyPatch):
    asked = Asked(monkeypatch, engine)
    monkeypatch.setattr(alive, "TRUSTED_SECONDS", 0.0)
    assert len({used(engine) for _ in range(3)}) == 1
    assert asked.times == 2
