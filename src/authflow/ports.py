"""What the core asks of the world. Each promise, exceptions and isolation included, stands in a docstring.

A port is a `typing.Protocol` of one to five methods. ``authflow.testing.contracts`` has one suite per port;
the memory, SQLite and PostgreSQL adapters pass it, and so can a host's own.

Repositories hang on a *transaction* and work inside it: they never commit. A violated uniqueness rule raises
`UniqueViolated` with the rule's stable name, a lost compare-and-set raises `StaleVersion`, a locked or deadlocked
database raises `Retryable`; a driver's own exception never gets out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

import attrs

from authflow.values import UserId, same_address

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
    from contextlib import AbstractContextManager
    from datetime import datetime, timedelta

    from authflow.facts.records import AuditEntry, Mail, Message
    from authflow.values import Address, Asker, Budget, OrganizationId, ProjectId, ProviderId, Role, Sealed, Secret

T = TypeVar("T")
TxT_co = TypeVar("TxT_co", covariant=True)


# --- ambient things -------------------------------------------------------------------------------------------------


class Clock(Protocol):
    """The only source of time."""

    def now(self) -> datetime:
        """Return the present instant, aware, in UTC."""
        ...


class Entropy(Protocol):
    """The only source of randomness; cryptographically secure in production, seeded in tests."""

    def random_bytes(self, count: int) -> bytes:
        """Return *count* unpredictable bytes."""
        ...


# --- secrets --------------------------------------------------------------------------------------------------------


class Cipher(Protocol):
    """Authenticated encryption of secrets at rest, with a key ring (mfa 20.5).

    *bound_to* names the owner and the row; a ciphertext moved to another owner or row does not open.
    """

    def seal(self, secret: Secret, *, bound_to: Sequence[str]) -> Sealed:
        """Return *secret* sealed under the active key."""
        ...

    def open(self, sealed: Sealed, *, bound_to: Sequence[str]) -> Secret:
        """Return the secret.

        Raises:
            SecretUnavailable: The ring does not hold the key.
            SealBroken: The ciphertext was altered, or belongs to another owner or row.
        """
        ...

    def needs_reseal(self, sealed: Sealed) -> bool:
        """Tell whether *sealed* is under another key than the active one."""
        ...


@attrs.frozen(kw_only=True)
class Digest:
    """A keyed digest as it is stored: which pepper key made it, and the 32 bytes."""

    key_id: str
    value: bytes = attrs.field(repr=False)


class Pepper(Protocol):
    """Keyed hashing of codes that a leaked database must not give away (decision 30)."""

    def digests(self, *parts: str) -> tuple[Digest, ...]:
        """Return HMAC-SHA256 over the length-prefixed *parts* under every key of the ring, the active key's first.

        Store the first; look up any of them, so that codes made before a rotation go on working.
        """
        ...


# --- counting -------------------------------------------------------------------------------------------------------


@attrs.frozen
class Allowed:
    """The call was within its budget and has been counted; *left* more would be."""

    left: int


@attrs.frozen
class Limited:
    """The call was over its budget and has **not** been counted. The same call passes after *retry_after*."""

    retry_after: timedelta


class RateLimiter(Protocol):
    """Exact sliding windows (decision 31), counted in the caller's transaction.

    Two concurrent hits of one key are serialized until the first transaction ends. If the transaction is rolled back
    because of an exception, the unit of work counts the same hits once more in a transaction of its own:
    what was counted stays counted. If the count cannot be read, the exception is the answer: it fails closed.
    """

    def hit(self, budget: Budget, key: str, now: datetime) -> Allowed | Limited:
        """Count one call under (*budget.name*, *key*) unless it is over the budget."""
        ...

    def hit_all(self, budgets: Sequence[Budget], key: str, now: datetime) -> Allowed | Limited:
        """Count one call under each of *budgets*, which have names of their own, or under none if it is over any.

        ``left`` is what the fullest budget has left; ``retry_after`` is the longest wait of those that are over.
        """
        ...

    def peek(self, budget: Budget, key: str, now: datetime) -> Allowed | Limited:
        """Say what `hit` would answer, counting nothing."""
        ...

    def reset(self, budget: Budget, key: str) -> None:
        """Forget every call under this key."""
        ...

    def sweep(self, now: datetime) -> int:
        """Delete every key of which no call counts any more at *now*; return how many there were."""
        ...


class Attempts(Protocol):
    """Counters of guesses (decision 7): counted before the guess is compared, and kept like the limiter's hits."""

    def ahead(self, user: UserId, *keys: str) -> None:
        """Hear that *keys* are going to be read or counted behind the lock of *user*: an empty body is right.

        An adapter may read them along with the lock. Others may count on them still, as what is counted again after a
        rollback is: counting adds to what stands, and never overwrites it.
        """
        ...

    def count(self, key: str, *, expires_at: datetime) -> int:
        """Add one to *key* and return the new total. Increment and read are one atomic step.

        *expires_at* is when a sweep may forget the counter; it never changes the count.
        """
        ...

    def read(self, key: str) -> int:
        """Return the total, 0 for an unknown key."""
        ...

    def clear(self, key: str) -> None:
        """Forget *key*."""
        ...

    def sweep(self, now: datetime) -> int:
        """Delete every counter whose ``expires_at`` has passed; return how many there were."""
        ...


