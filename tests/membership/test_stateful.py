"""Any order of everything that people, managers and clocks can do: what must hold after every step."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import attrs
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from authflow.adapters.memory.unit_of_work import MemoryUnitOfWork
from authflow.errors import Code
from authflow.facts.records import Audit
from authflow.membership.answers import ConfirmationOwed, InvitationSent, Joined, RequestFiled, RequirementsOpen
from authflow.membership.offer import Accepted, Pending, carries
from authflow.membership.standing import Member, Removed
from authflow.policy import OWNER
from authflow.testing.samples.membership import ELSEWHERE, HOME, POLICY, asker, organization, person
from authflow.values import Asker, InvitationId, OrganizationId, Refused, Secret, SessionId, UserId
from tests.membership.world import CONTEXT, World

PEOPLE = ("ada", "bob", "cyd", "eve")
"""Cyd's address is not verified, and Eve's second one is Ada's in other letters."""

BROWSERS = ("b1", "b2")
SHOWN = ("newest", "newest", "none", "some token")
people = st.sampled_from(("olga", *PEOPLE))
anybody = st.sampled_from((None, "olga", *PEOPLE))
managers = st.sampled_from((None, "olga", "olga", "olga", "olga", *PEOPLE))
roles = st.sampled_from(POLICY.roles)
places = st.sampled_from((HOME, HOME, HOME, ELSEWHERE))
picks = st.integers(0, 63)


