"""An installation with people and their second factors, on whichever database a test is given."""

from __future__ import annotations

import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import attrs
import sqlalchemy as sa

from authflow.adapters.keys import AesGcmCipher, HmacPepper, KeyRing
from authflow.adapters.memory.unit_of_work import MemoryUnitOfWork
from authflow.membership.standing import Member
from authflow.mfa import totp
from authflow.mfa.answers import Begun, CodesShown, Proven, Verified
from authflow.mfa.service import SecondFactors
from authflow.policy import MEMBER, MfaPolicy
from authflow.ports import Organization, User, UserAddress
from authflow.recording import Recorder
from authflow.testing import ManualClock, SeededEntropy
from authflow.values import (
    Address,
    Asker,
    Context,
    Level,
    MemberId,
    OrganizationId,
    Refused,
    Secret,
    SessionId,
    UserId,
)
from tests.rows import rows

if TYPE_CHECKING:
    from collections.abc import Callable

    from authflow.facts.records import AuditEntry, Category

CONTEXT = Context(ip="192.0.2.7", user_agent="tests", request_id="r1")

BUDGETS = ("enrollments", "proposals", "guesses_short", "guesses_long", "recovery_guesses")
WIDE = MfaPolicy(**{name: attrs.evolve(getattr(MfaPolicy(), name), limit=1000) for name in BUDGETS})
"""Budgets that stand in nobody's way; everything else as it comes."""


class Entropy:
    """Seeded bytes that no two threads share."""

    def __init__(self) -> None:
        self._lock, self._source = threading.Lock(), SeededEntropy("world")

    def random_bytes(self, count: int) -> bytes:
        with self._lock:
            return self._source.random_bytes(count)