# --- people and organizations (the host's) --------------------------------------------------------------------------


@attrs.frozen(kw_only=True)
class UserAddress:
    """An e-mail address of a user. *verified_at* is none while nobody proved the mailbox."""

    address: Address
    primary: bool
    verified_at: datetime | None = None


def generated_label(user: UserId) -> str:
    """Return the username of somebody who chose none. It is random, as the id is, and so nobody else's."""
    return f"user-{user}"


@attrs.frozen(kw_only=True)
class User:
    """A person, global to the installation.

    *label* is their username or address; `called` is what logs and mails show. An inactive or suspended person cannot
    sign in; their factors, links and memberships stay. *administrator* may act on the whole installation.
    """

    id: UserId
    label: str
    name: str = ""
    active: bool = True
    administrator: bool = False
    addresses: tuple[UserAddress, ...] = ()

    def called(self) -> str:
        """Return what logs and mails show: the label, or for one that repeats the id a verified address, or nothing."""
        return next(iter(self.verified_addresses()), "") if self.label == generated_label(self.id) else self.label

    def administrates(self) -> bool:
        """Tell whether this person acts on the whole installation now."""
        return self.active and self.administrator

    def primary_verified(self) -> bool:
        """Tell whether the primary address is verified."""
        return any(a.primary and a.verified_at is not None for a in self.addresses)

    def verified_addresses(self) -> tuple[Address, ...]:
        """Return the verified addresses, the primary one first."""
        proven = [a for a in self.addresses if a.verified_at is not None]
        return tuple(a.address for a in sorted(proven, key=lambda a: not a.primary))

    def holds(self, address: str) -> bool:
        """Tell whether *address* is a verified address of this person."""
        return any(same_address(address, own) for own in self.verified_addresses())


class Users(Protocol):
    """The host's people. A host with its own table brings its own."""

    def get(self, user: UserId) -> User | None:
        """Return the person with all addresses, or none."""
        ...

    def holders(self, address: Address) -> tuple[UserId, ...]:
        """Return everybody who holds *address* **verified** (decision 19), in the order of their ids."""
        ...

    def record_verified(self, user: UserId, address: Address, at: datetime) -> bool:
        """Store that the host verified *address* for *user*; false if there is no such user or address."""
        ...

    def drop_unverified(self, address: Address, *, keep: UserId) -> tuple[UserId, ...]:
        """Take *address* from all but *keep* who hold it unverified (decision 19); return whom, in order of ids."""
        ...

    def drop_password_resets(self, user: UserId) -> int:
        """Delete every outstanding lost-password token of *user*; return how many there were."""
        ...

    def remove(self, user: UserId) -> bool:
        """Delete the person and their addresses; false if there is none."""
        ...


