"""Members, the tombstones of removed ones, invitations, and the clicks that wait for a detour."""

from __future__ import annotations

import attrs
import sqlalchemy as sa

from authflow.adapters.sql import columns as c


@attrs.frozen(kw_only=True)
class MembershipTables:
    """The tables of the membership slice. A row of *member* is a member now; a tombstone is a row of its own table."""

    member: sa.Table
    removed_member: sa.Table
    invitation: sa.Table
    consent: sa.Table


def membership_tables(metadata: sa.MetaData, prefix: str) -> MembershipTables:
    """Define the tables in *metadata*, each name behind *prefix*."""
    return MembershipTables(
        member=_member(metadata, prefix),
        removed_member=_removed_member(metadata, prefix),
        invitation=_invitation(metadata, prefix),
        consent=_consent(metadata, prefix),
    )


def _member(metadata: sa.MetaData, prefix: str) -> sa.Table:
    """*teams* is a JSON list, *flags* the number of `authflow.membership.standing.MemberFlag`."""
    return sa.Table(
        f"{prefix}member",
        metadata,
        c.identifier("id", primary_key=True),
        c.number("version"),
        c.identifier("organization_id"),
        c.identifier("user_id"),
        c.word("role"),
        c.text("teams"),
        c.number("flags"),
        c.unique(prefix, "member.user", "organization_id", "user_id"),
        sa.Index(f"{prefix}ix_member_user_id", "user_id"),
    )


def _removed_member(metadata: sa.MetaData, prefix: str) -> sa.Table:
    return sa.Table(
        f"{prefix}removed_member",
        metadata,
        c.identifier("organization_id", primary_key=True),
        c.identifier("user_id", primary_key=True),
        c.number("version"),
        c.instant("at"),
        sa.Index(f"{prefix}ix_removed_member_user_id", "user_id"),
    )


def _invitation(metadata: sa.MetaData, prefix: str) -> sa.Table:
    """*open_key* names whom an open invitation is for and is null when it is over, as MySQL knows no partial index.

    *sponsor* is who requested it while *state* is ``requested``; *since* is when it entered that state, or when its
    token was made.
    """
    return sa.Table(
        f"{prefix}invitation",
        metadata,
        c.identifier("id", primary_key=True),
        c.number("version"),
        c.identifier("organization_id"),
        c.word("state"),
        c.number("origin"),
        c.address("email"),
        c.word("role"),
        c.text("teams"),
        c.identifier("sponsor", nullable=True),
        c.digest("token", nullable=True),
        c.instant("since"),
        c.instant("expires_at", nullable=True),
        c.identifier("bound_to", nullable=True),
        c.number("flags"),
        c.identifier("accepted_by", nullable=True),
        c.identifier("member_id", nullable=True),
        c.digest("open_key", nullable=True),
        c.unique(prefix, "invitation.open", "organization_id", "open_key"),
        c.unique(prefix, "invitation.token", "token"),
        sa.Index(f"{prefix}ix_invitation_open_key", "open_key"),
        sa.Index(f"{prefix}ix_invitation_sponsor", "sponsor"),
        sa.Index(f"{prefix}ix_invitation_bound_to", "bound_to"),
        sa.Index(f"{prefix}ix_invitation_since", "since"),
    )


def _consent(metadata: sa.MetaData, prefix: str) -> sa.Table:
    return sa.Table(
        f"{prefix}consent",
        metadata,
        c.identifier("session_id", primary_key=True),
        c.number("version"),
        c.word("state"),
        c.identifier("user_id", nullable=True),
        c.identifier("organization_id"),
        c.identifier("invitation_id"),
        c.digest("token"),
        c.flag("by_token"),
        c.instant("at"),
        sa.Index(f"{prefix}ix_consent_user_id", "user_id"),
        sa.Index(f"{prefix}ix_consent_at", "at"),
    )
