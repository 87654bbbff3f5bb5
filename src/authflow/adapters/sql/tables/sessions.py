"""Browser sessions, known browsers, and the links mailed after a reset."""

from __future__ import annotations

import attrs
import sqlalchemy as sa

from authflow.adapters.sql import columns as c


@attrs.frozen(kw_only=True)
class SessionTables:
    """The tables of the sessions slice."""

    session: sa.Table
    device: sa.Table
    reset_link: sa.Table


def session_tables(metadata: sa.MetaData, prefix: str) -> SessionTables:
    """Define the tables in *metadata*, each name behind *prefix*."""
    return SessionTables(
        session=_session(metadata, prefix), device=_device(metadata, prefix), reset_link=_reset_link(metadata, prefix)
    )


def _session(metadata: sa.MetaData, prefix: str) -> sa.Table:
    """What queries need are columns; the rest of the state is *data*, JSON in the stated *format*."""
    return sa.Table(
        f"{prefix}session",
        metadata,
        c.identifier("id", primary_key=True),
        c.number("version"),
        c.word("state"),
        c.identifier("user_id", nullable=True),
        c.number("epoch", nullable=True),
        c.digest("digest"),
        c.number("generation"),
        c.instant("created_at"),
        c.instant("expires_at"),
        c.number("format"),
        c.text("data"),
        sa.Index(f"{prefix}ix_session_user_id", "user_id"),
        sa.Index(f"{prefix}ix_session_expires_at", "expires_at"),
    )


def _device(metadata: sa.MetaData, prefix: str) -> sa.Table:
    return sa.Table(
        f"{prefix}device",
        metadata,
        c.digest("digest", primary_key=True),
        c.identifier("user_id"),
        c.instant("created_at"),
        c.instant("last_used_at"),
        sa.Index(f"{prefix}ix_device_user_id", "user_id"),
    )


def _reset_link(metadata: sa.MetaData, prefix: str) -> sa.Table:
    return sa.Table(
        f"{prefix}reset_link",
        metadata,
        c.digest("digest", primary_key=True),
        c.identifier("user_id"),
        c.instant("expires_at"),
        c.instant("spent_at", nullable=True),
        sa.Index(f"{prefix}ix_reset_link_user_id", "user_id"),
        sa.Index(f"{prefix}ix_reset_link_expires_at", "expires_at"),
    )
