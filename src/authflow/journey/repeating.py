"""A command that is repeated under one idempotency key is done once, and answered alike (decision 8).

A host repeats a command when it was not told how the first try ended: the connection was lost around the commit. The
answer is stored, sealed, in the transaction of the command; whoever repeats it gets that answer, and nothing is done.
"""

from __future__ import annotations

import hashlib
import hmac
from datetime import timedelta
from typing import TYPE_CHECKING, Final, TypeVar, cast

import attrs

from authflow.errors import BrokenPromise, Code, InputInvalid, SecretUnavailable
from authflow.journey import keeping
from authflow.journey.door import carried
from authflow.journey.keeping import Kept, Left
from authflow.ports import Reply
from authflow.sessions.states import SignedIn
from authflow.values import NOBODY, Answer, Proof, Refused, token_digest

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from authflow.journey.ports import JourneyTransaction
    from authflow.ports import Cipher, Clock, Digest, Pepper, UnitOfWork
    from authflow.sessions.service import Sessions
    from authflow.values import Asker, BrowserSession, Context, UserId

AnswerT = TypeVar("AnswerT", bound=Answer)

KEY_MAX: Final = 64
"""Characters of a key: a UUID, or the hexadecimal digits of 256 bits."""

KEPT: Final = timedelta(hours=24)
KEPT_WITH_SECRETS: Final = timedelta(minutes=10)
"""How long an answer can be repeated, and one that shows a secret (decision 8)."""

FORMER_KEPT: Final = timedelta(minutes=10)
"""How long a session value that the answer replaced, or ended, still fetches that one answer (decision 8)."""


@attrs.frozen(kw_only=True)
class Asking:
    """One command as it is asked.

    Args:
        row: Digest of what the key is scoped to, the row of the browser and the command, and of the key itself.
        session: The value that was presented.
        secret: Digest of its secret.
        arguments: Digests of everything else, under every key of the ring.
        now: The instant at which it is asked.
    """

    row: bytes
    session: BrowserSession
    secret: bytes
    arguments: tuple[Digest, ...]
    now: datetime

    def is_like(self, reply: Reply) -> bool:
        """Tell whether *reply* answered a command with the same arguments.

        Raises:
            SecretUnavailable: The ring does not hold the key under which they were digested.
        """
        mine = next((d for d in self.arguments if d.key_id == reply.arguments.key_id), None)
        if mine is None:
            raise SecretUnavailable(key_id=reply.arguments.key_id)
        return hmac.compare_digest(mine.value, reply.arguments.value)


@attrs.frozen(kw_only=True)
class Repeating:
    """Answers repeated commands; `once` runs inside the command's transaction, before anything else."""

    uow: UnitOfWork[JourneyTransaction]
    clock: Clock
    cipher: Cipher
    pepper: Pepper
    sessions: Sessions

    def once(
        self,
        command: str,
        session: BrowserSession,
        context: Context,
        arguments: Mapping[str, object],
        work: Callable[[], AnswerT],
    ) -> AnswerT | Refused:
        """Return what *work* answers, or what it answered when the same browser asked the same before.

        Without a key, or from a browser that opens no living row, *work* is done anew. If it raises, nothing is kept.

        Args:
            command: Its stable name.
            session: Who asks.
            context: Its ``idempotency_key`` names the repeated command.
            arguments: Everything else that was asked with.
            work: Does the command.

        Raises:
            InputInvalid: An argument is nothing that could be compared.
            SealBroken, SecretUnavailable, SchemaTooNew: The kept answer cannot be read; nothing is done.
        """
        key, now = context.idempotency_key, self.clock.now()
        if key is None:
            return work()
        with self.uow.begin() as tx:
            if not _is_legal(key):
                asker = self.sessions.identify(session, now)
                return carried(Refused(code=Code.IDEMPOTENCY_KEY_INVALID), session, asker)
            if session.id == NOBODY.id:
                return work()
            asking = self._asking(command, session, key, arguments, now)
            # Before the browser's row is read: this may wait for a change of it.
            found = tx.replies.claim(asking.row, now)
            if found is not None:
                return self._again(tx, asking, found, work)
            row = self.sessions.opened(session)
            if row is None:
                tx.replies.release(asking.row)
                return work()
            return self._first(tx, asking, row.user if isinstance(row, SignedIn) else None, work)

    def sweep(self, now: datetime) -> int:
        """Delete the answers that have expired; return how many there were."""
        with self.uow.begin() as tx:
            return tx.replies.sweep(now)

    # --- two ways -------------------------------------------------------------------------------------------------

    def _first(
        self, tx: JourneyTransaction, asking: Asking, actor: UserId | None, work: Callable[[], AnswerT]
    ) -> AnswerT:
        """Do the work and keep its answer; what it answers to another row than the one that asked belongs to none."""
        answer = work()
        if answer.session.id not in {asking.session.id, NOBODY.id}:
            tx.replies.release(asking.row)
            return answer
        left = _left(asking, actor, answer)
        kept = attrs.evolve(answer, session=NOBODY) if left is Left.SAME else answer
        lives = KEPT_WITH_SECRETS if keeping.holds_secret(answer) else KEPT
        tx.replies.keep(
            Reply(
                key=asking.row,
                arguments=asking.arguments[0],
                answer=self.cipher.seal(
                    keeping.dump(Kept(asked=asking.secret, actor=actor, left=left, answer=kept)),
                    bound_to=_binding(asking.row),
                ),
                former_until=None if left is Left.SAME else asking.now + FORMER_KEPT,
                created_at=asking.now,
                expires_at=asking.now + lives,
            )
        )
        return answer

    def _again(
        self, tx: JourneyTransaction, asking: Asking, found: Reply, work: Callable[[], AnswerT]
    ) -> AnswerT | Refused:
        """Answer alike. Only authentication runs: the gates have moved on since."""
        kept, asker = self._open(found), self.sessions.identify(asking.session, asking.now)
        if not _lives(asker):
            return self._former(tx, asking, found, kept, work)
        if not _is_theirs(kept, asking, asker):
            return self._first(tx, asking, asker.user, work)
        if not asking.is_like(found):
            return carried(Refused(code=Code.IDEMPOTENCY_CONFLICT), asking.session, asker)
        return carried(cast("AnswerT", kept.answer), asking.session, asker)

    def _former(
        self, tx: JourneyTransaction, asking: Asking, found: Reply, kept: Kept, work: Callable[[], AnswerT]
    ) -> AnswerT:
        """Answer a value that opens nothing any more: with the one answer that made it so, or as without a key.

        An argument may be a code, and nobody could count guesses at it here: so the first argument that is another
        one ends this way, also for a host that rolls everything back.
        """
        if found.former_until is None or kept.asked != asking.secret or tx.attempts.read(_misses(asking)):
            return work()
        if not asking.is_like(found):
            tx.attempts.count(_misses(asking), expires_at=found.expires_at)
            return work()
        if asking.now >= found.former_until:
            # A clock that goes back revives nothing (decision 35).
            tx.replies.keep(attrs.evolve(found, former_until=None))
            return work()
        if kept.left is Left.RENEWED and not _lives(self.sessions.identify(kept.answer.session, asking.now)):
            return work()
        return cast("AnswerT", kept.answer)

    # --- pieces ---------------------------------------------------------------------------------------------------

    def _asking(
        self, command: str, session: BrowserSession, key: str, arguments: Mapping[str, object], now: datetime
    ) -> Asking:
        row = _digest(session.id, command, key)
        return Asking(
            row=row,
            session=session,
            secret=token_digest(session.secret),
            arguments=self.pepper.digests("reply", row.hex(), _canonical(arguments)),
            now=now,
        )

    def _open(self, found: Reply) -> Kept:
        return keeping.load(self.cipher.open(found.answer, bound_to=_binding(found.key)))


