"""What a person has is read once in a transaction, and again when somebody may have changed it meanwhile."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from authflow.adapters.sql.mfa import BATCH
from authflow.mfa.holdings import Holdings
from authflow.mfa.kinds import TOTP
from authflow.testing.contracts.factors import ADA, BOB, EVE, UNUSED

if TYPE_CHECKING:
    from authflow.adapters.sql.unit_of_work import SqlUnitOfWork


class Heard:
    """Counts the statements that are run."""

    def __init__(self) -> None:
        self.statements = 0

    def before(self, event: Any) -> None:
        """Count it."""
        self.statements += event.kind.name == "STATEMENT"

    def after(self, event: Any) -> None:
        """Nothing more is to be learned from it."""


def test_what_a_lock_was_waited_for_is_read_again(sqlite_uow: SqlUnitOfWork):
    """Until then what was read once is believed."""
    with sqlite_uow.begin() as tx:
        tx.factors.save(ADA, TOTP.id, UNUSED, expected=0)
    with sqlite_uow.begin() as tx:
        assert tx.factors.of_user(ADA) != Holdings()
        tx.connection.run(sa.delete(sqlite_uow.tables.mfa.factor), {})
        assert tx.factors.of_user(ADA) != Holdings()
        tx.factors.forget()
        assert tx.factors.of_user(ADA) == Holdings()


def test_one_statement_tells_which_of_many_are_protected(sqlite_uow: SqlUnitOfWork):
    """A page of members costs no more than one of them, up to what a statement takes."""
    sqlite_uow.tap = heard = Heard()
    with sqlite_uow.begin() as tx:
        for people, statements in (((ADA, BOB, EVE), 1), (tuple(map(str, range(BATCH + 1))), 2)):
            before = heard.statements
            assert set(tx.factor_census.protected(people).values()) == {False}
            assert heard.statements - before == statements
