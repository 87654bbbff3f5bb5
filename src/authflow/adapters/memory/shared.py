"""The shared repositories in memory: people, organizations, accounts, counters, audit log, outbox."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from authflow.adapters.counted import strictest
from authflow.ports import Account, Allowed, Limited
from authflow.values import fold_address, same_address

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from authflow.adapters.counted import Counted
    from authflow.adapters.memory.store import Store, Table
    from authflow.facts.records import AuditEntry, Message
    from authflow.ports import Organization, User, UserAddress
    from authflow.values import Address, Budget, OrganizationId, UserId


class MemoryUsers:
    """`authflow.ports.Users` in a dictionary."""

    def __init__(self, store: Store) -> None:
        self._users: Table[UserId, User] = store.table("user")
        self._resets: Table[bytes, UserId] = store.table("password_reset")

    def get(self, user: UserId) -> User | None:
        return self._users.get(user)

    def holders(self, address: Address) -> tuple[UserId, ...]:
        return tuple(sorted(person.id for person in self._users.rows() if person.holds(address)))

    def record_verified(self, user: UserId, address: Address, at: datetime) -> bool:
        person = self._users.get(user)
        if person is None or not any(fold_address(a.address) == fold_address(address) for a in person.addresses):
            return False
        addresses = tuple(
            attrs.evolve(a, verified_at=at) if fold_address(a.address) == fold_address(address) else a
            for a in person.addresses
        )
        self._users.put(user, attrs.evolve(person, addresses=addresses))
        return True

    def drop_unverified(self, address: Address, *, keep: UserId) -> tuple[UserId, ...]:
        losers = [person for person in self._users.rows() if person.id != keep and _unproven(person, address)]
        for person in losers:
            lost = _unproven(person, address)
            left = tuple(held for held in person.addresses if held not in lost)
            self._users.put(person.id, attrs.evolve(person, addresses=left))
        return tuple(sorted(person.id for person in losers))

    def drop_password_resets(self, user: UserId) -> int:
        return self._resets.drop_all(digest for digest, owner in self._resets.items() if owner == user)

    def remove(self, user: UserId) -> bool:
        self.drop_password_resets(user)
        return self._users.drop(user)

    def add(self, user: User) -> None:
        """Insert *user* with their addresses."""
        self._users.add(user.id, user)

    def save(self, user: User) -> None:
        """Replace *user* and their addresses."""
        self._users.put(user.id, user)

    def add_password_reset(self, user: UserId, digest: bytes) -> None:
        """Store an outstanding lost-password token by its digest."""
        self._resets.put(digest, user)


def _unproven(person: User, address: Address) -> tuple[UserAddress, ...]:
    """Return *address* as *person* holds it unverified."""
    return tuple(a for a in person.addresses if a.verified_at is None and same_address(a.address, address))


class MemoryOrganizations:
    """`authflow.ports.Organizations` in a dictionary."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._organizations: Table[OrganizationId, Organization] = store.table(
            "organization", {"organization.slug": lambda row: row.slug}
        )

    def get(self, organization: OrganizationId) -> Organization | None:
        return self._organizations.get(organization)

    def of_user(self, user: UserId) -> tuple[Organization, ...]:
        members = self._store.table("member")
        joined = sorted(o for (o, member) in (key for key, _ in members.items()) if member == user)
        return tuple(found for key in joined if (found := self._organizations.get(key)) is not None)

    def demand_second_factor(self, organization: OrganizationId, *, required: bool) -> bool:
        found = self.get(organization)
        if found is not None:
            self.save(attrs.evolve(found, require_second_factor=required))
        return found is not None

    def add(self, organization: Organization) -> None:
        """Insert *organization*."""
        self._organizations.add(organization.id, organization)

    def save(self, organization: Organization) -> None:
        """Replace *organization*."""
        self._organizations.put(organization.id, organization)


class MemoryAccounts:
    """`authflow.ports.Accounts` in a dictionary; the store's lock is the row lock."""

    def __init__(self, store: Store) -> None:
        self._accounts: Table[UserId, Account] = store.table("account")

    def lock(self, user: UserId) -> Account:
        found = self._accounts.get(user)
        if found is None:
            found = Account(user=user, epoch=1)
            self._accounts.add(user, found)
        return found

    def hold(self, users: Iterable[UserId]) -> None:
        for user in sorted(users):
            self.lock(user)

    def read(self, user: UserId) -> Account:
        return self._accounts.get(user) or Account(user=user, epoch=1)

    def save(self, account: Account) -> None:
        self._accounts.put(account.user, account)

    def remove(self, user: UserId) -> None:
        self._accounts.drop(user)


