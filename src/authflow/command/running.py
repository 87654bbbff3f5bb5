"""Which command runs here, and what is one to all of it: its unit of work, its instant, and what was decided in it."""

from __future__ import annotations

from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Final, TypeVar

import attrs

from authflow.errors import NotInUnitOfWork
from authflow.here import whoever
from authflow.witness import listen, listening, unlisten

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from authflow.ports import Clock, UnitOfWork
    from authflow.witness import Entry

T = TypeVar("T")


class Running:
    """One whole command while it runs; the commands given inside it are parts of it.

    Args:
        uow: What makes its transaction.

    Attributes:
        who: The thread or task that gave it: others are no part of it, whoever copied the context.
        outer: The command in which it was given, perhaps of another installation.
        over: It has ended. A copy of its context, in which it still stands, may outlive it in the same thread.
        entries: What was decided in the present try.
        instants: What each of the host's clocks, by its ``id``, showed when the present try first looked at it.
    """

    __slots__ = ("entries", "instants", "outer", "over", "uow", "who")

    def __init__(self, uow: UnitOfWork[Any]) -> None:
        self.uow, self.who, self.outer, self.over = uow, whoever(), RUNNING.get(), False
        self.entries: list[Entry] = []
        self.instants: dict[int, datetime] = {}

    def is_part(self) -> bool:
        """Tell whether this one is given inside another of the same unit of work, and so is a part of that one."""
        return running(self.uow) is not None

    def try_anew(self) -> None:
        """Forget what the try before saw."""
        self.entries.clear()
        self.instants.clear()


RUNNING: Final[ContextVar[Running | None]] = ContextVar("authflow_running", default=None)
"""The command that runs here, or in the context of which this one is a copy: `running` tells which."""


def running(uow: UnitOfWork[Any]) -> Running | None:
    """Return the command of *uow* that runs here, given by this very thread or task; none outside of any."""
    found, who = RUNNING.get(), whoever()
    while found is not None and (found.over or found.uow is not uow or found.who != who):
        found = found.outer
    return found


def in_one(uow: UnitOfWork[Any], work: Callable[[], T]) -> T:
    """Do *work*, a part of an operation, as a whole: one transaction at one instant, tried again like a command's.

    Inside a command, which is one transaction already, it is a part of that one. What is decided in the try that
    counts is seen by whoever explains the operation.
    """
    return _whole(uow, uow.run, work)


def looked(uow: UnitOfWork[Any], work: Callable[[], T]) -> T:
    """Return what *work* finds, a part of an operation that mostly only reads, in no transaction.

    It looks at the clock once, and at rows of which each may be of another moment (`UnitOfWork.look`). Where something
    has to be stored after all, such as that a session is over, it is done anew as `in_one` does it. Inside a command it
    is a part of that one.
    """

    def look(tried: Callable[[], T]) -> T:
        try:
            return uow.look(tried)
        except NotInUnitOfWork:
            return uow.run(tried)

    return _whole(uow, look, work)


def _whole(uow: UnitOfWork[Any], do: Callable[[Callable[[], T]], T], work: Callable[[], T]) -> T:
    here, outer = Running(uow), listening()
    if here.is_part():
        return work()
    inside, heard = RUNNING.set(here), listen(here.entries)

    def tried() -> T:
        here.try_anew()
        return work()

    try:
        return do(tried)
    finally:
        here.over = True
        unlisten(heard)
        RUNNING.reset(inside)
        if outer is not None:
            outer.extend(here.entries)


@attrs.frozen(eq=False)
class CommandClock:
    """A host's *clock* as commands see it: each looks once, and all of it happens at that instant.

    So no clock that leaps while a command runs lets one half of it see as expired what the other half saw alive. A
    command that is tried again looks again; what is no command, such as a relay's loop, looks whenever it asks.

    Args:
        clock: The host's.
        uow: That of the commands.
    """

    clock: Clock
    uow: UnitOfWork[Any]

    def now(self) -> datetime:
        """Return the instant of the command that runs here; outside of any, what the clock shows."""
        here = running(self.uow)
        if here is None:
            return self.clock.now()
        if id(self.clock) not in here.instants:
            here.instants[id(self.clock)] = self.clock.now()
        return here.instants[id(self.clock)]
