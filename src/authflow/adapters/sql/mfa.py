"""Factors and recovery codes in SQL."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, cast

import attrs
import sqlalchemy as sa

from authflow.adapters.sql import columns as c
from authflow.adapters.sql import mfa_state
from authflow.adapters.sql.ahead import Ahead
from authflow.adapters.sql.dialect import insert_or_tell
from authflow.adapters.sql.inserted import inserted
from authflow.adapters.sql.read_once import ReadOnce
from authflow.errors import StaleVersion
from authflow.mfa.holdings import NO_RECOVERY, Holdings
from authflow.mfa.kinds import PRIMARY, RECOVERY
from authflow.ports import Stored
from authflow.values import UserId

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from datetime import datetime

    from authflow.adapters.sql.accounts import SqlAccounts
    from authflow.adapters.sql.connection import Connection
    from authflow.adapters.sql.tables.mfa import MfaTables
    from authflow.mfa.factor import Factor
    from authflow.mfa.recovery import Recovery
    from authflow.ports import Digest
    from authflow.values import AuthenticatorId

BATCH: Final = 1000
"""Persons asked for in one statement: PostgreSQL takes 65535 parameters, SQLite 32766."""


@attrs.frozen(kw_only=True)
class MfaStatements:
    """Every statement about factors and recovery codes, built once."""

    of_user: sa.Executable
    add: sa.Executable
    add_tells: bool
    add_held: sa.Executable
    save: sa.Executable
    remove: sa.Executable
    protected: sa.Executable
    expired: sa.Executable
    sealing_keys: sa.Executable
    sealed_under: sa.Executable
    sealed_behind: sa.Executable
    add_codes: sa.Executable
    consume: sa.Executable
    remove_codes: sa.Executable

    @classmethod
    def of(cls, t: MfaTables, dialect: str) -> MfaStatements:
        return cls(**_factors(t.factor, dialect), **_census(t.factor), **_codes(t.recovery_code))


def protecting(factor: sa.Table, user: sa.ColumnElement[str]) -> sa.ColumnElement[Any]:
    """Return what tells whether a second factor protects *user*, as `SqlFactors.saw` takes it."""
    return sa.exists().where(factor.c.user_id == user, *_standing(factor)).label("protected")


def _standing(factor: sa.Table) -> tuple[sa.ColumnElement[bool], ...]:
    return factor.c.authenticator.is_not(None), factor.c.kind.in_(sorted(PRIMARY))


def _factors(factor: sa.Table, dialect: str) -> dict[str, Any]:
    mine = factor.c.user_id == sa.bindparam("owner")
    keys = {"user_id", "kind"}
    new: dict[str, sa.BindParameter[Any]] = {
        column.name: sa.bindparam(f"new_{column.name}") for column in factor.c if column.name not in keys
    }
    same = [mine, factor.c.kind == sa.bindparam("which"), factor.c.version == sa.bindparam("expected")]
    row: dict[str, Any] = {"user_id": sa.bindparam("owner"), "kind": sa.bindparam("which"), **new}
    add, add_tells = insert_or_tell(dialect, factor, row)
    return {
        "of_user": sa.select(factor).where(mine),
        "add": add,
        "add_tells": add_tells,
        "add_held": sa.insert(factor).values(row),
        "save": sa.update(factor).where(*same).values(new),
        "remove": sa.delete(factor).where(mine),
    }


def _census(factor: sa.Table) -> dict[str, Any]:
    place = (factor.c.user_id, factor.c.kind)
    owners = sa.bindparam("owners", expanding=True, type_=sa.String())
    under = sa.select(*place).where(factor.c.sealing_key.in_(sa.bindparam("keys", expanding=True)))
    behind = sa.tuple_(*place) > sa.tuple_(sa.bindparam("after_user"), sa.bindparam("after_kind"))
    return {
        "protected": sa.select(factor.c.user_id).distinct().where(factor.c.user_id.in_(owners), *_standing(factor)),
        "expired": sa.select(*place)
        .where(factor.c.proposal_expires_at <= sa.bindparam("now"))
        .order_by(factor.c.proposal_expires_at, *place)
        .limit(sa.bindparam("most")),
        "sealing_keys": sa.select(factor.c.sealing_key).distinct().where(factor.c.sealing_key.is_not(None)),
        "sealed_under": under.order_by(*place).limit(sa.bindparam("most")),
        "sealed_behind": under.where(behind).order_by(*place).limit(sa.bindparam("most")),
    }


def _codes(code: sa.Table) -> dict[str, Any]:
    mine = code.c.authenticator == sa.bindparam("owner")
    unused = [mine, code.c.digest.in_(sa.bindparam("digests", expanding=True)), code.c.used_at.is_(None)]
    return {
        "add_codes": sa.insert(code),
        "consume": sa.update(code).where(*unused).values(used_at=sa.bindparam("now")),
        "remove_codes": sa.delete(code).where(mine),
    }


class SqlFactors:
    """`authflow.mfa.ports.Factors` in SQL. What a person has is read once in a transaction, and again after a lock."""

    def __init__(self, connection: Connection, statements: MfaStatements, accounts: SqlAccounts) -> None:
        self._connection = connection
        self._sql = statements
        self._accounts = accounts
        self._read: dict[UserId, Holdings] = {}
        self._protected: ReadOnce[UserId, bool] = ReadOnce(connection)
        self._ahead = Ahead(connection, statements.of_user)

    def ahead(self, user: UserId) -> None:
        self._ahead.expect(user)

    def behind(self, user: UserId) -> None:
        """Let what *user* has come with their lock, if it is expected."""
        self._ahead.behind(user)

    def saw(self, user: UserId, *, protected: object) -> None:
        """Remember whether a second factor protects *user*, as the database said it beside something else."""
        self._protected.saw(user, bool(protected))

    def made(self, user: UserId) -> None:
        """Remember that *user* did not exist before this transaction: nothing can protect them yet."""
        self._protected.put(user, found=False)

    def protected(self, user: UserId) -> bool:
        """Tell whether a second factor protects *user*."""
        if user in self._read:
            return bool(self._read[user].primaries())
        return self._protected.get(user, lambda: bool(self.of_user(user).primaries()))

    def of_user(self, user: UserId) -> Holdings:
        if user not in self._read:
            self._read[user] = self._of_user(user)
        return self._read[user]

    def forget(self) -> None:
        """Read what everybody has again when it is next asked for: a lock was waited for."""
        self._read.clear()
        self._protected.forget()
        self._ahead.forget()

    def _of_user(self, user: UserId) -> Holdings:
        states = {row.kind: Stored(mfa_state.load(row), row.version) for row in self._ahead.rows(user)}
        recovery = states.pop(RECOVERY.id, NO_RECOVERY)
        return Holdings(factors=cast("dict[str, Stored[Factor]]", states), recovery=cast("Stored[Recovery]", recovery))

    def save(self, user: UserId, kind: str, state: Factor | Recovery, *, expected: int) -> None:
        columns = {"version": expected + 1, **mfa_state.dump(state)}
        values = {"owner": user, "which": kind, **{f"new_{name}": value for name, value in columns.items()}}
        self._protected.drop(user)
        self._ahead.drop(user)
        known = self._read.pop(user, None)
        if known is not None and known.version(kind) == expected and self._accounts.holds(user):
            self._save_held(values, expected)
        elif not self._saved(values, expected):
            raise StaleVersion
        if known is not None:
            self._read[user] = known.holding(kind, state, version=expected + 1)

    def _save_held(self, values: Mapping[str, Any], expected: int) -> None:
        """Write a row that was read behind the lock of its person: nobody else can have written it since."""
        if expected == 0:
            self._connection.later(self._sql.add_held, values)
        else:
            self._connection.later(self._sql.save, {**values, "expected": expected}, one=True)

    def _saved(self, values: Mapping[str, Any], expected: int) -> bool:
        if expected == 0:
            return inserted(self._connection, self._sql.add, values, tells=self._sql.add_tells)
        return self._connection.changed(self._sql.save, {**values, "expected": expected}) == 1

    def remove(self, user: UserId) -> None:
        self._read.pop(user, None)
        self._protected.drop(user)
        self._ahead.drop(user)
        self._connection.later(self._sql.remove, {"owner": user})


class SqlRecoveryCodes:
    """`authflow.mfa.ports.RecoveryCodes` in SQL: a set is one multi-row INSERT, a use one conditional UPDATE."""

    def __init__(self, connection: Connection, statements: MfaStatements) -> None:
        self._connection = connection
        self._sql = statements

    def replace(self, authenticator: AuthenticatorId, digests: Sequence[Digest]) -> None:
        self.remove(authenticator)
        if digests:
            self._connection.run(self._sql.add_codes, _codes_of(authenticator, digests))

    def add(self, authenticator: AuthenticatorId, digests: Sequence[Digest]) -> None:
        if digests:
            self._connection.later(self._sql.add_codes, _codes_of(authenticator, digests))

    def consume(self, authenticator: AuthenticatorId, digests: Sequence[Digest], now: datetime) -> bool:
        values = {"owner": authenticator, "digests": [d.value for d in digests], "now": c.micros(now)}
        return self._connection.changed(self._sql.consume, values) == 1

    def remove(self, authenticator: AuthenticatorId) -> None:
        self._connection.later(self._sql.remove_codes, {"owner": authenticator})


def _codes_of(authenticator: AuthenticatorId, digests: Sequence[Digest]) -> list[dict[str, Any]]:
    return [{"authenticator": authenticator, "key_id": d.key_id, "digest": d.value, "used_at": None} for d in digests]


class SqlFactorCensus:
    """`authflow.mfa.ports.FactorCensus` in SQL. Of one person it asks their *factors*, which may know it already."""

    def __init__(self, connection: Connection, statements: MfaStatements, factors: SqlFactors) -> None:
        self._connection = connection
        self._sql = statements
        self._factors = factors

    def protected(self, users: Collection[UserId]) -> Mapping[UserId, bool]:
        asked = list(users)
        if len(asked) == 1:
            return {user: self._factors.protected(user) for user in asked}
        found = {
            row.user_id
            for start in range(0, len(asked), BATCH)
            for row in self._connection.run(self._sql.protected, {"owners": asked[start : start + BATCH]})
        }
        return {user: user in found for user in asked}

    def expired(self, now: datetime, *, limit: int) -> tuple[tuple[UserId, str], ...]:
        return _places(self._connection.run(self._sql.expired, {"now": c.micros(now), "most": limit}))

    def sealing_keys(self) -> frozenset[str]:
        return frozenset(row.sealing_key for row in self._connection.run(self._sql.sealing_keys))

    def sealed_under(
        self, keys: Collection[str], *, limit: int, after: tuple[UserId, str] | None = None
    ) -> tuple[tuple[UserId, str], ...]:
        values = {"keys": sorted(keys), "most": limit}
        if after is None:
            return _places(self._connection.run(self._sql.sealed_under, values))
        values |= {"after_user": after[0], "after_kind": after[1]}
        return _places(self._connection.run(self._sql.sealed_behind, values))


def _places(rows: Any) -> tuple[tuple[UserId, str], ...]:
    return tuple((UserId(row.user_id), str(row.kind)) for row in rows)
