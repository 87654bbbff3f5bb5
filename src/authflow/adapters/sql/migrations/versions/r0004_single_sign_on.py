"""Providers, links, pipelines, what single sign-on accepts once, and whose turn it is to verify an address."""

from __future__ import annotations

from typing import Any, Final

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0004"
down_revision = "0003"

MARIADB: dict[str, Any] = {
    "mariadb_engine": "InnoDB",
    "mariadb_charset": "utf8mb4",
    "mariadb_collate": "utf8mb4_nopad_bin",
}
DIGEST = sa.LargeBinary(length=32).with_variant(sa.VARBINARY(length=32), "mariadb")
SUBJECT = sa.LargeBinary(length=255).with_variant(sa.VARBINARY(length=255), "mariadb")
TEXT = sa.Text().with_variant(mysql.LONGTEXT(), "mariadb")
NAME = sa.String(length=64)

INDEXES: Final = (
    ("sso_provider", "kind", ["kind", "organization_id"]),
    ("sso_link", "user_id", ["user_id"]),
    ("sso_link", "due", ["provider_id", "synced_at"]),
    ("former_subject", "user_id", ["user_id"]),
    ("sso_pipeline", "session_id", ["session_id"]),
    ("sso_pipeline", "started_by", ["started_by"]),
    ("sso_pipeline", "user_id", ["user_id"]),
    ("sso_pipeline", "expires_at", ["expires_at"]),
    ("single_use", "expires_at", ["expires_at"]),
    ("provider_session", "name", ["provider_id", "name"]),
    ("provider_session", "user_id", ["user_id"]),
    ("provider_session", "expires_at", ["expires_at"]),
    ("address_turn", "at", ["at"]),
)


def upgrade() -> None:
    """Make the tables."""
    prefix, schema = op.get_context().opts["prefix"], op.get_context().opts["schema"]
    for name, columns in (
        ("sso_provider", _provider(prefix)),
        ("sso_link", _link(prefix)),
        ("former_subject", _former_subject()),
        ("sso_pipeline", _pipeline()),
        ("single_use", _single_use()),
        ("provider_session", _provider_session()),
        ("address_turn", _address_turn()),
    ):
        op.create_table(f"{prefix}{name}", *columns, schema=schema, **MARIADB)
    for table, name, indexed in INDEXES:
        op.create_index(f"{prefix}ix_{table}_{name}", f"{prefix}{table}", indexed, unique=False, schema=schema)


def downgrade() -> None:
    """Delete the tables: every provider has to be connected again, and everybody linked."""
    prefix, schema = op.get_context().opts["prefix"], op.get_context().opts["schema"]
    for name in (
        "address_turn",
        "provider_session",
        "single_use",
        "sso_pipeline",
        "former_subject",
        "sso_link",
        "sso_provider",
    ):
        op.drop_table(f"{prefix}{name}", schema=schema)


def _provider(prefix: str) -> list[sa.schema.SchemaItem]:
    return [
        sa.Column("id", NAME, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("organization_id", NAME, nullable=False),
        sa.Column("kind", NAME, nullable=False),
        sa.Column("name", TEXT, nullable=False),
        sa.Column("required", sa.Boolean(), nullable=False),
        sa.Column("scim", sa.Boolean(), nullable=False),
        sa.Column("newcomers", sa.Boolean(), nullable=False),
        sa.Column("confirms", sa.Boolean(), nullable=False),
        sa.Column("default_role", NAME, nullable=True),
        sa.Column("sealing_key", NAME, nullable=False),
        sa.Column("config", TEXT, nullable=False),
        sa.Column("steps", DIGEST, nullable=False),
        sa.Column("partner", sa.Boolean(), nullable=False),
        sa.Column("lifted", sa.Boolean(), nullable=False),
        sa.Column("connected_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("organization_id", name=f"{prefix}uq_sso_provider_organization"),
    ]


def _link(prefix: str) -> list[sa.schema.SchemaItem]:
    return [
        sa.Column("id", NAME, nullable=False),
        sa.Column("organization_id", NAME, nullable=False),
        sa.Column("provider_id", NAME, nullable=False),
        sa.Column("subject", SUBJECT, nullable=False),
        sa.Column("user_id", NAME, nullable=False),
        sa.Column("linked_at", sa.BigInteger(), nullable=False),
        sa.Column("verified_at", sa.BigInteger(), nullable=False),
        sa.Column("synced_at", sa.BigInteger(), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("sealing_key", NAME, nullable=True),
        sa.Column("memory", TEXT, nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("provider_id", "subject", name=f"{prefix}uq_sso_link_subject"),
        sa.UniqueConstraint("provider_id", "user_id", name=f"{prefix}uq_sso_link_user"),
    ]


def _former_subject() -> list[sa.schema.SchemaItem]:
    return [
        sa.Column("organization_id", NAME, nullable=False),
        sa.Column("provider_id", NAME, nullable=False),
        sa.Column("subject", SUBJECT, nullable=False),
        sa.Column("user_id", NAME, nullable=True),
        sa.Column("removed_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("organization_id", "provider_id", "subject"),
    ]


def _pipeline() -> list[sa.schema.SchemaItem]:
    return [
        sa.Column("id", NAME, nullable=False),
        sa.Column("digest", DIGEST, nullable=False),
        sa.Column("session_id", NAME, nullable=False),
        sa.Column("flow", NAME, nullable=False),
        sa.Column("organization_id", NAME, nullable=False),
        sa.Column("provider_id", NAME, nullable=False),
        sa.Column("kind", NAME, nullable=False),
        sa.Column("steps", DIGEST, nullable=False),
        sa.Column("started_by", NAME, nullable=True),
        sa.Column("started_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("away", sa.Boolean(), nullable=False),
        sa.Column("user_id", NAME, nullable=True),
        sa.Column("sealing_key", NAME, nullable=False),
        sa.Column("state", TEXT, nullable=False),
        sa.Column("answer_key", NAME, nullable=True),
        sa.Column("answer", TEXT, nullable=True),
        sa.PrimaryKeyConstraint("id"),
    ]


def _single_use() -> list[sa.schema.SchemaItem]:
    return [
        sa.Column("digest", DIGEST, nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("digest"),
    ]


def _provider_session() -> list[sa.schema.SchemaItem]:
    return [
        sa.Column("session_id", NAME, nullable=False),
        sa.Column("provider_id", NAME, nullable=False),
        sa.Column("link_id", NAME, nullable=False),
        sa.Column("user_id", NAME, nullable=False),
        sa.Column("name", DIGEST, nullable=False),
        sa.Column("session_index", DIGEST, nullable=False),
        sa.Column("sealing_key", NAME, nullable=False),
        sa.Column("memory", TEXT, nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("session_id", "provider_id"),
    ]


def _address_turn() -> list[sa.schema.SchemaItem]:
    return [
        sa.Column("digest", DIGEST, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("digest"),
    ]
