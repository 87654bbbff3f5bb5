"""The limit: the same persistence written by hand on the bare driver, with hashed codes and one outbox row per flow.

No layers, no ports, no policy, nothing that could be exchanged. On PostgreSQL BEGIN travels with the first read and
the writes travel with COMMIT (psycopg's pipeline mode).
"""

from __future__ import annotations

import base64
import contextlib
import hmac
import itertools
import json
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from benchmarks.bare import Postgresql, Sqlite
from benchmarks.bare_sign_on import SignOns
from benchmarks.imports import importing
from benchmarks.phone import code_at
from benchmarks.protocol import serve

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from benchmarks.protocol import Watch, Work, World

PEPPER: Final = secrets.token_bytes(32)
CODES: Final = 10


# --- without a database -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Shut:
    """The door is shut."""

    tries: int


@dataclass(frozen=True, slots=True)
class Open:
    """The door is open."""

    since: int


@dataclass(frozen=True, slots=True)
class Turned:
    """The key was turned."""

    at: int


def turn(state: Shut | Open, code: str, now: int) -> tuple[Shut | Open, bool, tuple[Turned, ...]]:
    """Decide with nothing but ``if``."""
    if type(state) is Open:
        return Shut(0), True, (Turned(now),)
    if code != "123456":
        return Shut(state.tries + 1), False, ()  # type: ignore[union-attr]  # it is the other one
    return Open(now), True, (Turned(now),)


def matched(secret: bytes, code: str, now: int) -> int | None:
    """Return the step around *now* that has *code*, the newest first, or none."""
    return next((step for step in (now + 1, now, now - 1) if hmac.compare_digest(code_at(secret, step), code)), None)


def new_codes() -> list[str]:
    """Return ten codes of 80 bits."""
    text = base64.b32encode(secrets.token_bytes(CODES * 10)).decode()
    return [text[at : at + 16] for at in range(0, CODES * 16, 16)]


def digest(code: str) -> bytes:
    """Return what is stored of a code."""
    return hmac.digest(PEPPER, code.encode(), "sha256")


def _pure() -> Mapping[str, Work]:
    secret, now = secrets.token_bytes(20), 59_000_000
    right = code_at(secret, now)
    stored = digest(typed := new_codes()[0])

    def transition(operations: int, watch: Watch) -> None:
        state: Shut | Open = Shut(0)
        with watch:
            for _ in range(operations):
                state, _answer, _facts = turn(state, "123456", now)

    attrs_alone = importing("import attrs")  # what everything written with it costs at least
    return {
        "transition": transition,
        "totp_right": _repeated(lambda: matched(secret, right, now)),
        "totp_wrong": _repeated(lambda: matched(secret, "no code", now)),
        "codes_made": _repeated(lambda: [digest(code) for code in new_codes()]),
        "code_checked": _repeated(lambda: hmac.compare_digest(digest(typed), stored)),
        "import": attrs_alone,
        "import_facade": attrs_alone,
    }


def _repeated(once: Callable[[], object]) -> Work:
    def repeated(operations: int, watch: Watch) -> None:
        with watch:
            for _ in range(operations):
                once()

    return repeated


# --- with one ---------------------------------------------------------------------------------------------------------


@dataclass
class Person:
    """Somebody with a phone and a sheet of paper."""

    user: str
    secret: bytes
    codes: list[str]