@attrs.frozen(kw_only=True)
class Organization:
    """A tenant.

    Args:
        active: An inactive organization takes nobody in and demands nothing.
        default_role: For members who come without an invite's role.
        require_second_factor: Members must have a second factor.
        require_verified_address: Members must have a verified primary address.
        invites_bound_to_address: An invite is only for the person who holds its address. The opt-out is false.
        can_invite: The organization's plan lets it invite people.
        join_requests: Outsiders may ask to join.
        member_limit_restricted: Members who join now are restricted until the plan allows more.
        regions: Where its signals go; never empty for an organization that signals.
        security_project: Where events about its membership are saved, or none.
    """

    id: OrganizationId
    slug: str
    name: str
    active: bool = True
    default_role: Role
    require_second_factor: bool = False
    require_verified_address: bool = False
    invites_bound_to_address: bool = True
    can_invite: bool = True
    join_requests: bool = True
    member_limit_restricted: bool = False
    regions: tuple[str, ...] = ()
    security_project: ProjectId | None = None


class Organizations(Protocol):
    """The host's organizations. A host with its own table brings its own."""

    def get(self, organization: OrganizationId) -> Organization | None:
        """Return the organization, or none."""
        ...

    def of_user(self, user: UserId) -> tuple[Organization, ...]:
        """Return every organization of which *user* is a member, in the order of their ids."""
        ...

    def demand_second_factor(self, organization: OrganizationId, *, required: bool) -> bool:
        """Store whether members need a second factor (decision 26); false, with nothing written, where it is fixed."""
        ...


@attrs.frozen(kw_only=True)
class Sso:
    """What single sign-on means for one person at one organization.

    Args:
        provider: The organization's provider, or none.
        name: What the provider is called on a page, or none.
        required: Members must sign in through it.
        linked: This person has a link at this very provider.
        marked: This session signed in through it, recently enough.
    """

    provider: ProviderId | None = None
    name: str | None = None
    required: bool = False
    linked: bool = False
    marked: bool = False


class SsoStatus(Protocol):
    """What is known of single sign-on; read inside the caller's unit of work."""

    def status(self, organization: OrganizationId, asker: Asker) -> Sso:
        """Return the facts for the person and session of *asker* at *organization*."""
        ...


# --- what is written beside every change ----------------------------------------------------------------------------


class AuditLog(Protocol):
    """Who did what to whom, append-only, in the caller's transaction."""

    def append(self, entries: Sequence[AuditEntry]) -> None:
        """Store *entries* together, in their order, perhaps not before the log is read or the transaction ends.

        They may wait for what else it appends, beyond the end of a savepoint too, with which they vanish if it is
        undone. What the database refuses, it refuses then.
        """
        ...

    def of_user(self, user: UserId, *, limit: int = 100) -> tuple[AuditEntry, ...]:
        """Return the newest entries about *user* outside any organization, newest first."""
        ...

    def of_organization(self, organization: OrganizationId, *, limit: int = 100) -> tuple[AuditEntry, ...]:
        """Return the newest entries of *organization*, newest first."""
        ...


class Outbox(Protocol):
    """The writing half of the outbox: a message commits or vanishes with the change that it announces."""

    def append(self, messages: Sequence[Message]) -> None:
        """Store *messages* together, in their order; like the audit log's, perhaps not before the transaction ends."""
        ...


class Mailer(Protocol):
    """Sends one mail; called by the relay only, never inside a transaction."""

    def send(self, mail: Mail) -> None:
        """Hand *mail* over. Any exception means that it was not sent and will be tried again."""
        ...


# --- sessions, as the other slices see them -------------------------------------------------------------------------


@attrs.frozen(kw_only=True)
class Account:
    """What authflow itself keeps about a person: the session epoch that ends all older sessions."""

    user: UserId
    epoch: int
    enrollment_required: bool = False


