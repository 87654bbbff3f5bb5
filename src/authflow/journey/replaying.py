"""A command that is sent again under one idempotency key is done once, and answered alike (decision 8).

A host repeats a command when it was not told how the first try ended: the connection was lost around the commit. The
answer is stored, sealed, in the transaction of the command; whoever sends it again gets that, and nothing is done.
What is done in which case is the table's to say (`authflow.journey.replay`); here is read, asked and written.
"""

from __future__ import annotations

import hmac
from typing import TYPE_CHECKING, Final, TypeVar, cast

import attrs

from authflow.errors import Code, SecretUnavailable
from authflow.journey import replay, replies
from authflow.journey.door import carried
from authflow.journey.keyed import KeyedRequest, least_length, malformed, oversized, written
from authflow.journey.replies import Contents, SessionFate
from authflow.ports import Reply
from authflow.sessions.states import SignedIn
from authflow.values import NOBODY, UTC, Answer, Refused, Sealed, token_digest

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from authflow.journey.ports import JourneyTransaction
    from authflow.ports import Cipher, Clock, Digest, Pepper, UnitOfWork
    from authflow.sessions.service import Sessions
    from authflow.values import Asker, BrowserSession, Context, UserId

AnswerT = TypeVar("AnswerT", bound=Answer)

UNSEALED: Final = Sealed(key_id="", ciphertext=b"")
"""Stands in a reply until its answer is sealed for it."""

FATES: Final[Mapping[type[replay.Standing], SessionFate]] = {
    replay.Stored: SessionFate.SAME,
    replay.Renewed: SessionFate.RENEWED,
    replay.Ended: SessionFate.ENDED,
}
"""What became of the session value that asked, by what stands after the answer."""


