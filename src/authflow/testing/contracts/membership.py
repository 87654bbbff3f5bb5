"""What every store of invitations must keep: scope, uniqueness, and single use."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

import attrs
import pytest

from authflow.errors import StaleVersion, UniqueViolated
from authflow.membership.offer import (
    Absent,
    Accepted,
    Expired,
    Invitation,
    InviteStatus,
    Offer,
    Pending,
    Requested,
    Withdrawn,
    address_key,
    open_key,
    person_key,
)
from authflow.membership.standing import MemberFlag
from authflow.policy import ADMIN
from authflow.ports import Stored
from authflow.testing.clocks import START
from authflow.testing.contracts.threads import THREADS, at_once
from authflow.values import Address, InvitationId, MemberId, OrganizationId, TeamId, UserId

if TYPE_CHECKING:
    from authflow.membership.ports import MembershipTransaction
    from authflow.ports import UnitOfWork

ACME: Final = OrganizationId("acme")
GLOBEX: Final = OrganizationId("globex")
ADA: Final = UserId("ada")
EVE: Final = UserId("eve")
TICK: Final = timedelta(microseconds=1)
INSTANT: Final = START + TICK
"""Not a whole second: no store may round it."""

END: Final = INSTANT + timedelta(days=30)


def offer(key: str = "i1", email: str = "Ada@example.org", place: OrganizationId = ACME) -> Offer:
    """Return an offer with everything in it; no two fields hold the same."""
    return Offer(
        organization=place,
        id=InvitationId(key),
        email=Address(email),
        role=ADMIN,
        teams=(TeamId("blue"), TeamId("red")),
        origin=InviteStatus.REQUESTED_TO_JOIN,
    )


def pending(key: str = "i1", email: str = "Ada@example.org", place: OrganizationId = ACME) -> Pending:
    """Return a pending invitation; its token is made from its key."""
    return Pending(
        offer=offer(key, email, place),
        sponsor=EVE,
        token=digest(key),
        issued_at=INSTANT,
        expires_at=END,
        flags=MemberFlag.IDP_ROLE_RESTRICTED | MemberFlag.SSO_LINKED,
    )


def digest(text: str) -> bytes:
    """Return 32 bytes that a careless store would change: NUL first, no UTF-8, and *text*."""
    return b"\x00\xff" + text.encode().ljust(30, b"\x80")


def accepted(before: Pending, user: UserId = ADA) -> Accepted:
    """Return what *before* becomes."""
    return Accepted(offer=before.offer, token=before.token, by=user, member=MemberId(f"m-{user}"), at=INSTANT)


STATES: Final[dict[str, Invitation]] = {
    "requested": Requested(offer=offer(), by=EVE, at=INSTANT),
    "pending": pending(),
    "bound": attrs.evolve(pending(), bound_to=ADA),
    "accepted": accepted(pending()),
    "withdrawn": Withdrawn(offer=offer(), token=digest("w"), at=INSTANT),
    "expired": Expired(
        offer=offer(), sponsor=EVE, token=digest("x"), at=INSTANT, bound_to=ADA, flags=MemberFlag.SSO_LINKED
    ),
}


class InvitationRowsContract:
    """Subclass this, override the fixture `uow`, and pytest checks your ``InvitationRows``."""

    @pytest.fixture
    def uow(self) -> UnitOfWork[MembershipTransaction]:
        """Return a unit of work on an empty installation."""
        raise NotImplementedError

    @staticmethod
    def put(uow: UnitOfWork[MembershipTransaction], *states: Invitation) -> None:
        """Insert *states*."""
        with uow.begin() as tx:
            for state in states:
                if not isinstance(state, Absent):
                    tx.invitations.save(state.offer.organization, state.offer.id, state, expected=0)

    @staticmethod
    def read(
        uow: UnitOfWork[MembershipTransaction], key: str = "i1", place: OrganizationId = ACME
    ) -> Stored[Invitation]:
        """Return what stands."""
        with uow.begin() as tx:
            return tx.invitations.load(place, InvitationId(key))

    @pytest.mark.parametrize("state", STATES.values(), ids=STATES)
    def test_what_is_stored_comes_back_whole(self, uow: UnitOfWork[MembershipTransaction], state: Invitation) -> None:
        """Every field of every state, instants exactly, digests as bytes, addresses as they were typed."""
        self.put(uow, state)
        assert self.read(uow) == Stored(state, 1)
        with uow.begin() as tx:
            assert tx.invitations.load(ACME, InvitationId("i1"), lock=True) == Stored(state, 1)

    @pytest.mark.parametrize("after", STATES.values(), ids=STATES)
    @pytest.mark.parametrize("before", STATES.values(), ids=STATES)
    def test_every_state_may_follow_every_other(
        self, uow: UnitOfWork[MembershipTransaction], before: Invitation, after: Invitation
    ) -> None:
        """A save replaces the row; nothing of the former state stays."""
        self.put(uow, before)
        with uow.begin() as tx:
            tx.invitations.save(ACME, InvitationId("i1"), after, expected=1)
        assert self.read(uow) == Stored(after, 2)

    def test_an_unknown_one_is_absent_and_a_deleted_one_is_too(self, uow: UnitOfWork[MembershipTransaction]) -> None:
        """Version 0 means that no row stands."""
        assert self.read(uow) == Stored(Absent(), 0)
        self.put(uow, pending())
        with uow.begin() as tx:
            tx.invitations.save(ACME, InvitationId("i1"), Absent(), expected=1)
        assert self.read(uow) == Stored(Absent(), 0)

    def test_another_organization_neither_reads_nor_writes_it(self, uow: UnitOfWork[MembershipTransaction]) -> None:
        """The organization is part of every lookup and of every write."""
        self.put(uow, pending())
        assert self.read(uow, place=GLOBEX) == Stored(Absent(), 0)
        foreign = attrs.evolve(pending(), offer=offer(place=GLOBEX))
        with uow.begin() as tx:
            with pytest.raises(StaleVersion):
                tx.invitations.save(GLOBEX, InvitationId("i1"), foreign, expected=1)
            with pytest.raises(StaleVersion):
                tx.invitations.save(GLOBEX, InvitationId("i1"), Absent(), expected=1)
            assert not tx.invitations.accept(foreign, accepted(foreign), INSTANT)
        assert self.read(uow) == Stored(pending(), 1)

    @pytest.mark.parametrize("after", [pending(), Absent()])
    def test_a_stale_version_writes_nothing(self, uow: UnitOfWork[MembershipTransaction], after: Invitation) -> None:
        """Compare-and-set; the transaction lives on."""
        with uow.begin() as tx:
            with pytest.raises(StaleVersion):
                tx.invitations.save(ACME, InvitationId("i1"), after, expected=1)
            tx.invitations.save(ACME, InvitationId("i1"), pending(), expected=0)
            with pytest.raises(StaleVersion):
                tx.invitations.save(ACME, InvitationId("i1"), after, expected=2)
            tx.invitations.save(ACME, InvitationId("i1"), pending(), expected=1)
            with pytest.raises(StaleVersion):
                tx.invitations.save(ACME, InvitationId("i1"), after, expected=1)
        assert self.read(uow) == Stored(pending(), 2)

    def test_one_open_invitation_for_an_address_in_an_organization(
        self, uow: UnitOfWork[MembershipTransaction]
    ) -> None:
        """Open is requested or pending; what is over makes room; letter case makes none, another organization does."""
        self.put(uow, pending("i1"))
        again = Requested(offer=offer("i2", "ADA@EXAMPLE.ORG"), by=EVE, at=INSTANT)
        with pytest.raises(UniqueViolated) as violated:
            self.put(uow, again)
        assert violated.value.rule == "invitation.open"
        self.put(uow, pending("i3", place=GLOBEX), pending("i4", "ad\u0430@example.org"))
        with uow.begin() as tx:
            tx.invitations.save(ACME, InvitationId("i1"), accepted(pending()), expected=1)
        self.put(uow, again)

    def test_one_open_invitation_that_is_bound_to_a_person(self, uow: UnitOfWork[MembershipTransaction]) -> None:
        """It does not compete with one for an address."""
        bound = attrs.evolve(pending("i1"), bound_to=ADA)
        self.put(uow, bound, pending("i2"))
        with pytest.raises(UniqueViolated) as violated:
            self.put(uow, attrs.evolve(pending("i3", "other@example.org"), bound_to=ADA))
        assert violated.value.rule == "invitation.open"

    def test_a_token_belongs_to_one_invitation(self, uow: UnitOfWork[MembershipTransaction]) -> None:
        """In the whole installation, open or over."""
        self.put(uow, accepted(pending()))
        with pytest.raises(UniqueViolated) as violated:
            self.put(uow, attrs.evolve(pending("i2", "eve@example.org", GLOBEX), token=pending().token))
        assert violated.value.rule == "invitation.token"

    def test_accepting_needs_the_row_to_be_as_it_was(self, uow: UnitOfWork[MembershipTransaction]) -> None:
        """One conditional update: pending, this very token, this organization, unexpired (decision 12)."""
        resent = attrs.evolve(pending(), token=digest("newer"), expires_at=END + TICK)
        self.put(uow, resent)
        with uow.begin() as tx:
            assert not tx.invitations.accept(pending(), accepted(pending()), INSTANT)
            assert not tx.invitations.accept(resent, accepted(resent), END + TICK)
            assert tx.invitations.accept(resent, accepted(resent), END)
            assert not tx.invitations.accept(resent, accepted(resent, EVE), END)
        assert self.read(uow) == Stored(accepted(resent), 2)

    @pytest.mark.parametrize("name", ["requested", "accepted", "withdrawn", "expired"])
    def test_what_is_not_pending_is_never_accepted(self, uow: UnitOfWork[MembershipTransaction], name: str) -> None:
        """Whatever its token."""
        self.put(uow, STATES[name])
        before = attrs.evolve(pending(), token=getattr(STATES[name], "token", digest("w")))
        with uow.begin() as tx:
            assert not tx.invitations.accept(before, accepted(before, EVE), INSTANT)
        assert self.read(uow) == Stored(STATES[name], 1)

    def test_of_many_at_once_exactly_one_accepts(self, uow: UnitOfWork[MembershipTransaction]) -> None:
        """The single use of an invitation is decided by the store, not by who looked first."""
        self.put(uow, pending())

        def accept(number: int) -> bool:
            with uow.begin() as tx:
                return tx.invitations.accept(pending(), accepted(pending(), UserId(f"u{number}")), INSTANT)

        told = at_once(accept)
        assert sorted(told) == [False] * (THREADS - 1) + [True]
        after = self.read(uow).state
        assert isinstance(after, Accepted)
        assert after.by == f"u{told.index(True)}"

    def test_what_is_open_is_found_by_whom_it_is_for(self, uow: UnitOfWork[MembershipTransaction]) -> None:
        """In one organization, or in all; by any of several keys; in the order of ids; never what is over."""
        bound = attrs.evolve(pending("i4", "b@example.org"), bound_to=ADA)
        asked = Requested(offer=offer("i3", "c@example.org"), by=EVE, at=INSTANT)
        elsewhere = pending("i2", place=GLOBEX)
        self.put(uow, bound, asked, elsewhere, pending("i1"), accepted(pending("i5")))
        ada = address_key(Address("ADA@example.org"))
        keys = [ada, person_key(ADA), address_key(Address("c@example.org"))]
        with uow.begin() as tx:
            assert tx.invitations.open_to([ada], ACME) == (Stored(pending("i1"), 1),)
            assert [s.state for s in tx.invitations.open_to(keys)] == [pending("i1"), elsewhere, asked, bound]
            assert [s.state for s in tx.invitations.open_to(keys, ACME)] == [pending("i1"), asked, bound]
            assert tx.invitations.open_to([]) == tx.invitations.open_to([], ACME) == ()
        assert open_key(asked) in keys

    def test_an_organization_lists_its_own_that_wait_or_expired(self, uow: UnitOfWork[MembershipTransaction]) -> None:
        """In pages, by id."""
        shown: list[Invitation] = [pending("i1"), Requested(offer=offer("i2", "c@example.org"), by=EVE, at=INSTANT)]
        stale = Expired(offer=offer("i3"), sponsor=EVE, token=digest("i3"), at=INSTANT)
        self.put(uow, stale, *shown, pending("i4", place=GLOBEX), accepted(pending("i5")))
        with uow.begin() as tx:
            assert tx.invitations.open_in(ACME, limit=9) == (*shown, stale)
            assert tx.invitations.open_in(ACME, limit=2) == tuple(shown)
            assert tx.invitations.open_in(ACME, limit=2, after=InvitationId("i2")) == (stale,)

    def test_who_is_deleted_leaves_nothing(self, uow: UnitOfWork[MembershipTransaction]) -> None:
        """What they asked for and what only they could accept goes; what they invited to stays."""
        bound = attrs.evolve(pending("i1"), bound_to=EVE)
        asked = Requested(offer=offer("i2", "c@example.org"), by=EVE, at=INSTANT)
        others = [
            Requested(offer=offer(f"i{by}", f"{by}@example.org"), by=UserId(by), at=INSTANT) for by in ("ev", "evf")
        ]
        self.put(uow, bound, asked, pending("i3"), accepted(pending("i4"), EVE), *others)
        with uow.begin() as tx:
            assert tx.invitations.remove_of_user(EVE) == 2
            assert tx.invitations.remove_of_user(EVE) == 0
            assert tx.invitations.open_in(ACME, limit=9) == (pending("i3"), *others)

    def test_a_sweep_takes_what_is_over_and_nothing_that_waits(self, uow: UnitOfWork[MembershipTransaction]) -> None:
        """Over before the instant; a pending one counts from its end."""
        asked = Requested(offer=offer("i2", "c@example.org"), by=EVE, at=INSTANT)
        self.put(
            uow,
            pending("i1"),
            asked,
            accepted(pending("i3")),
            attrs.evolve(pending("i4", "d@x"), expires_at=INSTANT - TICK),
        )
        with uow.begin() as tx:
            assert tx.invitations.remove_over(INSTANT) == 1
            assert tx.invitations.remove_over(INSTANT + TICK) == 1
            assert tx.invitations.remove_over(END) == 0
            assert tx.invitations.remove_over(END + TICK) == 1
            assert tx.invitations.open_in(ACME, limit=9) == (asked,)

    def test_flags_are_taken_from_every_way_back_to_one_organization(
        self, uow: UnitOfWork[MembershipTransaction]
    ) -> None:
        """Other flags and other organizations stay as they are; a version that was read before is stale."""
        linked, governed = MemberFlag.SSO_LINKED, MemberFlag.IDP_ROLE_RESTRICTED
        plain = attrs.evolve(pending("i2", "c@example.org"), flags=governed)
        gone = Expired(offer=offer("i3", "d@example.org"), sponsor=EVE, token=digest("x"), at=INSTANT, flags=linked)
        elsewhere = pending("i4", place=GLOBEX)
        self.put(uow, pending(), plain, gone, elsewhere, accepted(pending("i5", "e@example.org")))
        with uow.begin() as tx:
            assert tx.invitations.clear_flags(ACME, linked | MemberFlag.SSO_INVALID) == 2
            left = attrs.evolve(pending(), flags=governed)
            assert tx.invitations.open_in(ACME, limit=9) == (left, plain, attrs.evolve(gone, flags=MemberFlag.NONE))
            assert tx.invitations.load(GLOBEX, InvitationId("i4")).state == elsewhere
            with pytest.raises(StaleVersion):
                tx.invitations.save(ACME, InvitationId("i1"), left, expected=1)

    def test_a_sweep_leaves_the_way_back_of_whom_a_provider_made_a_member(
        self, uow: UnitOfWork[MembershipTransaction]
    ) -> None:
        """However long it is over, for as long as the provider makes members (sso 2.4)."""
        made, late = MemberFlag.IDP_PROVISIONED | MemberFlag.SSO_LINKED, END + timedelta(days=999)
        gone = Expired(offer=offer("i2"), sponsor=EVE, token=digest("x"), at=INSTANT, bound_to=EVE, flags=made)
        self.put(uow, attrs.evolve(pending(), bound_to=ADA, flags=made), gone)
        with uow.begin() as tx:
            assert tx.invitations.remove_over(late) == 0
            assert tx.invitations.clear_flags(ACME, MemberFlag.IDP_PROVISIONED) == 2
            assert tx.invitations.remove_over(late) == 2
