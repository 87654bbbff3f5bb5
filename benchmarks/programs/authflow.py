"""authflow itself, through its facade."""

from __future__ import annotations

import contextlib
import io
import itertools
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

import attrs
from sqlalchemy import event

from authflow import NOBODY, Authflow, Context, Endpoints, Kinds, Method, Policy, Proof
from authflow.adapters.keys import AesGcmCipher, HmacPepper, KeyRing
from authflow.adapters.mail import MemoryMailer
from authflow.adapters.sql.engine import make_engine
from authflow.adapters.system import SystemEntropy
from authflow.cli import main
from authflow.facts.records import Category, Message, Scope
from authflow.machine import Machine, Step, on
from authflow.mfa import codes, totp
from authflow.policy import OutboxPolicy
from authflow.testing import ManualClock, add_user
from authflow.testing.browsers import STEP_SECONDS, Browser, Phone
from authflow.testing.providers import FakeProvider
from authflow.values import AuthenticatorId, Secret
from benchmarks import single_sign_on
from benchmarks.imports import importing
from benchmarks.protocol import serve

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from datetime import datetime

    from benchmarks.protocol import Watch, Work, World

CONTEXT: Final = Context(ip="192.0.2.7", user_agent="Firefox", request_id="r-1")
CODES: Final = 10


# --- without a database -----------------------------------------------------------------------------------------------


@attrs.frozen(kw_only=True)
class Shut:
    """The door is shut."""

    tries: int


@attrs.frozen(kw_only=True)
class Open:
    """The door is open."""

    since: datetime


@attrs.frozen(kw_only=True)
class Turn:
    """Turn the key."""

    code: str


@attrs.frozen(kw_only=True)
class Turned:
    """The key was turned."""

    at: datetime


def _turn(state: Shut, command: Turn, now: datetime) -> Step[Shut | Open, bool]:
    if command.code != "123456":
        return Step(Shut(tries=state.tries + 1), False)  # noqa: FBT003  # the answer
    return Step(Open(since=now), True, (Turned(at=now),))  # type: ignore[arg-type]  # noqa: FBT003  # a fact of no table


def _turn_back(_state: Open, _command: Turn, now: datetime) -> Step[Shut | Open, bool]:
    return Step(Shut(tries=0), True, (Turned(at=now),))  # type: ignore[arg-type]  # noqa: FBT003  # as above


DOOR: Final = Machine[Shut | Open, Turn, bool](
    "benchmark.door", rows=(on(Shut, Turn).to(_turn, Shut, Open), on(Open, Turn).to(_turn_back, Shut))
)


def _pure() -> Mapping[str, Work]:
    """Return the rows that need no database."""
    now, entropy = ManualClock().now(), SystemEntropy()
    secret, of = totp.new_secret(entropy.random_bytes(20)), AuthenticatorId("a" * 26)
    pepper = HmacPepper(KeyRing.ephemeral(entropy))
    right, made = Phone(secret).code(now), codes.new_codes(entropy.random_bytes(CODES * 10))
    typed, turn = made[-1].reveal(), Turn(code="123456")

    def transition(operations: int, watch: Watch) -> None:
        state: Shut | Open = Shut(tries=0)
        with watch:
            for _ in range(operations):
                state = DOOR.step(state, turn, now).state

    def make() -> None:
        codes.digests_to_store(pepper, of, codes.new_codes(entropy.random_bytes(CODES * 10)))

    def check() -> None:
        code = codes.parse_recovery_code(typed)
        codes.digest(pepper, of, code)  # type: ignore[arg-type]  # one of ours can be read

    def matching(code: str) -> Callable[[], object]:
        return lambda: totp.match(secret, totp.parse_code(code) or "", now, after=None)

    return {
        "transition": transition,
        "totp_right": _repeated(matching(right)),
        "totp_wrong": _repeated(matching(Phone(secret).wrong(now))),
        "codes_made": _repeated(make),
        "code_checked": _repeated(check),
        **{name: _repeated(once) for name, once in single_sign_on.answers().items()},
        "import": importing("import authflow"),
        "import_facade": importing("import authflow; authflow.Authflow"),
    }


def _repeated(once: Callable[[], object]) -> Work:
    def repeated(operations: int, watch: Watch) -> None:
        with watch:
            for _ in range(operations):
                once()

    return repeated


# --- with one ---------------------------------------------------------------------------------------------------------


@attrs.define
class Person:
    """Somebody with a browser, a phone and a sheet of paper."""

    browser: Browser
    user: Any
    phone: Phone
    codes: list[Secret]


