"""Every statement about people in a table of the host's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import attrs
import sqlalchemy as sa

from authflow.adapters.sql.hosted.addresses import AddressTable
from authflow.adapters.sql.hosted.conversion import Ids, is_column, is_expression
from authflow.adapters.sql.hosted.rows import deleting
from authflow.errors import ConfigInvalid

if TYPE_CHECKING:
    from collections.abc import Callable

    from authflow.adapters.sql.connection import Connection
    from authflow.adapters.sql.hosted.conversion import Instants
    from authflow.adapters.sql.hosted.people import UserTable


@attrs.frozen(kw_only=True)
class HostedUserStatements:
    """Every statement about the host's people, and the host's own functions."""

    ids: Ids
    instants: Instants
    keys: tuple[Any, ...]
    get: sa.Executable
    holders: sa.Executable
    verify: sa.Executable | None
    claimants: sa.Executable | None
    drop_address: Callable[[Connection, dict[str, Any]], object] | None
    drop_password_resets: Callable[[Connection, Any], int]
    remove: Callable[[Connection, Any], int]

    @classmethod
    def of(cls, t: UserTable) -> HostedUserStatements:
        ids = Ids.of(t.id, t.id_type, setting="users.id_type")
        instants = t.addresses.instants()
        keys = _keys(t)
        return cls(
            ids=ids,
            instants=instants,
            keys=keys,
            get=_get(t, ids, keys),
            holders=_holders(t, instants),
            verify=_verify(t, ids, keys),
            claimants=_claimants(t, keys),
            drop_address=_drop_address(t, ids, keys),
            drop_password_resets=deleting(
                t.drop_password_resets, ids, setting="users.drop_password_resets", problem=NO_RESETS
            ),
            remove=deleting(t.remove, ids, setting="users.remove", problem=NO_REMOVAL),
        )


NO_RESETS: Final = "must be the rows of lost-password tokens, RowsOf(...), or a function that ends them"
NO_REMOVAL: Final = "must be the rows of a person, RowsOf(...), or a function that deletes the person"
NO_DROPPER: Final = "must be a function: addresses.address is no column that can be emptied"
NO_VERIFIER: Final = "must be a function: addresses.verified is no column that can be updated"


def _get(t: UserTable, ids: Ids, keys: tuple[Any, ...]) -> sa.Executable:
    mapped: dict[str, Any] = {
        "id": t.id,
        "label": t.label,
        "name": t.name,
        "active": t.active,
        "administrator": t.administrator,
        "address": t.addresses.address,
        "verified": t.addresses.verified,
        "is_primary": primary_of(t),
        **{f"key_{number}": key for number, key in enumerate(keys)},
    }
    return (
        sa.select(*(given.label(name) for name, given in mapped.items() if is_expression(given)))
        .select_from(_joined(t, outer=True))
        .where(t.id == ids.bound("owner"), *_people(t))
    )


def _holders(t: UserTable, instants: Instants) -> sa.Executable:
    """Whoever may hold an address: the lookup makes one of more addresses than are the same mailbox."""
    looked_up = t.addresses.lookup
    asked = sa.bindparam("which", type_=sa.String())
    key: Any = t.id
    address: Any = t.addresses.address
    return (
        sa.select(key.label("id"), address.label("address"))
        .select_from(_joined(t, outer=False))
        .where(looked_up(address) == looked_up(asked), instants.proven(), *_people(t))
    )


def _verify(t: UserTable, ids: Ids, keys: tuple[Any, ...]) -> sa.Executable | None:
    """Update one row, and only while it holds the very text that was read: an address may change at this moment."""
    if t.record_verified is not None or t.addresses.verified is True:
        return None
    table: Any = _home(t)
    verified: Any = t.addresses.verified
    if not is_column(verified, table):
        raise ConfigInvalid(setting="users.record_verified", problem=NO_VERIFIER)
    owner = t.addresses.user if isinstance(t.addresses, AddressTable) else t.id
    where = [key == sa.bindparam(f"key_{number}", type_=key.type) for number, key in enumerate(keys)]
    same = t.addresses.address == sa.bindparam("held", type_=sa.String())
    return (
        sa.update(table)
        .where(owner == ids.bound("owner"), same, *where)
        .values({verified.name: sa.bindparam("at", type_=verified.type)})
    )


def _claimants(t: UserTable, keys: tuple[Any, ...]) -> sa.Executable | None:
    """Whoever may hold an address, verified or not; none where the host stores no other than verified ones."""
    verified: Any = t.addresses.verified
    if verified is True:
        return None
    key: Any = t.id
    address: Any = t.addresses.address
    mapped = {"id": key, "address": address, **({"verified": verified} if is_expression(verified) else {})}
    looked_up = t.addresses.lookup
    return (
        sa.select(
            *(given.label(name) for name, given in mapped.items()),
            *(column.label(f"key_{number}") for number, column in enumerate(keys)),
        )
        .select_from(_joined(t, outer=False))
        .where(looked_up(address) == looked_up(sa.bindparam("which", type_=sa.String())), *_people(t))
    )


def _drop_address(
    t: UserTable, ids: Ids, keys: tuple[Any, ...]
) -> Callable[[Connection, dict[str, Any]], object] | None:
    """Return how one row loses an address, while it holds the very text that was read and is not verified."""
    if t.drop_address is not None or t.addresses.verified is True:
        return None
    table: Any = _home(t)
    address: Any = t.addresses.address
    if not is_column(address, table):
        raise ConfigInvalid(setting="users.drop_address", problem=NO_DROPPER)
    owner = t.addresses.user if isinstance(t.addresses, AddressTable) else t.id
    where = [key == sa.bindparam(f"key_{number}", type_=key.type) for number, key in enumerate(keys)]
    if is_column(t.addresses.verified, table):
        where.append(t.addresses.instants().unproven())
    where += [owner == ids.bound("owner"), address == sa.bindparam("held", type_=sa.String())]
    if isinstance(t.addresses, AddressTable):
        dropped: Any = sa.delete(table).where(*where)
    else:
        nothing = sa.null() if getattr(address, "nullable", True) else sa.literal("", sa.String())
        dropped = sa.update(table).where(*where).values({address.name: nothing})
    return lambda connection, row: connection.changed(dropped, row)


def _home(t: UserTable) -> Any:
    """Return the table that holds addresses."""
    column: Any = t.addresses.user if isinstance(t.addresses, AddressTable) else t.id
    return column.table


def _keys(t: UserTable) -> tuple[Any, ...]:
    """Return the primary key of the table of addresses: it tells rows apart that the database compares as one."""
    return tuple(_home(t).primary_key) if isinstance(t.addresses, AddressTable) else ()


def primary_of(t: UserTable) -> Any:
    """Return what says whether an address is the primary one: the only one always is."""
    return t.addresses.primary if isinstance(t.addresses, AddressTable) else True


def _joined(t: UserTable, *, outer: bool) -> Any:
    column: Any = t.id
    if not isinstance(t.addresses, AddressTable):
        return column.table
    return column.table.join(_home(t), t.addresses.user == t.id, isouter=outer)


def _people(t: UserTable) -> tuple[Any, ...]:
    return () if t.where is None else (t.where,)
