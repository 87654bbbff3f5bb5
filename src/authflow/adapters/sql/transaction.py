"""Every repository over one open connection."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs

from authflow.adapters.sql.accounts import AccountStatements, SqlAccounts
from authflow.adapters.sql.confirmations import ConfirmationStatements, SqlConfirmations
from authflow.adapters.sql.counting_apart import AttemptsApart, LimitsApart
from authflow.adapters.sql.events import EventStatements, SqlEvents, SqlProjects, SqlSightings
from authflow.adapters.sql.former_subjects import FormerStatements, SqlFormerSubjects
from authflow.adapters.sql.limits import CountStatements, SqlAttempts, SqlLimits
from authflow.adapters.sql.logs import LogStatements, SqlAudit, SqlOutbox
from authflow.adapters.sql.members import MemberStatements, SqlMembers
from authflow.adapters.sql.membership import ConsentStatements, InvitationStatements, SqlConsents, SqlInvitations
from authflow.adapters.sql.mfa import MfaStatements, SqlFactorCensus, SqlFactors, SqlRecoveryCodes
from authflow.adapters.sql.organizations import SqlOrganizations
from authflow.adapters.sql.outbox_relay import RelayStatements, SqlLanes, SqlParked, SqlQueue, SqlReceipts
from authflow.adapters.sql.people import SqlUsers, organizations_of, registrar_of, users_of
from authflow.adapters.sql.provider_sessions import ProviderSessionStatements, SqlProviderSessions
from authflow.adapters.sql.registrar import SqlRegistrar
from authflow.adapters.sql.replies import ReplyStatements, SqlReplies
from authflow.adapters.sql.sessions import SessionStatements, SqlDevices, SqlResetLinks, SqlSessions
from authflow.adapters.sql.sso_links import LinkStatements, SqlLinks
from authflow.adapters.sql.sso_once import OnceStatements, SqlSingleUse
from authflow.adapters.sql.sso_pipelines import PipelineStatements, SqlPipelines
from authflow.adapters.sql.sso_providers import ProviderStatements, SqlProviders
from authflow.adapters.sql.sso_visits import SqlSsoVisits, SsoVisitStatements
from authflow.adapters.sql.visits import SqlVisits, VisitStatement

if TYPE_CHECKING:
    from collections.abc import Callable

    from authflow.adapters.counted import Counted
    from authflow.adapters.sql.connection import Connection
    from authflow.adapters.sql.counting_apart import Apart
    from authflow.adapters.sql.hosted import OrganizationTable, UserTable
    from authflow.adapters.sql.people import OrganizationsFactory, RegistrarFactory, UsersFactory
    from authflow.adapters.sql.sso_pipelines import Saved
    from authflow.adapters.sql.tables import Tables
    from authflow.sso.pipeline import PipelineId
    from authflow.sso.ports import Registrar
    from authflow.values import UserId


@attrs.frozen(kw_only=True)
class Statements:
    """Every statement of the adapter, built once for one database."""

    users: UsersFactory
    organizations: OrganizationsFactory
    accounts: AccountStatements
    counts: CountStatements
    logs: LogStatements
    members: MemberStatements
    invitations: InvitationStatements
    consents: ConsentStatements
    sessions: SessionStatements
    visit: VisitStatement
    mfa: MfaStatements
    relay: RelayStatements
    events: EventStatements
    replies: ReplyStatements
    confirmations: ConfirmationStatements
    providers: ProviderStatements
    links: LinkStatements
    pipelines: PipelineStatements
    provider_sessions: ProviderSessionStatements
    sso_visits: SsoVisitStatements
    former_subjects: FormerStatements
    once: OnceStatements
    registrar: RegistrarFactory | None

    @classmethod
    def of(
        cls,
        tables: Tables,
        dialect: str,
        *,
        users: UserTable | UsersFactory | None = None,
        organizations: OrganizationTable | OrganizationsFactory | None = None,
        registrar: RegistrarFactory | None = None,
    ) -> Statements:
        return cls(
            users=users_of(tables.shared, users),
            organizations=organizations_of(tables.shared, tables.membership.member, organizations),
            accounts=AccountStatements.of(tables.shared, dialect),
            counts=CountStatements.of(tables.shared, dialect),
            logs=LogStatements.of(tables.shared),
            members=MemberStatements.of(tables.membership),
            invitations=InvitationStatements.of(tables.membership),
            consents=ConsentStatements.of(tables.membership),
            sessions=SessionStatements.of(tables.sessions),
            visit=VisitStatement.of(tables, people=users is None),
            mfa=MfaStatements.of(tables.mfa, dialect),
            relay=RelayStatements.of(tables, dialect),
            events=EventStatements.of(tables.events),
            replies=ReplyStatements.of(tables.replies, dialect),
            confirmations=ConfirmationStatements.of(tables.accounts, dialect),
            providers=ProviderStatements.of(tables.sso),
            links=LinkStatements.of(tables.sso),
            pipelines=PipelineStatements.of(tables.sso),
            provider_sessions=ProviderSessionStatements.of(tables.sso, dialect),
            sso_visits=SsoVisitStatements.of(tables, organizations=organizations is None, people=users is None),
            former_subjects=FormerStatements.of(tables.sso, dialect),
            once=OnceStatements.of(tables.sso, dialect),
            registrar=registrar_of(registrar),
        )


@attrs.frozen
class Unwritten:
    """What a transaction has kept back until its end."""

    pipelines: dict[PipelineId, Saved]
    audit: list[dict[str, Any]]
    outbox: list[dict[str, Any]]


class SqlTransaction:
    """The repositories of one transaction.

    Args:
        connection: On which it is open.
        statements: Of all repositories.
        counted: Remembers what was counted here, so that it can be counted again after a rollback.
        apart: Counts on a connection of its own, instead.
        kept: Whoever opened the transaction cannot undo what was counted (decision 7).
    """

    def __init__(
        self,
        connection: Connection,
        statements: Statements,
        counted: Counted,
        *,
        apart: Apart | None = None,
        kept: bool = False,
    ) -> None:
        self.connection = connection
        self.counted = counted
        self.kept = kept
        self._sql = statements
        self._apart = apart
        self.bind()

    def bind(self) -> None:
        """Make every repository anew, with nothing read yet; also after a savepoint was undone."""
        run, sql = self.connection, self._sql
        self.users = sql.users(run)
        self._forget_people: Callable[[], None] = getattr(self.users, "forget", _forget_nothing)
        self.organizations = sql.organizations(run)
        self.accounts = SqlAccounts(run, sql.accounts, locked=self._behind, held=self._forget)
        self.limits: SqlLimits | LimitsApart
        self.attempts: SqlAttempts | AttemptsApart
        if self._apart is None:
            self.limits = SqlLimits(run, sql.counts, self.counted)
            self.attempts = SqlAttempts(run, sql.counts, self.counted)
        else:
            self.limits, self.attempts = LimitsApart(self._apart), AttemptsApart(self._apart)
        self.audit = SqlAudit(run, sql.logs)
        self.outbox = SqlOutbox(run, sql.logs)
        self.members = SqlMembers(run, sql.members)
        self.invitations = SqlInvitations(run, sql.invitations)
        self.consents = SqlConsents(run, sql.consents)
        users = self.users if isinstance(self.users, SqlUsers) else None
        self.factors = SqlFactors(run, sql.mfa, self.accounts)
        visits = SqlVisits(
            run, sql.visit, accounts=self.accounts, factors=self.factors, consents=self.consents, users=users
        )
        self.sessions = SqlSessions(run, sql.sessions, visits, self.accounts)
        self.devices = SqlDevices(run, sql.sessions)
        self.reset_links = SqlResetLinks(run, sql.sessions)
        self.recovery_codes = SqlRecoveryCodes(run, sql.mfa)
        self.factor_census = SqlFactorCensus(run, sql.mfa, self.factors)
        self._lanes = SqlLanes(run, sql.relay)
        self._queue = SqlQueue(run, sql.relay)
        self._parked = SqlParked(run, sql.relay)
        self.receipts = SqlReceipts(run, sql.relay)
        self.projects = SqlProjects(run, sql.events)
        self.sightings = SqlSightings(run, sql.events)
        self.events = SqlEvents(run, sql.events)
        self.replies = SqlReplies(run, sql.replies)
        self.confirmations = SqlConfirmations(run, sql.confirmations, locked=self._forget)
        self._bind_sso(users)

    @property
    def lanes(self) -> SqlLanes:
        self.outbox.flush()
        return self._lanes

    @property
    def queue(self) -> SqlQueue:
        self.outbox.flush()
        return self._queue

    @property
    def parked(self) -> SqlParked:
        self.outbox.flush()
        return self._parked

    def flush(self) -> None:
        """Write what was kept back, so that rows of one kind are written together, and each of them once."""
        self.flush_counts()
        self.pipelines.flush()
        self.audit.flush()
        self.outbox.flush()

    def flush_counts(self) -> None:
        """Write what was counted: before a savepoint too, which undoes no count."""
        if isinstance(self.limits, SqlLimits):
            self.limits.flush()
        if isinstance(self.attempts, SqlAttempts):
            self.attempts.flush()

    def unwritten(self) -> Unwritten:
        """Return what is kept back, except for counts."""
        return Unwritten(self.pipelines.unwritten(), self.audit.unwritten(), self.outbox.unwritten())

    def undone(self, kept: Unwritten) -> None:
        """Make every repository anew after a savepoint was undone, before which *kept* was kept back."""
        self.bind()
        self.pipelines.keep(kept.pipelines)
        self.audit.keep(kept.audit)
        self.outbox.keep(kept.outbox)

    def _bind_sso(self, users: SqlUsers | None) -> None:
        """Make the repositories of single sign-on; accounts are made among our own people, if *users* are these."""
        run, sql = self.connection, self._sql
        self.providers = SqlProviders(run, sql.providers)
        self.former_subjects = SqlFormerSubjects(run, sql.former_subjects)
        visits = SqlSsoVisits(
            run=run,
            sql=sql.sso_visits,
            sessions=self.sessions,
            accounts=self.accounts,
            factors=self.factors,
            members=self.members,
            providers=self.providers,
            former=self.former_subjects,
            users=users,
            organizations=self.organizations if isinstance(self.organizations, SqlOrganizations) else None,
        )
        visits.bind()
        self.links = SqlLinks(run, sql.links, visits)
        self.pipelines = SqlPipelines(run, sql.pipelines, visits)
        self.single_use = SqlSingleUse(run, sql.once)
        self.provider_sessions = SqlProviderSessions(run, sql.provider_sessions)
        ours: Registrar | None = None if users is None else SqlRegistrar(users, self.accounts, self.factors)
        self.registrar = ours if sql.registrar is None else sql.registrar(run)

    def _behind(self, user: UserId) -> None:
        """Forget what was read before the lock of *user*; where it can travel with that, read their visit again."""
        again = self.pipelines.again() or self.sessions.again(user) or self._person(user)
        self._forget()
        if isinstance(self.attempts, SqlAttempts):
            self.attempts.behind(user)
        if self.connection.pipeline is None:
            return
        self.factors.behind(user)
        self.devices.behind(user)
        if again is not None:
            again()

    def _person(self, user: UserId) -> Callable[[], object] | None:
        """Return what reads *user* again, and expect what they have; none if they were not read by themselves."""
        again = self.users.again(user) if isinstance(self.users, SqlUsers) else None
        if again is not None:
            self.factors.ahead(user)
        return again

    def _forget(self) -> None:
        """Forget what was read before a lock was waited for: of whom it is held, and of whoever asks."""
        self._forget_people()
        self.accounts.forget()
        self.consents.forget()
        self.sessions.forget()
        self.devices.forget()
        self.factors.forget()
        self.members.forget()
        self.invitations.forget()
        self.providers.forget()
        self.links.forget()
        self.pipelines.forget()
        if isinstance(self.attempts, SqlAttempts):
            self.attempts.forget()
        self.former_subjects.reread()


def _forget_nothing() -> None:
    """Do nothing: the host's own people are read anew each time."""