class Flows:
    """The flows, each as few statements as it can be."""

    def __init__(self, world: World) -> None:
        self.sql: Any = Sqlite(world) if world.sqlite else Postgresql(world)
        self._numbers, self._now = itertools.count(), 59_000_000
        self._present = self._people()

    def begin(self, user: str) -> bytes:
        """Keep a proposed secret."""
        secret = secrets.token_bytes(20)
        self.sql.run(
            "INSERT INTO pending (user_id, secret, expires_at) VALUES (%s, %s, %s) ON CONFLICT (user_id) DO UPDATE "
            "SET secret = excluded.secret, expires_at = excluded.expires_at",
            user,
            secret,
            self._now + 20,
        )
        return secret

    def complete(self, user: str, code: str) -> list[str]:
        """Prove it; make ten codes."""
        made, sql = new_codes(), self.sql
        with sql.together():
            sql.run("BEGIN IMMEDIATE")
            secret, expires_at = sql.run(
                "SELECT secret, expires_at FROM pending WHERE user_id = %s FOR UPDATE", user
            ).fetchone()
            step = matched(secret, code, self._now)
            if step is None or expires_at < self._now:
                raise AssertionError
            sql.run("DELETE FROM pending WHERE user_id = %s", user)
            sql.run("INSERT INTO factor (user_id, secret, last_step) VALUES (%s, %s, %s)", user, secret, step)
            values = ", ".join(["(%s, %s)"] * CODES)
            sql.run(f"INSERT INTO code (digest, user_id) VALUES {values}", *_flat((digest(c), user) for c in made))  # noqa: S608  # placeholders
            self.tell(user, "enrolled")
            sql.run("COMMIT")
        return made

    def establish(self, user: str) -> bytes:
        """Prove the first factor; owe the second."""
        sql, secret = self.sql, secrets.token_bytes(32)
        with sql.together():
            sql.run("BEGIN IMMEDIATE")
            protected = sql.run("SELECT 1 FROM factor WHERE user_id = %s", user).fetchone()
            state = "owed" if protected else "signed in"
            sql.run(
                "INSERT INTO session (digest, user_id, state) VALUES (%s, %s, %s)", digest(secret.hex()), user, state
            )
            sql.run("COMMIT")
        return secret

    def verify_totp(self, user: str, session: bytes, code: str) -> None:
        """Prove the second factor; burn the step."""
        sql = self.sql
        with sql.together():
            sql.run("BEGIN IMMEDIATE")
            secret, last = sql.run(
                "SELECT secret, last_step FROM factor WHERE user_id = %s FOR UPDATE", user
            ).fetchone()
            step = matched(secret, code, self._now)
            if step is None or step <= last:
                raise AssertionError
            sql.run("UPDATE factor SET last_step = %s WHERE user_id = %s", step, user)
            self._arrive(user, session)

    def verify_recovery(self, user: str, session: bytes, code: str) -> None:
        """Prove it with a code, which is used up."""
        sql = self.sql
        with sql.together():
            sql.run("BEGIN IMMEDIATE")
            spent = sql.run(
                "UPDATE code SET used_at = %s WHERE digest = %s AND user_id = %s AND used_at IS NULL RETURNING 1",
                self._now,
                digest(code),
                user,
            ).fetchone()
            if spent is None:
                raise AssertionError
            self._arrive(user, session)

    def _arrive(self, user: str, session: bytes) -> None:
        self.sql.run("DELETE FROM attempt WHERE key = %s", user)
        self.sql.run("UPDATE session SET state = 'signed in' WHERE digest = %s", digest(session.hex()))
        self.tell(user, "arrived")
        self.sql.run("COMMIT")

    def tell(self, user: str, what: str) -> None:
        """Write one outbox row."""
        self.sql.run("INSERT INTO outbox (id, shard, payload) VALUES (%s, %s, %s)", *self._message(user, what))

    def _message(self, user: str, what: str) -> tuple[str, str, str]:
        number = f"{next(self._numbers):026}"
        return number, user, json.dumps({"authenticator": number, "kind": what, "note": "x" * 120})

    # --- what is measured ---------------------------------------------------------------------------------------------

    def enroll_one(self, watch: Any) -> Person:  # noqa: ANN401  # any context
        """Enroll somebody new."""
        user = f"person-{next(self._numbers)}"
        with watch:
            secret = self.begin(user)
        code = code_at(secret, self._now)
        with watch:
            made = self.complete(user, code)
        return Person(user, secret, made)

    def _people(self) -> Iterator[Person]:
        while True:
            person = self.enroll_one(contextlib.nullcontext())
            while person.codes:
                self._now += 1
                yield person

    def enroll(self, operations: int, watch: Watch) -> None:
        """Begin, complete, and be shown ten codes."""
        for _ in range(operations):
            self.enroll_one(watch)

    def established(self, operations: int, watch: Watch) -> None:
        """Prove the first factor of somebody who owes a second."""
        for person in itertools.islice(self._present, operations):
            with watch:
                self.establish(person.user)
            person.codes.pop()

    def by_totp(self, operations: int, watch: Watch) -> None:
        """Finish a sign-in with the app."""
        for person in itertools.islice(self._present, operations):
            session, code = self.establish(person.user), code_at(person.secret, self._now)
            person.codes.pop()
            with watch:
                self.verify_totp(person.user, session, code)

    def by_recovery(self, operations: int, watch: Watch) -> None:
        """Finish a sign-in with a recovery code."""
        for person in itertools.islice(self._present, operations):
            session, code = self.establish(person.user), person.codes.pop()
            with watch:
                self.verify_recovery(person.user, session, code)

    def enqueue(self, size: int) -> Work:
        """Return the row that appends *size* messages in one transaction."""

        def enqueued(operations: int, watch: Watch) -> None:
            for _ in range(operations):
                with watch:
                    self.sql.enqueue([self._message("benchmark", "totp") for _ in range(size)])

        return enqueued

    def drain(self, size: int, batch: int) -> Work:
        """Return the row that delivers *size* messages, *batch* of them in a transaction."""

        def drained(operations: int, watch: Watch) -> None:
            self.sql.run("DELETE FROM outbox")
            for _ in range(operations):
                self.sql.enqueue([self._message("benchmark", "totp") for _ in range(size)])
                with watch:
                    for _ in range(size // batch):
                        with self.sql.together():
                            page = self.sql.page(batch)
                            for _number, payload in page:
                                json.loads(payload)
                            self.sql.remove(page)

        return drained


def _flat(rows: Any) -> list[object]:  # noqa: ANN401  # tuples of anything
    return [value for row in rows for value in row]


def rows(world: World) -> Mapping[str, Work]:
    """Offer every row."""
    if world.setting.database == "none":
        return _pure()
    flows = Flows(world)
    return {
        "enroll": flows.enroll,
        "establish": flows.established,
        "verify_totp": flows.by_totp,
        "verify_recovery": flows.by_recovery,
        **SignOns(flows.sql, flows.tell).rows(),
        "enqueue_1": flows.enqueue(1),
        "enqueue_100": flows.enqueue(100),
        "drain_1": flows.drain(100, 1),
        "drain_100": flows.drain(1000, 100),
    }


if __name__ == "__main__":
    serve(rows, versions=("psycopg",))
