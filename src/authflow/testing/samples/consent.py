"""Clicks on an invitation, and the alphabet of ``membership.consent``."""

from __future__ import annotations

from datetime import timedelta
from itertools import product
from typing import TYPE_CHECKING, Final

from authflow.errors import Code
from authflow.membership.consent import CURABLE, MACHINE, Click, Give, NoConsent, Resume, Settle
from authflow.testing.samples.alphabet import Alphabet
from authflow.testing.samples.membership import DIGEST, HOME, INVITATION, NOW, SECOND, WRONG
from authflow.values import InvitationId, UserId

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from authflow.membership.consent import Command, Consent

ADA, EVE = UserId("ada"), UserId("eve")
LIFE: Final = timedelta(minutes=60)
CLICK: Final = Click(organization=HOME, invitation=INVITATION, token=DIGEST, by_token=True, at=NOW)
OTHER: Final = Click(organization=HOME, invitation=InvitationId("other"), token=WRONG, by_token=False, at=NOW)


def resume(
    user: UserId | None = ADA, token: bytes | None = DIGEST, *, addressed: bool = True, confirmed: bool = False
) -> Resume:
    """Return somebody who comes back to what was clicked; by default the person, with the same token."""
    return Resume(user=user, token=token, addressed=addressed, confirmed=confirmed, life=LIFE)


def commands(_state: Consent) -> Iterator[tuple[Command, datetime]]:
    """Yield clicks and returns of everybody, in time and too late, and everything that can come of them."""
    for click, user in product((CLICK, OTHER), (None, ADA, EVE)):
        yield Give(click=click, user=user), NOW
    for user, token, addressed, confirmed in product((None, ADA, EVE), (None, DIGEST, WRONG), (0, 1), (0, 1)):
        yield resume(user, token, addressed=bool(addressed), confirmed=bool(confirmed)), NOW + SECOND
    yield resume(), NOW + LIFE
    for invitation, code in product((INVITATION, OTHER.invitation), (None, *sorted(CURABLE), Code.INVITATION_USED)):
        yield Settle(invitation=invitation, code=code), NOW


ALPHABET: Final = Alphabet(machine=MACHINE, start=(NoConsent(),), commands=commands)
