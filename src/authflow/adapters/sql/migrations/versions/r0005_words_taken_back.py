"""What a provider calls whom it spoke of, beside the answer that waits: so that it can take it back."""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

DIGEST = sa.LargeBinary(length=32).with_variant(sa.VARBINARY(length=32), "mariadb")
INDEXED: Final = ["provider_id", "named"]


def upgrade() -> None:
    """Add the column. What waits already has none, and goes on whatever the provider ends: for an hour at most."""
    prefix, schema = op.get_context().opts["prefix"], op.get_context().opts["schema"]
    pipeline = f"{prefix}sso_pipeline"
    op.add_column(pipeline, sa.Column("named", DIGEST, nullable=True), schema=schema)
    op.create_index(f"{prefix}ix_sso_pipeline_named", pipeline, INDEXED, unique=False, schema=schema)


def downgrade() -> None:
    """Delete the column: a provider's logout ends sessions, and no answer that waits."""
    prefix, schema = op.get_context().opts["prefix"], op.get_context().opts["schema"]
    pipeline = f"{prefix}sso_pipeline"
    op.drop_index(f"{prefix}ix_sso_pipeline_named", pipeline, schema=schema)
    op.drop_column(pipeline, "named", schema=schema)
