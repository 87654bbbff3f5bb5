"""Replies that are stored under idempotency keys."""

from __future__ import annotations

import attrs
import sqlalchemy as sa

from authflow.adapters.sql import columns as c


@attrs.frozen(kw_only=True)
class ReplyTables:
    """The table of stored replies."""

    reply: sa.Table


def reply_tables(metadata: sa.MetaData, prefix: str) -> ReplyTables:
    """Define the table in *metadata*, its name behind *prefix*."""
    return ReplyTables(reply=_reply(metadata, prefix))


def _reply(metadata: sa.MetaData, prefix: str) -> sa.Table:
    """*answer* is a sealed document, in base64; *arguments* is what a retry must have in common with it."""
    return sa.Table(
        f"{prefix}reply",
        metadata,
        c.digest("key", primary_key=True),
        c.word("pepper"),
        c.digest("arguments"),
        c.word("sealing_key"),
        c.text("answer"),
        c.instant("former_until", nullable=True),
        c.instant("created_at"),
        c.instant("expires_at"),
        sa.Index(f"{prefix}ix_reply_expires_at", "expires_at"),
    )
