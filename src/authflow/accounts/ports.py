"""What the accounts slice asks of the world: its rows; the people and their addresses are the host's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from authflow.ports import Transaction

if TYPE_CHECKING:
    from datetime import datetime

    from authflow.accounts.states import Confirmation, Over, Sent
    from authflow.values import Address, UserId


class ConfirmationRows(Protocol):
    """One row per mailed token, found by the token's digest alone; `Absent` is no row."""

    def load(self, token: bytes, *, lock: bool = False) -> Confirmation:
        """Return what stands under *token*. With *lock* the row is held until the transaction ends."""
        ...

    def add(self, state: Sent) -> None:
        """Insert the row of a mail.

        Raises:
            UniqueViolated: ``primary_key``: the digest stands already.
        """
        ...

    def hold(self, address: Address, now: datetime) -> tuple[Sent, ...]:
        """Hold *address*, and every token to it that waits, until the transaction ends; return the tokens.

        Of several who are about to verify one address, by a token or without any, the others wait for the first, and
        then see whose it became: so nobody's verified address is verified twice (decision 19).
        """
        ...

    def close(self, before: Sent, after: Over) -> bool:
        """Store *after* if the token still waits; tell whether.

        One conditional update decides: of any number of concurrent calls exactly one is told true.
        """
        ...

    def void(self, address: Address, at: datetime, *, user: UserId | None = None) -> int:
        """Store every token to *address* that still waits as voided, of *user* or of everybody; return how many.

        Addresses are compared with `authflow.values.same_address`.
        """
        ...

    def of_user(self, user: UserId) -> tuple[Sent | Over, ...]:
        """Return every row of *user*, those that expire first in front."""
        ...

    def remove_of_user(self, user: UserId) -> int:
        """Delete every row of *user*; return how many there were."""
        ...

    def remove_over(self, before: datetime) -> int:
        """Delete every row whose token expired before *before*, used or not; return how many there were.

        What was kept to hold addresses by before then goes with them, uncounted.
        """
        ...


class AccountsTransaction(Transaction, Protocol):
    """What accounts need of an open transaction."""

    @property
    def confirmations(self) -> ConfirmationRows: ...
