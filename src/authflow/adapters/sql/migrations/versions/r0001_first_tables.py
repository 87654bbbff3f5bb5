"""The first tables."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0001"
down_revision = None

MARIADB: dict[str, Any] = {
    "mariadb_engine": "InnoDB",
    "mariadb_charset": "utf8mb4",
    "mariadb_collate": "utf8mb4_nopad_bin",
}
TEXT = sa.Text().with_variant(mysql.LONGTEXT(), "mariadb")
DIGEST = sa.LargeBinary(length=32).with_variant(sa.VARBINARY(length=32), "mariadb")
SEQUENCE = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

TABLES = (
    "account",
    "attempt",
    "audit",
    "consent",
    "device",
    "dist",
    "environment",
    "environment_project",
    "event",
    "event_sequence",
    "factor",
    "invitation",
    "limit",
    "member",
    "organization",
    "outbox",
    "outbox_lane",
    "outbox_parked",
    "outbox_receipt",
    "password_reset",
    "project",
    "recovery_code",
    "release",
    "release_environment",
    "release_project",
    "release_project_environment",
    "removed_member",
    "reset_link",
    "session",
    "user",
    "user_address",
)


def upgrade() -> None:
    """Make every table."""
    prefix, schema = op.get_context().opts["prefix"], op.get_context().opts["schema"]
    _account(prefix, schema)
    _attempt(prefix, schema)
    _audit(prefix, schema)
    _consent(prefix, schema)
    _device(prefix, schema)
    _dist(prefix, schema)
    _environment(prefix, schema)
    _environment_project(prefix, schema)
    _event(prefix, schema)
    _event_sequence(prefix, schema)
    _factor(prefix, schema)
    _invitation(prefix, schema)
    _limit(prefix, schema)
    _member(prefix, schema)
    _organization(prefix, schema)
    _outbox(prefix, schema)
    _outbox_lane(prefix, schema)
    _outbox_parked(prefix, schema)
    _outbox_receipt(prefix, schema)
    _password_reset(prefix, schema)
    _project(prefix, schema)
    _recovery_code(prefix, schema)
    _release(prefix, schema)
    _release_environment(prefix, schema)
    _release_project(prefix, schema)
    _release_project_environment(prefix, schema)
    _removed_member(prefix, schema)
    _reset_link(prefix, schema)
    _session(prefix, schema)
    _user(prefix, schema)
    _user_address(prefix, schema)


def downgrade() -> None:
    """Delete every table, with everything in it."""
    prefix, schema = op.get_context().opts["prefix"], op.get_context().opts["schema"]
    for name in reversed(TABLES):
        op.drop_table(f"{prefix}{name}", schema=schema)


def _account(prefix: str, schema: str | None) -> None:
    op.create_table(
        f"{prefix}account",
        sa.Column("user_id", sa.String(length=64), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("enrollment_required", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("user_id"),
        schema=schema,
        **MARIADB,
    )


def _attempt(prefix: str, schema: str | None) -> None:
    op.create_table(
        f"{prefix}attempt",
        sa.Column("key", sa.String(length=255), nullable=False),
        sa.Column("total", sa.Integer(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("key"),
        schema=schema,
        **MARIADB,
    )
    op.create_index(f"{prefix}ix_attempt_expires_at", f"{prefix}attempt", ["expires_at"], unique=False, schema=schema)


def _audit(prefix: str, schema: str | None) -> None:
    op.create_table(
        f"{prefix}audit",
        sa.Column("number", SEQUENCE, autoincrement=True, nullable=False),
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("event", sa.String(length=64), nullable=False),
        sa.Column("actor", sa.String(length=64), nullable=True),
        sa.Column("actor_label", sa.String(length=254), nullable=False),
        sa.Column("organization", sa.String(length=64), nullable=True),
        sa.Column("target_user", sa.String(length=64), nullable=True),
        sa.Column("target", sa.String(length=64), nullable=True),
        sa.Column("session", sa.String(length=64), nullable=True),
        sa.Column("ip", sa.String(length=64), nullable=True),
        sa.Column("user_agent", sa.String(length=512), nullable=True),
        sa.Column("request_id", sa.String(length=128), nullable=True),
        sa.Column("data", TEXT, nullable=False),
        sa.PrimaryKeyConstraint("number"),
        sa.UniqueConstraint("id", name=f"{prefix}uq_audit_id"),
        schema=schema,
        **MARIADB,
    )
    op.create_index(
        f"{prefix}ix_audit_organization", f"{prefix}audit", ["organization", "number"], unique=False, schema=schema
    )
    op.create_index(f"{prefix}ix_audit_user", f"{prefix}audit", ["target_user", "number"], unique=False, schema=schema)


def _consent(prefix: str, schema: str | None) -> None:
    op.create_table(
        f"{prefix}consent",
        sa.Column("session_id", sa.String(length=64), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=64), nullable=False),
        sa.Column("user_id", sa.String(length=64), nullable=True),
        sa.Column("organization_id", sa.String(length=64), nullable=False),
        sa.Column("invitation_id", sa.String(length=64), nullable=False),
        sa.Column("token", DIGEST, nullable=False),
        sa.Column("by_token", sa.Boolean(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("session_id"),
        schema=schema,
        **MARIADB,
    )
    op.create_index(f"{prefix}ix_consent_at", f"{prefix}consent", ["at"], unique=False, schema=schema)
    op.create_index(f"{prefix}ix_consent_user_id", f"{prefix}consent", ["user_id"], unique=False, schema=schema)


def _device(prefix: str, schema: str | None) -> None:
    op.create_table(
        f"{prefix}device",
        sa.Column("digest", DIGEST, nullable=False),
        sa.Column("user_id", sa.String(length=64), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("last_used_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("digest"),
        schema=schema,
        **MARIADB,
    )
    op.create_index(f"{prefix}ix_device_user_id", f"{prefix}device", ["user_id"], unique=False, schema=schema)


def _dist(prefix: str, schema: str | None) -> None:
    op.create_table(
        f"{prefix}dist",
        sa.Column("organization", sa.String(length=64), nullable=False),
        sa.Column("version", sa.String(length=200), nullable=False),
        sa.Column("dist", sa.String(length=64), nullable=False),
        sa.Column("first_seen", sa.BigInteger(), nullable=False),
        sa.Column("last_seen", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("organization", "version", "dist"),
        schema=schema,
        **MARIADB,
    )


def _environment(prefix: str, schema: str | None) -> None:
    op.create_table(
        f"{prefix}environment",
        sa.Column("organization", sa.String(length=64), nullable=False),
        sa.Column("environment", sa.String(length=64), nullable=False),
        sa.Column("first_seen", sa.BigInteger(), nullable=False),
        sa.Column("last_seen", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("organization", "environment"),
        schema=schema,
        **MARIADB,
    )


def _environment_project(prefix: str, schema: str | None) -> None:
    op.create_table(
        f"{prefix}environment_project",
        sa.Column("project", sa.String(length=64), nullable=False),
        sa.Column("environment", sa.String(length=64), nullable=False),
        sa.Column("first_seen", sa.BigInteger(), nullable=False),
        sa.Column("last_seen", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("project", "environment"),
        schema=schema,
        **MARIADB,
    )


def _event(prefix: str, schema: str | None) -> None:
    op.create_table(
        f"{prefix}event",
        sa.Column("project", sa.String(length=64), nullable=False),
        sa.Column("day", sa.String(length=10), nullable=False),
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("content", sa.String(length=64), nullable=False),
        sa.Column("kind", sa.String(length=64), nullable=False),
        sa.Column("timestamp", sa.BigInteger(), nullable=False),
        sa.Column("received", sa.BigInteger(), nullable=False),
        sa.Column("platform", sa.String(length=64), nullable=False),
        sa.Column("release", sa.String(length=200), nullable=True),
        sa.Column("dist", sa.String(length=64), nullable=True),
        sa.Column("environment", sa.String(length=64), nullable=False),
        sa.Column("data", TEXT, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("project", "day", "id"),
        schema=schema,
        **MARIADB,
    )
    op.create_index(f"{prefix}ix_event_id", f"{prefix}event", ["project", "id"], unique=False, schema=schema)
    op.create_index(
        f"{prefix}ix_event_sequence", f"{prefix}event", ["project", "sequence"], unique=False, schema=schema
    )


def _event_sequence(prefix: str, schema: str | None) -> None:
    op.create_table(
        f"{prefix}event_sequence",
        sa.Column("number", SEQUENCE, autoincrement=True, nullable=False),
        sa.PrimaryKeyConstraint("number"),
        schema=schema,
        sqlite_autoincrement=True,
        **MARIADB,
    )


def _factor(prefix: str, schema: str | None) -> None:
    op.create_table(
        f"{prefix}factor",
        sa.Column("user_id", sa.String(length=64), nullable=False),
        sa.Column("kind", sa.String(length=64), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=64), nullable=False),
        sa.Column("authenticator", sa.String(length=64), nullable=True),
        sa.Column("sealing_key", sa.String(length=64), nullable=True),
        sa.Column("proposal_expires_at", sa.BigInteger(), nullable=True),
        sa.Column("format", sa.Integer(), nullable=False),
        sa.Column("data", TEXT, nullable=False),
        sa.PrimaryKeyConstraint("user_id", "kind"),
        sa.UniqueConstraint("authenticator", name=f"{prefix}uq_factor_authenticator"),
        schema=schema,
        **MARIADB,
    )
    op.create_index(
        f"{prefix}ix_factor_proposal", f"{prefix}factor", ["proposal_expires_at"], unique=False, schema=schema
    )
    op.create_index(f"{prefix}ix_factor_sealing_key", f"{prefix}factor", ["sealing_key"], unique=False, schema=schema)


def _invitation(prefix: str, schema: str | None) -> None:
    op.create_table(
        f"{prefix}invitation",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("organization_id", sa.String(length=64), nullable=False),
        sa.Column("state", sa.String(length=64), nullable=False),
        sa.Column("origin", sa.Integer(), nullable=False),
        sa.Column("email", sa.String(length=254), nullable=False),
        sa.Column("role", sa.String(length=64), nullable=False),
        sa.Column("teams", TEXT, nullable=False),
        sa.Column("sponsor", sa.String(length=64), nullable=True),
        sa.Column("token", DIGEST, nullable=True),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=True),
        sa.Column("bound_to", sa.String(length=64), nullable=True),
        sa.Column("flags", sa.Integer(), nullable=False),
        sa.Column("accepted_by", sa.String(length=64), nullable=True),
        sa.Column("member_id", sa.String(length=64), nullable=True),
        sa.Column("open_key", DIGEST, nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("organization_id", "open_key", name=f"{prefix}uq_invitation_open"),
        sa.UniqueConstraint("token", name=f"{prefix}uq_invitation_token"),
        schema=schema,
        **MARIADB,
    )
    op.create_index(f"{prefix}ix_invitation_bound_to", f"{prefix}invitation", ["bound_to"], unique=False, schema=schema)
    op.create_index(f"{prefix}ix_invitation_open_key", f"{prefix}invitation", ["open_key"], unique=False, schema=schema)
    op.create_index(f"{prefix}ix_invitation_since", f"{prefix}invitation", ["since"], unique=False, schema=schema)
    op.create_index(f"{prefix}ix_invitation_sponsor", f"{prefix}invitation", ["sponsor"], unique=False, schema=schema)


def _limit(prefix: str, schema: str | None) -> None:
    op.create_table(
        f"{prefix}limit",
        sa.Column("budget", sa.String(length=64), nullable=False),
        sa.Column("key", sa.String(length=255), nullable=False),
        sa.Column("hits", TEXT, nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("budget", "key"),
        schema=schema,
        **MARIADB,
    )
    op.create_index(f"{prefix}ix_limit_expires_at", f"{prefix}limit", ["expires_at"], unique=False, schema=schema)


def _member(prefix: str, schema: str | None) -> None:
    op.create_table(
        f"{prefix}member",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("organization_id", sa.String(length=64), nullable=False),
        sa.Column("user_id", sa.String(length=64), nullable=False),
        sa.Column("role", sa.String(length=64), nullable=False),
        sa.Column("teams", TEXT, nullable=False),
        sa.Column("flags", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("organization_id", "user_id", name=f"{prefix}uq_member_user"),
        schema=schema,
        **MARIADB,
    )
    op.create_index(f"{prefix}ix_member_user_id", f"{prefix}member", ["user_id"], unique=False, schema=schema)


def _organization(prefix: str, schema: str | None) -> None:
    op.create_table(
        f"{prefix}organization",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("slug", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("default_role", sa.String(length=64), nullable=False),
        sa.Column("require_second_factor", sa.Boolean(), nullable=False),
        sa.Column("require_verified_address", sa.Boolean(), nullable=False),
        sa.Column("invites_bound_to_address", sa.Boolean(), nullable=False),
        sa.Column("can_invite", sa.Boolean(), nullable=False),
        sa.Column("join_requests", sa.Boolean(), nullable=False),
        sa.Column("member_limit_restricted", sa.Boolean(), nullable=False),
        sa.Column("regions", TEXT, nullable=False),
        sa.Column("security_project", sa.String(length=64), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("slug", name=f"{prefix}uq_organization_slug"),
        schema=schema,
        **MARIADB,
    )


def _outbox(prefix: str, schema: str | None) -> None:
    op.create_table(
        f"{prefix}outbox",
        sa.Column("number", SEQUENCE, autoincrement=True, nullable=False),
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("destination", sa.String(length=64), nullable=False),
        sa.Column("scope", sa.Integer(), nullable=False),
        sa.Column("shard", sa.String(length=64), nullable=False),
        sa.Column("category", sa.Integer(), nullable=False),
        sa.Column("object", sa.String(length=64), nullable=False),
        sa.Column("payload", TEXT, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("number"),
        sa.UniqueConstraint("id", name=f"{prefix}uq_outbox_id"),
        schema=schema,
        sqlite_autoincrement=True,
        **MARIADB,
    )
    op.create_index(f"{prefix}ix_outbox_due", f"{prefix}outbox", ["due_at"], unique=False, schema=schema)
    op.create_index(
        f"{prefix}ix_outbox_shard",
        f"{prefix}outbox",
        ["destination", "scope", "shard", "number"],
        unique=False,
        schema=schema,
    )


def _outbox_lane(prefix: str, schema: str | None) -> None:
    op.create_table(
        f"{prefix}outbox_lane",
        sa.Column("destination", sa.String(length=64), nullable=False),
        sa.Column("scope", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("shard", sa.String(length=64), nullable=False),
        sa.Column("state", sa.String(length=64), nullable=False),
        sa.Column("head", sa.String(length=64), nullable=False),
        sa.Column("token", sa.String(length=64), nullable=True),
        sa.Column("until", sa.BigInteger(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("destination", "scope", "shard"),
        schema=schema,
        **MARIADB,
    )


def _outbox_parked(prefix: str, schema: str | None) -> None:
    op.create_table(
        f"{prefix}outbox_parked",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("destination", sa.String(length=64), nullable=False),
        sa.Column("scope", sa.Integer(), nullable=False),
        sa.Column("shard", sa.String(length=64), nullable=False),
        sa.Column("category", sa.Integer(), nullable=False),
        sa.Column("object", sa.String(length=64), nullable=False),
        sa.Column("payload", TEXT, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=True),
        sa.Column("reason", sa.String(length=255), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("parked_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        schema=schema,
        **MARIADB,
    )
    op.create_index(
        f"{prefix}ix_outbox_parked_expires_at", f"{prefix}outbox_parked", ["expires_at"], unique=False, schema=schema
    )


def _outbox_receipt(prefix: str, schema: str | None) -> None:
    op.create_table(
        f"{prefix}outbox_receipt",
        sa.Column("message", sa.String(length=64), nullable=False),
        sa.Column("receiver", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("message", "receiver"),
        schema=schema,
        **MARIADB,
    )


def _password_reset(prefix: str, schema: str | None) -> None:
    op.create_table(
        f"{prefix}password_reset",
        sa.Column("digest", DIGEST, nullable=False),
        sa.Column("user_id", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("digest"),
        schema=schema,
        **MARIADB,
    )
    op.create_index(
        f"{prefix}ix_password_reset_user_id", f"{prefix}password_reset", ["user_id"], unique=False, schema=schema
    )


def _project(prefix: str, schema: str | None) -> None:
    op.create_table(
        f"{prefix}project",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("organization", sa.String(length=64), nullable=False),
        sa.Column("slug", sa.String(length=64), nullable=False),
        sa.Column("security", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("organization", "slug", name=f"{prefix}uq_project_slug"),
        schema=schema,
        **MARIADB,
    )


def _recovery_code(prefix: str, schema: str | None) -> None:
    op.create_table(
        f"{prefix}recovery_code",
        sa.Column("number", SEQUENCE, autoincrement=True, nullable=False),
        sa.Column("authenticator", sa.String(length=64), nullable=False),
        sa.Column("key_id", sa.String(length=64), nullable=False),
        sa.Column("digest", DIGEST, nullable=False),
        sa.Column("used_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("number"),
        sa.UniqueConstraint("authenticator", "digest", name=f"{prefix}uq_recovery_code_digest"),
        schema=schema,
        **MARIADB,
    )


def _release(prefix: str, schema: str | None) -> None:
    op.create_table(
        f"{prefix}release",
        sa.Column("organization", sa.String(length=64), nullable=False),
        sa.Column("version", sa.String(length=200), nullable=False),
        sa.Column("first_seen", sa.BigInteger(), nullable=False),
        sa.Column("last_seen", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("organization", "version"),
        schema=schema,
        **MARIADB,
    )


def _release_environment(prefix: str, schema: str | None) -> None:
    op.create_table(
        f"{prefix}release_environment",
        sa.Column("organization", sa.String(length=64), nullable=False),
        sa.Column("version", sa.String(length=200), nullable=False),
        sa.Column("environment", sa.String(length=64), nullable=False),
        sa.Column("first_seen", sa.BigInteger(), nullable=False),
        sa.Column("last_seen", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("organization", "version", "environment"),
        schema=schema,
        **MARIADB,
    )


def _release_project(prefix: str, schema: str | None) -> None:
    op.create_table(
        f"{prefix}release_project",
        sa.Column("project", sa.String(length=64), nullable=False),
        sa.Column("version", sa.String(length=200), nullable=False),
        sa.Column("first_seen", sa.BigInteger(), nullable=False),
        sa.Column("last_seen", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("project", "version"),
        schema=schema,
        **MARIADB,
    )


def _release_project_environment(prefix: str, schema: str | None) -> None:
    op.create_table(
        f"{prefix}release_project_environment",
        sa.Column("project", sa.String(length=64), nullable=False),
        sa.Column("version", sa.String(length=200), nullable=False),
        sa.Column("environment", sa.String(length=64), nullable=False),
        sa.Column("first_seen", sa.BigInteger(), nullable=False),
        sa.Column("last_seen", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("project", "version", "environment"),
        schema=schema,
        **MARIADB,
    )


def _removed_member(prefix: str, schema: str | None) -> None:
    op.create_table(
        f"{prefix}removed_member",
        sa.Column("organization_id", sa.String(length=64), nullable=False),
        sa.Column("user_id", sa.String(length=64), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("organization_id", "user_id"),
        schema=schema,
        **MARIADB,
    )
    op.create_index(
        f"{prefix}ix_removed_member_user_id", f"{prefix}removed_member", ["user_id"], unique=False, schema=schema
    )


def _reset_link(prefix: str, schema: str | None) -> None:
    op.create_table(
        f"{prefix}reset_link",
        sa.Column("digest", DIGEST, nullable=False),
        sa.Column("user_id", sa.String(length=64), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.Column("spent_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("digest"),
        schema=schema,
        **MARIADB,
    )
    op.create_index(
        f"{prefix}ix_reset_link_expires_at", f"{prefix}reset_link", ["expires_at"], unique=False, schema=schema
    )
    op.create_index(f"{prefix}ix_reset_link_user_id", f"{prefix}reset_link", ["user_id"], unique=False, schema=schema)


def _session(prefix: str, schema: str | None) -> None:
    op.create_table(
        f"{prefix}session",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=64), nullable=False),
        sa.Column("user_id", sa.String(length=64), nullable=True),
        sa.Column("epoch", sa.Integer(), nullable=True),
        sa.Column("digest", DIGEST, nullable=False),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.Column("format", sa.Integer(), nullable=False),
        sa.Column("data", TEXT, nullable=False),
        sa.PrimaryKeyConstraint("id"),
        schema=schema,
        **MARIADB,
    )
    op.create_index(f"{prefix}ix_session_expires_at", f"{prefix}session", ["expires_at"], unique=False, schema=schema)
    op.create_index(f"{prefix}ix_session_user_id", f"{prefix}session", ["user_id"], unique=False, schema=schema)


def _user(prefix: str, schema: str | None) -> None:
    op.create_table(
        f"{prefix}user",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("label", sa.String(length=254), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("administrator", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        schema=schema,
        **MARIADB,
    )


def _user_address(prefix: str, schema: str | None) -> None:
    op.create_table(
        f"{prefix}user_address",
        sa.Column("user_id", sa.String(length=64), nullable=False),
        sa.Column("folded", sa.String(length=254), nullable=False),
        sa.Column("address", sa.String(length=254), nullable=False),
        sa.Column("is_primary", sa.Boolean(), nullable=False),
        sa.Column("verified_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("user_id", "folded"),
        schema=schema,
        **MARIADB,
    )
    op.create_index(f"{prefix}ix_user_address_folded", f"{prefix}user_address", ["folded"], unique=False, schema=schema)
