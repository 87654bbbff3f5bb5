"""What is written by hand does what a sign-in must do, or it would be no limit; and it is as short as the page says."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Final
from uuid import uuid4

import psycopg
import pytest

from benchmarks.bare import Postgresql, Sqlite
from benchmarks.bare_sign_on import SignOns
from benchmarks.counting import Tally
from benchmarks.protocol import Setting, Watch, World

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ALICE: Final = "alice@example.com"
SHORTEST: Final = {"sso_known": 6, "sso_new": 8, "sso_attach": 5}


class Town:
    """An empty database, people who come through the provider, and whom was told about."""

    def __init__(self, database: str, target: str) -> None:
        self.tally = Tally()
        setting = Setting(database=database, target=target, counting=database == "sqlite")
        world = World(setting=setting, target=target, tally=self.tally)
        self.sql = Sqlite(world) if world.sqlite else Postgresql(world)
        self.told: list[tuple[str, str]] = []
        self.sign_ons, self.close = SignOns(self.sql, self._tell), self.sql.close

    def _tell(self, user: str, what: str) -> None:
        self.told.append((user, what))
        self.sql.run("INSERT INTO outbox (id, shard, payload) VALUES (%s, %s, %s)", str(len(self.told)), user, what)

    def came(self, subject: str) -> str:
        """Let somebody come once; return whom they are here."""
        self.sign_ons.sign_in(*self.sign_ons.leave(), subject)
        return self.told[-1][0]


@pytest.fixture(params=["sqlite", "postgresql"])
def town(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Town]:
    if request.param == "sqlite":
        with closing(Town("sqlite", str(tmp_path / "bare.sqlite3"))) as town:
            yield town
        return
    url, schema = request.getfixturevalue("postgresql_url"), f"bare_{uuid4().hex}"
    with psycopg.connect(url, autocommit=True) as administrator:
        administrator.execute(f"CREATE SCHEMA {schema}")
        with closing(Town("postgresql", f"{url}&options=-csearch_path%3D{schema}")) as town:
            yield town
        administrator.execute(f"DROP SCHEMA {schema} CASCADE")


def test_whoever_comes_again_is_the_same(town: Town):
    alice = town.came(ALICE)
    assert town.came(ALICE) == alice != town.came("bob@example.com")


def test_an_answer_is_taken_once(town: Town):
    state, browser = town.sign_ons.leave()
    town.sign_ons.sign_in(state, browser, ALICE)
    with pytest.raises(ValueError, match="expected 1"):
        town.sign_ons.sign_in(state, browser, ALICE)


def test_an_answer_is_for_the_browser_that_went(town: Town):
    state, _mine = town.sign_ons.leave()
    _other, yours = town.sign_ons.leave()
    with pytest.raises(ValueError, match="expected 1"):
        town.sign_ons.sign_in(state, yours, ALICE)
    assert not town.told


def test_a_linked_identity_is_whose_session_it_was(town: Town):
    session = town.sign_ons.sign_in(*town.sign_ons.leave(), ALICE)
    alice = town.told[-1][0]
    town.sign_ons.link(*town.sign_ons.leave(), "second@example.com", session)
    assert town.came("second@example.com") == alice


@pytest.mark.parametrize("row", SHORTEST)
def test_it_takes_as_few_statements_as_it_can(tmp_path: Path, row: str):
    with closing(Town("sqlite", str(tmp_path / "bare.sqlite3"))) as town:
        watch = Watch(tally=town.tally)
        town.sign_ons.rows()[row](3, watch)
    assert watch.statements == 3 * SHORTEST[row]
