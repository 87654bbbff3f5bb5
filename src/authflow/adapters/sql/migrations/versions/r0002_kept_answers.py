"""Answers that are kept under idempotency keys."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0002"
down_revision = "0001"

MARIADB: dict[str, Any] = {
    "mariadb_engine": "InnoDB",
    "mariadb_charset": "utf8mb4",
    "mariadb_collate": "utf8mb4_nopad_bin",
}
TEXT = sa.Text().with_variant(mysql.LONGTEXT(), "mariadb")
DIGEST = sa.LargeBinary(length=32).with_variant(sa.VARBINARY(length=32), "mariadb")


def upgrade() -> None:
    """Make the table."""
    prefix, schema = op.get_context().opts["prefix"], op.get_context().opts["schema"]
    op.create_table(
        f"{prefix}reply",
        sa.Column("key", DIGEST, nullable=False),
        sa.Column("pepper", sa.String(length=64), nullable=False),
        sa.Column("arguments", DIGEST, nullable=False),
        sa.Column("sealing_key", sa.String(length=64), nullable=False),
        sa.Column("answer", TEXT, nullable=False),
        sa.Column("former_until", sa.BigInteger(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("key"),
        schema=schema,
        **MARIADB,
    )
    op.create_index(f"{prefix}ix_reply_expires_at", f"{prefix}reply", ["expires_at"], unique=False, schema=schema)


def downgrade() -> None:
    """Delete the table: repeated commands are done anew."""
    prefix, schema = op.get_context().opts["prefix"], op.get_context().opts["schema"]
    op.drop_table(f"{prefix}reply", schema=schema)
