"""Links in SQL."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import attrs
import sqlalchemy as sa

from authflow.adapters.sql import columns as c
from authflow.adapters.sql.read_once import ReadOnce
from authflow.errors import StaleVersion
from authflow.sso.identity import Subject
from authflow.sso.links import Link
from authflow.values import LinkId, OrganizationId, ProviderId, UserId

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable
    from datetime import datetime

    from authflow.adapters.sql.connection import Connection
    from authflow.adapters.sql.sso_visits import SqlSsoVisits
    from authflow.adapters.sql.tables.sso import SsoTables

BATCH: Final = 1000
"""Persons asked for in one statement: PostgreSQL takes 65535 parameters, SQLite 32766."""

CHANGING: Final = ("subject", "verified_at", "synced_at", "failures", "sealing_key", "memory")


@attrs.frozen(kw_only=True)
class LinkStatements:
    """Every statement about links, built once."""

    get: sa.Executable
    lock_subject: sa.Executable
    of_user: sa.Executable
    lock_user: sa.Executable
    all_of_user: sa.Executable
    linked: sa.Executable
    add: sa.Executable
    save: sa.Executable
    remove: sa.Executable
    remove_of_provider: sa.Executable
    remove_of_user: sa.Executable
    forget_memories: sa.Executable
    due: sa.Executable
    stamp: sa.Executable
    sealing_keys: sa.Executable
    sealed_under: sa.Executable

    @classmethod
    def of(cls, t: SsoTables) -> LinkStatements:
        row = t.link
        here, mine = row.c.provider_id == sa.bindparam("place"), row.c.user_id == sa.bindparam("owner")
        one, meant = row.c.id == sa.bindparam("which"), row.c.subject == sa.bindparam("whom", type_=row.c.subject.type)
        by_subject, of_user = sa.select(row).where(here, meant), sa.select(row).where(here, mine)
        new: dict[str, Any] = {name: sa.bindparam(f"new_{name}") for name in CHANGING}
        places = row.c.provider_id.in_(sa.bindparam("places", expanding=True))
        early, late = row.c.synced_at <= sa.bindparam("before"), row.c.synced_at > sa.bindparam("beyond")
        due = sa.select(row).where(places, sa.or_(early, late))
        return cls(
            get=sa.select(row).where(one),
            lock_subject=by_subject.with_for_update(),
            of_user=of_user,
            lock_user=of_user.with_for_update(),
            all_of_user=sa.select(row).where(mine),
            linked=sa.select(row.c.user_id).where(here, row.c.user_id.in_(sa.bindparam("owners", expanding=True))),
            add=sa.insert(row),
            save=sa.update(row).where(one, here, mine, meant).values(new),
            remove=sa.delete(row).where(one),
            remove_of_provider=sa.delete(row).where(here).returning(*row.c),
            remove_of_user=sa.delete(row).where(mine).returning(*row.c),
            forget_memories=sa.update(row)
            .where(here, row.c.sealing_key.is_not(None))
            .values(sealing_key=None, memory=None),
            due=due.order_by(row.c.synced_at, row.c.id).limit(sa.bindparam("most")).with_for_update(skip_locked=True),
            stamp=sa.update(row)
            .where(row.c.id.in_(sa.bindparam("taken", expanding=True)))
            .values(synced_at=sa.bindparam("now")),
            sealing_keys=sa.select(row.c.sealing_key).distinct().where(row.c.sealing_key.is_not(None)),
            sealed_under=sa.select(row)
            .where(row.c.sealing_key.in_(sa.bindparam("keys", expanding=True)), row.c.id > sa.bindparam("after"))
            .order_by(row.c.id)
            .limit(sa.bindparam("most")),
        )


class SqlLinks:
    """`authflow.sso.ports.LinkRows` in SQL. A row is read once by each of its keys, and again for a lock."""

    def __init__(self, connection: Connection, statements: LinkStatements, visits: SqlSsoVisits) -> None:
        self._connection = connection
        self._sql = statements
        self._visits = visits
        self._by_subject: ReadOnce[tuple[ProviderId, Subject], Link | None] = ReadOnce(connection)
        self._of_user: ReadOnce[tuple[ProviderId, UserId], Link | None] = ReadOnce(connection)

    def forget(self) -> None:
        """Read again what is not held: a lock was waited for."""
        self._by_subject.forget()
        self._of_user.forget()

    def _changed(self) -> None:
        self._by_subject.clear()
        self._of_user.clear()

    def get(self, link: LinkId) -> Link | None:
        return self._one(self._sql.get, {"which": link})

    def by_subject(self, provider: ProviderId, subject: Subject, *, lock: bool = False) -> Link | None:
        def read() -> Link | None:
            return self._ask_subject(provider, subject, lock=lock)()

        return self._by_subject.get((provider, subject), read, lock=lock)

    def of_user(self, provider: ProviderId, user: UserId, *, lock: bool = False) -> Link | None:
        def read() -> Link | None:
            return self._ask_user(provider, user, lock=lock)()

        return self._of_user.get((provider, user), read, lock=lock)

    def expect(self, provider: ProviderId, subject: Subject, *, user: UserId | None = None, lock: bool = False) -> None:
        self._by_subject.expect((provider, subject), lambda: self._ask_subject(provider, subject, lock=lock), lock=lock)
        if user is not None:
            self._of_user.expect((provider, user), lambda: self._ask_user(provider, user, lock=lock), lock=lock)

    def _ask_subject(self, provider: ProviderId, subject: Subject, *, lock: bool) -> Callable[[], Link | None]:
        """Ask soon for the link, and for what stands beside it; behind its lock, if one is wanted."""
        asked = {"place": provider, "whom": subject.encode()}
        locked = self._connection.soon(self._sql.lock_subject, asked) if lock and not self._connection.alone else None
        beside = self._visits.link(provider, subject)

        def answer() -> Link | None:
            row = beside()
            row = row if locked is None else locked().one_or_none()
            return None if row is None else _link(row)

        return answer

    def _ask_user(self, provider: ProviderId, user: UserId, *, lock: bool) -> Callable[[], Link | None]:
        statement = self._sql.lock_user if lock else self._sql.of_user
        asked = self._connection.soon(statement, {"place": provider, "owner": user})

        def answer() -> Link | None:
            row = asked().one_or_none()
            return None if row is None else _link(row)

        return answer

    def all_of_user(self, user: UserId) -> tuple[Link, ...]:
        return _in_order(self._connection.run(self._sql.all_of_user, {"owner": user}))

    def linked(self, provider: ProviderId, users: Collection[UserId]) -> frozenset[UserId]:
        asked = list(users)
        return frozenset(
            UserId(row.user_id)
            for start in range(0, len(asked), BATCH)
            for row in self._connection.run(
                self._sql.linked, {"place": provider, "owners": asked[start : start + BATCH]}
            )
        )

    def add(self, link: Link) -> None:
        self._changed()
        written_once = {
            "id": link.id,
            "organization_id": link.organization,
            "provider_id": link.provider,
            "user_id": link.user,
            "linked_at": c.micros(link.linked_at),
        }
        self._connection.run(self._sql.add, {**written_once, **_changing(link)})

    def save(self, before: Link, after: Link) -> None:
        surely = after.subject == before.subject and self._stands(before)
        self._changed()
        same = {"which": before.id, "place": after.provider, "owner": after.user, "whom": before.subject.encode()}
        new = {f"new_{name}": value for name, value in _changing(after).items()}
        if surely:
            self._connection.later(self._sql.save, {**same, **new})
        elif self._connection.changed(self._sql.save, {**same, **new}) != 1:
            raise StaleVersion

    def _stands(self, link: Link) -> bool:
        """Tell whether *link* was read as it is and is held: nobody else changes it before this transaction ends."""
        key = (link.provider, link.subject)
        return self._by_subject.holds(key) and self.by_subject(*key, lock=True) == link

    def remove(self, link: LinkId) -> bool:
        self._changed()
        return self._connection.changed(self._sql.remove, {"which": link}) == 1

    def remove_of_provider(self, provider: ProviderId) -> tuple[Link, ...]:
        self._changed()
        return _in_order(self._connection.run(self._sql.remove_of_provider, {"place": provider}))

    def remove_of_user(self, user: UserId) -> tuple[Link, ...]:
        self._changed()
        return _in_order(self._connection.run(self._sql.remove_of_user, {"owner": user}))

    def forget_memories(self, provider: ProviderId) -> int:
        self._changed()
        return self._connection.changed(self._sql.forget_memories, {"place": provider})

    def sealing_keys(self) -> frozenset[str]:
        return frozenset(row.sealing_key for row in self._connection.run(self._sql.sealing_keys))

    def sealed_under(self, keys: Collection[str], *, limit: int, after: LinkId | None = None) -> tuple[Link, ...]:
        behind = {"keys": sorted(keys), "after": after or "", "most": limit}
        return tuple(_link(row) for row in self._connection.run(self._sql.sealed_under, behind))

    def take_due(
        self, providers: Collection[ProviderId], before: datetime, now: datetime, *, beyond: datetime, limit: int
    ) -> tuple[Link, ...]:
        if not providers:
            return ()
        asked = {"places": sorted(providers), "before": c.micros(before), "beyond": c.micros(beyond), "most": limit}
        due = tuple(_link(row) for row in self._connection.run(self._sql.due, asked))
        if due:
            self._changed()
            self._connection.run(self._sql.stamp, {"taken": [link.id for link in due], "now": c.micros(now)})
        return due

    def _one(self, statement: sa.Executable, values: dict[str, Any]) -> Link | None:
        row = self._connection.run(statement, values).one_or_none()
        return None if row is None else _link(row)


def _changing(link: Link) -> dict[str, Any]:
    sealing_key, memory = (None, None) if link.memory is None else c.dump_seal(link.memory)
    return {
        "subject": link.subject.encode(),
        "verified_at": c.micros(link.verified_at),
        "synced_at": c.micros(link.synced_at),
        "failures": link.failures,
        "sealing_key": sealing_key,
        "memory": memory,
    }


def _in_order(rows: Iterable[Any]) -> tuple[Link, ...]:
    return tuple(sorted((_link(row) for row in rows), key=lambda link: (link.organization, link.user)))


def _link(row: Any) -> Link:
    return Link(
        id=LinkId(row.id),
        organization=OrganizationId(row.organization_id),
        provider=ProviderId(row.provider_id),
        subject=Subject(bytes(row.subject).decode()),
        user=UserId(row.user_id),
        linked_at=c.moment(row.linked_at),
        verified_at=c.moment(row.verified_at),
        synced_at=c.moment(row.synced_at),
        failures=row.failures,
        memory=None if row.memory is None else c.load_seal((row.sealing_key, row.memory)),
    )
