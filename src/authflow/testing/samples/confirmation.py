"""People and links to their addresses, and the alphabet of ``accounts.confirmation``."""

from __future__ import annotations

from datetime import timedelta
from itertools import product
from typing import TYPE_CHECKING, Any, Final

import attrs

from authflow.accounts.commands import Confirm, Holder, Look, Send, Void
from authflow.accounts.confirmation import MACHINE
from authflow.accounts.states import Absent, Mailing, Sent
from authflow.errors import Code
from authflow.policy import AccountsPolicy
from authflow.ports import Allowed, Limited, User, UserAddress
from authflow.testing.clocks import START
from authflow.testing.samples.alphabet import Alphabet
from authflow.values import Address, Asker, Level, Secret, SessionId, UserId, token_digest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from authflow.accounts.commands import Command
    from authflow.accounts.states import Confirmation

NOW: Final = START
INSTANT: Final = timedelta(microseconds=1)
LIFE: Final = AccountsPolicy().confirmation_ttl
TOKEN: Final = Secret("7" * 52)
WANTED: Final = Address("Ada@example.org")
"""The address to be confirmed."""

OTHER: Final = Address("ada@work.example")
BROKEN: Final = Address("ada@example.org\r\nBcc: eve@example.org")
"""What a careless host may have stored: it would begin another line of a mail's head."""

LIMITED: Final = Limited(timedelta(seconds=42))
HOLDER: Final = Holder(user=UserId("olga"), address=Address("ADA@EXAMPLE.ORG"))
MAILING: Final = Mailing(user=UserId("ada"), address=WANTED, token=token_digest(TOKEN), expires_at=NOW + LIFE)
SENT: Final = Sent(mailing=MAILING)


def held(address: Address = WANTED, *, verified: bool = False) -> UserAddress:
    """Return an address as a person holds it."""
    return UserAddress(address=address, primary=address is WANTED, verified_at=NOW if verified else None)


def person(key: str = "ada", *addresses: UserAddress, active: bool = True) -> User:
    """Return a person, by default with the unverified address alone."""
    return User(id=UserId(key), label=key, active=active, addresses=addresses or (held(),))


ADA: Final = person()
EVE: Final = person("eve")
"""Somebody else, who claims the same address."""

PEOPLE: Final = {
    "ada": ADA,
    "ada, with another address verified": person("ada", held(), held(OTHER, verified=True)),
    "ada, who verified it": person("ada", held(verified=True)),
    "ada, who verified it, another one open": person("ada", held(verified=True), held(OTHER)),
    "ada, who holds another one": person("ada", held(OTHER)),
    "ada, who holds another one, verified": person("ada", held(OTHER, verified=True)),
    "ada, who holds none": attrs.evolve(ADA, addresses=()),
    "ada, inactive": person(active=False),
    "eve": EVE,
    "eve, with nothing open": person("eve", held(OTHER, verified=True)),
    "nobody known": None,
}


def asker(key: str | None = "ada", level: Level = Level.ONE, why_not: Code | None = None) -> Asker:
    """Return who asks; a stranger where *key* is none."""
    user = None if key is None else UserId(key)
    return Asker(user=user, session=SessionId("session-1"), why_not=why_not, level=level)


def send(**facts: Any) -> Send:
    """Return a request for a mail, which passes every gate."""
    asked: dict[str, Any] = {
        "person": ADA,
        "held": held(),
        "holder": None,
        "asked": Allowed(9),
        "mailed": Allowed(4),
        "token": TOKEN,
        "life": LIFE,
    }
    return Send(**asked | facts)


def click(kind: type[Look | Confirm] = Confirm, **facts: Any) -> Look | Confirm:
    """Return a click on the link, or a look at it, by its person, signed in."""
    asked: dict[str, Any] = {"asker": asker(), "person": ADA, "taken": False}
    return kind(**asked | facts)


ASKERS: Final = {
    "ada": asker(),
    "ada, with two factors": asker(level=Level.TWO),
    "ada, through a provider only": asker(level=Level.NONE),
    "eve": asker("eve"),
    "nobody": asker(None, Level.NONE, Code.SESSION_REQUIRED),
    "a session that ended": asker(None, Level.NONE, Code.SESSION_ENDED),
    "a stranger of whom nothing is said": asker(None, Level.NONE),
}


CLICKS: Final[tuple[type[Look | Confirm], ...]] = (Look, Confirm)


def commands(state: Confirmation) -> Iterator[tuple[Command, datetime]]:
    """Yield requests for mails, and looks and clicks of everybody, in time and too late."""
    if isinstance(state, Absent):
        for one, holder, asked, mailed in product(
            (held(), held(verified=True), held(BROKEN), None),
            (None, HOLDER),
            (Allowed(9), LIMITED),
            (Allowed(0), LIMITED),
        ):
            yield send(held=one, holder=holder, asked=asked, mailed=mailed), NOW
    for kind, by, who in product(CLICKS, ASKERS.values(), PEOPLE.values()):
        yield click(kind, asker=by, person=who), NOW
    for kind, who, taken, at in product(
        CLICKS, PEOPLE.values(), (False, True), (NOW + LIFE - INSTANT, NOW + LIFE, NOW - LIFE)
    ):
        yield click(kind, person=who, taken=taken), at
    yield Void(), NOW


ALPHABET: Final = Alphabet(machine=MACHINE, start=(Absent(),), commands=commands)