class Accounts(Protocol):
    """One row per person, ours, keyed by the host's opaque id; its lock comes before every other lock."""

    def lock(self, user: UserId) -> Account:
        """Return the person's row, made if missing, and hold its lock until the transaction ends."""
        ...

    def hold(self, users: Iterable[UserId]) -> None:
        """Hold the locks of *users* as `lock` does, in one order, before whatever is asked for next is answered."""
        ...

    def read(self, user: UserId) -> Account:
        """Return the row as it stands, without a lock; where there is none, what `lock` would make. Writes nothing."""
        ...

    def save(self, account: Account) -> None:
        """Store *account*, whose lock this transaction holds, by `lock` or by `hold`."""
        ...

    def remove(self, user: UserId) -> None:
        """Delete the row, if there is one."""
        ...


class Protected(Protocol):
    """The one thing that the other slices ask of second factors."""

    def protected(self, users: Collection[UserId]) -> Mapping[UserId, bool]:
        """Say for every one of *users* whether they have a primary second factor, available or not (mfa 3.4, 3.6)."""
        ...


# --- stored replies -------------------------------------------------------------------------------------------------


@attrs.frozen(kw_only=True)
class Reply:
    """The answer to a command that a host may repeat, stored under the command's idempotency key (decision 8).

    Args:
        key: Digest of the key and of what it is scoped to.
        arguments: What the command was asked with; the same key with other arguments is a conflict.
        answer: Sealed for this very row: with any other field changed it does not open.
        former_until: Until when the session value that the answer made invalid may still fetch it, or none.
        created_at: When the command was done.
        expires_at: From when on the reply counts as absent.
    """

    key: bytes = attrs.field(repr=False)
    arguments: Digest
    answer: Sealed
    former_until: datetime | None = None
    created_at: datetime
    expires_at: datetime


class Replies(Protocol):
    """One row per command and idempotency key; the row is written in the transaction of the command itself."""

    def claim(self, key: bytes, now: datetime) -> Reply | None:
        """Return the reply under *key*, or none for the one who must do the command now.

        Of any number of concurrent calls one gets none; the others wait until its transaction ends, and get the reply
        that was stored, or, after a rollback, the same choice again. Whoever claimed stores a reply or releases the key
        in the same transaction. What has expired counts as absent.

        Raises:
            Retryable: Waiting took too long, or the isolation level shows no reply that was stored meanwhile.
        """
        ...

    def store(self, reply: Reply) -> None:
        """Store *reply* under its key, which this transaction has claimed."""
        ...

    def release(self, key: bytes) -> None:
        """Delete whatever stands under *key*."""
        ...

    def sweep(self, now: datetime) -> int:
        """Delete every reply that has expired; return how many there were."""
        ...


# --- transactions ---------------------------------------------------------------------------------------------------


@attrs.frozen
class Stored(Generic[T]):
    """A loaded state and the version under which it may be saved. Version 0 means that no row stands yet."""

    state: T
    version: int


class Transaction(Protocol):
    """What every slice may ask of an open transaction; a slice's own protocol adds its repositories."""

    @property
    def users(self) -> Users: ...
    @property
    def organizations(self) -> Organizations: ...
    @property
    def accounts(self) -> Accounts: ...
    @property
    def limits(self) -> RateLimiter: ...
    @property
    def attempts(self) -> Attempts: ...
    @property
    def audit(self) -> AuditLog: ...
    @property
    def outbox(self) -> Outbox: ...
    @property
    def replies(self) -> Replies: ...