# --- decisions ------------------------------------------------------------------------------------------------------


def _is_legal(key: object) -> bool:
    return isinstance(key, str) and key.isascii() and key.isprintable() and 1 <= len(key) <= KEY_MAX


def _lives(asker: Asker) -> bool:
    """Tell whether the value that *asker* presented opens a row that is not over."""
    return bool(asker.session) and asker.why_not is not Code.SESSION_SUPERSEDED


def _is_theirs(kept: Kept, asking: Asking, asker: Asker) -> bool:
    """Tell whether the answer was given to whoever asks now: to the holder of this value, or to the same person.

    Nobody else holds the value with which the answer left the browser: whoever takes the browser over gets another.
    """
    value = token_digest(kept.answer.session.secret) if kept.left is Left.RENEWED else kept.asked
    return asking.secret == value or (kept.actor is not None and kept.actor == asker.user)


def _left(asking: Asking, actor: UserId | None, answer: Answer) -> Left:
    """Return what became of the value that asked: it is over, too, where somebody was signed in and nobody is now."""
    if answer.session.id == NOBODY.id or (actor is not None and answer.session.user is None):
        return Left.OVER
    return Left.SAME if token_digest(answer.session.secret) == asking.secret else Left.RENEWED


def _digest(*parts: str) -> bytes:
    """Return SHA-256 over the length-prefixed *parts*.

    Not keyed: there is nothing to guess in it, and a key of the ring that is rotated must not hide what was kept.
    """
    encoded = [part.encode(errors="surrogatepass") for part in parts]
    return hashlib.sha256(b"".join(len(part).to_bytes(4, "big") + part for part in encoded)).digest()


def _misses(asking: Asking) -> str:
    """Return the counter of arguments that were not the first ones."""
    return f"reply.misses:{asking.row.hex()}"


def _binding(row: bytes) -> tuple[str, str]:
    return ("reply", row.hex())


def _canonical(arguments: Mapping[str, object]) -> str:
    comparable = {name: _comparable(value) for name, value in sorted(arguments.items())}
    try:
        return keeping.text_of(keeping.plain(comparable))
    except (BrokenPromise, RecursionError) as error:
        raise InputInvalid(field="arguments", problem="cannot be compared with those of another try") from error


def _comparable(value: object) -> object:
    """Return *value* as every try gives it: lists are tuples, and when a host checked a proof is no argument."""
    if isinstance(value, Proof):
        return (value.method, value.organization, value.provider)
    return tuple(cast("list[object]", value)) if isinstance(value, list) else value
