"""Rows of the membership tables to states and back. Tags are stored, and permanent."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from authflow.adapters.sql import columns as c
from authflow.membership.consent import Anonymous, Claimed, Click, Consent, Given
from authflow.membership.offer import (
    Accepted,
    Expired,
    Invitation,
    InviteStatus,
    Offer,
    Pending,
    Requested,
    Withdrawn,
    open_key,
    token_of,
)
from authflow.membership.standing import Member, MemberFlag
from authflow.values import Address, InvitationId, MemberId, OrganizationId, Role, TeamId, UserId

if TYPE_CHECKING:
    from datetime import datetime

INVITATIONS: Final[dict[type[Invitation], str]] = {
    Requested: "requested",
    Pending: "pending",
    Accepted: "accepted",
    Withdrawn: "withdrawn",
    Expired: "expired",
}
"""State class to the tag in the row."""

CONSENTS: Final[dict[type[Consent], str]] = {Given: "given", Anonymous: "anonymous", Claimed: "claimed"}
"""State class to the tag in the row."""

Stands = Requested | Pending | Accepted | Withdrawn | Expired
Waits = Given | Anonymous | Claimed


def dump_invitation(state: Stands) -> dict[str, Any]:
    """Return every column of *state* but its version."""
    offer = state.offer
    bound = state if isinstance(state, Pending | Expired) else None
    return {
        "id": offer.id,
        "organization_id": offer.organization,
        "state": INVITATIONS[type(state)],
        "origin": int(offer.origin),
        "email": offer.email,
        "role": offer.role,
        "teams": json.dumps(offer.teams),
        "sponsor": state.by if isinstance(state, Requested) else None if bound is None else bound.sponsor,
        "token": token_of(state),
        "since": c.micros(state.issued_at if isinstance(state, Pending) else state.at),
        "expires_at": c.micros_or_none(state.expires_at if isinstance(state, Pending) else None),
        "bound_to": None if bound is None else bound.bound_to,
        "flags": 0 if bound is None else bound.flags.value,
        "accepted_by": state.by if isinstance(state, Accepted) else None,
        "member_id": state.member if isinstance(state, Accepted) else None,
        "open_key": open_key(state),
    }


def load_invitation(row: Any) -> Stands:
    """Return the state that `dump_invitation` stored."""
    offer, since = _offer(row), c.moment(row.since)
    match row.state:
        case "requested":
            return Requested(offer=offer, by=UserId(row.sponsor), at=since)
        case "pending":
            return Pending(
                offer=offer,
                sponsor=UserId(row.sponsor),
                token=bytes(row.token),
                issued_at=since,
                expires_at=_end(row),
                bound_to=_user(row.bound_to),
                flags=MemberFlag(row.flags),
            )
        case "accepted":
            by, member = UserId(row.accepted_by), MemberId(row.member_id)
            return Accepted(offer=offer, token=bytes(row.token), by=by, member=member, at=since)
        case "withdrawn":
            return Withdrawn(offer=offer, token=bytes(row.token), at=since)
        case _:
            return Expired(
                offer=offer,
                sponsor=UserId(row.sponsor),
                token=bytes(row.token),
                at=since,
                bound_to=_user(row.bound_to),
                flags=MemberFlag(row.flags),
            )


def load_waiting(row: Any) -> Requested | Pending | None:
    """Return the state if it is open, none if it is over."""
    state = load_invitation(row)
    return state if isinstance(state, Requested | Pending) else None


def _end(row: Any) -> datetime:
    """Return when the token dies; a row without an end has expired: there is no legacy token (decision 12)."""
    return c.moment(row.since if row.expires_at is None else row.expires_at)


def _offer(row: Any) -> Offer:
    return Offer(
        organization=OrganizationId(row.organization_id),
        id=InvitationId(row.id),
        email=Address(row.email),
        role=Role(row.role),
        teams=tuple(TeamId(team) for team in json.loads(row.teams)),
        origin=InviteStatus(row.origin),
    )


def dump_member(state: Member) -> dict[str, Any]:
    """Return every column of *state* but its version."""
    return {
        "id": state.id,
        "organization_id": state.organization,
        "user_id": state.user,
        "role": state.role,
        "teams": json.dumps(state.teams),
        "flags": state.flags.value,
    }


def load_member(row: Any) -> Member:
    """Return the state that `dump_member` stored."""
    return Member(
        organization=OrganizationId(row.organization_id),
        user=UserId(row.user_id),
        id=MemberId(row.id),
        role=Role(row.role),
        teams=tuple(TeamId(team) for team in json.loads(row.teams)),
        flags=MemberFlag(row.flags),
    )


def dump_consent(state: Waits) -> dict[str, Any]:
    """Return every column of *state* but its session and version."""
    click = state.click
    return {
        "state": CONSENTS[type(state)],
        "user_id": None if isinstance(state, Anonymous) else state.user,
        "organization_id": click.organization,
        "invitation_id": click.invitation,
        "token": click.token,
        "by_token": click.by_token,
        "at": c.micros(click.at),
    }


def load_consent(row: Any) -> Waits:
    """Return the state that `dump_consent` stored."""
    click = Click(
        organization=OrganizationId(row.organization_id),
        invitation=InvitationId(row.invitation_id),
        token=bytes(row.token),
        by_token=row.by_token,
        at=c.moment(row.at),
    )
    if row.state == CONSENTS[Anonymous]:
        return Anonymous(click=click)
    kind = Given if row.state == CONSENTS[Given] else Claimed
    return kind(click=click, user=UserId(row.user_id))


def _user(stored: str | None) -> UserId | None:
    return None if stored is None else UserId(stored)
