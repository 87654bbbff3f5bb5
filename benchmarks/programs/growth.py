"""authflow among more and more rows of other people, for ``python -m benchmarks growth``.

The other people are copies of one who went through the facade: every row that names them, in every table, is written
again under other names. So the copies follow the tables, whatever those become. Only the outbox is left as it is: what
waits there is a matter of the relay's.
"""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import re
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa

from authflow import Method, Proof, Secret
from authflow.testing import add_organization, add_user
from authflow.testing.browsers import Browser
from authflow.values import OrganizationId, UserId
from benchmarks.bulk import write
from benchmarks.programs.authflow import CONTEXT, Flows, Person
from benchmarks.protocol import serve

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping

    from benchmarks.protocol import Watch, Work, World

EVERYBODY: Final = "everybody@example.com"
"""The one who is copied."""

PLACE: Final = OrganizationId("acme")
IDENTIFIER: Final = re.compile(r"\b[a-z2-7]{26}\b")
"""An identifier that the library made."""

COPIED: Final = {
    "account",
    "audit",
    "device",
    "factor",
    "invitation",
    "recovery_code",
    "session",
    "user",
    "user_address",
}
"""What must be copied, or nothing would be among many rows."""

LEFT_OUT: Final = ("outbox", "limit", "attempt", "revision")
PER_COPY: Final = {"factor": 2, "audit": 2}
"""Rows of a table for each copy; one for every other table."""


class Crowd:
    """The rows of the one who is copied, and how many copies there are."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine, self._size = engine, 0
        self._templates = dict(_templates(engine))
        if missing := COPIED - {table.removeprefix("authflow_") for table in self._templates}:
            msg = f"nobody is to be copied in {missing}"
            raise ValueError(msg)

    def grow(self, size: int) -> None:
        """Write copies until there are *size*."""
        for table, (columns, rows) in self._templates.items():
            copiers = [[_copier(value) for value in row] for row in rows]
            copies = ([copied(number) for copied in row] for number in range(self._size, size) for row in copiers)
            write(self._engine, table, columns, copies)
        self._size = size
        with self._engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.exec_driver_sql("ANALYZE")


def _templates(engine: sa.Engine) -> Iterator[tuple[str, tuple[list[str], list[Any]]]]:
    """Yield each table that names the one who is copied, its columns without counters of its own, and those rows."""
    inspector = sa.inspect(engine)
    known = {EVERYBODY}
    for table in sorted(inspector.get_table_names()):
        kind = table.removeprefix("authflow_")
        keys = set(inspector.get_pk_constraint(table)["constrained_columns"])
        found = inspector.get_columns(table)
        columns = [c["name"] for c in found if not (c["name"] in keys and isinstance(c["type"], sa.Integer))]
        if kind in LEFT_OUT or not columns:
            continue
        named = ", ".join(f'"{column}"' for column in columns)
        with engine.connect() as connection:
            every = connection.exec_driver_sql(f"SELECT {named} FROM {table}").all()  # noqa: S608  # the database's names
        rows = _naming(every, known)
        known |= {name for row in rows for value in row for name in IDENTIFIER.findall(str(value))}
        if kind == "audit":
            rows = [rows[0], next(row for row in reversed(every) if PLACE in row)]
        if rows:
            yield table, (columns, rows[: PER_COPY.get(kind, 1)])


def _naming(rows: Any, known: Collection[str]) -> list[Any]:  # noqa: ANN401  # the driver's rows
    """Return the rows in which one of the *known* names stands; a recovery code has only its authenticator's."""
    return [row for row in rows if any(name in str(value) for value in row for name in known)]


def _copier(value: Any) -> Callable[[int], Any]:  # noqa: ANN401  # what a driver gives
    """Return what makes *value* the value of a numbered copy: names that are the same in every table."""
    if isinstance(value, bytes | memoryview):
        plain = bytes(value)
        return lambda number: hashlib.sha256(plain + str(number).encode()).digest()
    if not isinstance(value, str):
        return lambda _number: value
    escaped = value.replace("{", "{{").replace("}", "}}").replace(EVERYBODY, "somebody-{0}@example.com")
    return IDENTIFIER.sub(lambda match: match[0][:17] + "{0:09}", escaped).format