class Flows:
    """One installation, and what its people do."""

    def __init__(self, world: World) -> None:
        url = f"sqlite:///{world.target}" if world.sqlite else world.target
        with contextlib.redirect_stdout(io.StringIO()):
            main(["schema", "upgrade", "--database", url])
        self.engine = engine = make_engine(url)
        if world.sqlite:
            event.listen(engine, "connect", lambda connection, _record: world.opened(connection))
        self.clock, self._numbers = ManualClock(), itertools.count()
        self.mailer = MemoryMailer()
        ring, idp = KeyRing.ephemeral(SystemEntropy()), FakeProvider(key="google", name="Google")
        ports: dict[str, Any] = {
            "keys": ring,
            "clock": self.clock,
            "mailer": self.mailer,
            "kinds": Kinds(idp),
            "endpoints": Endpoints.at("https://app.example/sso/callback"),
        }
        self.flows = Authflow.open(engine, **ports)
        self.one_by_one = Authflow.open(engine, policy=Policy(outbox=OutboxPolicy(batch=1)), **ports)
        self._present = self._people()
        self._idp, self._ring = idp, ring

    def sign_ons(self) -> single_sign_on.SignOns:
        """Let an organization have a provider, and people who come through it."""
        cipher = AesGcmCipher(self._ring, SystemEntropy())
        return single_sign_on.SignOns(self.flows, self.clock, self._idp, cipher)

    def sign_in(self, browser: Browser, user: Any) -> None:  # noqa: ANN401  # whatever id the library gave
        """Prove the first factor."""
        proof = Proof(method=Method.PASSWORD, at=self.clock.now())
        browser.keep(self.flows.sessions.establish(NOBODY, CONTEXT, user=user, proof=proof))

    def newcomer(self) -> tuple[Browser, Any]:
        """Return somebody who has just signed in and has no second factor."""
        browser = Browser(CONTEXT)
        user = add_user(self.flows, f"person-{next(self._numbers)}@example.com")
        self.sign_in(browser, user)
        return browser, user

    def enroll_in(self, browser: Browser, user: Any, watch: Any) -> Person:  # noqa: ANN401  # as above; a context
        """Enroll, both halves watched; what the app does between them is not."""
        flows = self.flows
        with watch:
            begun: Any = flows.mfa.begin_totp(browser.session, CONTEXT, account="ada@example.com")
        browser.keep(begun)
        phone = Phone(begun.secret)
        session, code = browser.session, phone.code(self.clock.now())
        with watch:
            enrolled: Any = flows.mfa.complete_totp(session, CONTEXT, begun.flow, code=code)
        browser.keep(enrolled)
        return Person(browser, user, phone, list(enrolled.recovery_codes))

    def _people(self) -> Iterator[Person]:
        """Yield people with a phone and codes left, each for one sign-in, a time step apart."""
        while True:
            person = self.enroll_in(*self.newcomer(), contextlib.nullcontext())
            while person.codes:
                self.clock.advance(timedelta(seconds=STEP_SECONDS))
                yield person

    def enroll(self, operations: int, watch: Watch) -> None:
        """Begin, complete, and be shown ten codes."""
        for _ in range(operations):
            self.enroll_in(*self.newcomer(), watch)

    def establish(self, operations: int, watch: Watch) -> None:
        """Prove the first factor of somebody who owes a second."""
        for person in itertools.islice(self._present, operations):
            proof = Proof(method=Method.PASSWORD, at=self.clock.now())
            with watch:
                self.flows.sessions.establish(NOBODY, CONTEXT, user=person.user, proof=proof)
            person.codes.pop()  # so that people are as new here as in the other rows

    def verify_totp(self, operations: int, watch: Watch) -> None:
        """Finish a sign-in with the app."""
        for person in itertools.islice(self._present, operations):
            self.sign_in(person.browser, person.user)
            person.codes.pop()  # as above
            self._verify(person, "totp", person.phone.code(self.clock.now()), watch)

    def verify_recovery(self, operations: int, watch: Watch) -> None:
        """Finish a sign-in with a recovery code."""
        for person in itertools.islice(self._present, operations):
            self.sign_in(person.browser, person.user)
            self._verify(person, "recovery", person.codes.pop().reveal(), watch)

    def _verify(self, person: Person, kind: str, code: str, watch: Any) -> None:  # noqa: ANN401  # as above
        session, device = person.browser.session, person.browser.device
        with watch:
            arrived = self.flows.mfa.verify(session, CONTEXT, kind, code, device=device)
        person.browser.keep(arrived)

    def enqueue(self, size: int) -> Work:
        """Return the row that appends *size* messages in one transaction, beside the host's own writes."""

        def enqueued(operations: int, watch: Watch) -> None:
            for _ in range(operations):
                with watch, self.flows.uow.begin() as tx:
                    tx.outbox.append([self._message() for _ in range(size)])

        return enqueued

    def drain(self, flows: Authflow, size: int) -> Work:
        """Return the row that delivers *size* messages to a handler that does nothing."""

        def drained(operations: int, watch: Watch) -> None:
            self.flows.relay.drain_until_quiet(rounds=1000)
            for _ in range(operations):
                with self.flows.uow.begin() as tx:
                    tx.outbox.append([self._message() for _ in range(size)])
                left = size
                with watch:
                    while left and (delivered := flows.relay.drain().delivered):
                        left -= delivered
                if left:
                    msg = f"{left} of {size} messages were not delivered"
                    raise AssertionError(msg)

        return drained

    def _message(self) -> Message:
        number, now = next(self._numbers), self.clock.now()
        payload = {"authenticator": f"{number:026}", "kind": "totp", "note": "x" * 120}
        return Message(
            id=f"{number:026}",
            scope=Scope.USER,
            shard="benchmark",
            category=Category.FACTOR_ENROLLED,
            object=f"{number:026}",
            payload=payload,
            at=now,
            due_at=now,
        )


def rows(world: World) -> Mapping[str, Work]:
    """Offer every row."""
    if world.setting.database == "none":
        return _pure()
    flows = Flows(world)
    return {
        "enroll": flows.enroll,
        "establish": flows.establish,
        "verify_totp": flows.verify_totp,
        "verify_recovery": flows.verify_recovery,
        **flows.sign_ons().rows(),
        "enqueue_1": flows.enqueue(1),
        "enqueue_100": flows.enqueue(100),
        "drain_1": flows.drain(flows.one_by_one, 100),
        "drain_100": flows.drain(flows.flows, 1000),
    }


if __name__ == "__main__":
    serve(rows, versions=("attrs", "cryptography", "SQLAlchemy"))
