"""The async face: every flow by its name, awaitable, over SQLAlchemy's ``AsyncEngine``.

There is no second copy of any logic. The services are the synchronous ones; each command runs in a greenlet, and where
the driver waits for the database the event loop goes on (SQLAlchemy's own bridge, ``greenlet_spawn``). So whatever the
host gives that is called inside a command, such as its own repositories, is synchronous too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self, TypeVar, Unpack

from authflow.command import AsyncFace
from authflow.errors import ExtraMissing
from authflow.events.service import Events
from authflow.journey.audit import AuditTrail
from authflow.journey.joining import Invitations, Members
from authflow.journey.people import People
from authflow.journey.protecting import Protecting
from authflow.journey.providers.providing import Providers
from authflow.journey.signing_in import SigningIn
from authflow.journey.sso.single_sign_on import SingleSignOn
from authflow.journey.upkeep import Upkeep
from authflow.outbox.inspection import Inspection
from authflow.outbox.relay import Relay
from authflow.wiring import Authflow

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from contextlib import AbstractContextManager

    from authflow.adapters.sql.asynchronous import AsyncDatabase
    from authflow.command import Spawn
    from authflow.outbox.signals import Receivers
    from authflow.policy import Policy
    from authflow.ports import Clock, UnitOfWork
    from authflow.wiring import MemorySettings, Settings

T = TypeVar("T")


class AsyncSigningIn(AsyncFace, SigningIn):
    """``flows.sessions``, awaitable."""


class AsyncProtecting(AsyncFace, Protecting):
    """``flows.mfa``, awaitable."""


class AsyncInvitations(AsyncFace, Invitations):
    """``flows.invitations``, awaitable."""


class AsyncMembers(AsyncFace, Members):
    """``flows.members``, awaitable."""


class AsyncPeople(AsyncFace, People):
    """``flows.accounts``, awaitable."""


class AsyncProviders(AsyncFace, Providers):
    """``flows.providers``, awaitable."""


class AsyncSingleSignOn(AsyncFace, SingleSignOn):
    """``flows.sso``, awaitable."""


class AsyncEvents(AsyncFace, Events):
    """``flows.events``, awaitable."""


class AsyncRelay(AsyncFace, Relay):
    """``flows.relay``, awaitable. Handlers are synchronous functions: they run between the waits, not beside them."""


class AsyncInspection(AsyncFace, Inspection):
    """``flows.outbox``, awaitable."""


class AsyncAuditTrail(AsyncFace, AuditTrail):
    """``flows.audit``, awaitable."""


class AsyncUpkeep(AsyncFace, Upkeep):
    """``flows.upkeep``, awaitable."""


class AsyncAuthflow:
    """Every flow by its name, awaitable.

    Args:
        flows: The synchronous flows, on a unit of work whose driver is asynchronous.
        spawn: How their commands are run; by default through SQLAlchemy's greenlets.

    Attributes:
        sync: The same flows, synchronous, for code that runs inside `spawn`.
        uow: As of `Authflow`: its transactions are synchronous, and opened by code that runs inside `spawn`.

    All other attributes are those of `Authflow`.
    """

    def __init__(self, flows: Authflow, spawn: Spawn | None = None) -> None:
        spawn = spawn or _bridge()
        self.sync = flows
        self.spawn = spawn
        self._dispose: Callable[[], Awaitable[None]] | None = None
        self.sessions = AsyncSigningIn(flows.sessions, spawn)
        self.mfa = AsyncProtecting(flows.mfa, spawn)
        self.invitations = AsyncInvitations(flows.invitations, spawn)
        self.members = AsyncMembers(flows.members, spawn)
        self.accounts = AsyncPeople(flows.accounts, spawn)
        self.sso = AsyncSingleSignOn(flows.sso, spawn)
        self.providers = AsyncProviders(flows.providers, spawn)
        self.events = AsyncEvents(flows.events, spawn)
        self.receivers: Receivers = flows.receivers
        self.relay = AsyncRelay(flows.relay, spawn)
        self.outbox = AsyncInspection(flows.outbox, spawn)
        self.audit = AsyncAuditTrail(flows.audit, spawn)
        self.upkeep = AsyncUpkeep(flows.upkeep, spawn)
        self.uow: UnitOfWork[Any] = flows.uow
        self.clock: Clock = flows.clock
        self.policy: Policy = flows.policy

    @classmethod
    async def open(cls, database: AsyncDatabase, **settings: Unpack[Settings]) -> AsyncAuthflow:
        """Return the flows on a database whose tables stand.

        Args:
            database: An ``AsyncEngine``, or a URL: ``sqlite:///app.db`` (aiosqlite), ``postgresql://...`` (asyncpg),
                ``postgresql+psycopg://...``.
            settings: Those of `Authflow.open`.

        Raises:
            KeysMissing, SchemaMissing, SchemaTooOld, SchemaTooNew, DatabaseUnavailable, ExtraMissing: As there.
            ConfigInvalid: The driver is not asynchronous.
        """
        spawn = _bridge()
        from authflow.adapters.sql.asynchronous import async_engine_of

        engine = async_engine_of(database)
        try:
            opened = cls(await spawn(Authflow.open, engine.sync_engine, **settings), spawn)
        except BaseException:  # as there
            if engine is not database:
                await engine.dispose()
            raise
        if engine is not database:
            opened._dispose = engine.dispose
        return opened

    @classmethod
    def in_memory(cls, **settings: Unpack[MemorySettings]) -> AsyncAuthflow:
        """Return the flows without any database, for tests and trials; *settings* as of `Authflow.in_memory`."""
        return cls(Authflow.in_memory(**settings), _at_once)

    async def close(self) -> None:
        """Close the connections of the engine that `open` made; one that the host gave is the host's to dispose of."""
        if self._dispose is not None:
            await self._dispose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_why: object) -> None:
        await self.close()

    def within(self, host: object) -> AbstractContextManager[None]:
        """Let every command in the block be a part of the host's own transaction: see `Authflow.within`.

        Args:
            host: An ``AsyncSession`` or an ``AsyncConnection``.
        """
        return self.sync.within(host)

    def __repr__(self) -> str:
        return f"AsyncAuthflow({self.sync!r})"


def _bridge() -> Spawn:
    try:
        from authflow.adapters.sql.asynchronous import bridge
    except ImportError as error:
        raise ExtraMissing(extra="asyncio") from error
    return bridge


async def _at_once(function: Callable[..., T], /, *args: Any, **kwargs: Any) -> T:  # noqa: ANN401  # whatever it takes
    return function(*args, **kwargs)