class Town(Flows):
    """An installation with an owner, and one person who is copied."""

    def __init__(self, world: World) -> None:
        super().__init__(world)
        add_organization(self.flows, PLACE)
        self._fresh = itertools.count()
        self._owner = self._grown("owner@example.com")
        self.flows.members.add(CONTEXT, organization=PLACE, user=self._owner.user, role="owner")
        self._grown(EVERYBODY)
        self._invited("another-" + EVERYBODY)
        self._crowd = Crowd(self.engine)

    def _grown(self, address: str) -> Person:
        """Return somebody who enrolled and signed in again, so that their browser is known."""
        browser, user = Browser(CONTEXT), add_user(self.flows, address)
        self.sign_in(browser, user)
        person = self.enroll_in(browser, user, contextlib.nullcontext())
        self.clock.advance(seconds=30)
        self.sign_in(browser, user)
        self._verify(person, "totp", person.phone.code(self.clock.now()), contextlib.nullcontext())
        return person

    def _invited(self, address: str, watch: Any = None) -> Any:  # noqa: ANN401  # a context; the answer
        """Invite *address*, as somebody who has just proved who they are."""
        owner = self._owner
        self.clock.advance(seconds=3600)  # the owner's budget of invitations is an hour's
        self.sign_in(owner.browser, owner.user)
        self._verify(owner, "totp", owner.phone.code(self.clock.now()), contextlib.nullcontext())
        session = owner.browser.session
        with watch or contextlib.nullcontext():
            sent: Any = self.flows.invitations.invite(session, CONTEXT, organization=PLACE, email=address)
        return sent.invitation

    def load(self, size: int, _watch: Watch) -> None:
        """Fill the tables."""
        self._crowd.grow(size)

    def invite(self, operations: int, watch: Watch) -> None:
        """Invite somebody new."""
        for _ in range(operations):
            self._invited(f"fresh-{next(self._fresh)}@example.com", watch)

    def accept(self, operations: int, watch: Watch) -> None:
        """Accept an invitation, signed in."""
        for _ in range(operations):
            browser, user = self.newcomer()
            invitation = self._invited(str(user))
            self.flows.relay.drain_until_quiet(rounds=100)
            mail = next(m for m in reversed(self.mailer.sent) if m.context.get("invitation") == invitation)
            proof = Proof(method=Method.PASSWORD, at=self.clock.now())
            browser.keep(self.flows.sessions.establish(browser.session, CONTEXT, user=user, proof=proof))
            session, token = browser.session, Secret(str(mail.context["token"]))
            with watch:
                self.flows.invitations.accept(
                    session,
                    CONTEXT,
                    organization=PLACE,
                    invitation=invitation,
                    token=token,
                )

    def reading(self, once: Any) -> Work:  # noqa: ANN401  # something to call
        """Return the row that reads a page."""

        def read(operations: int, watch: Watch) -> None:
            self.sign_in(self._owner.browser, self._owner.user)
            with watch:
                for _ in range(operations):
                    once()

        return read


def rows(world: World) -> Mapping[str, Work]:
    """Offer filling the tables, and the flows among what fills them."""
    town = Town(world)
    flows = town.flows
    return {
        "load": town.load,
        "first factor": town.establish,
        "second factor by TOTP": town.verify_totp,
        "second factor by recovery code": town.verify_recovery,
        "enroll": town.enroll,
        "invite": town.invite,
        "accept an invitation": town.accept,
        "a person's own log": town.reading(lambda: flows.audit.of_user(UserId(EVERYBODY))),
        "an organization's log, 100 entries": town.reading(lambda: flows.audit.of_organization(PLACE)),
    }


if __name__ == "__main__":
    serve(rows, versions=("SQLAlchemy",))
