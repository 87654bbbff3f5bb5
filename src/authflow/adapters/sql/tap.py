"""Listening to what goes to the database: every statement and every step of a transaction, before and after.

For counting, for fault injection and for tests; nothing listens otherwise, and that costs nothing.
"""

from __future__ import annotations

from enum import StrEnum, unique
from typing import TYPE_CHECKING, Protocol, TypeVar

import attrs

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


@unique
class Kind(StrEnum):
    """What is about to happen, or has happened."""

    STATEMENT = "statement"
    BEGIN = "begin"
    COMMIT = "commit"
    ROLLBACK = "rollback"
    SAVEPOINT = "savepoint"
    RELEASE = "release"
    ROLLBACK_TO = "rollback_to"


@attrs.frozen
class Event:
    """One step: its kind and its text. Parameters are never told: addresses and secrets are among them.

    BEGIN is told also where a driver sends it by itself, with the first statement. What nobody waits for is told in its
    turn, when it is sent: on PostgreSQL that may be together with the next statement, or with COMMIT.
    """

    kind: Kind
    text: str


class Tap(Protocol):
    """Told of every step. What it raises counts as raised by the driver at that very step."""

    def before(self, event: Event) -> None:
        """Hear what is about to be sent; after an exception it is not sent."""
        ...

    def after(self, event: Event) -> None:
        """Hear what the database has answered; after an exception the answer is lost, and what it did stands.

        Of what nobody waits for, hear that it was sent.
        """
        ...


def told(tap: Tap, event: Event, work: Callable[[], T]) -> T:
    """Return what *work* does; *tap* hears of it before and after."""
    tap.before(event)
    done = work()
    tap.after(event)
    return done
