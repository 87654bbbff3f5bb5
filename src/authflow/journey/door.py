"""How every composed command begins and ends: the session is turned into who asks, and the answer carries it on."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar, overload

import attrs

from authflow.errors import BrokenPromise, Code
from authflow.values import NOBODY, Answer, Refused, UserId, identifier

if TYPE_CHECKING:
    from collections.abc import Callable

    from authflow.command import Replays
    from authflow.journey.ports import JourneyTransaction
    from authflow.ports import Clock, UnitOfWork
    from authflow.sessions.service import Sessions
    from authflow.values import Asker, BrowserSession

AnswerT = TypeVar("AnswerT", bound=Answer)
T = TypeVar("T")
A = TypeVar("A")
B = TypeVar("B")
C = TypeVar("C")
D = TypeVar("D")


class Declined(Exception):  # it carries an answer, and is no error
    """A helper ends the command that called it: *answer* is what that answers.

    Who catches it says what stands, and it never leaves the transaction. Around a savepoint, what was begun in it is
    undone. Around the rest of a command (`settled`) nothing is: what was written before stays, such as a step that a
    table took, or that the log was told.
    """

    def __init__(self, answer: Refused) -> None:
        self.answer = answer
        super().__init__(answer.code)


def need(found: T | Refused) -> T:
    """Return *found*, without which the command cannot go on.

    Raises:
        Declined: It is a refusal.
    """
    if isinstance(found, Refused):
        raise Declined(found)
    return found


def settled(command: Callable[[], AnswerT]) -> AnswerT | Refused:
    """Return what *command* answers, or with what a helper of it declined; what it wrote before that stays."""
    try:
        return command()
    except Declined as declined:
        return declined.answer


def hold(tx: JourneyTransaction, first: UserId | None, *others: UserId) -> None:
    """Hold the accounts of *first*, and of the *others* who exist, in one order.

    Raises:
        InputInvalid: One of the *others* cannot be a person's id.
    """
    known = {user for user in others if tx.users.get(UserId(identifier(user, field="user"))) is not None}
    tx.accounts.hold(known | ({first} if first is not None else set()))


@attrs.frozen(kw_only=True)
class Askers:
    """Turns sessions into who asks, for commands that are composed of parts."""

    uow: UnitOfWork[JourneyTransaction]
    clock: Clock
    sessions: Sessions

    def asked(
        self, session: BrowserSession, command: Callable[[JourneyTransaction, Asker], AnswerT]
    ) -> AnswerT | Refused:
        """Let *command* answer whoever *session* is, in one transaction; the answer carries the session on.

        Their account is held before the session is read: whoever ends it comes before the command, or after it.
        """
        return self._answer(session, command, lock=True)

    def shown(self, session: BrowserSession, look: Callable[[JourneyTransaction, Asker], AnswerT]) -> AnswerT | Refused:
        """Let *look*, which changes nothing, answer likewise; nobody waits for anybody."""
        return self._answer(session, look, lock=False)

    def found(self, session: BrowserSession, look: Callable[[JourneyTransaction, Asker], T]) -> T | Refused:
        """Return what *look* finds, which is no answer yet, for whoever *session* is; a refusal carries it on."""
        with self.uow.begin() as tx:
            asker = self.sessions.identify(session, self.clock.now())
            try:
                found = look(tx, asker)
            except Declined as declined:
                return carried(declined.answer, session, asker)
            return carried(found, session, asker) if isinstance(found, Refused) else found

    def held(self, tx: JourneyTransaction, session: BrowserSession, *others: UserId) -> Asker:
        """Return who asks, in the caller's transaction, with their account held and those of the *others* who exist.

        Raises:
            InputInvalid: One of the *others* cannot be a person's id.
        """
        hold(tx, self.sessions.identify(session, self.clock.now()).user, *others)
        return self.sessions.identify(session, self.clock.now())

    def _answer(
        self, session: BrowserSession, command: Callable[[JourneyTransaction, Asker], AnswerT], *, lock: bool
    ) -> AnswerT | Refused:
        with self.uow.begin() as tx:
            asker = self.sessions.identify(session, self.clock.now(), lock=lock)
            return carried(settled(lambda: command(tx, asker)), session, asker)


@attrs.frozen(kw_only=True)
class Door:
    """What the facades of one class share: the unit of work that makes one transaction of several slices.

    Their commands reach the transaction through the services of the slices, and are given who asks alone.
    """

    _uow: UnitOfWork[JourneyTransaction] = attrs.field(alias="uow")
    _clock: Clock = attrs.field(alias="clock")
    _sessions: Sessions = attrs.field(alias="sessions")
    _replays: Replays = attrs.field(alias="replays")

    @property
    def _askers(self) -> Askers:
        return Askers(uow=self._uow, clock=self._clock, sessions=self._sessions)

    def _asked(self, session: BrowserSession, command: Callable[[Asker], AnswerT]) -> AnswerT | Refused:
        """Let *command* run as `Askers.asked` does."""
        return self._askers.asked(session, lambda _tx, asker: command(asker))

    def _asked_for(
        self, kind: type[AnswerT], session: BrowserSession, command: Callable[[Asker], Answer]
    ) -> AnswerT | Refused:
        """Let *command*, which answers with a *kind* or a refusal, run as `_asked` does."""
        return self._asked(session, lambda asker: expect(command(asker), kind, Refused))

    def _shown(self, session: BrowserSession, look: Callable[[Asker], AnswerT]) -> AnswerT | Refused:
        """Let *look*, which changes nothing, answer as `Askers.shown` does."""
        return self._askers.shown(session, lambda _tx, asker: look(asker))

    def _held(self, tx: JourneyTransaction, session: BrowserSession, *others: UserId) -> Asker:
        """Return who asks, with accounts held, as `Askers.held` does."""
        return self._askers.held(tx, session, *others)


@overload
def expect(answer: object, one: type[A], /) -> A: ...
@overload
def expect(answer: object, one: type[A], two: type[B], /) -> A | B: ...
@overload
def expect(answer: object, one: type[A], two: type[B], three: type[C], /) -> A | B | C: ...
@overload
def expect(answer: object, one: type[A], two: type[B], three: type[C], four: type[D], /) -> A | B | C | D: ...
def expect(answer: object, *kinds: type) -> object:
    """Return *answer*, which a slice has promised to be one of *kinds*: this closes the union that a host matches on.

    Raises:
        BrokenPromise: It is something else: a bug. The transaction is rolled back.
    """
    if not isinstance(answer, kinds):
        raise BrokenPromise(answer=type(answer).__name__)
    return answer


def carried(answer: AnswerT, session: BrowserSession, asker: Asker) -> AnswerT:
    """Return *answer* with the value that the host goes on keeping: the one it has, as far as it still says something.

    A session that is over is nobody's any more; one that *asker* shows to be nobody's names nobody.
    """
    if asker.why_not is Code.SESSION_ENDED:
        return attrs.evolve(answer, session=NOBODY)
    user = None if asker.user is None else session.user
    return attrs.evolve(answer, session=attrs.evolve(session, renew=False, user=user))
