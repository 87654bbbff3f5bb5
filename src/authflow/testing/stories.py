"""The whole post flow as a story that Hypothesis tells: people, organizations, browsers, mails, and clocks that jump.

Subclass `PostFlowStory` and override `make_flows` to tell it over a unit of work of your own::

    class MyStory(PostFlowStory):
        def make_flows(self, clock):
            return installed(MyUnitOfWork(), clock=clock)

    TestMyStory = MyStory.TestCase

Every rule is something that a person, a manager, an administrator or time can do; after each the invariants are held
against what the installation says, and against what the story has seen.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from authflow.adapters.mail import MemoryMailer
from authflow.adapters.memory.unit_of_work import MemoryUnitOfWork
from authflow.facts.records import Audit, MailKind
from authflow.journey.answers import Arrived, Enrolled, FactorsReset
from authflow.membership.answers import Joined
from authflow.membership.offer import Expired
from authflow.mfa.answers import Begun, CodesShown
from authflow.policy import OWNER
from authflow.sessions.commands import Elevated
from authflow.testing.browsers import Phone, installed
from authflow.testing.cast import ORGANIZATIONS, OWNER_ADDRESS, PEOPLE, ROOT_ADDRESS, Actor, people, places, windows
from authflow.testing.clocks import ManualClock
from authflow.testing.people import add_organization, add_user
from authflow.values import InvitationId, Level, Method, OrganizationId, Proof, Secret, fold_address

if TYPE_CHECKING:
    from authflow.ports import Mailer
    from authflow.values import UserId
    from authflow.wiring import Authflow


class PostFlowStory(RuleBasedStateMachine):
    """Tells the post flow, and holds it to its invariants after every step."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = ManualClock()
        self.mailer = MemoryMailer()
        self.flows = self.make_flows(self.clock, self.mailer)
        self.accepted: set[tuple[str, str, int]] = set()
        self.members: set[tuple[OrganizationId, UserId]] = set()
        self.letters: dict[tuple[OrganizationId, str], list[tuple[InvitationId, Secret]]] = {}

    def make_flows(self, clock: ManualClock, mailer: Mailer) -> Authflow:
        """Return fresh, empty flows; in memory, unless a subclass says otherwise."""
        return installed(MemoryUnitOfWork(), clock=clock, mailer=mailer)

    @initialize()
    def open_the_house(self) -> None:
        """Two organizations, one of which requires a second factor; an owner and an administrator who have one."""
        for place in ORGANIZATIONS:
            add_organization(self.flows, place, require_second_factor=place == ORGANIZATIONS[0])
        self.actors = {address: Actor(user=add_user(self.flows, address)) for address in PEOPLE}
        self.olga = Actor(user=add_user(self.flows, OWNER_ADDRESS))
        self.root = Actor(user=add_user(self.flows, ROOT_ADDRESS, administrator=True))
        for place in ORGANIZATIONS:
            self.flows.members.add(self.olga.browsers[0].context, organization=place, user=self.olga.user, role=OWNER)
            self.members.add((place, self.olga.user))
        for actor in (self.olga, self.root):
            self._sign_in(actor, 0)
            self._begin(actor, 0)
            self._complete(actor, 0, right=True)

    # --- what people do -------------------------------------------------------------------------------------------

    @rule(address=people, window=windows)
    def sign_in(self, address: str, window: int) -> None:
        """A password alone signs in nobody who has a second factor."""
        self._sign_in(self.actors[address], window)

    @rule(address=people, window=windows)
    def enroll(self, address: str, window: int) -> None:
        """Go the whole way, as most people do."""
        actor = self.actors[address]
        self._sign_in(actor, window)
        self._begin(actor, window)
        self._complete(actor, window, right=True)

    @rule(address=people, window=windows)
    def come_back(self, address: str, window: int) -> None:
        """Sign in with password and phone, when the phone shows a new code."""
        actor = self.actors[address]
        self.clock.advance(timedelta(seconds=30))
        self._sign_in(actor, window)
        if actor.phone is not None:
            self._verify(actor, window, "totp", actor.phone.code(self.clock.now()))

    @rule(address=people, window=windows)
    def begin(self, address: str, window: int) -> None:
        """Propose a secret, or void an older proposal."""
        self._begin(self.actors[address], window)

    @rule(address=people, window=windows, right=st.booleans())
    def complete(self, address: str, window: int, *, right: bool) -> None:
        """Prove what this browser was shown last, rightly or wrongly."""
        self._complete(self.actors[address], window, right=right)

    @rule(address=people, window=windows, steps=st.sampled_from([0, 0, 1, -1, 2]))
    def type_a_code(self, address: str, window: int, steps: int) -> None:
        """Answer with what the phone shows, showed, or will show."""
        actor = self.actors[address]
        if actor.phone is not None:
            self._verify(actor, window, "totp", actor.phone.code(self.clock.now(), steps=steps))

    @rule(address=people, window=windows, again=st.booleans())
    def type_from_paper(self, address: str, window: int, *, again: bool) -> None:
        """Answer with a recovery code, perhaps with one that was typed before."""
        actor = self.actors[address]
        codes = actor.typed if again else actor.paper
        if codes:
            self._verify(actor, window, "recovery", codes[0])

    @rule(address=people, window=windows)
    def regenerate(self, address: str, window: int) -> None:
        """New recovery codes: the old ones are waste paper."""
        actor, browser = self.actors[address], self.actors[address].browsers[window]
        shown = browser.ask(self.flows.mfa.regenerate_codes, browser.context)
        if isinstance(shown, CodesShown):
            actor.typed = [*actor.paper, *actor.typed]
            actor.paper = [code.reveal() for code in shown.codes]

    @rule(address=people, window=windows)
    def remove_the_factor(self, address: str, window: int) -> None:
        """Remove the first factor that stands."""
        browser = self.actors[address].browsers[window]
        listed = browser.ask(self.flows.mfa.listing, browser.context)
        held = [entry.held for entry in getattr(listed, "entries", ()) if entry.held is not None]
        if held:
            browser.ask(self.flows.mfa.remove, browser.context, held[0].id)

    # --- what managers, administrators and the post do --------------------------------------------------------------

    @rule(address=people, place=places)
    def invite(self, address: str, place: OrganizationId) -> None:
        """Invite a person, once more or again."""
        browser = self.olga.browsers[0]
        browser.ask(self.flows.invitations.invite, browser.context, organization=place, email=address)
        self._deliver()

    @rule(address=people, place=places, window=windows, newest=st.booleans())
    def accept(self, address: str, place: OrganizationId, window: int, *, newest: bool) -> None:
        """Click on a link of the mailbox, the newest or the oldest."""
        letters = self.letters.get((place, address))
        if not letters:
            return
        invitation, token = letters[-1 if newest else 0]
        browser, actor = self.actors[address].browsers[window], self.actors[address]
        answer = browser.ask(
            self.flows.invitations.accept, browser.context, organization=place, invitation=invitation, token=token
        )
        if isinstance(answer, Joined):
            assert (place, actor.user) not in self.members
            self.members.add((place, actor.user))

    @rule(address=people, place=places)
    def resend(self, address: str, place: OrganizationId) -> None:
        """A fresh token: the older ones are dead."""
        letters = self.letters.get((place, address))
        if letters:
            browser = self.olga.browsers[0]
            key = letters[-1][0]
            browser.ask(self.flows.invitations.resend, browser.context, organization=place, invitation=key)
            self._deliver()

    @precondition(lambda self: self.root.phone is not None)
    @rule(address=people)
    def reset(self, address: str) -> None:
        """An administrator removes every factor; the person comes back through the mailed link."""
        actor, browser = self.actors[address], self.root.browsers[0]
        answer = browser.ask(self.flows.mfa.reset, browser.context, subject=actor.user, reason="lost phone")
        if isinstance(answer, FactorsReset):
            actor.phone = None
            self._deliver()

    @rule(address=people, window=windows)
    def redeem(self, address: str, window: int) -> None:
        """Use the newest reset link of the mailbox."""
        browser = self.actors[address].browsers[window]
        sent = [m for m in self.mailer.sent if m.kind is MailKind.MFA_RESET and m.to == address]
        if sent:
            token = Secret(str(sent[-1].context["token"]))
            browser.ask(self.flows.sessions.redeem, browser.context, token=token)

    @rule(seconds=st.sampled_from([1, 30, 60, 301, 3600, 86_400, -30, -3600]))
    def let_time_pass(self, seconds: int) -> None:
        """Clocks go forward, and sometimes back."""
        self.clock.advance(timedelta(seconds=seconds))

    @rule()
    def sweep(self) -> None:
        """Removing what has expired changes nothing for anybody."""
        self.flows.sweep()

    # --- what always holds ------------------------------------------------------------------------------------------

    @invariant()
    def backup_codes_never_stand_alone(self) -> None:
        """Recovery codes only beside a primary factor (mfa 14.4)."""
        with self.flows.uow.begin() as tx:
            for actor in self.actors.values():
                held = tx.factors.of_user(actor.user)
                assert held.primaries() or not held.backups()

    @invariant()
    def members_are_those_who_joined(self) -> None:
        """Nobody is a member whom no acceptance made one, and every one of them stands in the log."""
        with self.flows.uow.begin() as tx:
            for place in ORGANIZATIONS:
                stand = {member.user for member in tx.members.of_organization(place, limit=100)}
                assert stand == {user for where, user in self.members if where == place}
                entries = tx.audit.of_organization(place, limit=1000)
                logged = {e.target_user for e in entries if e.event in {Audit.MEMBER_ACCEPT, Audit.MEMBER_ADD}}
                assert stand <= logged

    @invariant()
    def an_address_is_invited_once(self) -> None:
        """At most one invitation waits for an address in an organization."""
        with self.flows.uow.begin() as tx:
            for place in ORGANIZATIONS:
                found = tx.invitations.open_in(place, limit=100)
                waiting = [fold_address(one.offer.email) for one in found if not isinstance(one, Expired)]
                assert len(waiting) == len(set(waiting))

    @invariant()
    def a_password_alone_elevates_nobody_with_a_factor(self) -> None:
        """Whoever has a factor is signed in at level two, or not at all."""
        for actor in self.actors.values():
            with self.flows.uow.begin() as tx:
                protected = tx.factor_census.protected([actor.user])[actor.user]
            for browser in actor.browsers:
                asker = self.flows.sessions.identify(browser.session)
                if protected and asker.user is not None:
                    assert asker.level is Level.TWO or not asker.elevated

    # --- pieces -----------------------------------------------------------------------------------------------------

    def _sign_in(self, actor: Actor, window: int) -> None:
        browser = actor.browsers[window]
        with self.flows.uow.begin() as tx:
            protected = tx.factor_census.protected([actor.user])[actor.user]
        present = self.flows.sessions.identify(browser.session).user == actor.user
        proof = Proof(method=Method.PASSWORD, at=self.clock.now())
        answer = browser.ask(self.flows.sessions.establish, browser.context, user=actor.user, proof=proof)
        alone = protected and not present and isinstance(answer, Arrived)
        assert not alone, "a password alone signed in somebody with a factor"
        self._note(actor, answer)

    def _begin(self, actor: Actor, window: int) -> None:
        browser = actor.browsers[window]
        begun = browser.ask(self.flows.mfa.begin_totp, browser.context, account=actor.user)
        if isinstance(begun, Begun):
            actor.begun[window] = begun

    def _complete(self, actor: Actor, window: int, *, right: bool) -> None:
        begun, browser = actor.begun.get(window), actor.browsers[window]
        if begun is None:
            return
        phone = Phone(begun.secret)
        code = phone.code(self.clock.now()) if right else phone.wrong(self.clock.now())
        answer = browser.ask(self.flows.mfa.complete_totp, browser.context, begun.flow, code=code)
        if not isinstance(answer, Enrolled):
            return
        assert right
        self._accept_code(begun.secret, code)
        actor.phone = phone
        fresh = [one.reveal() for one in answer.recovery_codes]
        actor.typed, actor.paper = ([*actor.paper, *actor.typed], fresh) if fresh else (actor.typed, actor.paper)
        self._note(actor, answer)

    def _verify(self, actor: Actor, window: int, kind: str, code: str) -> None:
        browser = actor.browsers[window]
        answer = browser.ask(self.flows.mfa.verify, browser.context, kind, code, device=browser.device)
        accepted = isinstance(answer, Arrived | Elevated)
        if accepted and kind == "totp" and actor.phone is not None:
            self._accept_code(actor.phone.secret, code)
        if accepted and kind == "recovery":
            assert code in actor.paper, "a recovery code was accepted twice, or after it died"
            actor.paper.remove(code)
            actor.typed.insert(0, code)
        self._note(actor, answer)

    def _accept_code(self, secret: Secret, code: str) -> None:
        """Remember which step of which secret was accepted: never again."""
        now = self.clock.now()
        phone = Phone(secret)
        steps = {int(now.timestamp()) // 30 + n for n in (-1, 0, 1) if phone.code(now, steps=n) == code}
        seen = {step for kept, digits, step in self.accepted if kept == secret.reveal() and digits == code}
        assert not steps <= seen, "a time step was accepted twice"
        self.accepted |= {(secret.reveal(), code, step) for step in steps}

    def _note(self, actor: Actor, answer: object) -> None:
        """An answer may tell that the waiting invitation was accepted."""
        outcome = getattr(answer, "invitation", None)
        if outcome is not None and outcome.member is not None:
            assert (outcome.organization, actor.user) not in self.members
            self.members.add((outcome.organization, actor.user))

    def _deliver(self) -> None:
        """The relay runs: letters come to mailboxes."""
        before = len(self.mailer.sent)
        self.flows.relay.drain_until_quiet()
        for mail in self.mailer.sent[before:]:
            if mail.kind is MailKind.INVITATION:
                key = (OrganizationId(str(mail.context["organization"])), str(mail.to))
                letter = (InvitationId(str(mail.context["target"])), Secret(str(mail.context["token"])))
                self.letters.setdefault(key, []).append(letter)
