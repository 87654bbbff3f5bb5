"""What every store of members, tombstones and waiting clicks must keep: once per person, remembered, never half."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import attrs
import pytest

from authflow.errors import StaleVersion, UniqueViolated
from authflow.membership.consent import Anonymous, Claimed, Click, Consent, Given, NoConsent
from authflow.membership.standing import Member, MemberFlag, Membership, Outside, Removed
from authflow.policy import MEMBER, OWNER
from authflow.ports import Stored
from authflow.testing.contracts.membership import ACME, ADA, EVE, GLOBEX, INSTANT, TICK, digest
from authflow.testing.contracts.threads import THREADS, at_once
from authflow.values import InvitationId, MemberId, OrganizationId, Role, SessionId, TeamId, UserId

if TYPE_CHECKING:
    from authflow.membership.ports import MembershipTransaction
    from authflow.ports import UnitOfWork

BROWSER: Final = SessionId("browser")


def member(user: UserId = ADA, role: Role = MEMBER, place: OrganizationId = ACME) -> Member:
    """Return a membership with everything in it."""
    return Member(
        organization=place,
        user=user,
        id=MemberId(f"{place}-{user}"),
        role=role,
        teams=(TeamId("blue"), TeamId("red")),
        flags=MemberFlag.SSO_INVALID | MemberFlag.IDP_ROLE_RESTRICTED,
    )


REMOVED: Final = Removed(organization=ACME, user=ADA, at=INSTANT)

CLICK: Final = Click(organization=ACME, invitation=InvitationId("i1"), token=digest("c"), by_token=True, at=INSTANT)

WAITING: Final[dict[str, Consent]] = {
    "given": Given(click=CLICK, user=ADA),
    "anonymous": Anonymous(click=attrs.evolve(CLICK, by_token=False)),
    "claimed": Claimed(click=CLICK, user=EVE),
}


class MemberRowsContract:
    """Subclass this, override the fixture `uow`, and pytest checks your ``MemberRows``."""

    @pytest.fixture
    def uow(self) -> UnitOfWork[MembershipTransaction]:
        """Return a unit of work on an empty installation."""
        raise NotImplementedError

    @staticmethod
    def put(uow: UnitOfWork[MembershipTransaction], *states: Member | Removed) -> None:
        """Insert *states*."""
        with uow.begin() as tx:
            for state in states:
                tx.members.save(state.organization, state.user, state, expected=0)

    @staticmethod
    def read(uow: UnitOfWork[MembershipTransaction], place: OrganizationId = ACME) -> Stored[Membership]:
        """Return what stands for Ada."""
        with uow.begin() as tx:
            return tx.members.load(place, ADA)

    @pytest.mark.parametrize("state", [member(), REMOVED])
    def test_what_is_stored_comes_back_whole(
        self, uow: UnitOfWork[MembershipTransaction], state: Member | Removed
    ) -> None:
        """Every field, instants exactly; another organization sees nothing of it."""
        assert self.read(uow) == Stored(Outside(), 0)
        self.put(uow, state)
        assert self.read(uow) == Stored(state, 1)
        assert self.read(uow, GLOBEX) == Stored(Outside(), 0)

    @pytest.mark.parametrize("after", [attrs.evolve(member(role=OWNER), id=MemberId("another")), REMOVED])
    @pytest.mark.parametrize("before", [member(), REMOVED])
    def test_every_state_may_follow_every_other(
        self, uow: UnitOfWork[MembershipTransaction], before: Member | Removed, after: Member | Removed
    ) -> None:
        """Membership and tombstone take each other's place: never both, never a lost version."""
        self.put(uow, before)
        with uow.begin() as tx:
            tx.members.save(ACME, ADA, after, expected=1)
        assert self.read(uow) == Stored(after, 2)
        with uow.begin() as tx:
            belongs = isinstance(after, Member)
            assert tx.members.of_user(ADA) == ((after,) if belongs else ())
            assert tx.members.user_of(ACME, MemberId("another")) == (ADA if belongs else None)
            tx.members.save(ACME, ADA, Outside(), expected=2)
        assert self.read(uow) == Stored(Outside(), 0)

    @pytest.mark.parametrize("after", [member(), REMOVED, Outside()])
    @pytest.mark.parametrize("before", [member(), REMOVED])
    def test_a_stale_version_writes_nothing(
        self, uow: UnitOfWork[MembershipTransaction], before: Member | Removed, after: Membership
    ) -> None:
        """Compare-and-set; the transaction lives on."""
        with uow.begin() as tx:
            with pytest.raises(StaleVersion):
                tx.members.save(ACME, ADA, after, expected=1)
            tx.members.save(ACME, ADA, before, expected=0)
            with pytest.raises(StaleVersion):
                tx.members.save(ACME, ADA, after, expected=2)
            tx.members.save(ACME, ADA, before, expected=1)
            with pytest.raises(StaleVersion):
                tx.members.save(ACME, ADA, after, expected=1)
        assert self.read(uow) == Stored(before, 2)

    def test_a_person_is_a_member_once(self, uow: UnitOfWork[MembershipTransaction]) -> None:
        """Whatever id the second membership has."""
        self.put(uow, member())
        with pytest.raises(UniqueViolated) as violated:
            self.put(uow, attrs.evolve(member(), id=MemberId("another")))
        assert violated.value.rule == "member.user"

    def test_an_id_names_one_membership(self, uow: UnitOfWork[MembershipTransaction]) -> None:
        """In the whole installation."""
        self.put(uow, member())
        with pytest.raises(UniqueViolated) as violated:
            self.put(uow, attrs.evolve(member(EVE, place=GLOBEX), id=member().id))
        assert violated.value.rule == "primary_key"

    def test_of_many_at_once_exactly_one_makes_the_member(self, uow: UnitOfWork[MembershipTransaction]) -> None:
        """The losers are told so by the rule's name."""

        def join(number: int) -> str:
            try:
                self.put(uow, attrs.evolve(member(), id=MemberId(f"m{number}")))
            except UniqueViolated as violated:
                return violated.rule
            return "joined"

        assert sorted(at_once(join)) == ["joined"] + ["member.user"] * (THREADS - 1)

    def test_members_are_found_in_their_own_organization(self, uow: UnitOfWork[MembershipTransaction]) -> None:
        """By id; in pages; and a person's own in the order of the organizations."""
        self.put(uow, member(EVE), member(ADA), member(ADA, place=GLOBEX))
        self.put(uow, Removed(organization=ACME, user=UserId("old"), at=INSTANT))
        with uow.begin() as tx:
            assert tx.members.user_of(ACME, member().id) == ADA
            assert tx.members.user_of(GLOBEX, member().id) is None
            assert tx.members.of_organization(ACME, limit=9) == (member(ADA), member(EVE))
            assert tx.members.of_organization(ACME, limit=1, after=member().id) == (member(EVE),)
            assert tx.members.of_user(ADA) == (member(ADA), member(ADA, place=GLOBEX))

    def test_the_holders_of_a_role_are_counted_under_a_lock(self, uow: UnitOfWork[MembershipTransaction]) -> None:
        """Many owners at once may each go only while another one stays: one does (decision 17)."""
        users = [UserId(f"u{number:02}") for number in range(THREADS)]
        self.put(uow, *(member(user, OWNER) for user in users), member(ADA), member(EVE, OWNER, GLOBEX))

        def leave(number: int) -> bool:
            with uow.begin() as tx:
                others = [owner for owner in tx.members.lock_role(ACME, OWNER) if owner != users[number]]
                found = tx.members.load(ACME, users[number])
                if others:
                    tx.members.save(ACME, users[number], Outside(), expected=found.version)
                return bool(others)

        assert sum(at_once(leave)) == THREADS - 1
        with uow.begin() as tx:
            assert len(tx.members.lock_role(ACME, OWNER)) == 1

    def test_who_has_a_role_is_found_in_one_organization_only(self, uow: UnitOfWork[MembershipTransaction]) -> None:
        """In the order of the people's ids, with everything that a membership says."""
        marked = attrs.evolve(member(EVE, OWNER), flags=MemberFlag.SSO_LINKED)
        ben = UserId("ben")
        self.put(uow, marked, member(ADA, OWNER), member(ben), member(ben, OWNER, GLOBEX))
        with uow.begin() as tx:
            assert tx.members.with_role(ACME, OWNER) == (member(ADA, OWNER), marked)
            assert tx.members.with_role(GLOBEX, MEMBER) == ()

    def test_flags_are_taken_from_everybody_in_one_organization(self, uow: UnitOfWork[MembershipTransaction]) -> None:
        """Other flags and other organizations stay as they are; a version that was read before is stale."""
        linked = attrs.evolve(member(EVE), flags=MemberFlag.SSO_LINKED | MemberFlag.MEMBER_LIMIT_RESTRICTED)
        plain, elsewhere = attrs.evolve(member(UserId("ben")), flags=MemberFlag.NONE), member(ADA, place=GLOBEX)
        self.put(uow, member(), linked, plain, elsewhere)
        with uow.begin() as tx:
            assert tx.members.clear_flags(ACME, MemberFlag.SSO_LINKED | MemberFlag.SSO_INVALID) == 2
            left = {m.user: m.flags for m in tx.members.of_organization(ACME, limit=9)}
            restricted, governed = MemberFlag.MEMBER_LIMIT_RESTRICTED, MemberFlag.IDP_ROLE_RESTRICTED
            assert left == {ADA: governed, EVE: restricted, UserId("ben"): MemberFlag.NONE}
            assert tx.members.load(GLOBEX, ADA).state == elsewhere
            with pytest.raises(StaleVersion):
                tx.members.save(ACME, ADA, Outside(), expected=1)
            assert tx.members.load(ACME, UserId("ben")).version == 1

    def test_who_is_deleted_leaves_neither_membership_nor_tombstone(
        self, uow: UnitOfWork[MembershipTransaction]
    ) -> None:
        """In every organization."""
        self.put(uow, member(), attrs.evolve(REMOVED, organization=GLOBEX), member(EVE))
        with uow.begin() as tx:
            assert tx.members.remove_of_user(ADA) == 1
            assert tx.members.remove_of_user(ADA) == 0
            assert tx.members.load(GLOBEX, ADA) == Stored(Outside(), 0)
            assert tx.members.of_organization(ACME, limit=9) == (member(EVE),)


