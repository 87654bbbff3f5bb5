"""A provider that lies: whatever it asserts, in every session state and by every choice, nobody else feels it.

The five takeovers of this field were all one flaw, an asserted address that selected a person (CVE-2025-22146,
CVE-2026-27197, CVE-2026-42354, nOAuth, CVE-2023-3128). So the flows are asked, and not one row of a table.
"""

from __future__ import annotations

from datetime import timedelta
from itertools import count, product
from typing import TYPE_CHECKING, Any, Final

import pytest

from authflow.adapters.memory.unit_of_work import MemoryUnitOfWork
from authflow.errors import Code
from authflow.facts.records import MailKind
from authflow.journey.sso.answers import ChoiceOwed, MailSent, SignedOn
from authflow.sso.case import Choice
from authflow.testing.browsers import Browser
from authflow.values import Refused, Secret
from tests.journey.sso_stage import SsoStage
from tests.stage import CONTEXT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from authflow.testing.providers import FakeProvider
    from tests.journey.sso_stage import Trip

ADA: Final = "ada@example.com"
BOB: Final = "bob@example.com"
MALLORY: Final = "mallory@example.net"

LOOK_ALIKES: Final = [
    *(
        ADA.replace("a", a, 1)
        for a in "\u0430\u0251\uff41\u00e0\u00e1\u00e2\u00e3\u00e4\u00e5\u0101\u0103\u0105\u1d00\u24d0\U0001d41a\u00aa"
    ),
    *(ADA.replace("d", d, 1) for d in "\u0501\u217e\u0111\u010f\uff44\u24d3"),
    *(ADA.replace("e", e) for e in "\u0435\u00e9\u00e8\u0119\u0117\uff45"),
    *(ADA.replace("l", other) for other in "\u0131\u0406\u01c01I|"),
    ADA.replace("@", "\uff20"),
    ADA.replace("@", "@xn--"),
    ADA.replace(".", "\u3002"),
    ADA.replace(".", "\uff0e"),
    ADA.replace("ada", "a\u0301da"),
    ADA.replace("ada", "ad\u200ba"),
    ADA.replace("ada", "ada\u202e"),
    ADA.replace("ada", "ada+1"),
    ADA.replace("ada", "a.da"),
    f"{ADA}.",
    f"{ADA}\u00a0",
]
"""What looks like Ada's address, or means it at some mail host, and is another one."""

NO_ADDRESSES: Final[list[Any]] = [
    [ADA],
    (ADA, MALLORY),
    {"email": ADA},
    f"{ADA},{MALLORY}",
    f"{ADA};{MALLORY}",
    f"{ADA} {MALLORY}",
    f"{ADA}\r\nBcc: {MALLORY}",
    f"{ADA}\nBcc: {MALLORY}",
    f"{ADA}\0",
    f"Ada <{ADA}>",
    f'"{ADA}"@example.net',
    f"{'a' * 5000}@example.com",
    "",
    " ",
    "ada",
    "@example.com",
    True,
    7,
    None,
    b"ada@example.com",
]
"""What a provider may send where an address belongs, and is none: lists, headers, nothing (CVE-2023-7028)."""


class World(SsoStage):
    """Acme with its provider, and Ada who is linked there; Globex, whose owner runs a provider that says anything."""

    def __init__(self) -> None:
        super().__init__(MemoryUnitOfWork())
        self.subjects = (f"evil-{number}" for number in count())
        self.acme, self.globex, self.initech = (self.organization(slug) for slug in ("acme", "globex", "initech"))
        self.connect(self.acme)
        self.connect(self.globex)
        self.connect(self.initech, self.google)
        self.ada, self.bob, self.mallory = (self.person(address) for address in (ADA, BOB, MALLORY))
        self.link(self.ada.user, self.acme, "00u1")
        for person, places in ((self.ada, (self.acme,)), (self.bob, (self.acme, self.globex, self.initech))):
            for place in places:
                self.flows.members.add(CONTEXT, organization=place, user=person.user, role="admin")

    def victims(self) -> Any:
        """Return everything that stands about Ada and Bob."""
        places = (self.acme, self.globex, self.initech)
        return [
            (self.user(person.user), self.links_of(person.user), [self.member(person.user, place) for place in places])
            for person in (self.ada, self.bob)
        ]

    def browsers(self) -> Iterator[Browser]:
        """Yield Mallory's browser in every state that a session can have."""
        yield Browser()
        for pause in (timedelta(0), timedelta(minutes=16)):
            browser = Browser()
            self.sign_in(self.mallory, browser)
            self.clock.advance(pause)
            yield browser

    def lie(self, kind: FakeProvider, email: object, subject: str | None = None) -> str:
        """Let the provider assert *email* about somebody, and that it is verified; return the subject."""
        return kind.person(subject or next(self.subjects), email=email, email_verified=True, name="Ada").subject


@pytest.fixture(scope="module")
def world() -> World:
    return World()


STEPS: Final[dict[str, Callable[[Trip], Any]]] = {
    "link": lambda trip: trip.choose(Choice.LINK),
    "new account": lambda trip: trip.choose(Choice.NEW_ACCOUNT),
    "mail": lambda trip: trip.mail_proof(),
    "go on": lambda trip: trip.resume(),
}


def told(world: World, answer: Any, browser: Browser) -> None:
    """Assert that *answer* makes nobody of the victims, and that nobody of them is signed in."""
    victims = {world.ada.user, world.bob.user}
    assert getattr(answer, "user", None) not in victims
    assert world.flows.sessions.identify(browser.session).user not in victims


