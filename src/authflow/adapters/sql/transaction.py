"""Every repository over one open connection."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from authflow.adapters.sql.counters import AttemptsApart, LimitsApart
from authflow.adapters.sql.events import EventStatements, SqlEvents, SqlProjects, SqlSightings
from authflow.adapters.sql.members import MemberStatements, SqlMembers
from authflow.adapters.sql.membership import ConsentStatements, InvitationStatements, SqlConsents, SqlInvitations
from authflow.adapters.sql.mfa import MfaStatements, SqlFactorCensus, SqlFactors, SqlRecoveryCodes
from authflow.adapters.sql.outbox_relay import RelayStatements, SqlLanes, SqlParked, SqlQueue, SqlReceipts
from authflow.adapters.sql.people import organizations_of, users_of
from authflow.adapters.sql.replies import ReplyStatements, SqlReplies
from authflow.adapters.sql.sessions import SessionStatements, SqlDevices, SqlResetLinks, SqlSessions
from authflow.adapters.sql.shared import (
    AccountStatements,
    CountStatements,
    LogStatements,
    SqlAccounts,
    SqlAttempts,
    SqlAudit,
    SqlLimits,
    SqlOutbox,
)

if TYPE_CHECKING:
    from authflow.adapters.counting import Counted
    from authflow.adapters.sql.connection import Connection
    from authflow.adapters.sql.counters import Apart
    from authflow.adapters.sql.hosted import OrganizationTable, UserTable
    from authflow.adapters.sql.people import OrganizationsFactory, UsersFactory
    from authflow.adapters.sql.tables import Tables
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
    mfa: MfaStatements
    relay: RelayStatements
    events: EventStatements
    replies: ReplyStatements

    @classmethod
    def of(
        cls,
        tables: Tables,
        dialect: str,
        *,
        users: UserTable | UsersFactory | None = None,
        organizations: OrganizationTable | OrganizationsFactory | None = None,
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
            mfa=MfaStatements.of(tables.mfa, dialect),
            relay=RelayStatements.of(tables, dialect),
            events=EventStatements.of(tables.events),
            replies=ReplyStatements.of(tables.replies, dialect),
        )


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
        self.organizations = sql.organizations(run)
        self.accounts = SqlAccounts(run, sql.accounts, locked=getattr(self.users, "forget", _forget_nothing))
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
        self.sessions = SqlSessions(run, sql.sessions)
        self.devices = SqlDevices(run, sql.sessions)
        self.reset_links = SqlResetLinks(run, sql.sessions)
        self.factors = SqlFactors(run, sql.mfa)
        self.recovery_codes = SqlRecoveryCodes(run, sql.mfa)
        self.factor_census = SqlFactorCensus(run, sql.mfa)
        self.lanes = SqlLanes(run, sql.relay)
        self.queue = SqlQueue(run, sql.relay)
        self.parked = SqlParked(run, sql.relay)
        self.receipts = SqlReceipts(run, sql.relay)
        self.projects = SqlProjects(run, sql.events)
        self.sightings = SqlSightings(run, sql.events)
        self.events = SqlEvents(run, sql.events)
        self.replies = SqlReplies(run, sql.replies)


def _forget_nothing(_user: UserId) -> None:
    """Do nothing: the host's own people are read anew each time."""
