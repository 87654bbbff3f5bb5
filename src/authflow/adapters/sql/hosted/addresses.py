"""Where a host keeps e-mail addresses: in a column of its table of people, or in a table of their own."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta  # noqa: TC003  # attrs resolves the annotations of public values
from typing import Any

import attrs
import sqlalchemy as sa

from authflow.adapters.sql.hosted.conversion import (
    Expression,
    Instants,
    core,
    require_expression,
    require_flag,
)
from authflow.errors import ConfigInvalid

Lookup = Callable[[Any], Any]
"""The SQL function of an index over addresses, such as ``sqlalchemy.func.lower``."""


@attrs.frozen(kw_only=True, eq=False)
class AddressColumn:
    """One address per person, in a column of the table of people. A null or empty one is none.

    Args:
        address: The column.
        verified: Since when the address is verified (an instant, null while it is not) or whether it is (a flag); or
            ``True`` where the host stores no other, ``False`` where it verifies none.
        unit: What one of *verified* is, where that is a column of numbers: ``timedelta(seconds=1)`` for Unix time.
        lookup: The SQL function under which addresses are looked up; give the one of your index. It must make one of
            addresses that differ only in ASCII letter case, and may make one of more: rows are compared again. The
            default suits an index on ``lower(address)``; ``lambda text: text`` suits a column that compares without
            letter case (``citext``, MariaDB) or holds small letters only.

    Raises:
        ConfigInvalid: A setting makes no sense.
    """

    address: Expression = attrs.field(converter=core)
    verified: Expression | bool = attrs.field(converter=core)
    unit: timedelta | None = None
    lookup: Lookup = sa.func.lower

    def __attrs_post_init__(self) -> None:
        require_expression(self.address, setting="addresses.address")
        self.instants()
        if not callable(self.lookup):
            raise ConfigInvalid(setting="addresses.lookup", problem="must be an SQL function")

    def instants(self) -> Instants:
        """Return how verifications are read and written."""
        return Instants(self.verified, self.unit, "addresses.verified")


@attrs.frozen(kw_only=True, eq=False)
class AddressTable(AddressColumn):
    """Any number of addresses per person, in a table of their own.

    Args:
        user: The column with the person's id.
        primary: Whether an address is the person's primary one: a flag, or an expression that may ask the table of
            people too.
        address, verified, unit, lookup: As of `AddressColumn`.

    Raises:
        ConfigInvalid: A setting makes no sense.
    """

    user: Expression = attrs.field(converter=core)
    primary: Expression | bool = attrs.field(converter=core)

    def __attrs_post_init__(self) -> None:
        super().__attrs_post_init__()
        require_expression(self.user, setting="addresses.user")
        require_flag(self.primary, setting="addresses.primary")
