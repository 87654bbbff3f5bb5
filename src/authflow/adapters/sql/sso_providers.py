"""Providers in SQL."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs
import sqlalchemy as sa

from authflow.adapters.sql import columns as c
from authflow.adapters.sql.read_once import ReadOnce
from authflow.errors import StaleVersion
from authflow.ports import Stored
from authflow.sso.connection import Connected, NoProvider, Settings
from authflow.values import OrganizationId, ProviderId, Role

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from authflow.adapters.sql.connection import Connection
    from authflow.adapters.sql.rows import Result, Row
    from authflow.adapters.sql.tables.sso import SsoTables
    from authflow.sso.connection import Provider


@attrs.frozen(kw_only=True)
class ProviderStatements:
    """Every statement about providers, built once."""

    load: sa.Executable
    lock: sa.Executable
    add: sa.Executable
    update: sa.Executable
    delete: sa.Executable
    with_kind: sa.Executable
    sealing_keys: sa.Executable
    sealed_under: sa.Executable

    @classmethod
    def of(cls, t: SsoTables) -> ProviderStatements:
        row = t.provider
        here = row.c.organization_id == sa.bindparam("place")
        same = [here, row.c.version == sa.bindparam("expected")]
        kept = {"id", "organization_id"}
        changing: dict[str, Any] = {
            column.name: sa.bindparam(f"new_{column.name}") for column in row.c if column.name not in kept
        }
        load = sa.select(row).where(here)
        behind: sa.BindParameter[Any] = sa.bindparam("after")
        meant = [row.c.kind.in_(sa.bindparam("kinds", expanding=True)), row.c.organization_id > sa.bindparam("after")]
        return cls(
            load=load,
            lock=load.with_for_update(),
            add=sa.insert(row),
            update=sa.update(row).where(*same, row.c.id == sa.bindparam("which")).values(changing),
            delete=sa.delete(row).where(*same),
            sealing_keys=sa.select(row.c.sealing_key).distinct(),
            sealed_under=sa.select(row.c.organization_id)
            .where(row.c.sealing_key.in_(sa.bindparam("keys", expanding=True)), row.c.organization_id > behind)
            .order_by(row.c.organization_id)
            .limit(sa.bindparam("most")),
            with_kind=sa.select(row).where(*meant).order_by(row.c.organization_id).limit(sa.bindparam("most")),
        )


class SqlProviders:
    """`authflow.sso.ports.ProviderRows` in SQL. A row is read once in a transaction, and again after a lock."""

    def __init__(self, connection: Connection, statements: ProviderStatements) -> None:
        self._connection = connection
        self._sql = statements
        self._read: ReadOnce[OrganizationId, Stored[Provider]] = ReadOnce(connection)
        self._beside: Callable[[OrganizationId], Row | None] = self._alone
        self._coming: dict[OrganizationId, Callable[[], Result]] = {}

    def _alone(self, organization: OrganizationId) -> Row | None:
        return self._connection.run(self._sql.load, {"place": organization}).one_or_none()

    def load(self, organization: OrganizationId, *, lock: bool = False) -> Stored[Provider]:
        def read() -> Stored[Provider]:
            if lock and not self._connection.alone:
                came = self._coming.pop(organization, None) or self._locking(organization)
                return _stored(came().one_or_none())
            return _stored(self._beside(organization))

        return self._read.get(organization, read, lock=lock)

    def _locking(self, organization: OrganizationId) -> Callable[[], Result]:
        return self._connection.soon(self._sql.lock, {"place": organization})

    def lock_soon(self, organization: OrganizationId) -> None:
        """Let the lock travel with whatever is waited for next, where things travel together: it will be asked for."""
        if self._connection.pipeline is not None and not self._read.holds(organization):
            self._coming[organization] = self._locking(organization)

    def beside(self, read: Callable[[OrganizationId], Row | None]) -> None:
        """Let *read* read rows from now on: it brings the organization with it."""
        self._beside = read

    def saw(self, organization: OrganizationId, row: Row | None) -> None:
        """Remember the row of *organization*, or that there is none."""
        self._read.saw(organization, _stored(row))

    def forget(self) -> None:
        """Read again what is not held: a lock was waited for."""
        self._read.forget()
        self._coming.clear()

    def save(self, organization: OrganizationId, state: Provider, *, expected: int) -> None:
        self._read.drop(organization)
        same = {"place": organization, "expected": expected}
        if isinstance(state, NoProvider):
            changed = self._connection.changed(self._sql.delete, same)
        elif expected == 0:
            changed = 1
            identity = {"id": state.id, "organization_id": organization}
            self._connection.run(self._sql.add, {**identity, **_columns(state, version=1)})
        else:
            new = {f"new_{name}": value for name, value in _columns(state, version=expected + 1).items()}
            changed = self._connection.changed(self._sql.update, {**same, "which": state.id, **new})
        if changed != 1:
            raise StaleVersion

    def with_kind(
        self, kinds: Collection[str], *, limit: int, after: OrganizationId | None = None
    ) -> tuple[Connected, ...]:
        if not kinds:
            return ()
        behind = {"kinds": sorted(kinds), "after": after or "", "most": limit}
        return tuple(_provider(row) for row in self._connection.run(self._sql.with_kind, behind))

    def sealing_keys(self) -> frozenset[str]:
        return frozenset(row.sealing_key for row in self._connection.run(self._sql.sealing_keys))

    def sealed_under(
        self, keys: Collection[str], *, limit: int, after: OrganizationId | None = None
    ) -> tuple[OrganizationId, ...]:
        behind = {"keys": sorted(keys), "after": after or "", "most": limit}
        return tuple(
            OrganizationId(row.organization_id) for row in self._connection.run(self._sql.sealed_under, behind)
        )


def _columns(state: Connected, *, version: int) -> dict[str, Any]:
    settings = state.settings
    sealing_key, config = c.dump_seal(settings.config)
    return {
        "version": version,
        "kind": state.kind,
        "name": state.name,
        "required": settings.required,
        "scim": settings.scim,
        "newcomers": settings.newcomers,
        "confirms": settings.confirms,
        "default_role": settings.default_role,
        "sealing_key": sealing_key,
        "config": config,
        "steps": settings.steps,
        "partner": state.partner,
        "lifted": state.lifted,
        "connected_at": c.micros(state.connected_at),
    }


def _stored(row: Row | None) -> Stored[Provider]:
    return Stored(NoProvider(), 0) if row is None else Stored(_provider(row), row.version)


def _provider(row: Any) -> Connected:
    settings = Settings(
        required=row.required,
        scim=row.scim,
        newcomers=row.newcomers,
        confirms=row.confirms,
        default_role=None if row.default_role is None else Role(row.default_role),
        config=c.load_seal((row.sealing_key, row.config)),
        steps=bytes(row.steps),
    )
    return Connected(
        id=ProviderId(row.id),
        organization=OrganizationId(row.organization_id),
        kind=row.kind,
        name=row.name,
        settings=settings,
        partner=row.partner,
        lifted=row.lifted,
        connected_at=c.moment(row.connected_at),
    )
