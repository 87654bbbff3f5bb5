"""A stage for tests of the facade: an installation on whichever database, and what people do at their browsers."""

from __future__ import annotations

import re
from contextlib import contextmanager
from datetime import timedelta
from enum import Enum
from typing import TYPE_CHECKING, Any, cast

import attrs
import pytest

from authflow import Context, Method, Policy, Proof, Secret
from authflow.adapters.keys import KeyRing
from authflow.adapters.mail import MemoryMailer
from authflow.adapters.memory.unit_of_work import MemoryUnitOfWork
from authflow.events.adjacent import Project
from authflow.journey.answers import Arrived, Enrolled
from authflow.membership.answers import InvitationSent
from authflow.mfa.answers import Begun
from authflow.policy import EventPolicy
from authflow.ports import UserAddress
from authflow.testing import ManualClock, SeededEntropy, add_organization, add_user
from authflow.testing.browsers import STEP_SECONDS, Browser, Phone, installed
from authflow.testing.fakes import FixedSso
from authflow.values import Address, OrganizationId, ProjectId, UserId
from tests.backends import BACKENDS
from tests.faces import FACES, WaitedFor
from tests.rows import rows

if TYPE_CHECKING:
    from collections.abc import Iterator

    from authflow.facts.records import AuditEntry, Mail, MailKind
    from authflow.journey.post_flow import InvitationOutcome
    from authflow.membership.answers import RequirementsOpen
    from authflow.membership.standing import Member
    from authflow.membership.standing import Membership as MemberState
    from authflow.ports import Organization, User
    from authflow.values import AuthenticatorId, InvitationId
    from authflow.wiring import Authflow

CONTEXT = Context(ip="192.0.2.7", user_agent="Firefox", request_id="r-1")

SECURITY = ProjectId("installation-security")
"""The security project of the installation."""

STEP = timedelta(seconds=STEP_SECONDS)

AS_MADE = re.compile(r"epoch=1, enrollment_required=False|, 1, False")
"""An account that a lock made: it says what no account says."""

DERIVED = {"limit_until"}
"""What memory keeps in a table of its own and SQL in a column."""

Snapshot = dict[str, frozenset[Any]]


@attrs.frozen(kw_only=True)
class Letter:
    """An invitation as its mail brings it."""

    organization: OrganizationId
    invitation: InvitationId
    token: Secret

    def where(self) -> dict[str, Any]:
        return attrs.asdict(self, recurse=False)


@attrs.define
class Person:
    """Somebody with a browser, and after an enrollment with a phone and recovery codes."""

    user: UserId
    browser: Browser = attrs.field(factory=lambda: Browser(CONTEXT))
    phone: Phone | None = None
    codes: list[str] = attrs.field(factory=list)
    factor: AuthenticatorId | None = None

    @property
    def app(self) -> Phone:
        assert self.phone is not None
        return self.phone


