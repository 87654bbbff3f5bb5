"""Members and invitations."""

from __future__ import annotations

import attrs
import sqlalchemy as sa

from authflow.adapters.sql import columns as c


@attrs.frozen(kw_only=True)
class MembershipTables:
    """The tables of the membership slice."""

    member: sa.Table


def membership_tables(metadata: sa.MetaData, prefix: str) -> MembershipTables:
    """Define the tables in *metadata*, each name behind *prefix*."""
    return MembershipTables(member=_member(metadata, prefix))


def _member(metadata: sa.MetaData, prefix: str) -> sa.Table:
    return sa.Table(
        f"{prefix}member",
        metadata,
        c.identifier("id", primary_key=True),
        c.identifier("organization_id"),
        c.identifier("user_id"),
        c.unique(prefix, "member.user", "organization_id", "user_id"),
        sa.Index(f"{prefix}ix_member_user_id", "user_id"),
    )
