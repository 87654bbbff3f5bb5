"""Merging accounts while an owner changes their provider: what the owner ended, no merge brings back."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import attrs
import pytest
import sqlalchemy as sa

from authflow import AccountsMerged, ProviderRemoved, ProviderSaved
from authflow.membership.changes import FlagGroup
from authflow.membership.standing import Member, MemberFlag
from authflow.sso.sealing import Vault, memory_binding
from tests.journey.sso_stage import SsoStage
from tests.stage import CONTEXT

if TYPE_CHECKING:
    from collections.abc import Callable

    from authflow.adapters.sql.unit_of_work import SqlUnitOfWork
    from authflow.sso.links import Link

WAITING: Final = sa.text("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'")
MEMBERS: Final = sa.text("SELECT 1 FROM authflow_member FOR UPDATE NOWAIT")

LINKED, GOVERNED, FREE = MemberFlag.SSO_LINKED, MemberFlag.IDP_ROLE_RESTRICTED, MemberFlag.NONE

Left: TypeAlias = "tuple[list[bool], MemberFlag]"
"""For each link whether it remembers something, and the flags of the membership."""


class Merging(SsoStage):
    """Ada, a member of Olga's Acme, linked and governed by its provider; and Bob, who is to have all of it."""

    def __init__(self, uow: SqlUnitOfWork, role: str) -> None:
        super().__init__(uow)
        self.acme, self.root = self.organization(), self.administrator()
        self.connect(self.acme, scim=True, required=False)
        self.olga, self.ada, self.bob = self.owner(self.acme), self.person("ada@example.com"), self.person("bob@x.org")
        self.found(self.ada, self.acme, role)
        self.remember(self.link(self.ada.user, self.acme, "00u1"))
        for group, flags in ((FlagGroup.SSO, LINKED), (FlagGroup.IDP, GOVERNED)):
            self.flows.members.set_flags(CONTEXT, organization=self.acme, user=self.ada.user, group=group, flags=flags)

    def remember(self, link: Link) -> None:
        memory = Vault(self.cipher).seal({"refresh_token": "given"}, memory_binding(link.provider, link.subject))
        with self.uow.begin() as tx:
            tx.links.save(link, attrs.evolve(link, memory=memory))

    def merge(self) -> Any:
        return self.root.browser.ask(self.flows.accounts.merge, CONTEXT, source=self.ada.user, target=self.bob.user)

    def left(self) -> Left:
        member = self.member(self.bob.user, self.acme)
        assert isinstance(member, Member), member
        return [link.memory is not None for link in self.links_of(self.bob.user)], member.flags

    # --- what an owner does meanwhile -----------------------------------------------------------------------------

    def disable(self) -> None:
        gone = self.olga.browser.ask(self.flows.providers.disable, CONTEXT, organization=self.acme)
        assert isinstance(gone, ProviderRemoved), gone
        assert gone.links == 1

    def govern_no_more(self) -> None:
        saved = self.olga.browser.ask(self.flows.providers.configure, CONTEXT, organization=self.acme, scim=False)
        assert isinstance(saved, ProviderSaved), saved

    def send_tokens_elsewhere(self) -> None:
        """Do what an edit does that lets links forget: the whole command asks outside of any transaction."""
        with self.uow.begin() as tx:
            assert tx.links.forget_memories(tx.providers.load(self.acme).state.id) == 1


def wait_for_the_row(uow: SqlUnitOfWork) -> None:
    """Return when somebody waits for a lock; the merge did not need it if nobody does within ten seconds."""
    until = time.monotonic() + 10
    with uow.engine.connect() as connection:
        while not connection.execute(WAITING).scalar_one():
            assert time.monotonic() < until
            time.sleep(0.01)
            connection.rollback()  # a transaction sees the statistics as they were at its first look


def assert_nobody_holds_members(uow: SqlUnitOfWork) -> None:
    """Go on: otherwise the two would deadlock, and a command that tries again would hide it."""
    with uow.engine.connect() as connection:
        assert connection.execute(MEMBERS).all()


MEANWHILE: Final[dict[str, tuple[Callable[[Merging], None], Left]]] = {
    "disabled": (Merging.disable, ([], FREE)),
    "governed no more": (Merging.govern_no_more, ([True], LINKED)),
    "forgotten": (Merging.send_tokens_elsewhere, ([False], LINKED | GOVERNED)),
}


@pytest.mark.parametrize("role", ["member", "owner"])
@pytest.mark.parametrize("what", MEANWHILE)
def test_a_merge_brings_nothing_back(postgresql_uow: SqlUnitOfWork, what: str, role: str) -> None:
    """It holds the provider before it reads a link or a flag, and before a row for which the owner would wait."""
    stage, (meanwhile, left) = Merging(postgresql_uow, role), MEANWHILE[what]
    with ThreadPoolExecutor(1) as pool:
        with stage.uow.begin() as tx:
            tx.providers.load(stage.acme, lock=True)
            merging = pool.submit(stage.merge)
            wait_for_the_row(postgresql_uow)
            assert_nobody_holds_members(postgresql_uow)
            meanwhile(stage)
        assert isinstance(merging.result(), AccountsMerged)
    assert stage.left() == left