class Invitations(RuleBasedStateMachine):
    """Two organizations, five people, two browsers, one clock that also goes back."""

    def __init__(self) -> None:
        super().__init__()
        self.world = World(MemoryUnitOfWork())
        self.world.put(organization(ELSEWHERE))
        self.boss = self.world.join(person("boss"), OWNER, ELSEWHERE)
        self.people = {
            "olga": person("olga"),
            "ada": person("ada"),
            "bob": person("bob"),
            "cyd": person("cyd", verified=False),
            "eve": person("eve", "eve@example.org", "ADA@EXAMPLE.ORG"),
        }
        for name in PEOPLE:
            self.world.put(self.people[name])
        self.invitations: list[InvitationId] = []
        self.tokens: list[Secret] = [Secret("0" * 64)]
        self.newest: dict[InvitationId, Secret] = {}
        self.used: dict[InvitationId, Accepted] = {}
        self.protected: set[str] = set()
        self.joins = 0

    # --- what happens -----------------------------------------------------------------------------------------------

    def who(self, name: str | None, browser: str = "b1") -> Asker:
        user = None if name is None else self.people[name]
        return asker(user, session=SessionId(browser))

    def pick(self, number: int) -> InvitationId:
        return self.invitations[number % len(self.invitations)]

    def remember(self, answer: Any, sent_to: str) -> None:
        if isinstance(answer, InvitationSent | RequestFiled) and answer.invitation not in self.invitations:
            self.invitations.append(answer.invitation)
        if isinstance(answer, InvitationSent):
            found = [m for m in self.world.mails() if m["to"].lower() == sent_to.lower() and "sealed" in m]
            if found:
                self.newest[answer.invitation] = self.world.token(found[-1]["to"])
                self.tokens.append(self.newest[answer.invitation])

    @initialize()
    def begin(self) -> None:
        for to in PEOPLE:
            self.invite("olga", to, POLICY.roles[0])

    @rule(by=managers, to=st.sampled_from(PEOPLE), role=roles)
    def invite(self, by: str | None, to: str, role: Any) -> None:
        email = f"{to}@example.org"
        answer = self.world.service.invite(self.who(by), CONTEXT, organization=HOME, email=email, role=role)
        self.remember(answer, email)

    @rule(by=people)
    def ask(self, by: str) -> None:
        self.remember(self.world.service.request_join(self.who(by), CONTEXT, organization=HOME), "")

    @precondition(lambda self: self.invitations)
    @rule(by=managers, number=picks, command=st.sampled_from(["approve", "reject", "withdraw", "resend"]), place=places)
    def manage(self, by: str | None, number: int, command: str, place: OrganizationId) -> None:
        key = self.pick(number)
        before = self.world.state(key)
        answer = getattr(self.world.service, command)(self.who(by), CONTEXT, organization=place, invitation=key)
        if place != HOME:
            assert isinstance(answer, Refused)
            assert self.world.state(key) == before
        self.remember(answer, getattr(getattr(before, "offer", None), "email", ""))

    @precondition(lambda self: self.invitations)
    @rule(by=anybody, number=picks, shown=st.sampled_from(SHOWN), browser=st.sampled_from(BROWSERS))
    def accept(self, by: str | None, number: int, shown: str, browser: str) -> None:
        key = self.pick(number)
        token = self.token(key, shown, number)
        before, now = self.world.state(key), self.world.clock.now()
        assert self.world.accept(self.who(by, browser), key, token, organization=ELSEWHERE) == Refused(
            code=Code.INVITATION_INVALID
        )
        answer = self.world.accept(self.who(by, browser), key, token)
        if isinstance(answer, Joined):
            self.admit(by, key, before)
            by_token = token is not None and carries(before, token, now)
            by_address = token is None and self.people[by or ""].holds(before.offer.email)
            assert by_token or by_address or before.bound_to == by
        if isinstance(answer, RequirementsOpen):
            assert isinstance(before, Pending)

    def token(self, key: InvitationId, shown: str, number: int) -> Secret | None:
        if shown == "newest":
            return self.newest.get(key)
        return None if shown == "none" else self.tokens[number % len(self.tokens)]

    @rule(by=anybody, browser=st.sampled_from(BROWSERS), confirmed=st.booleans())
    def go_on(self, by: str | None, browser: str, confirmed: bool) -> None:  # noqa: FBT001
        who, now = self.who(by, browser), self.world.clock.now()
        waiting = self.world.service.consent_of(who.session, now)
        before = None if waiting is None else self.world.state(waiting.click.invitation)
        answer = self.world.service.accept_consent(who, CONTEXT, now, confirmed=confirmed)
        if waiting is None:
            assert isinstance(answer, Refused)
        if isinstance(answer, Joined | ConfirmationOwed):
            assert waiting is not None
        if isinstance(answer, Joined) and waiting is not None:
            assert getattr(before, "token", None) == waiting.click.token
            assert now < waiting.click.at + POLICY.consent_ttl
            self.admit(by, waiting.click.invitation, before)

    def admit(self, by: str | None, key: InvitationId, before: Any) -> None:
        """Check what every join has in common, however it came about."""
        self.joins += 1
        after = self.world.state(key)
        assert isinstance(before, Pending)
        assert isinstance(after, Accepted)
        assert after.by == by
        assert key not in self.used
        self.used[key] = after
        state = self.world.member(str(by))
        assert isinstance(state, Member)
        assert (state.role, state.teams) == (before.offer.role, before.offer.teams)

    @rule(by=people, user=people, role=roles, command=st.sampled_from(["change_role", "remove", "demote"]))
    def change(self, by: str, user: str, role: Any, command: str) -> None:
        state = self.world.member(user)
        if not isinstance(state, Member):
            return
        rank = POLICY.rank
        own = self.world.member(by)
        given = {"role": role} if command == "change_role" else {}
        service = self.world.service
        answer = getattr(service, command)(self.who(by), CONTEXT, organization=HOME, member=state.id, **given)
        if not isinstance(answer, Refused) and not (command == "remove" and by == user):
            assert isinstance(own, Member)
            assert (rank(own.role) or 0) >= (rank(state.role) or 0)

    @rule(user=people, role=roles)
    def add(self, user: str, role: Any) -> None:
        before = self.world.member(user)
        answer = self.world.service.add(self.boss, CONTEXT, organization=HOME, user=UserId(user), role=role)
        if isinstance(before, Removed):
            assert answer == Refused(code=Code.INVITATION_MEMBER_REMOVED)
        if isinstance(before, Member):
            assert answer == Joined(member=before)

    @rule(strict=st.booleans(), bound=st.booleans())
    def govern(self, strict: bool, bound: bool) -> None:  # noqa: FBT001
        self.world.change(require_second_factor=strict, invites_bound_to_address=bound)

    @rule(user=st.sampled_from(PEOPLE))
    def enroll(self, user: str) -> None:
        if user not in self.protected:
            self.protected.add(user)
            self.world.protect(user)

    @rule(user=st.sampled_from(PEOPLE))
    def verify(self, user: str) -> None:
        proven = tuple(attrs.evolve(a, verified_at=self.world.clock.now()) for a in self.people[user].addresses)
        self.people[user] = attrs.evolve(self.people[user], addresses=proven)
        self.world.save(self.people[user])

    @rule(hours=st.sampled_from([-30, -1, 1, 24, 24 * 29, 24 * 30]))
    def wait(self, hours: int) -> None:
        self.world.clock.advance(timedelta(hours=hours))

    # --- what holds -------------------------------------------------------------------------------------------------

    @invariant()
    def somebody_owns_it(self) -> None:
        assert OWNER in self.world.members().values()

    @invariant()
    def what_was_used_stays_used(self) -> None:
        assert all(self.world.state(key) == after for key, after in self.used.items())

    @invariant()
    def every_acceptance_is_logged_once(self) -> None:
        assert [entry.event for entry in self.world.audit()].count(Audit.MEMBER_ACCEPT) == self.joins

    @invariant()
    def one_open_invitation_for_an_address(self) -> None:
        with self.world.uow.begin() as tx:
            waiting = [s for s in tx.invitations.open_in(HOME, limit=1000) if isinstance(s, Pending) and not s.bound_to]
        addresses = [state.offer.email.lower() for state in waiting]
        assert len(addresses) == len(set(addresses))

    @invariant()
    def the_other_organization_is_as_it_was(self) -> None:
        with self.world.uow.begin() as tx:
            assert [m.user for m in tx.members.of_organization(ELSEWHERE, limit=9)] == ["boss"]


TestInvitations = Invitations.TestCase
TestInvitations.settings = settings(max_examples=150, stateful_step_count=50)
