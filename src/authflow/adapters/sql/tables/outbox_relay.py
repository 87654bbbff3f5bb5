"""What the relay keeps beside the waiting messages: leases, parked messages, receipts."""

from __future__ import annotations

import attrs
import sqlalchemy as sa

from authflow.adapters.sql import columns as c


@attrs.frozen(kw_only=True)
class OutboxRelayTables:
    """The tables of the relay."""

    lane: sa.Table
    parked: sa.Table
    receipt: sa.Table


def outbox_relay_tables(metadata: sa.MetaData, prefix: str) -> OutboxRelayTables:
    """Define the tables in *metadata*, each name behind *prefix*."""
    return OutboxRelayTables(
        lane=_lane(metadata, prefix), parked=_parked(metadata, prefix), receipt=_receipt(metadata, prefix)
    )


def _lane(metadata: sa.MetaData, prefix: str) -> sa.Table:
    """A row stands only while a lane is leased or waits (outbox 1.8)."""
    return sa.Table(
        f"{prefix}outbox_lane",
        metadata,
        c.word("destination", primary_key=True),
        sa.Column("scope", sa.Integer(), primary_key=True, autoincrement=False),
        c.identifier("shard", primary_key=True),
        c.word("state"),
        c.identifier("head"),
        c.identifier("token", nullable=True),
        c.instant("until"),
        c.number("attempts"),
        c.number("version"),
    )


def _parked(metadata: sa.MetaData, prefix: str) -> sa.Table:
    """The columns of the outbox, and why a message was set aside (outbox 1.14)."""
    return sa.Table(
        f"{prefix}outbox_parked",
        metadata,
        c.identifier("id", primary_key=True),
        sa.Column("number", sa.BigInteger(), nullable=False),
        c.word("destination"),
        c.number("scope"),
        c.identifier("shard"),
        c.number("category"),
        c.identifier("object"),
        c.text("payload"),
        c.instant("at"),
        c.instant("due_at"),
        c.instant("expires_at", nullable=True),
        sa.Column("reason", sa.String(255), nullable=False),
        c.number("attempts"),
        c.instant("parked_at"),
        sa.Index(f"{prefix}ix_outbox_parked_expires_at", "expires_at"),
    )


def _receipt(metadata: sa.MetaData, prefix: str) -> sa.Table:
    return sa.Table(
        f"{prefix}outbox_receipt",
        metadata,
        c.identifier("message", primary_key=True),
        c.identifier("receiver", primary_key=True),
    )