class ConsentRowsContract:
    """Subclass this, override the fixture `uow`, and pytest checks your ``ConsentRows``."""

    @pytest.fixture
    def uow(self) -> UnitOfWork[MembershipTransaction]:
        """Return a unit of work on an empty installation."""
        raise NotImplementedError

    @pytest.mark.parametrize("after", WAITING.values(), ids=WAITING)
    @pytest.mark.parametrize("before", WAITING.values(), ids=WAITING)
    def test_a_browser_waits_for_one_thing(
        self, uow: UnitOfWork[MembershipTransaction], before: Consent, after: Consent
    ) -> None:
        """Every state comes back whole and may follow every other; what is settled leaves no row."""
        with uow.begin() as tx:
            tx.consents.save(BROWSER, before, expected=0)
        with uow.begin() as tx:
            assert tx.consents.load(BROWSER) == Stored(before, 1)
            tx.consents.save(BROWSER, after, expected=1)
        with uow.begin() as tx:
            assert tx.consents.load(BROWSER) == Stored(after, 2)
            assert tx.consents.load(SessionId("another")) == tx.consents.load(SessionId("")) == Stored(NoConsent(), 0)
            tx.consents.save(BROWSER, NoConsent(), expected=2)
            assert tx.consents.load(BROWSER) == Stored(NoConsent(), 0)

    def test_a_stale_version_writes_nothing(self, uow: UnitOfWork[MembershipTransaction]) -> None:
        """Compare-and-set; the transaction lives on."""
        given = WAITING["given"]
        with uow.begin() as tx:
            with pytest.raises(StaleVersion):
                tx.consents.save(BROWSER, given, expected=1)
            tx.consents.save(BROWSER, given, expected=0)
            with pytest.raises(StaleVersion):
                tx.consents.save(BROWSER, NoConsent(), expected=2)
            tx.consents.save(BROWSER, given, expected=1)
            for after in (given, NoConsent()):
                with pytest.raises(StaleVersion):
                    tx.consents.save(BROWSER, after, expected=1)
        with uow.begin() as tx:
            assert tx.consents.load(BROWSER) == Stored(given, 2)
        with pytest.raises(UniqueViolated), uow.begin() as tx:
            tx.consents.save(BROWSER, given, expected=0)

    def test_clicks_go_with_their_person_and_with_time(self, uow: UnitOfWork[MembershipTransaction]) -> None:
        """A click that nobody owns goes with time only."""
        with uow.begin() as tx:
            for key, state in WAITING.items():
                tx.consents.save(SessionId(key), state, expected=0)
            assert [tx.consents.load(SessionId(key)).state for key in WAITING] == [*WAITING.values()]
            assert tx.consents.remove_of_user(ADA) == 1
            assert tx.consents.load(SessionId("given")) == Stored(NoConsent(), 0)
            assert tx.consents.remove_of_user(EVE) == 1
            assert tx.consents.remove_over(INSTANT) == 0
            assert tx.consents.load(SessionId("anonymous")) == Stored(WAITING["anonymous"], 1)
            assert tx.consents.remove_over(INSTANT + TICK) == 1
            assert tx.consents.load(SessionId("anonymous")) == Stored(NoConsent(), 0)
