"""Changes of a membership, and the alphabet of ``membership.member``."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING, Any, Final

import attrs

from authflow.membership.changes import Bar, ChangeRole, Demote, FlagGroup, Join, Remove, SetFlags, SetTeams
from authflow.membership.member import MACHINE
from authflow.membership.standing import MemberFlag, Outside
from authflow.policy import ADMIN, MANAGER, MEMBER, OWNER
from authflow.testing.samples.alphabet import Alphabet
from authflow.testing.samples.membership import (
    HOME,
    NEW_MEMBER,
    NOW,
    POLICY,
    SECOND,
    authority,
    manager,
    member,
    organization,
    person,
    standing,
    unheard,
)
from authflow.values import InvitationId, Role, Secret, TeamId, UserId

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from authflow.membership.member import Command
    from authflow.membership.standing import Membership, Standing
    from authflow.ports import Organization

ADA: Final = UserId("ada")
WAY_BACK: Final = InvitationId("way-back")
TOKEN: Final = Secret("5" * 64)
STRICT: Final = organization(require_second_factor=True)


def join(role: Role = MEMBER, **given: Any) -> Join:
    """Return Ada's joining."""
    rest: dict[str, Any] = {
        "organization": organization(),
        "person": person(),
        "invited_at": None,
        "policy": POLICY,
        **given,
    }
    return Join(member=attrs.evolve(member("ada", role), id=NEW_MEMBER), **rest)


def demote(by: Standing | None = None, place: Organization | None = None, **given: Any) -> Demote:
    """Return Ada's demotion to an invitation, by default by an owner."""
    rest: dict[str, Any] = {"person": person(), "has_factor": False, "other_owners": 1, "only_lacking": False, **given}
    return Demote(authority=authority(by, place), invitation=WAY_BACK, token=TOKEN, **rest)


def change(role: Role = ADMIN, by: Standing | None = None, others: int = 1) -> ChangeRole:
    """Return another role for Ada, beside *others* who own the organization."""
    return ChangeRole(authority=authority(by), role=role, other_owners=others)


def remove(by: Standing | None = None, others: int = 1) -> Remove:
    """Return Ada's removal, beside *others* who own the organization."""
    return Remove(authority=authority(by), other_owners=others)


ACTORS: Final = [
    standing(None),
    standing(person("eve")),
    manager(MEMBER),
    manager(MANAGER),
    manager(OWNER),
    standing(person(), member("ada", OWNER), has_factor=True),
    *unheard(),
]


def commands(_state: Membership) -> Iterator[tuple[Command, datetime]]:
    """Yield what everybody can do to a membership, beside other owners and as the last one."""
    for role, at in product((MEMBER, OWNER, Role("root")), (None, NOW - SECOND, NOW + SECOND)):
        yield join(role, invited_at=at), NOW
    yield join(person=None), NOW
    yield join(organization=organization(active=False)), NOW
    for by, others in product(ACTORS, (0, 1)):
        yield from ((change(role, by, others), NOW) for role in (MEMBER, OWNER, Role("root")))
        yield remove(by, others), NOW
        yield demote(by, other_owners=others), NOW
        yield demote(by, STRICT, other_owners=others), NOW
        yield SetTeams(authority=authority(by), teams=(TeamId("blue"),), problems={}), NOW
    yield SetTeams(authority=authority(), teams=(), problems={"teams": "are too many"}), NOW
    yield from ((SetFlags(group=group, flags=flag), NOW) for group, flag in product(FlagGroup, MemberFlag))
    for at in (None, NOW - SECOND, NOW + SECOND):
        yield Bar(organization=HOME, user=ADA, at=at), NOW


ALPHABET: Final = Alphabet(machine=MACHINE, start=(Outside(),), commands=commands, limit=1_000_000)
