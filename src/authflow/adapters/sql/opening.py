"""Opening an installation on a database whose tables stand."""

from __future__ import annotations

from typing import TYPE_CHECKING

from authflow.adapters.sql import schema as history
from authflow.adapters.sql.engine import engine_of
from authflow.adapters.sql.hosted import OrganizationTable, UserTable
from authflow.adapters.sql.hosted.organizations import HostedOrganizations
from authflow.adapters.sql.hosted.people import HostedUsers
from authflow.adapters.sql.tables import PREFIX, build
from authflow.adapters.sql.unit_of_work import SqlUnitOfWork

if TYPE_CHECKING:
    import sqlalchemy as sa

    from authflow.adapters.sql.people import OrganizationsFactory, RegistrarFactory, UsersFactory

__all__ = ["engine_of", "unit_of_work"]


def unit_of_work(
    engine: sa.Engine,
    *,
    prefix: str | None,
    schema: str | None,
    users: UserTable | UsersFactory | None,
    organizations: OrganizationTable | OrganizationsFactory | None,
    registrar: RegistrarFactory | None,
) -> SqlUnitOfWork:
    """Return the unit of work on *engine*; the arguments are those of `authflow.wiring.Authflow.open`.

    Raises:
        SchemaMissing, SchemaTooOld, SchemaTooNew, DatabaseUnavailable, ConfigInvalid: As there.
    """
    tables = build(prefix=PREFIX if prefix is None else prefix, schema=schema)
    history.check(engine, tables)
    uow = SqlUnitOfWork(engine, tables, users=users, organizations=organizations, registrar=registrar)
    _require_readable(uow, users, organizations)
    return uow


def _require_readable(uow: SqlUnitOfWork, *given: object) -> None:
    """Refuse tables of the host's that are not as they are mapped, before anybody signs in.

    Args:
        uow: It maps them.
        given: What the host gave instead of our tables; if that is nothing, nothing is read.

    Raises:
        ConfigInvalid: The database does not know a table or a column, or not of that type.
    """
    if not any(isinstance(mapped, UserTable | OrganizationTable) for mapped in given):
        return
    uow.look(lambda: _probe(uow))


def _probe(uow: SqlUnitOfWork) -> None:
    with uow.begin() as tx:
        for mapped in (tx.users, tx.organizations):
            if isinstance(mapped, HostedUsers | HostedOrganizations):
                mapped.probe()