@pytest.mark.parametrize("email", [ADA, ADA.upper(), BOB, LOOK_ALIKES[0], [ADA]], ids=str)
def test_no_assertion_reaches_anybody_else(world: World, email: object):
    """Invariants 1 to 3, from every state of the attacker's session, by every two choices, for login and link."""
    before = world.victims()
    places = ((world.globex, world.idp), (world.initech, world.google))
    for (place, kind), link, first, second in product(places, (False, True), STEPS, STEPS):
        for browser in world.browsers():
            if link and not world.flows.sessions.identify(browser.session).elevated:
                continue
            trip = world.come(browser, place, world.lie(kind, email), link=link)
            told(world, trip.answer, browser)
            for step in (first, second):
                told(world, STEPS[step](trip), browser)
    assert world.victims() == before
    assert {mail.to for mail in world.mails(MailKind.SSO_LINKED)}.isdisjoint({ADA, BOB})


def test_the_subject_of_somebody_at_another_provider_is_nobodys(world: World):
    """A provider can only ever select a row of its own: Ada's subject at Acme is a stranger at Globex."""
    before, browser = world.victims(), Browser()
    trip = world.come(browser, world.globex, world.lie(world.idp, ADA, "00u1"))
    assert isinstance(trip.answer, ChoiceOwed), trip.answer
    told(world, trip.answer, browser)
    assert world.victims() == before


def test_a_proof_of_a_mailbox_is_asked_for_by_nobody_else_s_browser(world: World):
    """CVE-2026-9087: it counts in the browser and for the sign-in that asked, and nowhere else."""
    browser, bobs = Browser(), Browser()
    world.sign_in(world.bob, bobs)
    trip = world.come(browser, world.globex, world.lie(world.idp, BOB))
    assert isinstance(trip.mail_proof(), MailSent)
    mail = world.mails(MailKind.SSO_PROOF)[-1]
    assert mail.to == BOB
    token = Secret(str(mail.context["token"]))
    opened = trip.open_link(token, bobs)
    assert isinstance(opened, Refused)
    assert opened.code is Code.SSO_PIPELINE_INVALID
    other = world.come(browser, world.globex, world.lie(world.idp, BOB))
    again = other.open_link(token)
    assert isinstance(again, Refused)
    assert again.code is Code.SSO_PROOF_INVALID


# --- addresses --------------------------------------------------------------------------------------------------------


def test_there_are_enough_of_them():
    assert len(set(LOOK_ALIKES)) >= 40
    assert ADA not in {each.casefold() for each in LOOK_ALIKES}


@pytest.mark.parametrize("email", LOOK_ALIKES, ids=ascii)
def test_a_look_alike_is_nobodys_address(world: World, email: str):
    """Dotless i, Cyrillic, full width, zero width, Punycode (CVE-2019-19844): mail goes to a stored address only."""
    before, sent = world.victims(), len(world.mailer.sent)
    browser = Browser()
    trip = world.come(browser, world.acme, world.lie(world.idp, email))
    told(world, trip.mail_proof(), browser)
    world.flows.relay.drain_until_quiet()
    assert [mail.to for mail in world.mailer.sent[sent:]] == []
    told(world, trip.choose(Choice.NEW_ACCOUNT), browser)
    world.flows.relay.drain_until_quiet()
    assert {str(mail.to) for mail in world.mailer.sent[sent:]} <= {email}
    assert world.victims() == before


def test_mail_goes_to_the_address_as_its_person_stored_it(world: World):
    """CVE-2019-19844: it is found by what a provider asserts, and never sent there."""
    sent = len(world.mailer.sent)
    trip = world.come(Browser(), world.acme, world.lie(world.idp, ADA.upper()))
    assert isinstance(trip.mail_proof(), MailSent)
    world.flows.relay.drain_until_quiet()
    assert [mail.to for mail in world.mailer.sent[sent:]] == [ADA]


@pytest.mark.parametrize("email", NO_ADDRESSES, ids=lambda email: ascii(email)[:40])
def test_what_is_no_address_is_mailed_nowhere_and_makes_no_account(world: World, email: object):
    browser, sent = Browser(), len(world.mailer.sent)
    trip = world.come(browser, world.globex, world.lie(world.idp, email))
    assert isinstance(trip.answer, ChoiceOwed)
    assert trip.answer.email is None
    assert isinstance(trip.mail_proof(), MailSent | Refused)
    answer = trip.choose(Choice.NEW_ACCOUNT)
    assert isinstance(answer, Refused)
    assert answer.code is Code.SSO_IDENTITY_INCOMPLETE
    world.flows.relay.drain_until_quiet()
    assert world.mailer.sent[sent:] == []


# --- whoever registers first ------------------------------------------------------------------------------------------


def test_whoever_registered_an_address_first_is_not_linked_by_its_owners_provider(world: World):
    """Account pre-hijacking (CVE-2026-53516): an unverified address names nobody, and its row is lost to its owner."""
    squatter = world.person("grace@example.org", verified=False)
    world.sign_in(squatter)
    browser = Browser()
    trip = world.come(browser, world.initech, world.lie(world.google, "grace@example.org"))
    answer = trip.choose(Choice.NEW_ACCOUNT)
    assert isinstance(answer, SignedOn), answer
    assert answer.user != squatter.user
    assert world.user(answer.user).verified_addresses() == ("grace@example.org",)
    assert [own.address for own in world.user(squatter.user).addresses] == []
    assert world.links_of(squatter.user) == ()
