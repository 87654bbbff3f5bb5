"""What sessions ask of the world: their rows, known browsers, mailed links, and whether a person has a factor."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from authflow.ports import Transaction

if TYPE_CHECKING:
    from datetime import datetime

    from authflow.ports import Protected, Stored
    from authflow.sessions.states import Device, Personal, ResetLink, Session
    from authflow.values import SessionId, UserId


class SessionRows(Protocol):
    """One row per browser session, with a version that starts at 1 and rises by one at each save."""

    def load(self, session: SessionId) -> Stored[Session] | None:
        """Return the row, or none."""
        ...

    def add(self, state: Session) -> None:
        """Insert the row of a new browser, version 1.

        Raises:
            UniqueViolated: ``primary_key``: the row stands already; maybe not before the commit.
        """
        ...

    def save(self, state: Session, *, expected: int) -> None:
        """Replace the row if its version is still *expected*.

        Raises:
            StaleVersion: Somebody else saved it since, or it is gone. Nothing was written.
        """
        ...

    def count_alive(self, user: UserId, *, epoch: int, now: datetime) -> int:
        """Return how many rows are signed in as *user* under *epoch* and have not expired."""
        ...

    def of_user(self, user: UserId) -> tuple[Personal, ...]:
        """Return every row that belongs to *user*, the oldest first."""
        ...

    def remove_of_user(self, user: UserId) -> int:
        """Delete every row that belongs to *user*; return how many there were."""
        ...

    def remove_expired(self, now: datetime) -> int:
        """Delete every row whose time is over; return how many there were."""
        ...


class Devices(Protocol):
    """The browsers known by a completed second factor (decision 9)."""

    def ahead(self, user: UserId) -> None:
        """Hear that `of_user` is going to be asked for *user* behind their lock: an empty body is right.

        An adapter may read it along with the lock.
        """
        ...

    def of_user(self, user: UserId) -> tuple[Device, ...]:
        """Return every known browser of *user*, the least recently used first."""
        ...

    def add(self, device: Device) -> None:
        """Insert *device*.

        Raises:
            UniqueViolated: ``primary_key``: the digest stands already.
        """
        ...

    def touch(self, digest: bytes, now: datetime) -> None:
        """Remember that the browser was used at *now*. An unknown digest changes nothing."""
        ...

    def remove(self, digest: bytes) -> None:
        """Forget one browser, if it is known."""
        ...

    def remove_of_user(self, user: UserId) -> None:
        """Forget every browser of *user*."""
        ...


class ResetLinks(Protocol):
    """The links mailed after administrators' resets: single use, decided by one conditional statement."""

    def add(self, link: ResetLink) -> None:
        """Insert *link*, unspent."""
        ...

    def spend(self, digest: bytes, *, user: UserId, now: datetime) -> ResetLink | None:
        """Spend the link under *digest* if it is *user*'s and unspent, and return it; otherwise none.

        An expired link is spent too, so that no clock that goes back revives it (decision 35): the caller compares
        ``expires_at``. Of any number of concurrent calls exactly one gets the link.
        """
        ...

    def unspent(self, digest: bytes, *, user: UserId) -> bool:
        """Tell whether the link under *digest* is *user*'s and unspent; nothing is written."""
        ...

    def remove_of_user(self, user: UserId) -> int:
        """Delete every link of *user*; return how many there were."""
        ...

    def remove_expired(self, now: datetime) -> int:
        """Delete every link whose time is over; return how many there were."""
        ...


class SessionsTransaction(Transaction, Protocol):
    """What sessions need of an open transaction."""

    @property
    def sessions(self) -> SessionRows: ...
    @property
    def devices(self) -> Devices: ...
    @property
    def reset_links(self) -> ResetLinks: ...
    @property
    def factor_census(self) -> Protected: ...
