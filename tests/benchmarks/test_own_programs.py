"""authflow's own programs of the benchmarks still run: nothing else tries them before somebody measures."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from benchmarks.counting import Tally
from benchmarks.programs import authflow, growth
from benchmarks.protocol import Setting, Watch, World

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def world(tmp_path: Path) -> World:
    setting = Setting(database="sqlite", target=str(tmp_path / "own.sqlite3"), counting=True)
    return World(setting=setting, target=setting.target, tally=Tally())


def test_what_needs_no_database_runs():
    setting = Setting()
    rows = authflow.rows(World(setting=setting, target="", tally=Tally()))
    for name in sorted(rows.keys() - {"import", "import_facade"}):  # a process each
        watch = Watch()
        rows[name](1, watch)
        assert watch.seconds > 0, name


@pytest.mark.parametrize("row", ["sso_known", "sso_new", "sso_attach"])
def test_people_sign_in_through_a_provider(world: World, row: str):
    flows, watch = authflow.Flows(world), Watch(tally=world.tally)
    flows.sign_ons().rows()[row](1, watch)
    assert watch.statements > 0
    flows.engine.dispose()


def test_people_are_copied_and_flows_go_on_among_them(world: World):
    town, watch = growth.Town(world), Watch(tally=world.tally)
    town.load(3, watch)
    for once in (town.invite, town.accept, town.establish):
        once(1, watch)
    assert watch.statements > 0
    town.engine.dispose()
