"""Factors and recovery codes."""

from __future__ import annotations

import attrs
import sqlalchemy as sa

from authflow.adapters.sql import columns as c


@attrs.frozen(kw_only=True)
class MfaTables:
    """The tables of the second factors."""

    factor: sa.Table
    recovery_code: sa.Table


def mfa_tables(metadata: sa.MetaData, prefix: str) -> MfaTables:
    """Define the tables in *metadata*, each name behind *prefix*."""
    return MfaTables(factor=_factor(metadata, prefix), recovery_code=_recovery_code(metadata, prefix))


def _factor(metadata: sa.MetaData, prefix: str) -> sa.Table:
    """One row per person and kind. It stays when nothing is enrolled any more: its version only rises."""
    return sa.Table(
        f"{prefix}factor",
        metadata,
        c.identifier("user_id", primary_key=True),
        c.word("kind", primary_key=True),
        c.number("version"),
        c.word("state"),
        c.identifier("authenticator", nullable=True),
        c.word("sealing_key", nullable=True),
        c.instant("proposal_expires_at", nullable=True),
        c.number("format"),
        c.text("data"),
        c.unique(prefix, "factor.authenticator", "authenticator"),
        sa.Index(f"{prefix}ix_factor_proposal", "proposal_expires_at"),
        sa.Index(f"{prefix}ix_factor_sealing_key", "sealing_key"),
    )


def _recovery_code(metadata: sa.MetaData, prefix: str) -> sa.Table:
    return sa.Table(
        f"{prefix}recovery_code",
        metadata,
        c.sequence("number"),
        c.identifier("authenticator"),
        c.word("key_id"),
        c.digest("digest"),
        c.instant("used_at", nullable=True),
        c.unique(prefix, "recovery_code.digest", "authenticator", "digest"),
    )
