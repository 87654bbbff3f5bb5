"""The unit of work in memory: one lock, an undo journal, and joins."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

from authflow.adapters.counting import Counted
from authflow.adapters.current import Current
from authflow.adapters.memory.events import MemoryEvents, MemoryProjects, MemorySightings
from authflow.adapters.memory.membership import MemoryConsents, MemoryInvitations, MemoryMembers
from authflow.adapters.memory.mfa import MemoryFactorCensus, MemoryFactors, MemoryRecoveryCodes
from authflow.adapters.memory.outbox_relay import MemoryLanes, MemoryParked, MemoryQueue, MemoryReceipts
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
from authflow.adapters.memory.store import Store
from authflow.errors import NotInUnitOfWork

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

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


class MemoryUnitOfWork:
    """`authflow.ports.UnitOfWork` over a `Store`: transactions are serial, a rollback undoes the journal."""

    def __init__(self, store: Store | None = None) -> None:
        self.store = store or Store()
        self._current: Current[MemoryTransaction] = Current()

    @contextmanager
    def begin(self) -> Generator[MemoryTransaction]:
        """Open a transaction, or join the one that is open here."""
        joined = self._current.get()
        if joined is not None:
            yield joined
            return
        with self.store.lock:
            tx = MemoryTransaction(self.store)
            try:
                with self._current.holding(tx):
                    yield tx
                self.store.require_sound()
            except BaseException:
                self.store.undo_to(0)
                tx.counted.repeat(MemoryTransaction(self.store))
                raise
            finally:
                self.store.journal.clear()

    def run(self, work: Callable[[], T]) -> T:
        """Do the whole command *work* in one transaction."""
        with self.begin():
            return work()

    def require_counters(self) -> None:
        """Every count outlives a rollback here."""

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
