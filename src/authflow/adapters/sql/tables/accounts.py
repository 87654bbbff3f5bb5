"""Mailed confirmation tokens; accounts themselves are among the shared tables."""

from __future__ import annotations

import attrs
import sqlalchemy as sa

from authflow.adapters.sql import columns as c


@attrs.frozen(kw_only=True)
class AccountsTables:
    """The tables of the accounts slice."""

    confirmation: sa.Table
    address_turn: sa.Table


def accounts_tables(metadata: sa.MetaData, prefix: str) -> AccountsTables:
    """Define the tables in *metadata*, each name behind *prefix*."""
    return AccountsTables(confirmation=_confirmation(metadata, prefix), address_turn=_address_turn(metadata, prefix))


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


def _address_turn(metadata: sa.MetaData, prefix: str) -> sa.Table:
    """One row per address that somebody was about to verify: of several, its lock lets one decide after the other.

    *digest* is of the address as it is compared; *at* is when it was last held, and lets a sweep find it.
    """
    return sa.Table(
        f"{prefix}address_turn",
        metadata,
        c.digest("digest", primary_key=True),
        c.instant("at"),
        sa.Index(f"{prefix}ix_address_turn_at", "at"),
    )
