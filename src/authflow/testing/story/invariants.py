"""What a story has seen, and what must follow from it: every law that outlives a single answer."""

from __future__ import annotations

import json
from collections import defaultdict
from typing import TYPE_CHECKING, Final

from authflow.facts.records import Audit, Signal
from authflow.membership.offer import Expired
from authflow.policy import OWNER
from authflow.testing.browsers import STEP_SECONDS, Browser, Phone
from authflow.values import BrowserSession, Level, fold_address

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from authflow.membership.standing import Member
    from authflow.outbox.signals import Notice
    from authflow.values import InvitationId, MemberId, OrganizationId, Secret, UserId
    from authflow.wiring import Authflow

JOINING: Final = frozenset({Audit.MEMBER_ACCEPT, Audit.MEMBER_ADD})

REMEMBERED: Final = 40
"""Dead session values that are tried again after every step, the newest first."""


class Invariants:
    """Remembers what was accepted, who joined, which values died; and says when the installation contradicts it.

    Args:
        flows: The installation.
        places: Every organization of the story.
        regions: The regions of each.
    """

    def __init__(self, flows: Authflow, places: Iterable[OrganizationId], regions: Iterable[str]) -> None:
        self.flows, self.places, self.regions = flows, tuple(places), frozenset(regions)
        self.members: dict[tuple[OrganizationId, UserId], MemberId] = {}
        self.notices: dict[str, Notice] = {}
        self._steps: set[tuple[str, int]] = set()
        self._spent: set[str] = set()
        self._dead: dict[tuple[str, str], BrowserSession] = {}
        self._left: dict[str, int] = {}
        self._latest = flows.clock.now()
        self._joined: list[tuple[OrganizationId, UserId, MemberId]] = []
        self._used: set[InvitationId] = set()
        flows.receivers.add("invariants", Signal.MEMBER_JOINED, self.hear)

    # --- what was seen --------------------------------------------------------------------------------------------

    def step_accepted(self, secret: Secret, code: str, now: datetime) -> None:
        """A code of *secret* was accepted at *now*: none of the steps that have it is accepted again."""
        present = int(now.timestamp()) // STEP_SECONDS
        phone = Phone(secret)
        steps = {(secret.reveal(), present + off) for off in range(-2, 3) if phone.code(now, steps=off) == code}
        assert steps, "a code that no step around now has was accepted"
        assert not steps <= self._steps, "a time step was accepted twice"
        self._steps |= steps

    def recovery_code_accepted(self, code: str) -> None:
        """A recovery code was accepted: never again."""
        assert code not in self._spent, "a recovery code was accepted twice"
        self._spent.add(code)

    def attempts_left(self, flow: str, left: int | None) -> None:
        """A wrong code was refused in *flow*: fewer tries are left than before, whatever was done in between."""
        if left is not None:
            assert left < self._left.get(flow, left + 1), "a flow got a try back"
            self._left[flow] = left

    def joined(self, place: OrganizationId, user: UserId, member: MemberId) -> None:
        """*user* became a member."""
        assert (place, user) not in self.members, "a member joined again"
        self.members[place, user] = member
        self._joined.append((place, user, member))

    def left(self, user: UserId, place: OrganizationId | None = None) -> None:
        """*user* is no member any more: there, or anywhere."""
        for where in self.places if place is None else (place,):
            self.members.pop((where, user), None)

    def invitation_accepted(self, invitation: InvitationId) -> None:
        """Somebody joined by *invitation*: nobody joins by it again."""
        assert invitation not in self._used, "an invitation was accepted twice"
        self._used.add(invitation)

    def ended(self, *values: BrowserSession) -> None:
        """These sessions were signed out, ended from elsewhere, or went with their account."""
        self._dead.update({(value.id, value.secret.reveal()): value for value in values})

    def hear(self, notice: Notice) -> None:
        """Receive a signal; the same one may come again with the same id."""
        assert self.notices.setdefault(notice.id, notice) == notice

    # --- what must hold -------------------------------------------------------------------------------------------

    def sessions_hold(self, browsers: Iterable[Browser], protected: frozenset[UserId]) -> None:
        """What is over stays over; whoever has a factor is signed in with it; and only with it elevated."""
        self._latest = max(self._latest, self.flows.clock.now())
        for browser in browsers:
            asker = self.flows.sessions.identify(browser.session)
            if asker.user is None:
                assert not asker.elevated
            elif asker.user in protected:
                assert asker.level is Level.TWO, "a password alone signed in somebody who has a factor"
            self._bury(browser)
        for value in list(self._dead.values())[-REMEMBERED:]:
            assert self.flows.sessions.identify(value).user is None, "a session that was over came back"

    def members_hold(self) -> None:
        """Members are those who joined and did not leave; every one stands in the log, and an owner stays."""
        with self.flows.uow.begin() as tx:
            for place in self.places:
                found: tuple[Member, ...] = tx.members.of_organization(place, limit=100)
                seen = {user: member for (where, user), member in self.members.items() if where == place}
                assert {member.user: member.id for member in found} == seen, "members are not those who joined"
                entries = tx.audit.of_organization(place, limit=1000)
                told = {entry.target for entry in entries if entry.event in JOINING}
                assert {member.id for member in found} <= told, "a membership is not in the log"
                owners = (tx.users.get(member.user) for member in found if member.role == OWNER)
                assert any(owner is not None and owner.active for owner in owners), "an organization lost its owner"

    def invitations_hold(self) -> None:
        """At most one invitation waits for an address in an organization."""
        with self.flows.uow.begin() as tx:
            for place in self.places:
                found = tx.invitations.open_in(place, limit=100)
                waiting = [fold_address(one.offer.email) for one in found if not isinstance(one, Expired)]
                assert len(waiting) == len(set(waiting)), "an address is invited twice"

    def factors_hold(self, people: Iterable[UserId]) -> None:
        """Recovery codes only beside a primary factor (mfa 14.4)."""
        with self.flows.uow.begin() as tx:
            for user in people:
                held = tx.factors.of_user(user)
                assert held.primaries() or not held.backups(), "recovery codes stand alone"

    def signals_hold(self) -> None:
        """After a delivery every joining was told once in every region, and nothing else was told.

        While the clock is behind where it once was, what was written later may still wait in its lane.
        """
        now = self.flows.clock.now()
        told = defaultdict[tuple[object, ...], list[str | None]](list)
        for notice in self.notices.values():
            key = (notice.subject, notice.args["user_id"], notice.args["organization_member_id"])
            told[key].append(notice.region)
        for place, user, member in self._joined:
            regions = told.pop((place, user, member), [])
            assert len(regions) == len(set(regions)), "a region was told twice"
            assert set(regions) == self.regions or now < self._latest, "a region was not told"
        assert not told, "a joining was told that nobody saw"

    # --- pieces -----------------------------------------------------------------------------------------------------

    def _bury(self, browser: Browser) -> None:
        """A value with another secret than the newest opens nothing any more."""
        present = browser.session
        if self.flows.sessions.identify(present).user is None:
            return
        for stored in browser.former[-4:]:
            old = BrowserSession.from_json(json.loads(stored))
            if old.secret != present.secret:
                self._dead[old.id, old.secret.reveal()] = old
