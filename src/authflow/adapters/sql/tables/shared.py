"""People, organizations, accounts, counters, audit log and outbox."""

from __future__ import annotations

import attrs
import sqlalchemy as sa

from authflow.adapters.sql import columns as c


@attrs.frozen(kw_only=True)
class SharedTables:
    """The tables that every slice may ask for."""

    user: sa.Table
    user_address: sa.Table
    password_reset: sa.Table
    organization: sa.Table
    account: sa.Table
    limit: sa.Table
    attempt: sa.Table
    audit: sa.Table
    outbox: sa.Table


def shared_tables(metadata: sa.MetaData, prefix: str) -> SharedTables:
    """Define the shared tables in *metadata*, each name behind *prefix*."""
    return SharedTables(
        user=_user(metadata, prefix),
        user_address=_user_address(metadata, prefix),
        password_reset=_password_reset(metadata, prefix),
        organization=_organization(metadata, prefix),
        account=_account(metadata, prefix),
        limit=_limit(metadata, prefix),
        attempt=_attempt(metadata, prefix),
        audit=_audit(metadata, prefix),
        outbox=_outbox(metadata, prefix),
    )


def _user(metadata: sa.MetaData, prefix: str) -> sa.Table:
    return sa.Table(
        f"{prefix}user",
        metadata,
        c.identifier("id", primary_key=True),
        sa.Column("label", sa.String(254), nullable=False),
        sa.Column("name", sa.String(200), nullable=False),
        c.flag("active"),
        c.flag("administrator"),
    )


def _user_address(metadata: sa.MetaData, prefix: str) -> sa.Table:
    return sa.Table(
        f"{prefix}user_address",
        metadata,
        c.identifier("user_id", primary_key=True),
        c.address("folded", primary_key=True),
        c.address("address"),
        c.flag("is_primary"),
        c.instant("verified_at", nullable=True),
        sa.Index(f"{prefix}ix_user_address_folded", "folded"),
    )


def _password_reset(metadata: sa.MetaData, prefix: str) -> sa.Table:
    return sa.Table(
        f"{prefix}password_reset",
        metadata,
        c.digest("digest", primary_key=True),
        c.identifier("user_id"),
        sa.Index(f"{prefix}ix_password_reset_user_id", "user_id"),
    )


def _organization(metadata: sa.MetaData, prefix: str) -> sa.Table:
    return sa.Table(
        f"{prefix}organization",
        metadata,
        c.identifier("id", primary_key=True),
        c.word("slug"),
        sa.Column("name", sa.String(200), nullable=False),
        c.flag("active"),
        c.word("default_role"),
        c.flag("require_second_factor"),
        c.flag("require_verified_address"),
        c.flag("invites_bound_to_address"),
        c.flag("can_invite"),
        c.flag("join_requests"),
        c.flag("member_limit_restricted"),
        c.text("regions"),
        c.identifier("security_project", nullable=True),
        c.unique(prefix, "organization.slug", "slug"),
    )


def _account(metadata: sa.MetaData, prefix: str) -> sa.Table:
    return sa.Table(
        f"{prefix}account",
        metadata,
        c.identifier("user_id", primary_key=True),
        c.number("epoch"),
        c.flag("enrollment_required"),
    )


def _limit(metadata: sa.MetaData, prefix: str) -> sa.Table:
    """One row per budget and key; *hits* is the JSON list of the last instants that counted (decision 31)."""
    return sa.Table(
        f"{prefix}limit",
        metadata,
        c.word("budget", primary_key=True),
        sa.Column("key", sa.String(255), primary_key=True),
        c.text("hits"),
        c.instant("expires_at"),
        sa.Index(f"{prefix}ix_limit_expires_at", "expires_at"),
    )


def _attempt(metadata: sa.MetaData, prefix: str) -> sa.Table:
    return sa.Table(
        f"{prefix}attempt",
        metadata,
        sa.Column("key", sa.String(255), primary_key=True),
        c.number("total"),
        c.instant("expires_at"),
        sa.Index(f"{prefix}ix_attempt_expires_at", "expires_at"),
    )


def _audit(metadata: sa.MetaData, prefix: str) -> sa.Table:
    return sa.Table(
        f"{prefix}audit",
        metadata,
        c.sequence("number"),
        c.identifier("id"),
        c.instant("at"),
        c.word("event"),
        c.identifier("actor", nullable=True),
        sa.Column("actor_label", sa.String(254), nullable=False),
        c.identifier("organization", nullable=True),
        c.identifier("target_user", nullable=True),
        c.identifier("target", nullable=True),
        c.identifier("session", nullable=True),
        sa.Column("ip", sa.String(64)),
        sa.Column("user_agent", sa.String(512)),
        sa.Column("request_id", sa.String(128)),
        c.text("data"),
        c.unique(prefix, "audit.id", "id"),
        sa.Index(f"{prefix}ix_audit_user", "target_user", "number"),
        sa.Index(f"{prefix}ix_audit_organization", "organization", "number"),
    )


def _outbox(metadata: sa.MetaData, prefix: str) -> sa.Table:
    """A message waits here until it is delivered; a row is proof of "not known to be done" (outbox 1.1)."""
    return sa.Table(
        f"{prefix}outbox",
        metadata,
        c.sequence("number"),
        c.identifier("id"),
        sa.Column("destination", sa.String(64), nullable=False),
        c.number("scope"),
        c.identifier("shard"),
        c.number("category"),
        c.identifier("object"),
        c.text("payload"),
        c.instant("at"),
        c.instant("due_at"),
        c.instant("expires_at", nullable=True),
        c.unique(prefix, "outbox.id", "id"),
        sa.Index(f"{prefix}ix_outbox_shard", "destination", "scope", "shard", "number"),
        sa.Index(f"{prefix}ix_outbox_due", "due_at"),
        sqlite_autoincrement=True,  # a number is never given twice: a parked message comes back under its own
    )
