"""Who plays in the story of the post flow: people with phones and paper, the staff, the post, and where they go."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import attrs
from hypothesis import strategies as st

from authflow.facts.records import MailKind
from authflow.journey.answers import Enrolled
from authflow.membership.answers import Joined
from authflow.mfa.answers import Begun
from authflow.policy import OWNER
from authflow.testing.browsers import STEP_SECONDS, Browser, Phone
from authflow.testing.people import add_organization, add_user
from authflow.testing.strategies import clock_moves
from authflow.values import InvitationId, Method, OrganizationId, Proof, Secret, UserId

if TYPE_CHECKING:
    from authflow.adapters.mail import MemoryMailer
    from authflow.testing.clocks import ManualClock
    from authflow.values import MemberId
    from authflow.wiring import Authflow

HOMES: Final = {UserId("ada@example.com"): 0, UserId("bob@example.com"): 1, UserId("eve@example.com"): 2}
"""Everybody, and the browser that is theirs; the staff has its own."""

PEOPLE: Final = tuple(HOMES)

STRICT: Final = OrganizationId("strict")
EASY: Final = OrganizationId("easy")
PLACES: Final = (STRICT, EASY)
"""One requires a second factor, the other nothing."""

REGIONS: Final = ("eu", "us")

Seat = tuple[int, UserId]
"""Who sits at which browser."""

people = st.sampled_from([*PEOPLE[:2], *PEOPLE])
places = st.sampled_from([STRICT, STRICT, EASY])
windows = st.sampled_from([0, 0, 1, 1, 2])
at_home = people.map(lambda user: (HOMES[user], user))
seats = st.one_of(at_home, at_home, at_home, st.tuples(windows, people))
"""Mostly at their own browser, sometimes at somebody else's."""

moves = st.one_of(clock_moves(), clock_moves().map(abs))


@attrs.define
class Person:
    """Somebody: what is on their phone and on their sheet of paper, and what was there once."""

    user: UserId
    browser: Browser = attrs.field(factory=Browser)
    phone: Phone | None = None
    old_phones: list[Phone] = attrs.field(factory=list[Phone])
    paper: list[str] = attrs.field(factory=list[str])
    waste: list[str] = attrs.field(factory=list[str])

    def scan(self, phone: Phone | None, codes: list[str]) -> None:
        """Use another phone from now on, or none; new codes make the old ones waste paper."""
        if self.phone is not None:
            self.old_phones.append(self.phone)
        self.phone = phone
        if codes or phone is None:
            self.write_down(codes)

    def write_down(self, codes: list[str]) -> None:
        """Keep *codes* instead of those that were kept."""
        self.waste = [*self.paper, *self.waste]
        self.paper = codes


@attrs.frozen(kw_only=True)
class Letter:
    """An invitation as a mailbox holds it."""

    place: OrganizationId
    invitation: InvitationId
    to: UserId
    token: Secret


class House:
    """The installation of a story: its organizations, its staff, and what its post brought."""

    def __init__(self, flows: Authflow, clock: ManualClock, mailer: MemoryMailer) -> None:
        self.flows, self.clock, self.mailer = flows, clock, mailer
        self.letters: list[Letter] = []
        self.links: dict[UserId, list[Secret]] = {}
        for place in PLACES:
            add_organization(flows, place, require_second_factor=place == STRICT, regions=REGIONS)
        self.owner = Person(add_user(flows, "olga@example.com"))
        self.administrator = Person(add_user(flows, "root@example.com", administrator=True))

    def found(self) -> dict[OrganizationId, MemberId]:
        """Give every organization its owner, and the staff second factors; return the owner's memberships."""
        members: dict[OrganizationId, MemberId] = {}
        for place in PLACES:
            context, user = self.owner.browser.context, self.owner.user
            added = self.flows.members.add(context, organization=place, user=user, role=OWNER)
            assert isinstance(added, Joined)
            members[place] = added.member.id
        for staff in (self.owner, self.administrator):
            self.sign_in(staff.browser, staff)
            self._enroll(staff)
        return members

    def sign_in(self, browser: Browser, person: Person) -> object:
        """Give the password of *person* in *browser*."""
        proof = Proof(method=Method.PASSWORD, at=self.clock.now())
        return browser.ask(self.flows.sessions.establish, browser.context, user=person.user, proof=proof)

    def ready(self, staff: Person) -> Browser:
        """Return the browser of *staff*, who proves themselves again if that was too long ago."""
        browser = staff.browser
        if staff.phone is not None and not self.flows.sessions.identify(browser.session).elevated:
            self.clock.advance(seconds=STEP_SECONDS)
            self.sign_in(browser, staff)
            code = staff.phone.code(self.clock.now())
            browser.ask(self.flows.mfa.verify, browser.context, "totp", code, device=browser.device)
        return browser

    def deliver(self) -> None:
        """Let the relay run, and open the mailboxes."""
        before = len(self.mailer.sent)
        self.flows.relay.drain_until_quiet()
        for mail in self.mailer.sent[before:]:
            token, context = Secret(str(mail.context.get("token"))), mail.context
            if mail.kind in {MailKind.MFA_RESET, MailKind.MFA_ENROLLMENT_DEMANDED}:
                self.links.setdefault(UserId(mail.to), []).append(token)
            if mail.kind in {MailKind.INVITATION, MailKind.SETUP_SECOND_FACTOR}:
                place, key = OrganizationId(str(context["organization"])), InvitationId(str(context["invitation"]))
                self.letters.append(Letter(place=place, invitation=key, to=UserId(mail.to), token=token))

    def _enroll(self, staff: Person) -> None:
        browser = staff.browser
        begun = browser.ask(self.flows.mfa.begin_totp, browser.context, account=staff.user)
        assert isinstance(begun, Begun)
        staff.phone = Phone(begun.secret)
        code = staff.phone.code(self.clock.now())
        answer = browser.ask(self.flows.mfa.complete_totp, browser.context, begun.flow, code=code)
        assert isinstance(answer, Enrolled)
