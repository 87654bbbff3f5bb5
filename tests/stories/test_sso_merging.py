"""Merging accounts while an owner changes the provider of their links: what the owner ended, no merge brings back."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Final

import attrs
import pytest
import sqlalchemy as sa

from authflow.sso.provider import NoProvider
from authflow.sso.sealing import Vault, memory_binding
from tests.journey.sso_stage import SsoStage
from tests.stage import CONTEXT

if TYPE_CHECKING:
    from collections.abc import Callable

    from authflow.adapters.sql.unit_of_work import SqlUnitOfWork
    from authflow.values import OrganizationId, ProviderId

WAITING: Final = sa.text("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'")


def forgotten(tx: Any, _place: OrganizationId, provider: ProviderId, _version: int) -> None:
    """Do what an edit does that sends tokens elsewhere."""
    tx.links.forget_memories(provider)


def disabled(tx: Any, place: OrganizationId, provider: ProviderId, version: int) -> None:
    tx.links.remove_of_provider(provider)
    tx.providers.save(place, NoProvider(), expected=version)


def wait_for_the_row(uow: SqlUnitOfWork) -> None:
    """Return when somebody waits for a lock; the merge did not need it if nobody does within ten seconds."""
    until = time.monotonic() + 10
    with uow.engine.connect() as connection:
        while not connection.execute(WAITING).scalar_one():
            assert time.monotonic() < until
            time.sleep(0.01)
            connection.rollback()  # a transaction sees the statistics as they were at its first look


@pytest.mark.parametrize(("meanwhile", "left"), [(forgotten, 1), (disabled, 0)], ids=["forgotten", "disabled"])
def test_a_merge_brings_nothing_back(postgresql_uow: SqlUnitOfWork, meanwhile: Callable[..., None], left: int):
    stage = SsoStage(postgresql_uow)
    acme, root = stage.organization(), stage.administrator()
    provider = stage.connect(acme)
    ada, bob = stage.person("ada@example.com"), stage.person("bob@example.com")
    for person in (ada, bob):
        stage.found(person, acme)
    link = stage.link(ada.user, acme, "00u1")
    memory = Vault(stage.cipher).seal({"refresh_token": "given"}, memory_binding(link.provider, link.subject))
    with stage.uow.begin() as tx:
        tx.links.save(link, attrs.evolve(link, memory=memory))

    def merged() -> Any:
        return root.browser.ask(stage.flows.accounts.merge, CONTEXT, source=ada.user, target=bob.user)

    with ThreadPoolExecutor(1) as pool:
        with stage.uow.begin() as tx:
            version = tx.providers.load(acme, lock=True).version
            merging = pool.submit(merged)
            wait_for_the_row(postgresql_uow)
            meanwhile(tx, acme, provider, version)
        merging.result()
    assert [found.memory for found in stage.links_of(bob.user)] == [None] * left
