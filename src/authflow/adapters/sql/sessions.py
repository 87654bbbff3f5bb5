"""Sessions, known browsers and mailed links in SQL."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import attrs
import sqlalchemy as sa

from authflow.adapters.sql import columns as c
from authflow.adapters.sql import session_state
from authflow.adapters.sql.ahead import Ahead
from authflow.errors import StaleVersion
from authflow.ports import Stored
from authflow.sessions.standing import owner
from authflow.sessions.states import Anonymous, Device, Ended, ResetLink, SignedIn
from authflow.values import UserId

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from authflow.adapters.sql.accounts import SqlAccounts
    from authflow.adapters.sql.connection import Connection
    from authflow.adapters.sql.rows import Row
    from authflow.adapters.sql.tables.sessions import SessionTables
    from authflow.adapters.sql.visits import Browser, SqlVisits
    from authflow.sessions.states import Personal, Session
    from authflow.values import SessionId


@attrs.frozen(kw_only=True)
class SessionStatements:
    """Every statement about sessions, known browsers and mailed links, built once."""

    add: sa.Executable
    save: sa.Executable
    count_alive: sa.Executable
    of_user: sa.Executable
    remove_of_user: sa.Executable
    remove_expired: sa.Executable
    devices: sa.Executable
    add_device: sa.Executable
    touch_device: sa.Executable
    remove_device: sa.Executable
    remove_devices: sa.Executable
    add_link: sa.Executable
    spend_link: sa.Executable
    load_link: sa.Executable
    remove_links: sa.Executable
    remove_expired_links: sa.Executable

    @classmethod
    def of(cls, t: SessionTables) -> SessionStatements:
        return cls(**_sessions(t.session), **_devices(t.device), **_links(t.reset_link))


def _sessions(session: sa.Table) -> dict[str, sa.Executable]:
    mine = session.c.user_id == sa.bindparam("owner")
    alive = [
        session.c.state == session_state.TAGS[SignedIn],
        session.c.epoch == sa.bindparam("which_epoch"),
        session.c.expires_at > sa.bindparam("now"),
    ]
    new: dict[str, sa.BindParameter[Any]] = {
        column.name: sa.bindparam(f"new_{column.name}") for column in session.c if column.name != "id"
    }
    same = [session.c.id == sa.bindparam("which"), session.c.version == sa.bindparam("expected")]
    return {
        "add": sa.insert(session),
        "save": sa.update(session).where(*same).values(new),
        "count_alive": sa.select(sa.func.count()).select_from(session).where(mine, *alive),
        "of_user": sa.select(session).where(mine).order_by(session.c.created_at, session.c.id),
        "remove_of_user": sa.delete(session).where(mine),
        "remove_expired": sa.delete(session).where(session.c.expires_at <= sa.bindparam("now")),
    }


def _devices(device: sa.Table) -> dict[str, sa.Executable]:
    mine, one = device.c.user_id == sa.bindparam("owner"), device.c.digest == sa.bindparam("which")
    return {
        "devices": sa.select(device).where(mine).order_by(device.c.last_used_at, device.c.digest),
        "add_device": sa.insert(device),
        "touch_device": sa.update(device).where(one).values(last_used_at=sa.bindparam("now")),
        "remove_device": sa.delete(device).where(one),
        "remove_devices": sa.delete(device).where(mine),
    }


def _links(link: sa.Table) -> dict[str, sa.Executable]:
    mine = link.c.user_id == sa.bindparam("owner")
    unspent = [mine, link.c.digest == sa.bindparam("which"), link.c.spent_at.is_(None)]
    return {
        "add_link": sa.insert(link),
        "spend_link": sa.update(link).where(*unspent).values(spent_at=sa.bindparam("now")),
        "load_link": sa.select(link).where(link.c.digest == sa.bindparam("which")),
        "remove_links": sa.delete(link).where(mine),
        "remove_expired_links": sa.delete(link).where(link.c.expires_at <= sa.bindparam("now")),
    }


class SqlSessions:
    """`authflow.sessions.ports.SessionRows` in SQL. A row is read once in a transaction, and again after a lock."""

    def __init__(
        self, connection: Connection, statements: SessionStatements, visits: SqlVisits, accounts: SqlAccounts
    ) -> None:
        self._connection = connection
        self._sql = statements
        self._visits = visits
        self._accounts = accounts
        self._read: dict[SessionId, Stored[Session]] = {}
        self._visited: set[SessionId] = set()

    def load(self, session: SessionId) -> Stored[Session] | None:
        if session not in self._read:
            self._visited.add(session)
            row = self._visits.read(session)
            if row is None:
                return None
            self._read[session] = Stored(session_state.load(row), row.version)
        return self._read[session]

    def saw(self, session: SessionId, browser: Browser, rows: Sequence[Row]) -> None:
        """Remember *session* and what stands beside it, as *rows* have it, unless it was read already."""
        row = None if session in self._read else self._visits.tell(browser, rows)
        if row is not None:
            self._read[session] = Stored(session_state.load(row), row.version)

    def again(self, user: UserId) -> Callable[[], object] | None:
        """Return what loads the session of *user* that was loaded, once it is forgotten; none without one.

        One that was only seen beside something else is read beside that again.
        """
        for session in self._visited & self._read.keys():
            state = self._read[session].state
            if not isinstance(state, Anonymous | Ended) and state.user == user:
                return partial(self.load, session)
        return None

    def forget(self) -> None:
        """Read every row again when it is next asked for: a lock was waited for."""
        self._read.clear()

    def add(self, state: Session) -> None:
        self._connection.later(self._sql.add, {**session_state.dump(state), "version": 1})
        self._visits.add(state.handle.id)
        self._read[state.handle.id] = Stored(state, 1)

    def save(self, state: Session, *, expected: int) -> None:
        known = self._read.pop(state.handle.id, None)
        columns = {**session_state.dump(state), "version": expected + 1}
        new: dict[str, Any] = {f"new_{name}": value for name, value in columns.items() if name != "id"}
        values = {**new, "which": state.handle.id, "expected": expected}
        if known is not None and known.version == expected and self._held(known.state):
            self._connection.later(self._sql.save, values, one=True)
        elif self._connection.changed(self._sql.save, values) != 1:
            raise StaleVersion
        self._read[state.handle.id] = Stored(state, expected + 1)

    def _held(self, state: Session) -> bool:
        """Tell whether the lock of the person is held whose row was read as *state*: nobody else changes it then."""
        user = owner(state)
        return user is not None and self._accounts.holds(user)

    def count_alive(self, user: UserId, *, epoch: int, now: datetime) -> int:
        values = {"owner": user, "which_epoch": epoch, "now": c.micros(now)}
        return int(self._connection.run(self._sql.count_alive, values).scalar_one())

    def of_user(self, user: UserId) -> tuple[Personal, ...]:
        states = [session_state.load(row) for row in self._connection.run(self._sql.of_user, {"owner": user})]
        return tuple(state for state in states if not isinstance(state, Anonymous | Ended))

    def remove_of_user(self, user: UserId) -> int:
        self._read.clear()
        return self._connection.changed(self._sql.remove_of_user, {"owner": user})

    def remove_expired(self, now: datetime) -> int:
        self._read.clear()
        return self._connection.changed(self._sql.remove_expired, {"now": c.micros(now)})


class SqlDevices:
    """`authflow.sessions.ports.Devices` in SQL. They are read once, and again after a lock or a change."""

    def __init__(self, connection: Connection, statements: SessionStatements) -> None:
        self._connection = connection
        self._sql = statements
        self._read: dict[UserId, tuple[Device, ...]] = {}
        self._ahead = Ahead(connection, statements.devices)

    def ahead(self, user: UserId) -> None:
        self._ahead.expect(user)

    def behind(self, user: UserId) -> None:
        """Let the browsers of *user* come with their lock, if they are expected."""
        self._ahead.behind(user)

    def of_user(self, user: UserId) -> tuple[Device, ...]:
        if user not in self._read:
            self._read[user] = tuple(_device(row) for row in self._ahead.rows(user))
        return self._read[user]

    def forget(self) -> None:
        """Read everybody's again when they are next asked for."""
        self._read.clear()
        self._ahead.forget()

    def add(self, device: Device) -> None:
        self.forget()
        values = {
            "digest": device.digest,
            "user_id": device.user,
            "created_at": c.micros(device.created_at),
            "last_used_at": c.micros(device.last_used_at),
        }
        self._connection.later(self._sql.add_device, values)

    def touch(self, digest: bytes, now: datetime) -> None:
        self.forget()
        self._connection.later(self._sql.touch_device, {"which": digest, "now": c.micros(now)})

    def remove(self, digest: bytes) -> None:
        self.forget()
        self._connection.later(self._sql.remove_device, {"which": digest})

    def remove_of_user(self, user: UserId) -> None:
        self.forget()
        self._connection.later(self._sql.remove_devices, {"owner": user})


