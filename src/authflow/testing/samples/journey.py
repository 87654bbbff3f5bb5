"""The alphabets of the four tables of the journey."""

from __future__ import annotations

from datetime import timedelta
from itertools import combinations, product
from typing import TYPE_CHECKING, Final

from authflow.errors import Code
from authflow.journey import post_flow, removal, replay, sign_in
from authflow.membership.admission import Requirement
from authflow.testing.clocks import START
from authflow.testing.samples.alphabet import Alphabet
from authflow.values import MemberId, OrganizationId, UserId

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime

ORGANIZATION: Final = OrganizationId("o")
REQUIREMENTS: Final = [frozenset(some) for n in range(1, 5) for some in combinations(Requirement, n)]

CODES: Final = (Code.INVITATION_WRONG_USER, Code.INVITATION_EXPIRED)
"""Two refusals of an invitation: the outcome repeats whichever code it is."""


def meetings(codes: Iterable[Code]) -> list[post_flow.Command]:
    """Return everything that an invitation may bring to the post flow, refused with each of *codes*."""
    return [
        post_flow.MeetNoInvitation(),
        post_flow.MeetAccepted(organization=ORGANIZATION, member=MemberId("m")),
        *(post_flow.MeetOpenRequirements(organization=ORGANIZATION, requirements=r) for r in REQUIREMENTS),
        *(post_flow.MeetRefusal(organization=ORGANIZATION, code=c, waits=w) for c in codes for w in (True, False)),
        post_flow.MeetConfirmation(organization=ORGANIZATION),
    ]


SETTLEMENTS: Final = [
    post_flow.SettleCodes(has_backup=has_backup, closed=closed)
    for has_backup, closed in product((True, False), repeat=2)
]

REMOVALS: Final[list[removal.Removal]] = [
    *(
        removal.PrimaryRemoved(primaries=primaries, backups=backups)
        for primaries, backups in product(((), ("sms",)), ((), ("recovery",)))
    ),
    removal.BackupRemoved(),
]

JUDGED: Final[list[sign_in.Command]] = [
    sign_in.Ask(),
    sign_in.Pass(),
    sign_in.Miss(code=Code.MFA_CODE_REJECTED),
    sign_in.Decline(code=Code.MFA_RATE_LIMITED),
]


VALUES: Final = (b"the former value's digest", b"the next value's digest", b"a stranger's digest")
ADA: Final = UserId("ada")
PERSONS: Final = (None, ADA, UserId("ben"))
TRUTHS: Final = (True, False)
INSTANT: Final = timedelta(microseconds=1)
IN_GRACE: Final = START + replay.FORMER_LIFETIME - INSTANT
MOMENTS: Final = (START - INSTANT, START, IN_GRACE, IN_GRACE + INSTANT, START + replay.LIFETIME)
"""Before a reply was stored, for clocks go back; then, on both sides of the end of a former value's time, and later."""

RECORDED: Final[list[replay.Command]] = [
    replay.Record(
        asked=VALUES[0], actor=actor, elsewhere=elsewhere, carries=carries, names=names, secret_shown=secret_shown
    )
    for actor, elsewhere, carries, names, secret_shown in product((None, ADA), TRUTHS, (None, *VALUES), TRUTHS, TRUTHS)
]
REPLAYED: Final[list[replay.Command]] = [
    *(replay.Begin(opens=opens) for opens in TRUTHS),
    *(
        replay.Ask(secret=value, user=user, alike=alike, missed=missed)
        for value, user, alike, missed in product(VALUES, PERSONS, TRUTHS, TRUTHS)
    ),
    *(
        replay.Fetch(secret=value, alike=alike, missed=missed, next_lives=next_lives)
        for value, alike, missed, next_lives in product(VALUES, TRUTHS, TRUTHS, TRUTHS)
    ),
]


def of_post_flow(state: post_flow.PostFlow) -> Iterator[tuple[post_flow.Command, datetime]]:
    """Yield what a proven factor may meet: its codes first, then every invitation."""
    for command in SETTLEMENTS if isinstance(state, post_flow.FactorProven) else meetings(CODES):
        yield command, START


def of_removal(_state: removal.Removal) -> Iterator[tuple[removal.Cascade, datetime]]:
    """Yield the one command of a removal."""
    yield removal.Cascade(), START


def of_replay(_state: replay.Replay) -> Iterator[tuple[replay.Command, datetime]]:
    """Yield every answer that may be recorded, and everybody who may ask again, at every moment that matters."""
    yield from ((command, START) for command in RECORDED)
    yield from product(REPLAYED, MOMENTS)


def of_sign_in(_state: sign_in.SignIn) -> Iterator[tuple[sign_in.Command, datetime]]:
    """Yield every judgement of an answer to the second factor."""
    yield from ((command, START) for command in JUDGED)


POST_FLOW: Final = Alphabet(
    machine=post_flow.MACHINE, start=(post_flow.FactorProven(), post_flow.Unprotected()), commands=of_post_flow
)
REMOVAL: Final = Alphabet(machine=removal.MACHINE, start=tuple(REMOVALS), commands=of_removal)
REPLAY: Final = Alphabet(machine=replay.MACHINE, start=(replay.Vacant(),), commands=of_replay)
SIGN_IN: Final = Alphabet(
    machine=sign_in.MACHINE,
    start=(
        sign_in.Owing(),
        sign_in.Present(),
        sign_in.Absent(why_not=Code.SESSION_REQUIRED),
        sign_in.Absent(why_not=Code.SESSION_SUPERSEDED),
        sign_in.Absent(why_not=Code.SESSION_ENDED),
    ),
    commands=of_sign_in,
)
ALPHABETS: Final = (POST_FLOW, REMOVAL, REPLAY, SIGN_IN)
