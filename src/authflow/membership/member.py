"""The member: what joins a person to an organization, and what is remembered when it ends.

Outside, member, removed: a removal leaves a tombstone, past which only the policy or a newer invitation leads back; a
demotion leads outside, with an invitation that is bound to the person.

Whoever commands is judged here, in the rule, from facts read in the same transaction; so is the last owner.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import attrs

from authflow.errors import Code
from authflow.facts import membership as facts
from authflow.machine import Machine, Step, on
from authflow.membership.answers import Joined, MemberGone, MemberSaved
from authflow.membership.changes import (
    Bar,
    ChangeRole,
    Demote,
    Join,
    Remove,
    SetFlags,
    SetTeams,
)
from authflow.membership.gates import no
from authflow.membership.offer import InviteStatus
from authflow.membership.standing import (
    Member,
    MemberFlag,
    Membership,
    Outside,
    Removed,
    identified,
    lacks,
    may_grant,
    may_manage,
    may_return,
    proves,
)
from authflow.membership.terms import role_problem
from authflow.values import Refused
from authflow.witness import gate

if TYPE_CHECKING:
    from datetime import datetime

    from authflow.membership.standing import Authority
    from authflow.ports import User
    from authflow.values import Address


Command = Join | ChangeRole | SetTeams | SetFlags | Remove | Bar | Demote

Answer = Joined | MemberSaved | MemberGone | Refused

HOMELESS: Final = {"user": "has no address to be invited at"}


# --- rules ----------------------------------------------------------------------------------------------------------


def join(state: Outside | Removed, command: Join, _now: datetime) -> Step[Membership, Answer]:
    """Become a member; who was removed needs the policy, or an invitation newer than the removal."""
    refused = _cannot_join(state, command)
    if refused is not None:
        return Step(state, refused)
    member = command.member
    if command.organization.member_limit_restricted:
        member = attrs.evolve(member, flags=member.flags | MemberFlag.MEMBER_LIMIT_RESTRICTED)
    fact = facts.MemberAdded(
        organization=member.organization,
        member=member.id,
        user=member.user,
        email=home(command.person),
        role=member.role,
        teams=",".join(member.teams),
        status=InviteStatus.APPROVED.label,
    )
    return Step(member, Joined(member=member), (fact,) if command.invited_at is None else ())


def join_again(state: Member, _command: Join, _now: datetime) -> Step[Membership, Answer]:
    """Joining twice is joining once: the membership that stands is returned unchanged."""
    return Step(state, Joined(member=state))


def change_role(state: Member, command: ChangeRole, _now: datetime) -> Step[Membership, Answer]:
    """Nobody gives a role above their own, nor takes one; a provider's role is the provider's; an owner stays."""
    authority = command.authority
    refused = no(may_grant(authority, state.role) or may_grant(authority, command.role)) or _governed(state)
    if refused is None and command.role != state.role:
        refused = _last_owner(state, authority, command.other_owners)
    if refused is not None:
        return Step(state, refused)
    return _saved(state, attrs.evolve(state, role=command.role), "role")


def set_teams(state: Member, command: SetTeams, _now: datetime) -> Step[Membership, Answer]:
    """Whoever manages puts members into teams."""
    refused = no(may_manage(command.authority))
    if refused is None and command.problems:
        refused = Refused(code=Code.MEMBERSHIP_INPUT_INVALID, problems=command.problems)
    if refused is not None:
        return Step(state, refused)
    return _saved(state, attrs.evolve(state, teams=command.teams), "teams")


def set_flags(state: Member, command: SetFlags, _now: datetime) -> Step[Membership, Answer]:
    """Each setter touches the flags of its own group and no other."""
    mask = command.group.value
    flags = (state.flags & ~mask) | (command.flags & mask)
    return _saved(state, attrs.evolve(state, flags=flags), (flags ^ state.flags).names())


def remove(state: Member, command: Remove, now: datetime) -> Step[Membership, Answer]:
    """Leave, or be removed by somebody who may grant that role; a tombstone remembers it."""
    authority = command.authority
    leaves = authority.actor.person == state.user
    gate = _may_leave(authority) if leaves else may_grant(authority, state.role)
    refused = no(gate) or _last_owner(state, authority, command.other_owners)
    if refused is not None:
        return Step(state, refused)
    fact = facts.MemberRemoved(organization=state.organization, member=state.id, user=state.user, role=state.role)
    gone = MemberGone(organization=state.organization, user=state.user)
    return Step(Removed(organization=state.organization, user=state.user, at=now), gone, (fact,))


def bar(_state: Outside, command: Bar, now: datetime) -> Step[Membership, Answer]:
    """The person is remembered as removed; what was withdrawn, or merged, has told of it."""
    removed = Removed(organization=command.organization, user=command.user, at=command.at or now)
    return Step(removed, MemberGone(organization=command.organization, user=command.user))


def keep(state: Member, command: Bar, _now: datetime) -> Step[Membership, Answer]:
    """Who came back another way is left alone."""
    return Step(state, MemberGone(organization=command.organization, user=command.user))


def bar_again(state: Removed, command: Bar, _now: datetime) -> Step[Membership, Answer]:
    """Who was removed already stays so, since the later of the two."""
    removed = attrs.evolve(state, at=max(state.at, command.at or state.at))
    return Step(removed, MemberGone(organization=command.organization, user=command.user))


def demote(state: Member, command: Demote, now: datetime) -> Step[Membership, Answer]:
    """Whoever manages demotes a member who lacks what the organization requires; anybody else as a removal would be."""
    authority, email = command.authority, home(command.person)
    meets = lacks(command.person, authority.organization, has_factor=command.has_factor) is None
    spared = meets and command.only_lacking
    refused = no(may_grant(authority, state.role) if meets and not spared else may_manage(authority))
    if refused is None and spared:
        return Step(state, MemberSaved(member=state))
    refused = refused or _last_owner(state, authority, command.other_owners)
    if refused is not None or command.person is None or email is None:
        return Step(state, refused or Refused(code=Code.MEMBERSHIP_INPUT_INVALID, problems=HOMELESS))
    fact = facts.MemberDemoted(
        organization=state.organization,
        member=state.id,
        invitation=command.invitation,
        user=state.user,
        email=email,
        role=state.role,
        teams=",".join(state.teams),
        status=InviteStatus.APPROVED.label,
        token=command.token,
        expires_at=now + authority.policy.invitation_ttl,
        recipients=command.person.verified_addresses(),
    )
    gone = MemberGone(organization=state.organization, user=state.user, invitation=command.invitation)
    return Step(Outside(), gone, (fact,))


def miss(
    state: Outside | Removed, command: ChangeRole | SetTeams | Remove | Demote, _now: datetime
) -> Step[Membership, Answer]:
    """There is no such member here; only who manages is told so."""
    return Step(state, Refused(code=may_manage(command.authority) or Code.MEMBERSHIP_NOT_MEMBER))


def flag_nobody(state: Outside | Removed, _command: SetFlags, _now: datetime) -> Step[Membership, Answer]:
    """There is no such member here."""
    return Step(state, Refused(code=Code.MEMBERSHIP_NOT_MEMBER))


MACHINE = Machine[Membership, Command, Answer](
    "membership.member",
    rows=(
        # state    command        rule            next
        on(Outside, Join).to(join, Outside, Member),
        on(Outside, Bar).to(bar, Removed),
        on(Outside, ChangeRole).to(miss, Outside),
        on(Outside, SetTeams).to(miss, Outside),
        on(Outside, SetFlags).to(flag_nobody, Outside),
        on(Outside, Remove).to(miss, Outside),
        on(Outside, Demote).to(miss, Outside),
        on(Member, Join).to(join_again, Member),
        on(Member, ChangeRole).to(change_role, Member),
        on(Member, SetTeams).to(set_teams, Member),
        on(Member, SetFlags).to(set_flags, Member),
        on(Member, Remove).to(remove, Member, Removed),
        on(Member, Bar).to(keep, Member),
        on(Member, Demote).to(demote, Member, Outside),
        on(Removed, Join).to(join, Removed, Member),
        on(Removed, Bar).to(bar_again, Removed),
        on(Removed, ChangeRole).to(miss, Removed),
        on(Removed, SetTeams).to(miss, Removed),
        on(Removed, SetFlags).to(flag_nobody, Removed),
        on(Removed, Remove).to(miss, Removed),
        on(Removed, Demote).to(miss, Removed),
    ),
)


# --- pieces of a step -----------------------------------------------------------------------------------------------


def home(person: User | None) -> Address | None:
    """Return the primary address of *person*, for the log; any address where none is primary."""
    addresses = () if person is None else sorted(person.addresses, key=lambda own: not own.primary)
    return addresses[0].address if addresses else None


@gate
def _cannot_join(state: Outside | Removed, command: Join) -> Refused | None:
    if not command.organization.active:
        return Refused(code=Code.ORGANIZATION_UNKNOWN)
    if command.person is None:
        return Refused(code=Code.ACCOUNT_UNKNOWN)
    problems = {**command.problems, **role_problem(command.member.role, command.policy)}
    if problems:
        return Refused(code=Code.MEMBERSHIP_INPUT_INVALID, problems=problems)
    returns = may_return(state, command.invited_at, command.policy)
    return None if returns else Refused(code=Code.INVITATION_MEMBER_REMOVED)


def _saved(before: Member, after: Member, changed: str) -> Step[Membership, Answer]:
    fact = facts.MemberChanged(
        organization=after.organization,
        member=after.id,
        user=after.user,
        role=after.role,
        teams=",".join(after.teams),
        changed=changed,
    )
    return Step(after, MemberSaved(member=after), () if after == before else (fact,))


@gate
def _last_owner(state: Member, authority: Authority, other_owners: int) -> Refused | None:
    """An organization keeps at least one active owner, whoever asks (decision 17)."""
    owner = state.role == authority.policy.roles[-1]
    return Refused(code=Code.MEMBERSHIP_LAST_OWNER) if owner and other_owners < 1 else None


@gate
def _governed(state: Member) -> Refused | None:
    """A role that the identity provider governs is changed there (sso 2.4)."""
    return Refused(code=Code.ROLE_NOT_ALLOWED) if MemberFlag.IDP_ROLE_RESTRICTED in state.flags else None


@gate
def _may_leave(authority: Authority) -> Code | None:
    """Leaving needs to be oneself, and nothing that the organization asks for."""
    unknown = identified(authority.actor)
    reaches = proves(authority.actor.asker, authority.organization.id, authority.actor.sso)
    return unknown or (None if reaches else Code.SESSION_ELEVATION_REQUIRED)
