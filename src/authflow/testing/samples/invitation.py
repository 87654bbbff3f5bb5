"""Commands about invitations, and the alphabet of ``membership.invitation``."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING, Any, Final

import attrs

from authflow.errors import Code
from authflow.membership.invitation import MACHINE, Accept, Expire, Void
from authflow.membership.issue import (
    Approve,
    Invite,
    InviteBack,
    Reject,
    Request,
    RequestToJoin,
    Resend,
    Withdraw,
)
from authflow.membership.offer import Absent
from authflow.membership.standing import MemberFlag
from authflow.membership.terms import Malformed, Terms
from authflow.policy import MANAGER, MEMBER, OWNER
from authflow.ports import Allowed, Limited
from authflow.testing.samples.alphabet import Alphabet
from authflow.testing.samples.membership import (
    ELSEWHERE,
    INVITATION,
    INVITED,
    NEW_MEMBER,
    NOW,
    POLICY,
    SECOND,
    WRONG,
    asker,
    attempt,
    authority,
    manager,
    member,
    offer,
    organization,
    pending,
    person,
    removed,
    sponsor,
    standing,
    unheard,
)
from authflow.values import Secret, UserId, token_digest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from authflow.membership.invitation import Command
    from authflow.membership.offer import Invitation
    from authflow.membership.standing import Authority

LATE: Final = NOW + POLICY.invitation_ttl
FRESH: Final = Secret("9" * 64)
"""The token of a new invitation."""

TERMS: Final = Terms(email=INVITED, role=MEMBER)
BAD_TERMS: Final = Malformed(problems={"email": "is not an e-mail address"})
LIMITED: Final = Limited(60 * SECOND)
BACK: Final = offer(email="old@example.org")
"""What somebody who was demoted may come back to."""

ACTORS: Final = {
    "nobody": standing(None),
    "outsider": standing(person("eve")),
    "unverified outsider": standing(person("eve", verified=False)),
    "member": manager(MEMBER),
    "manager": manager(MANAGER),
    "owner": manager(OWNER),
    "foreign owner": standing(person("olga"), member("olga", OWNER, ELSEWHERE)),
    "deactivated owner": unheard()[0],
    "restricted owner": unheard()[1],
    "owner outside the provider": unheard()[2],
    "another provider": manager(asker=asker(person("olga"), level=standing(None).asker.level)),
}

PLACES: Final = {
    "plain": organization(),
    "cannot invite": organization(can_invite=False),
    "no requests": organization(join_requests=False),
    "inactive": organization(active=False),
}

AUTHORITIES: Final = [authority(actor, place) for actor, place in product(ACTORS.values(), PLACES.values())]


def invite(by: Authority | None = None, **given: Any) -> Invite:
    """Return an invitation, by default an owner's."""
    rest: dict[str, Any] = {
        "allowance": Allowed(1),
        "terms": TERMS,
        "token": FRESH,
        "taken": False,
        "member": False,
        **given,
    }
    return Invite(id=INVITATION, authority=by or authority(), **rest)


def request(by: Authority | None = None, **given: Any) -> Request:
    """Return a request for somebody else."""
    rest: dict[str, Any] = {"allowance": Allowed(1), "terms": TERMS, "taken": False, "member": False, **given}
    return Request(id=INVITATION, authority=by or authority(), **rest)


def request_to_join(by: Authority | None = None, **given: Any) -> RequestToJoin:
    """Return a request for oneself, by default an outsider's."""
    rest: dict[str, Any] = {"allowance": Allowed(1), "terms": TERMS, "taken": False, **given}
    return RequestToJoin(id=INVITATION, authority=by or authority(standing(person("eve"))), **rest)


def resend(by: Authority | None = None, **given: Any) -> Resend:
    """Return another letter."""
    rest: dict[str, Any] = {"allowance": Allowed(1), "token": FRESH, "recipients": (INVITED,), "taken": False, **given}
    return Resend(authority=by or authority(), **rest)


def invite_back(**given: Any) -> InviteBack:
    """Return the way back of somebody who was demoted."""
    rest: dict[str, Any] = {
        "offer": BACK,
        "token": FRESH,
        "bound_to": UserId("ada"),
        "flags": MemberFlag.IDP_PROVISIONED,
        **given,
    }
    return InviteBack(authority=authority(), **rest)


def accept(**given: Any) -> Accept:
    """Return somebody at the door."""
    return Accept(attempt=attempt(**given), member=NEW_MEMBER)


ACCEPTS: Final = [
    accept(),
    accept(presented=WRONG),
    accept(presented=None),
    accept(presented=token_digest(FRESH)),
    accept(applicant=standing(None)),
    accept(applicant=standing(None, asker=asker(None, why_not=Code.SESSION_SUPERSEDED))),
    accept(applicant=standing(attrs.evolve(person(), active=False))),
    accept(sponsor=sponsor(active=False)),
    accept(applicant=standing(person("eve"))),
    accept(applicant=standing(person(), member())),
    accept(
        applicant=standing(person("ada", "other@example.org"), member()),
        organization=organization(invites_bound_to_address=False),
    ),
    accept(applicant=standing(person(), removed(at=LATE))),
    accept(organization=organization(ELSEWHERE)),
    accept(organization=organization(require_second_factor=True)),
]


def commands(_state: Invitation) -> Iterator[tuple[Command, datetime]]:
    """Yield what everybody everywhere can ask of an invitation, and everybody who can stand at the door."""
    for by in AUTHORITIES:
        yield from ((command, NOW) for command in (invite(by), request(by), request_to_join(by), resend(by)))
        yield from ((command(authority=by), NOW) for command in (Reject, Withdraw))
        yield Approve(authority=by, token=FRESH), NOW
    for given in _GIVEN:
        yield from ((kind(**given), NOW) for kind in (invite, request, request_to_join))
    yield from ((kind(member=True), NOW) for kind in (invite, request))
    yield from ((resend(**given), NOW) for given in _GIVEN[:2])
    yield from ((invite_back(), NOW), (Void(reason="removed"), NOW))
    yield from product([*ACCEPTS, Expire()], [NOW, LATE])


_GIVEN: Final[tuple[dict[str, Any], ...]] = ({"allowance": LIMITED}, {"taken": True}, {"terms": BAD_TERMS})

ALPHABET: Final = Alphabet(
    machine=MACHINE, start=(Absent(), pending(bound_to=UserId("ada"))), commands=commands, limit=1_000_000
)
