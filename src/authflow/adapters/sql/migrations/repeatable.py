"""DDL that may run twice. MariaDB commits each such statement by itself, so a step can fail with a part of it done.

There every statement of a migration says IF [NOT] EXISTS, and a step that failed is run once more from its beginning.
Changes of rows in a migration must be such that a second run changes nothing.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import event

if TYPE_CHECKING:
    import sqlalchemy as sa

FORMS: Final = tuple(
    (re.compile(rf"^(\s*{plain}) (?!IF )"), rf"\1 {condition} ")
    for plain, condition in (
        ("CREATE TABLE", "IF NOT EXISTS"),
        ("CREATE (?:UNIQUE )?INDEX", "IF NOT EXISTS"),
        (r"ALTER TABLE \S+ ADD COLUMN", "IF NOT EXISTS"),
        ("DROP TABLE", "IF EXISTS"),
        ("DROP INDEX", "IF EXISTS"),
        (r"ALTER TABLE \S+ DROP COLUMN", "IF EXISTS"),
    )
)
"""What Alembic's operations write, and the condition that MariaDB takes behind it, if none stands there yet."""


def repeatable(statement: str) -> str:
    """Return *statement* so that it does nothing where it was done before.

    >>> repeatable("DROP INDEX name ON place")
    'DROP INDEX IF EXISTS name ON place'
    >>> repeatable("CREATE TABLE IF NOT EXISTS place (name TEXT)")
    'CREATE TABLE IF NOT EXISTS place (name TEXT)'
    """
    for plain, conditional in FORMS:
        statement = plain.sub(conditional, statement)
    return statement


def make_repeatable(connection: sa.Connection) -> None:
    """Let every statement that *connection* executes from now on be `repeatable`."""

    def rewrite(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> tuple[str, Any]:
        return repeatable(statement), parameters

    event.listen(connection, "before_cursor_execute", rewrite, retval=True)
