"""Links that confirm an address."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

MARIADB: dict[str, Any] = {
    "mariadb_engine": "InnoDB",
    "mariadb_charset": "utf8mb4",
    "mariadb_collate": "utf8mb4_nopad_bin",
}
DIGEST = sa.LargeBinary(length=32).with_variant(sa.VARBINARY(length=32), "mariadb")


def upgrade() -> None:
    """Make the table."""
    prefix, schema = op.get_context().opts["prefix"], op.get_context().opts["schema"]
    op.create_table(
        f"{prefix}confirmation",
        sa.Column("token", DIGEST, nullable=False),
        sa.Column("state", sa.String(length=64), nullable=False),
        sa.Column("user_id", sa.String(length=64), nullable=False),
        sa.Column("address", sa.String(length=254), nullable=False),
        sa.Column("folded", sa.String(length=254), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.Column("over_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("token"),
        schema=schema,
        **MARIADB,
    )
    for column in ("user_id", "folded", "expires_at"):
        name = f"{prefix}ix_confirmation_{column}"
        op.create_index(name, f"{prefix}confirmation", [column], unique=False, schema=schema)


def downgrade() -> None:
    """Delete the table: whoever has a link asks for another one."""
    prefix, schema = op.get_context().opts["prefix"], op.get_context().opts["schema"]
    op.drop_table(f"{prefix}confirmation", schema=schema)
