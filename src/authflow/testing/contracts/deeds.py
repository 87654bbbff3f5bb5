"""What the contracts of the unit of work do in a transaction: write, count, and fail."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

import attrs

from authflow.facts.records import Audit, AuditEntry
from authflow.ports import Allowed
from authflow.testing.clocks import START
from authflow.values import Budget, UserId

if TYPE_CHECKING:
    from authflow.ports import Transaction, UnitOfWork

ANNE: Final = UserId("anne")

ENTRY: Final = AuditEntry(id="entry-1", at=START, event=Audit.MFA_ADDED, target_user=ANNE)

BUDGET: Final = Budget(name="contract", limit=5, window=timedelta(hours=1))


class Boom(Exception):
    """What a command raises in the middle: a fault, planted."""


def set_epoch(tx: Transaction, epoch: int) -> None:
    """Write something: the epoch of one account."""
    tx.accounts.save(attrs.evolve(tx.accounts.lock(ANNE), epoch=epoch))


def epoch(uow: UnitOfWork[Transaction]) -> int:
    """Return what `set_epoch` wrote; 1 if nothing stands."""
    with uow.begin() as tx:
        return tx.accounts.lock(ANNE).epoch


def write(tx: Transaction) -> None:
    """Append one entry to the log, of which `entries` tells."""
    tx.audit.append([ENTRY])


def entries(uow: UnitOfWork[Transaction]) -> list[AuditEntry]:
    """Return the audit entries of one person."""
    with uow.begin() as tx:
        return list(tx.audit.of_user(ANNE))


def count(tx: Transaction) -> None:
    """Count one attempt, and one hit of a budget."""
    tx.attempts.count("guess", expires_at=START + timedelta(hours=1))
    assert isinstance(tx.limits.hit(BUDGET, "anne", START), Allowed)


def counts(uow: UnitOfWork[Transaction]) -> tuple[int, int]:
    """Return how many attempts stand, and how many calls the budget still has."""
    with uow.begin() as tx:
        left = tx.limits.peek(BUDGET, "anne", START)
        return tx.attempts.read("guess"), left.left if isinstance(left, Allowed) else 0
