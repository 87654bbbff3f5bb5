"""Which command runs here, and what is one to all of it: its unit of work, its instant, and what was decided in it."""

from __future__ import annotations

from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Final

import attrs

from authflow.here import whoever

if TYPE_CHECKING:
    from datetime import datetime

    from authflow.ports import Clock, UnitOfWork
    from authflow.witness import Entry


class Running:
    """One whole command while it runs; the commands given inside it are parts of it.

    Args:
        uow: What makes its transaction.

    Attributes:
        who: The thread or task that gave it: others are no part of it, whoever copied the context.
        entries: What was decided in the present try.
        instants: What each clock showed when the present try first looked at it.
    """

    __slots__ = ("entries", "instants", "uow", "who")

    def __init__(self, uow: UnitOfWork[Any]) -> None:
        self.uow, self.who = uow, whoever()
        self.entries: list[Entry] = []
        self.instants: dict[CommandClock, datetime] = {}

    def includes(self, other: Running) -> bool:
        """Tell whether *other*, given here, is a part of this one."""
        return self.uow is other.uow and self.who == other.who

    def try_anew(self) -> None:
        """Forget what the try before saw."""
        self.entries.clear()
        self.instants.clear()


RUNNING: Final[ContextVar[Running | None]] = ContextVar("authflow_running", default=None)
"""The command that runs here, or in the context of which this one is a copy: look at its ``who``."""


@attrs.frozen(eq=False)
class CommandClock:
    """A host's *clock* as commands see it: each looks once, and all of it happens at that instant.

    So no clock that leaps while a command runs lets one half of it see as expired what the other half saw alive. A
    command that is tried again looks again; what is no command, such as a relay's loop, looks whenever it asks.
    """

    clock: Clock

    def now(self) -> datetime:
        """Return the instant of the command that runs here; outside of any, what the clock shows."""
        running = RUNNING.get()
        if running is None or running.who != whoever():
            return self.clock.now()
        if self not in running.instants:
            running.instants[self] = self.clock.now()
        return running.instants[self]