class World:
    """One installation: Ada, Eve and the administrator Root, and the service in front of them."""

    def __init__(self, uow: Any, policy: MfaPolicy | None = None) -> None:
        self.uow, self.clock, self.entropy = uow, ManualClock(), Entropy()
        self.policy = policy or MfaPolicy()
        self.ring = KeyRing.generate(self.entropy, self.clock.now())
        self.service = self.with_ring(self.ring)
        self.ada, self.eve = self.person("ada"), self.person("eve")
        self.root = self.person("root", administrator=True)

    # --- what stands ------------------------------------------------------------------------------------------------

    def with_ring(self, ring: KeyRing, policy: MfaPolicy | None = None) -> SecondFactors:
        """Return the service of an installation that was started again with *ring*."""
        cipher = AesGcmCipher(ring, self.entropy)
        return SecondFactors(
            uow=self.uow,
            clock=self.clock,
            entropy=self.entropy,
            recorder=Recorder(cipher=cipher, entropy=self.entropy),
            cipher=cipher,
            pepper=HmacPepper(ring),
            policy=policy or self.policy,
        )

    def tuned(self, **settings: Any) -> SecondFactors:
        """Return the service under another policy."""
        return self.with_ring(self.ring, attrs.evolve(self.policy, **settings))

    def person(self, key: str, *, verified: bool = True, administrator: bool = False, active: bool = True) -> Asker:
        """Add a person, who is signed in and elevated in a browser of their own, and whose account stands."""
        at = self.clock.now() if verified else None
        own = UserAddress(address=Address(f"{key}@example.org"), primary=True, verified_at=at)
        user = User(id=UserId(key), label=key, active=active, administrator=administrator, addresses=(own,))
        with self.uow.begin() as tx:
            tx.users.add(user)
            tx.accounts.lock(user.id)
        return Asker(user=user.id, session=SessionId(f"{key}-browser"), level=Level.TWO, elevated=True, label=key)

    def requirement(self, *members: Asker, active: bool = True) -> None:
        """Add an organization of *members* that requires a second factor."""
        acme = Organization(
            id=OrganizationId("acme"),
            slug="acme",
            name="Acme",
            active=active,
            default_role=MEMBER,
            regions=("eu",),
            require_second_factor=True,
        )
        with self.uow.begin() as tx:
            tx.organizations.add(acme)
            for member in members:
                key, user = MemberId(f"member-{member.user}"), UserId(str(member.user))
                joined = Member(organization=acme.id, user=user, id=key, role=MEMBER)
                tx.members.save(acme.id, user, joined, expected=0)

    # --- what people do ---------------------------------------------------------------------------------------------

    def begin(self, who: Asker | None = None, **given: Any) -> Begun:
        """Begin to enroll or to rotate."""
        by = who or self.ada
        begun = self.service.begin(by, CONTEXT, account=f"{by.user}@example.org", **given)
        assert isinstance(begun, Begun), begun
        return begun

    def complete(self, begun: Begun, code: str | None = None, who: Asker | None = None) -> Any:
        """Prove what was begun, by default with the present code."""
        typed = self.code(begun.secret) if code is None else code
        return self.service.complete(who or self.ada, CONTEXT, flow=begun.flow, code=typed)

    def enroll(self, who: Asker | None = None) -> Secret:
        """Enroll or rotate, let the burnt step pass, and return the secret that the app has now."""
        begun = self.begin(who)
        proven = self.complete(begun, who=who)
        assert isinstance(proven, Proven), proven
        self.clock.advance(seconds=60)
        return begun.secret

    def codes(self, who: Asker | None = None, **given: Any) -> list[str]:
        """Add recovery codes; return them."""
        by = who or self.ada
        shown = self.service.add_codes(by, CONTEXT, user=by.user or UserId(""), **given)
        assert isinstance(shown, CodesShown), shown
        return [code.reveal() for code in shown.codes]

    def code(self, secret: Secret, steps: int = 0) -> str:
        """Return the code that the app shows, *steps* from now."""
        return totp.code_at(secret, totp.step_at(self.clock.now()) + steps)

    def wrong(self, *secrets: Secret) -> str:
        """Return six digits that are no code of *secrets* anywhere near now."""
        right = {self.code(secret, steps) for secret in secrets for steps in range(-5, 6)}
        return next(text for text in (f"{number:06}" for number in range(200)) if text not in right)

    def verify(
        self, code: str | None, kind: str = "totp", *, browser: str | None = None, who: Asker | None = None
    ) -> Any:
        """Answer a challenge."""
        by = who or self.ada
        return self.service.verify(by, CONTEXT, user=by.user or UserId(""), kind=kind, code=code, browser=browser)

    def passes(self, secret: Secret, *, browser: str | None = None, who: Asker | None = None) -> bool:
        """Tell whether the app's present code is accepted."""
        return isinstance(self.verify(self.code(secret), browser=browser, who=who), Verified)

    def guesses(self, count: int, *secrets: Secret, browser: str | None = None, kind: str = "totp") -> list[str]:
        """Guess wrong *count* times, 20 seconds apart; return the codes of the refusals."""
        told = []
        for _ in range(count):
            told.append(refusal(self.verify(self.wrong(*secrets), kind, browser=browser)))
            self.clock.advance(seconds=20)
        return told

    def rolled_back(self, command: Callable[[], Any]) -> Any:
        """Give *command* in a larger one that fails afterwards and undoes it; return what was answered."""
        told: list[Any] = []

        def larger() -> None:
            told.append(command())
            raise Undone

        with suppress(Undone):
            self.uow.run(larger)
        return told[0]

    # --- what can be seen afterwards --------------------------------------------------------------------------------

    def held(self, who: Asker | None = None) -> Any:
        """Return what a person has."""
        with self.uow.begin() as tx:
            return tx.factors.of_user((who or self.ada).user)

    def audit(self, who: Asker | None = None) -> list[AuditEntry]:
        """Return a person's log, oldest first."""
        with self.uow.begin() as tx:
            return list(reversed(tx.audit.of_user((who or self.ada).user, limit=10_000)))

    def audited(self, who: Asker | None = None) -> list[str]:
        """Return the events of a person's log, oldest first."""
        return [str(entry.event) for entry in self.audit(who)]

    def messages(self, category: Category | None = None) -> list[tuple[int, str]]:
        """Return category and payload of everything in the outbox."""
        if isinstance(self.uow, MemoryUnitOfWork):
            rows = [(int(m.category), repr(dict(m.payload))) for m in self.uow.store.table("outbox").rows()]
        else:
            table = self.uow.tables.shared.outbox
            found = self._run(sa.select(table.c.category, table.c.payload).order_by(table.c.number))
            rows = [(row.category, row.payload) for row in found]
        return [row for row in rows if category in {None, row[0]}]

    def tables(self) -> dict[str, Any]:
        """Return every row of every table, by the table's plain name."""
        if isinstance(self.uow, MemoryUnitOfWork):
            return {name: table.items() for name, table in self.uow.store._tables.items() if table.items()}
        return {name: sorted(map(repr, found)) for name, found in rows(self.uow).items()}

    def written_by(self, command: Callable[[], Any]) -> tuple[set[str], Any]:
        """Return the tables that *command* changed, and what it answered."""
        before = self.tables()
        answer = command()
        after = self.tables()
        return {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}, answer

    def _run(self, statement: Any) -> Any:
        with self.uow.begin() as tx:
            return tx.connection.run(statement).all()


class Undone(Exception):
    """What a host raises to undo its transaction."""


def refusal(answer: Any) -> str:
    """Return the code of a refusal."""
    assert isinstance(answer, Refused), answer
    return str(answer.code)
