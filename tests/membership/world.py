"""An installation with people, organizations and the membership service, on whichever database a test is given."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

import attrs
import sqlalchemy as sa

from authflow.adapters.keys import AesGcmCipher, KeyRing
from authflow.adapters.memory.unit_of_work import MemoryTransaction
from authflow.facts.records import Category, MailKind
from authflow.membership.answers import InvitationSent, RequestFiled
from authflow.membership.service import Membership
from authflow.membership.standing import Member
from authflow.mfa.factor import Authenticator, Enrolled
from authflow.policy import OWNER, MembershipPolicy
from authflow.recording import Recorder, mail_binding
from authflow.testing import ManualClock, SeededEntropy
from authflow.testing.fakes import FixedSso
from authflow.testing.samples.membership import HOME, POLICY, asker, organization, person
from authflow.values import AuthenticatorId, Context, Sealed, Secret, UserId

if TYPE_CHECKING:
    from authflow.facts.records import AuditEntry
    from authflow.membership.standing import Membership as MemberState
    from authflow.ports import Organization, User
    from authflow.values import Asker, InvitationId, OrganizationId, Role

CONTEXT = Context(ip="192.0.2.7", user_agent="tests", request_id="r1")


class Witnessed:
    """What else ends when somebody is removed: who was, in order."""

    def __init__(self) -> None:
        self.removals: list[tuple[str, str, str | None]] = []

    def removed(self, asker: Asker, context: Context, *, organization: OrganizationId, user: UserId) -> None:
        assert context is not None
        self.removals.append((organization, user, asker.user))


class World:
    """One installation: Acme with its owner Olga, and a service in front of it."""

    def __init__(self, uow: Any, policy: MembershipPolicy = POLICY) -> None:
        entropy = SeededEntropy()
        self.uow, self.clock, self.sso = uow, ManualClock(), FixedSso()
        self.cipher = AesGcmCipher(KeyRing.generate(entropy, self.clock.now()), entropy)
        self.aftermath = Witnessed()
        self.service = Membership(
            aftermath=self.aftermath,
            uow=uow,
            clock=self.clock,
            entropy=entropy,
            recorder=Recorder(cipher=self.cipher, entropy=entropy),
            policy=policy,
            sso=self.sso,
        )
        self.put(organization())
        self.olga = self.join(person("olga"), OWNER)
        self.protect("olga")

    # --- what stands ------------------------------------------------------------------------------------------------

    def put(self, *things: User | Organization) -> None:
        """Insert people and organizations."""
        with self.uow.begin() as tx:
            for thing in things:
                (tx.organizations if hasattr(thing, "slug") else tx.users).add(thing)

    def change(self, **facts: Any) -> None:
        """Turn facts of Acme."""
        with self.uow.begin() as tx:
            tx.organizations.save(attrs.evolve(tx.organizations.get(HOME), **facts))

    def save(self, user: User) -> None:
        """Replace a person."""
        with self.uow.begin() as tx:
            tx.users.save(user)

    def known(self, user: User) -> Asker:
        """Insert *user*, who is signed in, in a browser session of their own."""
        self.put(user)
        return asker(user, session=f"session-{user.id}")

    def join(self, user: User, role: Role | None = None, place: OrganizationId = HOME) -> Asker:
        """Insert *user* as a member."""
        who = self.known(user)
        self.service.add(who, CONTEXT, organization=place, user=user.id, role=role)
        return who

    def protect(self, user: str) -> None:
        """Give *user* a second factor."""
        authenticator = Authenticator(
            id=AuthenticatorId(f"totp-{user}"),
            name="phone",
            created_at=self.clock.now(),
            secret=Sealed(key_id="k", ciphertext=b"sealed"),
            last_accepted_step=0,
        )
        with self.uow.begin() as tx:
            tx.factors.save(UserId(user), "totp", Enrolled(authenticator=authenticator), expected=0)

    # --- what happens -----------------------------------------------------------------------------------------------

    def invite(self, email: str = "ada@example.org", by: Asker | None = None, **given: Any) -> InvitationId:
        """Invite *email*; return the invitation."""
        answer = self.service.invite(by or self.olga, CONTEXT, organization=HOME, email=email, **given)
        assert isinstance(answer, InvitationSent), answer
        return answer.invitation

    def ask(self, by: Asker) -> InvitationId:
        """Ask to join; return the request."""
        answer = self.service.request_join(by, CONTEXT, organization=HOME)
        assert isinstance(answer, RequestFiled), answer
        return answer.invitation

    def accept(self, who: Asker, invitation: InvitationId, token: Secret | None, **given: Any) -> Any:
        """Click on "accept"."""
        place = given.pop("organization", HOME)
        return self.service.accept(who, CONTEXT, organization=place, invitation=invitation, token=token, **given)

    # --- what can be seen afterwards --------------------------------------------------------------------------------

    def member(self, user: str, place: OrganizationId = HOME) -> MemberState:
        """Return what *user* is to an organization."""
        with self.uow.begin() as tx:
            return tx.members.load(place, UserId(user)).state

    def members(self) -> dict[str, Role]:
        """Return the roles of Acme's members."""
        with self.uow.begin() as tx:
            return {str(m.user): m.role for m in tx.members.of_organization(HOME, limit=1000)}

    def key(self, user: str) -> Any:
        """Return the id of a membership."""
        state = self.member(user)
        assert isinstance(state, Member)
        return state.id

    def state(self, invitation: InvitationId) -> Any:
        """Return what became of an invitation."""
        with self.uow.begin() as tx:
            return tx.invitations.load(HOME, invitation).state

    def messages(self) -> list[tuple[int, dict[str, Any]]]:
        """Return category and payload of everything in the outbox, in order."""
        with self.uow.begin() as tx:
            if isinstance(tx, MemoryTransaction):
                return [(m.category, dict(m.payload)) for m in tx.store.table("outbox").rows()]
            table = self.uow.tables.shared.outbox
            rows = tx.connection.run(sa.select(table.c.category, table.c.payload).order_by(table.c.number))
            return [(row.category, json.loads(row.payload)) for row in rows]

    def mails(self, kind: MailKind | None = None) -> list[dict[str, Any]]:
        """Return the payloads of the mails that wait."""
        found = [payload for category, payload in self.messages() if category == Category.MAIL]
        return [mail for mail in found if kind in {None, mail["mail"]}]

    def token(self, to: str = "ada@example.org") -> Secret:
        """Return the token of the newest mail to *to*, opened as the relay opens it."""
        with self.uow.begin() as tx:
            if isinstance(tx, MemoryTransaction):
                rows = [(m.id, dict(m.payload)) for m in tx.store.table("outbox").rows()]
            else:
                table = self.uow.tables.shared.outbox
                found = tx.connection.run(sa.select(table.c.id, table.c.payload).order_by(table.c.number))
                rows = [(row.id, json.loads(row.payload)) for row in found]
        key, mail = next((k, p) for k, p in reversed(rows) if p.get("to") == to and "sealed" in p)
        sealed = Sealed(key_id=mail["key_id"], ciphertext=base64.b64decode(mail["sealed"]))
        return self.cipher.open(sealed, bound_to=mail_binding(key, to))

    def audit(self) -> list[AuditEntry]:
        """Return Acme's log, oldest first."""
        with self.uow.begin() as tx:
            return list(reversed(tx.audit.of_organization(HOME, limit=1000)))

    def everything(self) -> Any:
        """Return every row of the installation, to show that nothing changed (memory only)."""
        return {name: table.items() for name, table in self.uow.store._tables.items()}
