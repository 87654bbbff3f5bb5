"""Factors and recovery codes in memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import attrs

from authflow.errors import StaleVersion
from authflow.mfa.factor import Factor, enrolled, pending
from authflow.mfa.holdings import NO_RECOVERY, Holdings
from authflow.mfa.kinds import PRIMARY, RECOVERY
from authflow.mfa.recovery import NoCodes, Ready, Recovery
from authflow.ports import Stored

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence
    from datetime import datetime

    from authflow.adapters.memory.store import Store, Table
    from authflow.mfa.factor import Authenticator
    from authflow.ports import Digest
    from authflow.values import AuthenticatorId, UserId

    Place = tuple[UserId, str]
    Rows = Table[Place, Stored[Factor | Recovery]]


def _rows(store: Store) -> Rows:
    return store.table("factor", {"factor.authenticator": _authenticator})


def _authenticator(row: Stored[Factor | Recovery]) -> AuthenticatorId | None:
    if isinstance(row.state, Ready):
        return row.state.authenticator
    proven = _proven(row)
    return None if proven is None else proven.id


def _proven(row: Stored[Factor | Recovery]) -> Authenticator | None:
    return None if isinstance(row.state, Ready | NoCodes) else enrolled(row.state)


class MemoryFactors:
    """`authflow.mfa.ports.Factors` in a dictionary."""

    def __init__(self, store: Store) -> None:
        self._rows = _rows(store)

    def ahead(self, user: UserId) -> None:
        """Nothing is read ahead of time in a dictionary."""

    def of_user(self, user: UserId) -> Holdings:
        states = {kind: row for (owner, kind), row in self._rows.items() if owner == user}
        recovery = states.pop(RECOVERY.id, NO_RECOVERY)
        return Holdings(factors=cast("dict[str, Stored[Factor]]", states), recovery=cast("Stored[Recovery]", recovery))

    def save(self, user: UserId, kind: str, state: Factor | Recovery, *, expected: int) -> None:
        found = self._rows.get((user, kind))
        if (0 if found is None else found.version) != expected:
            raise StaleVersion
        self._rows.put((user, kind), Stored(state, expected + 1))

    def remove(self, user: UserId) -> None:
        self._rows.drop_all(place for place, _ in self._rows.items() if place[0] == user)


@attrs.frozen(kw_only=True)
class _Code:
    authenticator: AuthenticatorId
    digest: bytes
    used_at: datetime | None = None


def _digest(row: _Code) -> tuple[AuthenticatorId, bytes]:
    return row.authenticator, row.digest


class MemoryRecoveryCodes:
    """`authflow.mfa.ports.RecoveryCodes` in a dictionary."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._codes: Table[int, _Code] = store.table("recovery_code", {"recovery_code.digest": _digest})

    def replace(self, authenticator: AuthenticatorId, digests: Sequence[Digest]) -> None:
        self.remove(authenticator)
        self.add(authenticator, digests)

    def add(self, authenticator: AuthenticatorId, digests: Sequence[Digest]) -> None:
        for digest in digests:
            self._codes.add(self._store.next_number(), _Code(authenticator=authenticator, digest=digest.value))

    def consume(self, authenticator: AuthenticatorId, digests: Sequence[Digest], now: datetime) -> bool:
        wanted = {(authenticator, digest.value) for digest in digests}
        unused = [(number, row) for number, row in self._codes.items() if _digest(row) in wanted and not row.used_at]
        for number, row in unused:
            self._codes.put(number, attrs.evolve(row, used_at=now))
        return len(unused) == 1

    def remove(self, authenticator: AuthenticatorId) -> None:
        self._codes.drop_all(number for number, row in self._codes.items() if row.authenticator == authenticator)


class MemoryFactorCensus:
    """`authflow.mfa.ports.FactorCensus` in a dictionary."""

    def __init__(self, store: Store) -> None:
        self._rows = _rows(store)

    def protected(self, users: Collection[UserId]) -> Mapping[UserId, bool]:
        standing = {user for (user, kind), row in self._rows.items() if kind in PRIMARY and _proven(row) is not None}
        return {user: user in standing for user in users}

    def expired(self, now: datetime, *, limit: int) -> tuple[Place, ...]:
        over = sorted((until, place) for place, until in self._proposals() if until <= now)
        return tuple(place for _, place in over[:limit])

    def sealing_keys(self) -> frozenset[str]:
        return frozenset(key for _, key in self._seals())

    def sealed_under(self, keys: Collection[str], *, limit: int, after: Place | None = None) -> tuple[Place, ...]:
        found = sorted(place for place, key in self._seals() if key in keys and (after is None or place > after))
        return tuple(found[:limit])

    def _proposals(self) -> Iterator[tuple[Place, datetime]]:
        for place, row in self._rows.items():
            proposal = None if isinstance(row.state, Ready | NoCodes) else pending(row.state)
            if proposal is not None:
                yield place, proposal.expires_at

    def _seals(self) -> Iterator[tuple[Place, str]]:
        for place, row in self._rows.items():
            proven = _proven(row)
            if proven is not None:
                yield place, proven.secret.key_id