class UnitOfWork(Protocol[TxT_co]):
    """One command, one transaction."""

    def begin(self) -> AbstractContextManager[TxT_co]:
        """Open a transaction, or join the one that this thread or task has open here.

        Leaving the outermost block without an error commits; any exception rolls everything back, except the hits
        and attempts counted so far, which are counted again in a transaction of their own before it goes on.

        A host may open one around several commands, and roll it back by an exception. Between that rollback and the
        counting again others could guess on, so there hits and attempts are counted at once on another connection, or
        commands that compare guesses are refused (`require_counters`).

        Locks are taken in one order everywhere: the person's account, limiter and attempt keys, then aggregates.

        A repository's `UniqueViolated` or `DatabaseError` may be caught only around a `savepoint`. Caught anywhere
        else it leaves a transaction of which the database keeps nothing, so leaving the block raises `DatabaseError`.

        Raises:
            CommitUnknown: The connection was lost while the outermost block committed. Counts stand or fall with it, as
                they do with a commit that was interrupted (a task cancelled, a process told to end).
            DatabaseError: It could not be begun or committed; nothing is kept.
        """
        ...

    def run(self, work: Callable[[], T]) -> T:
        """Do the whole command *work* in one transaction, and return what it returns.

        Inside an open transaction *work* joins it. Outside, *work* is called again, a few times and in a new
        transaction, if the database says that the transaction lost to another one: it must do nothing that a rollback
        does not undo. What its tries counted is counted once.

        Raises:
            Retryable: It lost every time.
            CommitUnknown, DatabaseError: As for `begin`.
        """
        ...

    def look(self, work: Callable[[], T]) -> T:
        """Do *work*, which only reads, and return what it returns: it waits for no writer, and holds nobody up.

        Inside an open transaction *work* joins it. Outside there is none: what is read one after another may be of
        different moments, so whatever is decided about it is to be judged again by who writes. Like that of `run`,
        *work* may be called again.

        Raises:
            NotInUnitOfWork: *work* was about to write, or to count, outside of a transaction; nothing of it is kept. An
                adapter may refuse locks alike: they would hold nothing.
            DatabaseError: The database could not be asked.
        """
        ...

    def within(self, host: object) -> AbstractContextManager[None]:
        """Let the transactions begun in the block be savepoints of the transaction that *host* has open.

        *host* is whatever this adapter shares transactions with. The host alone commits, and it may do so in between:
        each of our transactions joins the one that is open then. What fails undoes its own savepoint and nothing else.
        `run` tries nothing again there: `Retryable` goes to the host, whose whole transaction has to be done again.
        Hits and attempts are counted at once on another connection; where there is none (SQLite), they are the host's
        to roll back, and commands that compare guesses are refused (`require_counters`).

        Another thread or task whose context was copied from the block must not use the connection, and does not commit
        beside it: it is refused for as long as the block lasts, unless it shares a host of its own.

        Raises:
            ConfigInvalid: *host* is nothing of the kind, or of another database.
            InUnitOfWork: One of our own transactions is open here.
            NoTransaction: By `begin` and `run` in the block: *host* has no transaction open and begins none.
            SharedElsewhere: By `begin` and `run` in such a copy; at the end of a block that began elsewhere.
        """
        ...

    def require_counters(self) -> None:
        """Refuse to compare guesses where whoever opened the transaction could undo their count (decision 7).

        The outermost `run` passes: its transaction is ours to commit. So does one that counts on another connection.

        Raises:
            NotOwned: The transaction that is open here is a host's, and there is no other connection to count on.
        """
        ...

    def require_closed(self) -> None:
        """Refuse what must not run inside a transaction, since a rollback could not undo it: delivering the outbox.

        Raises:
            InUnitOfWork: A transaction is open here, or a host's is shared (`within`).
        """
        ...

    def outside(self, work: Callable[[], T]) -> T:
        """Do *work*, which waits for others, with no transaction open; on an event loop other tasks go on meanwhile.

        Raises:
            InUnitOfWork: As for `require_closed`.
        """
        ...

    def savepoint(self) -> AbstractContextManager[None]:
        """Open a savepoint: an exception undoes what was written since and goes on; the transaction lives.

        Raises:
            NotInUnitOfWork: No transaction is open here.
        """
        ...
