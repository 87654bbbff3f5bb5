"""Mailed confirmation tokens; accounts themselves are among the shared tables."""

from __future__ import annotations

import attrs
import sqlalchemy as sa

from authflow.adapters.sql import columns as c


@attrs.frozen(kw_only=True)
class AccountsTables:
    """The table of the accounts slice."""

    confirmation: sa.Table


def accounts_tables(metadata: sa.MetaData, prefix: str) -> AccountsTables:
    """Define the table in *metadata*, its name behind *prefix*."""
    return AccountsTables(confirmation=_confirmation(metadata, prefix))


def _confirmation(metadata: sa.MetaData, prefix: str) -> sa.Table:
    """*folded* is the address as it is compared; *over_at* is when the token was used, or seen to be over."""
    return sa.Table(
        f"{prefix}confirmation",
        metadata,
        c.digest("token", primary_key=True),
        c.word("state"),
        c.identifier("user_id"),
        c.address("address"),
        c.address("folded"),
        c.instant("expires_at"),
        c.instant("over_at", nullable=True),
        sa.Index(f"{prefix}ix_confirmation_user_id", "user_id"),
        sa.Index(f"{prefix}ix_confirmation_folded", "folded"),
        sa.Index(f"{prefix}ix_confirmation_expires_at", "expires_at"),
    )
