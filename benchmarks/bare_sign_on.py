"""Single sign-on written by hand: the provider's answer taken, with as few statements as it can be."""

from __future__ import annotations

import hashlib
import itertools
import secrets
import time
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from benchmarks.protocol import Watch, Work

PROVIDER: Final = "faked"
LIFETIME: Final = 600


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()


class SignOns:
    """People who come back from one provider.

    Args:
        sql: A bare driver.
        tell: Write one outbox row about a user.
    """

    def __init__(self, sql: Any, tell: Callable[[str, str], None]) -> None:  # noqa: ANN401  # one of two
        self._sql, self._tell, self._numbers = sql, tell, itertools.count()

    def rows(self) -> Mapping[str, Work]:
        """Return the three rows."""
        return {"sso_known": self.known, "sso_new": self.new, "sso_attach": self.attach}

    # --- the flows ----------------------------------------------------------------------------------------------------

    def leave(self) -> tuple[str, str]:
        """Keep that a browser went to the provider; return the state that it comes back with, and its own secret."""
        state, browser = secrets.token_urlsafe(32), secrets.token_urlsafe(32)
        self._sql.run(
            "INSERT INTO visit (state, browser, expires_at) VALUES (%s, %s, %s)",
            _digest(state),
            _digest(browser),
            int(time.time()) + LIFETIME,
        )
        return state, browser

    def sign_in(self, state: str, browser: str, subject: str) -> str:
        """Take the answer about *subject*, once, from the browser that went; return the secret of a session."""
        sql, session = self._sql, secrets.token_urlsafe(32)
        with sql.together():
            sql.run("BEGIN IMMEDIATE")
            visit = self._taken(state, browser)
            linked = sql.run("SELECT user_id FROM identity WHERE provider = %s AND subject = %s", PROVIDER, subject)
            _expect(visit)
            known = linked.fetchone()
            user = known[0] if known else self._make(subject)
            sql.run("INSERT INTO session (digest, user_id, state) VALUES (%s, %s, 'signed in')", _digest(session), user)
            self._tell(user, "arrived")
            sql.run("COMMIT")
        return session

    def link(self, state: str, browser: str, subject: str, session: str) -> None:
        """Take the answer about *subject*, once, for whoever is signed in."""
        sql = self._sql
        with sql.together():
            sql.run("BEGIN IMMEDIATE")
            visit = self._taken(state, browser)
            linked = sql.run(
                "INSERT INTO identity (provider, subject, user_id) "
                "SELECT %s, %s, user_id FROM session WHERE digest = %s AND state = 'signed in' RETURNING user_id",
                PROVIDER,
                subject,
                _digest(session),
            )
            _expect(visit)
            ((user,),) = linked.fetchall()
            self._tell(user, "linked")
            sql.run("COMMIT")

    def _taken(self, state: str, browser: str) -> Any:  # noqa: ANN401  # the driver's cursor
        taken = "DELETE FROM visit WHERE state = %s AND browser = %s RETURNING expires_at"
        return self._sql.run(taken, _digest(state), _digest(browser))

    def _make(self, subject: str) -> str:
        user = secrets.token_hex(13)
        self._sql.run("INSERT INTO account (id, email) VALUES (%s, %s)", user, subject)
        self._sql.run("INSERT INTO identity (provider, subject, user_id) VALUES (%s, %s, %s)", PROVIDER, subject, user)
        return user

    # --- what is measured ---------------------------------------------------------------------------------------------

    def known(self, operations: int, watch: Watch) -> None:
        """Take the provider's answer about somebody who came before."""
        subject = self._subject()
        self.sign_in(*self.leave(), subject)
        self._signed_in(operations, watch, lambda: subject)

    def new(self, operations: int, watch: Watch) -> None:
        """Take the answer about a stranger, and make an account."""
        self._signed_in(operations, watch, self._subject)

    def _signed_in(self, operations: int, watch: Watch, whose: Callable[[], str]) -> None:
        for _ in range(operations):
            subject, (state, browser) = whose(), self.leave()
            with watch:
                self.sign_in(state, browser, subject)

    def attach(self, operations: int, watch: Watch) -> None:
        """Link a second identity to somebody who is signed in."""
        for _ in range(operations):
            session, subject = self.sign_in(*self.leave(), self._subject()), self._subject()
            state, browser = self.leave()
            with watch:
                self.link(state, browser, subject, session)

    def _subject(self) -> str:
        return f"guest-{next(self._numbers)}@example.com"


def _expect(visit: Any) -> None:  # noqa: ANN401  # the driver's cursor
    ((expires_at,),) = visit.fetchall()
    if expires_at < time.time():
        raise AssertionError