def _device(row: Any) -> Device:
    return Device(
        user=UserId(row.user_id),
        digest=bytes(row.digest),
        created_at=c.moment(row.created_at),
        last_used_at=c.moment(row.last_used_at),
    )


class SqlResetLinks:
    """`authflow.sessions.ports.ResetLinks` in SQL: one plain UPDATE decides who spends a link."""

    def __init__(self, connection: Connection, statements: SessionStatements) -> None:
        self._connection = connection
        self._sql = statements

    def add(self, link: ResetLink) -> None:
        values = {"digest": link.digest, "user_id": link.user, "expires_at": c.micros(link.expires_at)}
        self._connection.run(self._sql.add_link, {**values, "spent_at": None})

    def spend(self, digest: bytes, *, user: UserId, now: datetime) -> ResetLink | None:
        values = {"which": digest, "owner": user, "now": c.micros(now)}
        if self._connection.changed(self._sql.spend_link, values) != 1:
            return None
        row = self._connection.run(self._sql.load_link, {"which": digest}).one()
        return ResetLink(user=user, digest=digest, expires_at=c.moment(row.expires_at))

    def unspent(self, digest: bytes, *, user: UserId) -> bool:
        row = self._connection.run(self._sql.load_link, {"which": digest}).one_or_none()
        return row is not None and row.user_id == user and row.spent_at is None

    def remove_of_user(self, user: UserId) -> int:
        return self._connection.changed(self._sql.remove_links, {"owner": user})

    def remove_expired(self, now: datetime) -> int:
        return self._connection.changed(self._sql.remove_expired_links, {"now": c.micros(now)})