class MemoryLimits:
    """`authflow.ports.RateLimiter` in a dictionary: the last *limit* instants that counted."""

    def __init__(self, store: Store, counted: Counted) -> None:
        self._hits: Table[tuple[str, str], tuple[datetime, ...]] = store.table("limit")
        self._until: Table[tuple[str, str], datetime] = store.table("limit_until")
        self._counted = counted

    def hit(self, budget: Budget, key: str, now: datetime) -> Allowed | Limited:
        return self.hit_all((budget,), key, now)

    def hit_all(self, budgets: Sequence[Budget], key: str, now: datetime) -> Allowed | Limited:
        answer = strictest([self.peek(budget, key, now) for budget in budgets])
        if isinstance(answer, Limited):
            return answer
        for budget in budgets:
            kept = sorted((*self._stored(budget, key), now))[-budget.limit :]
            self._hits.put((budget.name, key), tuple(kept))
            self._until.put((budget.name, key), kept[-1] + budget.window)
        self._counted.add(lambda tx: tx.limits.hit_all(budgets, key, now))
        return Allowed(answer.left - 1)

    def peek(self, budget: Budget, key: str, now: datetime) -> Allowed | Limited:
        live = [at for at in self._stored(budget, key) if at > now - budget.window]
        if len(live) < budget.limit:
            return Allowed(budget.limit - len(live))
        return Limited(live[-budget.limit] + budget.window - now)

    def reset(self, budget: Budget, key: str) -> None:
        self._hits.drop((budget.name, key))
        self._until.drop((budget.name, key))

    def sweep(self, now: datetime) -> int:
        over = [named for named, until in self._until.items() if until <= now]
        self._until.drop_all(over)
        return self._hits.drop_all(over)

    def _stored(self, budget: Budget, key: str) -> tuple[datetime, ...]:
        return self._hits.get((budget.name, key)) or ()


class MemoryAttempts:
    """`authflow.ports.Attempts` in a dictionary."""

    def __init__(self, store: Store, counted: Counted) -> None:
        self._totals: Table[str, tuple[int, datetime]] = store.table("attempt")
        self._counted = counted

    def ahead(self, user: UserId, *keys: str) -> None:
        """Nothing is read ahead of time in a dictionary."""

    def count(self, key: str, *, expires_at: datetime) -> int:
        total = self.read(key) + 1
        self._totals.put(key, (total, expires_at))
        self._counted.add(lambda tx: tx.attempts.count(key, expires_at=expires_at))
        return total

    def read(self, key: str) -> int:
        found = self._totals.get(key)
        return 0 if found is None else found[0]

    def clear(self, key: str) -> None:
        self._totals.drop(key)

    def sweep(self, now: datetime) -> int:
        return self._totals.drop_all(key for key, (_, until) in self._totals.items() if until <= now)


class MemoryAudit:
    """`authflow.ports.AuditLog` in a dictionary."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._entries: Table[int, AuditEntry] = store.table("audit", {"audit.id": lambda row: row.id})

    def append(self, entries: Sequence[AuditEntry]) -> None:
        for entry in entries:
            self._entries.add(self._store.next_number(), entry)

    def of_user(self, user: UserId, *, limit: int = 100) -> tuple[AuditEntry, ...]:
        mine = [e for e in self._entries.rows() if e.target_user == user and e.organization is None]
        return tuple(reversed(mine))[:limit]

    def of_organization(self, organization: OrganizationId, *, limit: int = 100) -> tuple[AuditEntry, ...]:
        mine = [e for e in self._entries.rows() if e.organization == organization]
        return tuple(reversed(mine))[:limit]


class MemoryOutbox:
    """`authflow.ports.Outbox` in a dictionary; a message's number is its place in the sequence."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._messages: Table[int, Message] = store.table("outbox", {"outbox.id": lambda row: row.id})

    def append(self, messages: Sequence[Message]) -> None:
        for message in messages:
            self._messages.add(self._store.next_number(), message)