class Stage:
    """One installation. Everything a test does goes through its facade; what the host does, through its tables.

    Its facade is the synchronous one, or with a *face* the async one. `joining` is always the former: what it does in
    a transaction of `uow` joins that.
    """

    def __init__(self, uow: Any, policy: Policy | None = None, entropy: Any = None, face: Any = None) -> None:
        self.uow, self.clock, self.mailer, self.sso = uow, ManualClock(), MemoryMailer(), FixedSso()
        self.face = face
        self.entropy = entropy or SeededEntropy()
        self.ring = KeyRing.generate(self.entropy, self.clock.now())
        self.policy = attrs.evolve(policy or Policy(), events=EventPolicy(security_project=SECURITY))
        self.flows = self.open(self.ring)
        self.project(SECURITY, OrganizationId("installation"))

    def open(self, ring: KeyRing, policy: Policy | None = None) -> Authflow:
        """Return the flows over the same rows with another key ring, or another policy: after a restart."""
        self.joining = self._over(self.uow, ring, policy)
        if self.face is None:
            return self.joining
        uow, loop = self.face
        return cast("Authflow", WaitedFor(self._over(uow, ring, policy), self.uow, loop))

    def _over(self, uow: Any, ring: KeyRing, policy: Policy | None) -> Authflow:
        return installed(
            uow,
            clock=self.clock,
            entropy=self.entropy,
            mailer=self.mailer,
            sso=self.sso,
            ring=ring,
            policy=policy or self.policy,
        )

    # --- what the host does ---------------------------------------------------------------------------------------

    def project(self, key: ProjectId, organization: OrganizationId, *, security: bool = True) -> ProjectId:
        with self.uow.begin() as tx:
            tx.projects.add(Project(id=key, organization=organization, slug=key, security=security))
        return key

    def organization(self, slug: str = "acme", **settings: Any) -> OrganizationId:
        """Add an organization with two regions and a security project of its own."""
        project = self.project(ProjectId(f"{slug}-security"), OrganizationId(slug))
        fields = {"regions": ("eu", "us"), "security_project": project, **settings}
        return add_organization(self.flows, slug, **fields)

    def change(self, organization: OrganizationId, **facts: Any) -> None:
        with self.uow.begin() as tx:
            tx.organizations.save(attrs.evolve(self.organization_of(organization), **facts))

    def organization_of(self, organization: OrganizationId) -> Organization:
        with self.uow.begin() as tx:
            return tx.organizations.get(organization)

    def person(self, address: str = "ada@example.com", **settings: Any) -> Person:
        return Person(add_user(self.flows, address, **settings))

    def user(self, user: UserId) -> User:
        with self.uow.begin() as tx:
            return tx.users.get(user)

    def save(self, user: User) -> None:
        with self.uow.begin() as tx:
            tx.users.save(user)

    def give_address(self, user: UserId, address: str, *, verified: bool = True) -> None:
        """Add a second address."""
        more = UserAddress(address=Address(address), primary=False, verified_at=self.clock.now() if verified else None)
        known = self.user(user)
        self.save(attrs.evolve(known, addresses=(*known.addresses, more)))

    def owner(self, organization: OrganizationId, address: str = "olga@example.com") -> Person:
        """Add an owner of *organization* who is signed in with a second factor."""
        person = self.person(address)
        self.flows.members.add(CONTEXT, organization=organization, user=person.user, role="owner")
        self.sign_in(person)
        self.enroll(person)
        return person

    def administrator(self, address: str = "root@example.com") -> Person:
        """Add an administrator of the installation who is signed in with a second factor."""
        person = self.person(address, administrator=True)
        self.sign_in(person)
        self.enroll(person)
        return person

    # --- what people do -------------------------------------------------------------------------------------------

    def password(self, **changes: Any) -> Proof:
        return attrs.evolve(Proof(method=Method.PASSWORD, at=self.clock.now()), **changes)

    def sign_in(self, person: Person, browser: Browser | None = None) -> Any:
        """Give a password; what that leads to is the answer."""
        at = browser or person.browser
        return at.ask(self.flows.sessions.establish, at.context, user=person.user, proof=self.password())

    def begin(self, person: Person) -> Begun:
        browser = person.browser
        begun = browser.ask(self.flows.mfa.begin_totp, browser.context, account=person.user)
        assert isinstance(begun, Begun), begun
        return begun

    def complete(self, person: Person, begun: Begun, code: str | None = None) -> Any:
        browser, right = person.browser, Phone(begun.secret).code(self.clock.now())
        return browser.ask(
            self.flows.mfa.complete_totp, browser.context, begun.flow, code=right if code is None else code
        )

    def enroll(self, person: Person) -> Enrolled:
        """Enroll, or rotate, the app; afterwards the person has what a person has."""
        begun = self.begin(person)
        enrolled = self.complete(person, begun)
        assert isinstance(enrolled, Enrolled), enrolled
        person.phone, person.factor = Phone(begun.secret), enrolled.authenticator
        person.codes = [code.reveal() for code in enrolled.recovery_codes] or person.codes
        return enrolled

    def verify(self, person: Person, kind: str, code: str | None, browser: Browser | None = None) -> Any:
        at = browser or person.browser
        return at.ask(self.flows.mfa.verify, at.context, kind, code, device=at.device)

    def elevate(self, person: Person, browser: Browser | None = None) -> Arrived:
        """Sign in afresh, a step later, with password and app."""
        self.clock.advance(STEP)
        at = browser or person.browser
        self.sign_in(person, at)
        return self.verify(person, "totp", person.app.code(self.clock.now()), at)

    def invite(self, by: Person, organization: OrganizationId, email: str, **given: Any) -> Letter:
        """Invite *email*; return what the mail brings."""
        browser = by.browser
        sent = browser.ask(
            self.flows.invitations.invite, browser.context, organization=organization, email=email, **given
        )
        assert isinstance(sent, InvitationSent), sent
        return self.letter(organization, sent.invitation)

    def resend(self, by: Person, letter: Letter) -> Letter:
        browser = by.browser
        sent = browser.ask(
            self.flows.invitations.resend,
            browser.context,
            organization=letter.organization,
            invitation=letter.invitation,
        )
        assert isinstance(sent, InvitationSent), sent
        return self.letter(letter.organization, letter.invitation)

    def letter(self, organization: OrganizationId, invitation: InvitationId) -> Letter:
        """Deliver what is due, and return what the newest mail of the invitation brings."""
        self.flows.relay.drain_until_quiet()
        mail = next(m for m in reversed(self.mailer.sent) if m.context.get("invitation") == invitation)
        return Letter(organization=organization, invitation=invitation, token=Secret(str(mail.context["token"])))

    def accept(self, person: Person, letter: Letter, browser: Browser | None = None, **given: Any) -> Any:
        at = browser or person.browser
        return at.ask(self.flows.invitations.accept, at.context, **{**letter.where(), **given})

    def resume(self, browser: Browser, *, confirmed: bool = False) -> InvitationOutcome:
        """Go on with the click that waits in *browser*."""
        return browser.ask(self.flows.invitations.resume, browser.context, confirmed=confirmed).invitation

    def waiting(self, person: Person, letter: Letter) -> RequirementsOpen:
        """Sign in and click: the click waits."""
        self.sign_in(person)
        return self.accept(person, letter)

    # --- what can be seen afterwards ------------------------------------------------------------------------------

    def identify(self, person: Person) -> Any:
        return self.flows.sessions.identify(person.browser.session)

    def member(self, user: UserId, organization: OrganizationId) -> MemberState:
        with self.uow.begin() as tx:
            return tx.members.load(organization, user).state

    def members(self, organization: OrganizationId) -> tuple[Member, ...]:
        with self.uow.begin() as tx:
            return tx.members.of_organization(organization, limit=100)

    def audit(self, person: Person) -> list[AuditEntry]:
        """Return the person's own log, oldest first."""
        return list(reversed(self.flows.audit.of_user(person.user)))

    def audited(self, person: Person) -> list[str]:
        return [str(entry.event) for entry in self.audit(person)]

    def audited_in(self, organization: OrganizationId) -> list[str]:
        return [str(entry.event) for entry in reversed(self.flows.audit.of_organization(organization))]

    def mails(self, kind: MailKind) -> list[Mail]:
        self.flows.relay.drain_until_quiet()
        return [mail for mail in self.mailer.sent if mail.kind is kind]

    @contextmanager
    def writes(self, *tables: str) -> Iterator[None]:
        """Assert that the block writes to exactly these *tables*; none at all means that it writes nothing."""
        before = self.snapshot()
        yield
        assert written(before, self.snapshot()) == set(tables)

    def snapshot(self) -> Snapshot:
        """Return every row of every table; an account that says what no account says is left out."""
        return {name: found for name, found in _rows(self.uow).items() if found}


