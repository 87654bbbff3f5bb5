"""A member is removed at the moment at which their provider is disabled: each waits for what the other one holds.

Whoever removes holds the member and comes to the link; whoever disables holds the link and comes to the member.
PostgreSQL ends one of the two, which is tried again, and nobody notices (decision 11).
"""

from __future__ import annotations

import re
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final

from authflow import ProviderRemoved
from authflow.facts.records import Audit
from authflow.membership.answers import MemberGone
from authflow.membership.standing import Member
from authflow.sso.connection import Connected
from tests.journey.sso_stage import SsoStage
from tests.stage import CONTEXT

if TYPE_CHECKING:
    from authflow.adapters.sql.tap import Event
    from authflow.adapters.sql.unit_of_work import SqlUnitOfWork

REMOVING: Final = re.compile(r"FROM authflow_sso_link\b.* FOR UPDATE", re.DOTALL)
DISABLING: Final = re.compile(r"DELETE FROM authflow_sso_link\b.* RETURNING", re.DOTALL)

SOON: Final = 5
"""Seconds: if the two do not cross any more, they end well all the same."""


class Crossing:
    """Lets each of the two come as far as the link before either goes on; a try after that waits for nobody."""

    def __init__(self) -> None:
        self.removes, self.disabled = threading.Event(), threading.Event()

    def before(self, event: Event) -> None:
        if REMOVING.search(event.text):
            self.removes.set()
            self.disabled.wait(SOON)
        elif DISABLING.search(event.text):
            self.removes.wait(SOON)

    def after(self, event: Event) -> None:
        if DISABLING.search(event.text):
            self.disabled.set()


def test_both_end_well_and_nothing_is_half_done(postgresql_uow: SqlUnitOfWork):
    stage = SsoStage(postgresql_uow)
    acme = stage.organization()
    olga, otto, ben = stage.owner(acme), stage.owner(acme, "otto@example.com"), stage.person("ben@example.com")
    stage.connect(acme, required=False)
    stage.found(ben, acme)
    stage.idp.person("00u2")
    stage.link(ben.user, acme, "00u2")
    stage.come(ben.browser, acme, "00u2")
    member = stage.member(ben.user, acme)
    assert isinstance(member, Member)
    postgresql_uow.tap = Crossing()
    flows = stage.flows
    with ThreadPoolExecutor(2) as pool:  # not `race`, which is a host that tries again itself
        removing = pool.submit(olga.browser.ask, flows.members.remove, CONTEXT, organization=acme, member=member.id)
        disabling = pool.submit(otto.browser.ask, flows.providers.disable, CONTEXT, organization=acme)
    removed, disabled = removing.result(), disabling.result()
    assert isinstance(removed, MemberGone), removed
    assert isinstance(disabled, ProviderRemoved), disabled
    assert stage.links_of(ben.user) == ()
    assert not isinstance(stage.member(ben.user, acme), Member)
    with stage.uow.begin() as tx:
        assert not isinstance(tx.providers.load(acme).state, Connected)
        assert [former.removed_at is None for former in tx.former_subjects.of_user(ben.user)] == [False]
    told = stage.audited_in(acme)
    assert (told.count(Audit.MEMBER_REMOVE), told.count(Audit.SSO_DISABLE)) == (1, 1)
