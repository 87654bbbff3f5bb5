"""The unit of work in memory: one lock, an undo journal, and joins."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

from authflow.adapters.counted import Counted
from authflow.adapters.current import Current
from authflow.adapters.memory.accounts import MemoryConfirmations
from authflow.adapters.memory.events import MemoryEvents, MemoryProjects, MemorySightings
from authflow.adapters.memory.membership import MemoryConsents, MemoryInvitations, MemoryMembers
from authflow.adapters.memory.mfa import MemoryFactorCensus, MemoryFactors, MemoryRecoveryCodes
from authflow.adapters.memory.outbox_relay import MemoryLanes, MemoryParked, MemoryQueue, MemoryReceipts
from authflow.adapters.memory.provider_sessions import MemoryProviderSessions
from authflow.adapters.memory.replies import MemoryReplies
from authflow.adapters.memory.sessions import MemoryDevices, MemoryResetLinks, MemorySessions
from authflow.adapters.memory.shared import (
    MemoryAccounts,
    MemoryAttempts,
    MemoryAudit,
    MemoryLimits,
    MemoryOrganizations,
    MemoryOutbox,
    MemoryUsers,
)
from authflow.adapters.memory.sso import (
    MemoryFormerSubjects,
    MemoryLinks,
    MemoryPipelines,
    MemoryProviders,
    MemoryRegistrar,
    MemorySingleUse,
)
from authflow.adapters.memory.store import Store
from authflow.adapters.retrying import Retry
from authflow.errors import ConfigInvalid, InUnitOfWork, NotInUnitOfWork

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from contextlib import AbstractContextManager

T = TypeVar("T")


class MemoryTransaction:
    """Every repository over one store. It is only handed out while the store's lock is held."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.counted = Counted()
        self.users = MemoryUsers(store)
        self.organizations = MemoryOrganizations(store)
        self.accounts = MemoryAccounts(store)
        self.limits = MemoryLimits(store, self.counted)
        self.attempts = MemoryAttempts(store, self.counted)
        self.audit = MemoryAudit(store)
        self.outbox = MemoryOutbox(store)
        self.members = MemoryMembers(store)
        self.invitations = MemoryInvitations(store)
        self.consents = MemoryConsents(store)
        self.confirmations = MemoryConfirmations(store)
        self.sessions = MemorySessions(store)
        self.devices = MemoryDevices(store)
        self.reset_links = MemoryResetLinks(store)
        self.factors = MemoryFactors(store)
        self.recovery_codes = MemoryRecoveryCodes(store)
        self.factor_census = MemoryFactorCensus(store)
        self.lanes = MemoryLanes(store)
        self.queue = MemoryQueue(store)
        self.parked = MemoryParked(store)
        self.receipts = MemoryReceipts(store)
        self.projects = MemoryProjects(store)
        self.sightings = MemorySightings(store)
        self.events = MemoryEvents(store)
        self.replies = MemoryReplies(store)
        self.providers = MemoryProviders(store)
        self.links = MemoryLinks(store)
        self.former_subjects = MemoryFormerSubjects(store, self.links)
        self.pipelines = MemoryPipelines(store)
        self.single_use = MemorySingleUse(store)
        self.provider_sessions = MemoryProviderSessions(store)
        self.registrar = MemoryRegistrar(self.users)


class MemoryUnitOfWork:
    """`authflow.ports.UnitOfWork` over a `Store`: transactions are serial, a rollback undoes the journal.

    Args:
        store: The dictionaries; new ones, if none are given.
        retry: How often a command is tried that raises `Retryable`; memory itself never does.
    """

    def __init__(self, store: Store | None = None, *, retry: Retry | None = None) -> None:
        self.store = store or Store()
        self._retry = retry or Retry()
        self._current: Current[MemoryTransaction] = Current()

    @contextmanager
    def begin(self) -> Generator[MemoryTransaction]:
        """Open a transaction, or join the one that is open here."""
        joined = self._current.get()
        if joined is not None:
            yield joined
            return
        with self.store.lock, self._counts_staying() as tries, self._transaction(tries) as tx:
            yield tx

    def run(self, work: Callable[[], T]) -> T:
        """Do the whole command *work* in one transaction, again if it says that it lost to another one."""
        if self._current.get() is not None:
            return work()
        with self.store.lock, self._counts_staying() as tries:

            def attempt() -> T:
                with self._transaction(tries):
                    return work()

            return self._retry.call(attempt)

    def look(self, work: Callable[[], T]) -> T:
        """Do *work*, which only reads."""
        if self._current.get() is not None:
            return work()
        with self.store.lock:
            return self._retry.call(lambda: self._only_read(work))

    def _only_read(self, work: Callable[[], T]) -> T:
        try:
            with self._current.holding(MemoryTransaction(self.store)):
                found = work()
            if self.store.journal:
                raise NotInUnitOfWork
            return found
        finally:
            self.store.undo_to(0)

    def within(self, host: object) -> AbstractContextManager[None]:  # noqa: ARG002  # the port names it
        """Refuse: nothing here is shared with a database.

        Raises:
            ConfigInvalid: Always.
        """
        raise ConfigInvalid(setting="host", problem="cannot be shared with: memory has no transactions to share")

    def require_counters(self) -> None:
        """Do nothing: the lock is held until what was rolled back is counted again."""

    def require_closed(self) -> None:
        """Refuse what must not run inside a transaction."""
        if self._current.get() is not None:
            raise InUnitOfWork

    def outside(self, work: Callable[[], T]) -> T:
        """Do *work* with no transaction open."""
        self.require_closed()
        return work()

    @contextmanager
    def _transaction(self, tries: list[Counted]) -> Generator[MemoryTransaction]:
        tx = MemoryTransaction(self.store)
        tries.append(tx.counted)
        try:
            with self._current.holding(tx):
                yield tx
            self.store.require_sound()
        except BaseException:
            self.store.undo_to(0)
            raise
        finally:
            self.store.journal.clear()

    @contextmanager
    def _counts_staying(self) -> Generator[list[Counted]]:
        """Count again, before anybody else may begin, what the last transaction of the block counted and undid."""
        tries: list[Counted] = []
        try:
            yield tries
        except BaseException:
            for last in tries[-1:]:
                last.repeat(MemoryTransaction(self.store))
            self.store.journal.clear()
            raise

    @contextmanager
    def savepoint(self) -> Generator[None]:
        """Undo what is written inside if it fails; counts stay."""
        tx = self._current.get()
        if tx is None:
            raise NotInUnitOfWork
        self.store.require_sound()
        mark, counts = len(self.store.journal), tx.counted.mark()
        try:
            yield
            self.store.require_sound()
        except BaseException:
            self.store.undo_to(mark)
            tx.counted.repeat(tx, since=counts)
            raise