@attrs.frozen(kw_only=True)
class Replaying:
    """Replays commands; `once` runs inside the command's transaction, before anything else."""

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

        Without a key, or from a browser that opens no living row, *work* is done anew. If it raises, nothing is stored.

        Args:
            command: Its stable name.
            session: Who asks.
            context: Its ``idempotency_key`` names the repeated command.
            arguments: Everything else that was asked with.
            work: Does the command.

        Raises:
            InputInvalid: An argument is nothing that could be compared.
            SealBroken, SecretUnavailable, ReplyUnreadable: The stored reply cannot be read; nothing is done.
        """
        key, now = context.idempotency_key, self.clock.now()
        if key is None:
            return work()
        with self.uow.begin() as tx:
            if (code := malformed(key)) is not None:
                return self._refused(code, session, now)
            if session.id == NOBODY.id:
                return work()
            if (code := oversized(least_length(arguments))) is not None:
                return self._refused(code, session, now)
            request = KeyedRequest(command=command, key=key, session=session, arguments=written(arguments), now=now)
            if (code := oversized(len(request.arguments))) is not None:
                return self._refused(code, session, now)
            # Before the browser's row is read: this may wait for a change of it.
            found = tx.replies.claim(request.row(), now)
            return self._first(tx, request, work) if found is None else self._again(tx, request, found, work)

    def sweep(self, now: datetime) -> int:
        """Delete the replies that have expired; return how many there were."""
        with self.uow.begin() as tx:
            return tx.replies.sweep(now)

    # --- two ways -------------------------------------------------------------------------------------------------

    def _first(self, tx: JourneyTransaction, request: KeyedRequest, work: Callable[[], AnswerT]) -> AnswerT:
        """Do the work, and store its answer."""
        row = self.sessions.opened(request.session)
        begun = replay.MACHINE.step(replay.Vacant(), replay.Begin(opens=row is not None), request.now)
        if not isinstance(begun.answer, replay.Do):
            tx.replies.release(request.row())
            return work()
        answer = work()
        record = _record(request, row.user if isinstance(row, SignedIn) else None, answer)
        state = replay.MACHINE.step(begun.state, record, request.now).state
        if isinstance(state, replay.Vacant):
            tx.replies.release(request.row())
            return answer
        contents = _contents(record, state, answer)
        tx.replies.store(self._reply(request.row(), request, state, contents))
        self._share(tx, request, state, contents)
        return answer

    def _share(self, tx: JourneyTransaction, request: KeyedRequest, state: replay.Standing, contents: Contents) -> None:
        """Store the reply for the next value, too, where it asks under another scope: somebody has signed in."""
        row = request.row(contents.answer.session)
        if isinstance(state, replay.Renewed) and row != request.row() and tx.replies.claim(row, request.now) is None:
            tx.replies.store(self._reply(row, request, state.closed(), contents))

    def _again(
        self, tx: JourneyTransaction, request: KeyedRequest, found: Reply, work: Callable[[], AnswerT]
    ) -> AnswerT | Refused:
        """Answer alike. Only authentication runs: the gates have moved on since."""
        contents, asker = self._open(found), self.sessions.identify(request.session, request.now)
        state, command = _standing(found, contents), self._asked(tx, request, found, contents, asker)
        step = replay.MACHINE.step(state, command, request.now)
        if isinstance(step.answer, replay.CountMiss):
            tx.attempts.count(_misses(request, found, contents), expires_at=found.expires_at)
            step = replay.MACHINE.step(state, attrs.evolve(command, missed=True), request.now)
        if isinstance(step.state, replay.Closed) and step.state != state:
            tx.replies.store(self._sealed(attrs.evolve(found, former_until=None), contents))
        if isinstance(step.answer, Refused):
            return carried(step.answer, request.session, asker)
        if isinstance(step.answer, replay.Give):
            return carried(cast("AnswerT", contents.answer), request.session, asker)
        if isinstance(step.answer, replay.HandOver):
            return cast("AnswerT", contents.answer)
        return work()

    # --- pieces ---------------------------------------------------------------------------------------------------

    def _refused(self, code: Code, session: BrowserSession, now: datetime) -> Refused:
        return carried(Refused(code=code), session, self.sessions.identify(session, now))

    def _asked(
        self, tx: JourneyTransaction, request: KeyedRequest, found: Reply, contents: Contents, asker: Asker
    ) -> replay.Ask | replay.Fetch:
        """Return what *asker* asks of what stands; after a miss nothing is compared any more."""
        missed = tx.attempts.read(_misses(request, found, contents)) > 0
        alike = not missed and self._is_alike(request, found)
        if asker.opens_a_row:
            return replay.Ask(secret=request.secret, user=asker.user, alike=alike, missed=missed)
        renewed, carries = contents.fate is SessionFate.RENEWED, contents.answer.session
        next_lives = renewed and self.sessions.identify(carries, request.now).opens_a_row
        return replay.Fetch(secret=request.secret, alike=alike, missed=missed, next_lives=next_lives)

    def _digests(self, row: bytes, request: KeyedRequest) -> tuple[Digest, ...]:
        return self.pepper.digests("reply", row.hex(), request.arguments)

    def _is_alike(self, request: KeyedRequest, found: Reply) -> bool:
        """Tell whether *found* answered a command with the same arguments.

        Raises:
            SecretUnavailable: The ring does not hold the key under which they were digested.
        """
        digests, stored = self._digests(found.key, request), found.arguments
        mine = next((digest for digest in digests if digest.key_id == stored.key_id), None)
        if mine is None:
            raise SecretUnavailable(key_id=stored.key_id)
        return hmac.compare_digest(mine.value, stored.value)

    def _reply(self, row: bytes, request: KeyedRequest, state: replay.Standing, contents: Contents) -> Reply:
        reply = Reply(
            key=row,
            arguments=self._digests(row, request)[0],
            answer=UNSEALED,
            former_until=state.former_until if isinstance(state, replay.Renewed | replay.Ended) else None,
            created_at=request.now,
            expires_at=state.expires_at,
        )
        return self._sealed(reply, contents)

    def _sealed(self, reply: Reply, contents: Contents) -> Reply:
        return attrs.evolve(reply, answer=self.cipher.seal(replies.dump(contents), bound_to=_binding(reply)))

    def _open(self, found: Reply) -> Contents:
        return replies.load(self.cipher.open(found.answer, bound_to=_binding(found)))


# --- what was read, in the words of the table -------------------------------------------------------------------------


def _record(request: KeyedRequest, actor: UserId | None, answer: Answer) -> replay.Record:
    session = answer.session
    return replay.Record(
        asked=request.secret,
        actor=actor,
        elsewhere=session.id not in {request.session.id, NOBODY.id},
        carries=None if session.id == NOBODY.id else token_digest(session.secret),
        names=session.user is not None,
        secret_shown=replies.holds_secret(answer),
    )


def _contents(record: replay.Record, state: replay.Standing, answer: Answer) -> Contents:
    """Return what is sealed; the secret of a session value that goes on is not stored at all."""
    fate = FATES[type(state)]
    stored = attrs.evolve(answer, session=NOBODY) if fate is SessionFate.SAME else answer
    return Contents(asked=record.asked, actor=record.actor, fate=fate, answer=stored)


def _standing(found: Reply, contents: Contents) -> replay.Standing:
    """Return what stands: a reply of a replaced or ended value without a time is closed to that value."""
    asked, actor, until, expires_at = contents.asked, contents.actor, found.former_until, found.expires_at
    renewed = contents.fate is SessionFate.RENEWED
    holder = token_digest(contents.answer.session.secret) if renewed else asked
    if contents.fate is SessionFate.SAME:
        return replay.Stored(holder=holder, actor=actor, expires_at=expires_at)
    if until is None:
        return replay.Closed(holder=holder, actor=actor, expires_at=expires_at)
    if renewed:
        return replay.Renewed(former=asked, former_until=until, holder=holder, actor=actor, expires_at=expires_at)
    return replay.Ended(former=asked, former_until=until, actor=actor, expires_at=expires_at)


# --- how it is written ------------------------------------------------------------------------------------------------


def _misses(request: KeyedRequest, found: Reply, contents: Contents) -> str:
    """Return the counter of arguments that were not the first ones: of this one reply, in whichever rows it stands."""
    return f"reply.misses:{request.row_of_value(contents.asked).hex()}:{found.created_at.astimezone(UTC).isoformat()}"


def _binding(reply: Reply) -> tuple[str, ...]:
    """Return what the answer is sealed for: the whole row, so that no column of it can be changed.

    Of every format: a reader finds out which one it is behind the seal only.
    """
    times = (reply.former_until, reply.created_at, reply.expires_at)
    written = ("" if at is None else at.astimezone(UTC).isoformat() for at in times)
    return ("reply", reply.key.hex(), reply.arguments.key_id, reply.arguments.value.hex(), *written)