def _rows(uow: Any) -> Snapshot:
    if isinstance(uow, MemoryUnitOfWork):
        return {name: _kept(name, t.items()) for name, t in uow.store._tables.items() if name not in DERIVED}
    return {name: _kept(name, found) for name, found in rows(uow).items()}


def _kept(table: str, found: Any) -> frozenset[str]:
    if table == "address_turn":  # a place to wait for one's turn: nothing that anybody reads
        return frozenset()
    shown = (_deep(row) for row in found)
    return frozenset(row for row in shown if not (table == "account" and AS_MADE.search(row)))


def _deep(value: Any) -> str:
    """Return everything in *value*, what it does not show included."""
    if attrs.has(type(value)):
        fields = ", ".join(f"{f.name}={_deep(getattr(value, f.name))}" for f in attrs.fields(type(value)))
        return f"{type(value).__name__}({fields})"
    if isinstance(value, dict):
        return str(sorted((key, _deep(item)) for key, item in value.items()))
    if isinstance(value, str | bytes | Enum) or not hasattr(value, "__iter__"):  # a flag is an iterable of itself
        return repr(value)
    return f"({', '.join(map(_deep, value))})"


def written(before: Snapshot, after: Snapshot) -> set[str]:
    """Return the tables in which a row was added, changed or removed."""
    return {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}


@pytest.fixture(params=(*BACKENDS, *FACES))
def stage(request: pytest.FixtureRequest) -> Stage:
    """Return the facade over each database in turn, through both faces, and what people do with it."""
    uow = request.getfixturevalue(f"{request.param}_uow")
    if request.param not in FACES:
        return Stage(uow)
    host, awaited = uow
    return Stage(host, face=(awaited, request.getfixturevalue("loop")))
