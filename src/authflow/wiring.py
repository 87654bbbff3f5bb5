"""The one composition root: everything a host calls, built from a database, a key ring and a policy.

Nothing here decides anything, and nothing happens before `Authflow.open` or `Authflow.in_memory` is called.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Required, Self, TypedDict

import attrs

from authflow.adapters.keys import KeyRing
from authflow.assembly import Ports, Slices, handlers_of, ports_of
from authflow.assembly.journeys import Journeys
from authflow.command.running import CommandClock
from authflow.errors import ConfigInvalid, ExtraMissing, KeysMissing
from authflow.journey.audit import AuditTrail
from authflow.outbox.inspection import Inspection
from authflow.outbox.relay import Relay
from authflow.outbox.signals import Receivers
from authflow.policy import Policy

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from authflow.adapters.sql.engine import Database
    from authflow.adapters.sql.hosted import OrganizationTable, UserTable
    from authflow.adapters.sql.people import OrganizationsFactory, RegistrarFactory, UsersFactory
    from authflow.events.service import Events
    from authflow.journey.joining import Invitations, Members
    from authflow.journey.people import People
    from authflow.journey.protecting import Protecting
    from authflow.journey.providers.providing import Providers
    from authflow.journey.signing_in import SigningIn
    from authflow.journey.sso.single_sign_on import SingleSignOn
    from authflow.journey.upkeep import Upkeep
    from authflow.ports import Clock, Entropy, Mailer, SsoStatus, UnitOfWork
    from authflow.sso.endpoints import Endpoints
    from authflow.sso.kinds import Kinds


class _Settings(TypedDict, total=False):
    policy: Policy | None
    clock: Clock | None
    entropy: Entropy | None
    mailer: Mailer | None
    sso: SsoStatus | None
    kinds: Kinds | None
    endpoints: Endpoints | None


class MemorySettings(_Settings, total=False):
    """The settings of `Authflow.in_memory`."""

    keys: KeyRing | None


class Settings(_Settings, total=False):
    """The settings of `Authflow.open`."""

    keys: Required[KeyRing | None]
    prefix: str | None
    schema: str | None
    users: UserTable | UsersFactory | None
    organizations: OrganizationTable | OrganizationsFactory | None
    registrar: RegistrarFactory | None


@attrs.frozen(kw_only=True, repr=False)
class Authflow:
    """Every flow by its name.

    Args:
        sessions: Signing in, and what a session does to itself.
        mfa: Second factors: enrolling, answering, keeping, resetting.
        invitations: How people come into an organization.
        members: Who belongs to it.
        accounts: Whole accounts: addresses, export, merge, deletion.
        sso: Signing in through organizations' providers, and linking.
        events: Saving events and reading them back.
        receivers: Register here who hears of signals, before the first delivery.
        relay: Delivers what the outbox holds; call it from a worker.
        outbox: How deep the outbox is, and what was parked.
        audit: Who did what to whom.
        providers: Connecting an organization's provider, and keeping it.
        upkeep: What a timer calls: the sweep, sealing anew, asking providers again.
        uow: The unit of work; its transactions have every repository.
        clock: Where the time comes from. A command looks once; this one is the host's own, and shows every look anew.
        policy: The decisions this installation tuned.
    """

    sessions: SigningIn
    mfa: Protecting
    invitations: Invitations
    members: Members
    accounts: People
    sso: SingleSignOn
    events: Events
    receivers: Receivers
    relay: Relay
    outbox: Inspection
    audit: AuditTrail
    providers: Providers
    upkeep: Upkeep
    uow: UnitOfWork[Any]
    clock: Clock
    policy: Policy
    _dispose: Callable[[], None] | None = attrs.field(default=None, alias="dispose")

    @classmethod
    def open(
        cls,
        database: Database,
        *,
        keys: KeyRing | None,
        policy: Policy | None = None,
        clock: Clock | None = None,
        entropy: Entropy | None = None,
        mailer: Mailer | None = None,
        sso: SsoStatus | None = None,
        kinds: Kinds | None = None,
        endpoints: Endpoints | None = None,
        prefix: str | None = None,
        schema: str | None = None,
        users: UserTable | UsersFactory | None = None,
        organizations: OrganizationTable | OrganizationsFactory | None = None,
        registrar: RegistrarFactory | None = None,
    ) -> Authflow:
        """Return the flows on a database whose tables stand (``authflow schema upgrade`` makes them).

        Args:
            database: A URL (``sqlite:///app.db``, ``postgresql://...``, ``mariadb://...``) or a SQLAlchemy engine.
                Call `authflow.adapters.sql.engine.prepare` on one of your own before it connects; otherwise each
                transaction of ours is made safe by itself, which costs a round trip or two on a server.
            keys: The key ring; `KeyRing.load` reads one from its file.
            policy: The tunable decisions; every default is strict.
            clock: Defaults to the system's.
            entropy: Defaults to the system's.
            mailer: Sends what the relay delivers; defaults to the console.
            sso: What is known of single sign-on, from a host that does that by itself; defaults to our own rows.
            kinds: The kinds of provider that can be connected; none by default.
            endpoints: Where providers send people back to: needed as soon as there are kinds.
            prefix: What the names of the tables begin with.
            schema: Which PostgreSQL schema holds them.
            users: Your own table of people, or a function that makes your ``Users`` from the open connection.
            organizations: Likewise.
            registrar: A function that makes what opens accounts in your own table of people from the open connection
                (`authflow.sso.ports.Registrar`); without one, nobody can sign up there through a provider.

        Raises:
            KeysMissing: No key ring was given.
            ConfigInvalid: A setting is missing or makes no sense, or your tables are not as they are mapped.
            SchemaMissing, SchemaTooOld, SchemaTooNew: The tables do not fit this version.
            DatabaseUnavailable: The database cannot be reached.
            ExtraMissing: The extra ``sql`` (or ``postgres``, or ``mariadb``) is not installed.
        """
        ring = _required(keys)
        try:
            from authflow.adapters.sql.opening import engine_of, unit_of_work
        except ImportError as error:
            raise ExtraMissing(extra="sql") from error
        engine = engine_of(database)
        try:
            uow = unit_of_work(
                engine, prefix=prefix, schema=schema, users=users, organizations=organizations, registrar=registrar
            )
            ports = ports_of(
                uow, ring, clock=clock, entropy=entropy, mailer=mailer, sso=sso, kinds=kinds, endpoints=endpoints
            )
            opened = cls.of(ports, Policy() if policy is None else policy)
        except BaseException:  # a host's own function may raise anything, and a task may be cancelled
            if engine is not database:
                engine.dispose()
            raise
        return opened if engine is database else attrs.evolve(opened, dispose=engine.dispose)

    @classmethod
    def in_memory(
        cls,
        *,
        keys: KeyRing | None = None,
        policy: Policy | None = None,
        clock: Clock | None = None,
        entropy: Entropy | None = None,
        mailer: Mailer | None = None,
        sso: SsoStatus | None = None,
        kinds: Kinds | None = None,
        endpoints: Endpoints | None = None,
    ) -> Authflow:
        """Return the flows without any database, for tests and trials; everything is gone with the process.

        The settings are those of `open`; without *keys* there are new ones.
        """
        from authflow.adapters.memory.unit_of_work import MemoryUnitOfWork
        from authflow.adapters.system import SystemEntropy

        ring = keys or KeyRing.ephemeral(entropy or SystemEntropy())
        uow = MemoryUnitOfWork()
        return cls.of(
            ports_of(
                uow,
                ring,
                clock=clock,
                entropy=entropy,
                mailer=mailer,
                sso=sso,
                kinds=kinds,
                endpoints=endpoints,
            ),
            Policy() if policy is None else policy,
        )

    @classmethod
    def of(cls, ports: Ports, policy: Policy) -> Authflow:
        """Return the flows over *ports* of the host's own: an own unit of work, cipher, pepper or mailer."""
        _require(policy, Policy, setting="policy")
        _require_mailer(ports.mailer)
        _require_endpoints(ports)
        clock = ports.clock
        ports = attrs.evolve(ports, clock=CommandClock(clock, ports.uow))
        slices = Slices.of(ports, policy)
        journeys = Journeys.of(ports, policy, slices)
        receivers = Receivers()
        handlers = handlers_of(ports, policy, slices, receivers)
        return cls(
            sessions=journeys.sessions,
            mfa=journeys.mfa,
            invitations=journeys.invitations,
            members=journeys.members,
            accounts=journeys.accounts,
            sso=journeys.sso,
            events=slices.events,
            receivers=receivers,
            relay=Relay(
                uow=ports.uow, clock=ports.clock, handlers=handlers, entropy=ports.entropy, policy=policy.outbox
            ),
            outbox=Inspection(uow=ports.uow, clock=ports.clock),
            audit=AuditTrail(uow=ports.uow),
            providers=journeys.providers,
            upkeep=journeys.upkeep,
            uow=ports.uow,
            clock=clock,
            policy=policy,
        )

    def __repr__(self) -> str:
        return f"Authflow({type(self.uow).__name__})"

    def close(self) -> None:
        """Close the connections of the engine that `open` made; one that the host gave is the host's to dispose of."""
        if self._dispose is not None:
            self._dispose()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_why: object) -> None:
        self.close()

    def within(self, host: object) -> AbstractContextManager[None]:
        """Let every command in the block be a part of the host's own transaction.

        There our unit of work is a savepoint: what a command wrote is kept or undone together with everything else
        in the host's transaction, and only the host commits. A command that compares something that could be guessed
        needs a place for its counts that the host cannot undo (decision 7): on SQLite there is none.

        Args:
            host: The host's SQLAlchemy ``Connection`` or ``Session``, or its bare DB-API connection.

        Raises:
            ConfigInvalid: *host* is nothing of the kind, or of another kind of database.
            NotOwned: By a command in the block that compares guesses, on SQLite.
            SharedElsewhere: By a command in another thread or task that was started in the block (``asyncio.gather``,
                ``wait_for`` before Python 3.12); at the end of a block that began in another context.
        """
        return self.uow.within(host)


def _require(given: object, kind: type, *, setting: str) -> None:
    if not isinstance(given, kind):
        raise ConfigInvalid(setting=setting, problem=f"must be a {kind.__name__}")


def _require_mailer(given: object) -> None:
    if isinstance(given, type) or not callable(getattr(given, "send", None)):
        raise ConfigInvalid(setting="mailer", problem="must be an object with a method send")


def _require_endpoints(ports: Ports) -> None:
    if ports.endpoints is None and any(True for _ in ports.kinds):
        raise ConfigInvalid(setting="endpoints", problem="are missing: providers need an address to answer to")


def _required(keys: KeyRing | None) -> KeyRing:
    if keys is None:
        raise KeysMissing
    _require(keys, KeyRing, setting="keys")
    return keys
