"""Cases of finishing a sign-in through a provider: the product of what can be known, and the rare ones."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING, Any, Final

import attrs

from authflow.sso.case import Case, Choice, Visitor
from authflow.sso.identity import FRESH
from authflow.testing.samples.links import ADA, EVE, FORMER, MAILBOX, NOW, holder, identity, link, welcoming
from authflow.values import Address, UserId

if TYPE_CHECKING:
    from collections.abc import Iterator

MALLORY: Final = UserId("mallory")
STRANGE: Final = Address("mallory@example.net")


def visitor(user: UserId = ADA, **facts: Any) -> Visitor:
    """Return somebody who is signed in, proved it recently, and belongs to the organization."""
    known: dict[str, Any] = {"elevated": True, "member": True, "linked": False, "addresses": (MAILBOX,), **facts}
    return Visitor(user=user, **known)


VISITORS: Final = [
    None,
    visitor(),
    visitor(elevated=False),
    visitor(linked=True),
    visitor(linked=True, addresses=(STRANGE,)),
    visitor(linked=True, elevated=False),
    visitor(linked=True, member=False),
    visitor(EVE, addresses=()),
]
LINKS: Final = [(None, None), (link(), holder()), (link(EVE), holder(EVE))]
TAKEN: Final = [(False, False), (True, False), (True, True)]
"""Whether the address is, and whether there may be a second account under it."""

PROVERS: Final = [(None, None), (ADA, holder()), (ADA, holder(active=False)), (ADA, None), (ADA, holder(EVE))]


def cases() -> Iterator[Case]:
    """Yield every case that the two rows at the top, which look at nothing else, leave to the others."""
    for (taken, second), (vouched, opened, first, owes, to_link) in product(TAKEN, product((True, False), repeat=5)):
        if second and (owes or to_link):
            continue  # neither has anything to do with a second account
        for (standing, owner), who, (proven, prover) in product(LINKS, VISITORS, PROVERS):
            known = welcoming(
                link=standing,
                holder=owner,
                visitor=who,
                prover=prover,
                owes=owes,
                taken=taken,
                second_accounts=second,
                vouched=vouched,
                open_to_newcomers=opened,
                verify_first=first,
            )
            for choice, verified, registered in product(Choice, (True, False), (None, MAILBOX, STRANGE)):
                yield Case(
                    identity=identity(email_verified=verified),
                    to_link=to_link,
                    choice=choice,
                    proven=proven,
                    registered=registered,
                    known=known,
                )


PLAIN: Final = Case(identity=identity(), known=welcoming(visitor=visitor(), link=link(), holder=holder()))
MIGRATING: Final = welcoming(former=link(ADA, FORMER), holder=holder())

RARE: Final = [
    attrs.evolve(PLAIN, identity=identity(at=NOW - FRESH)),
    attrs.evolve(PLAIN, started_by=EVE, known=attrs.evolve(PLAIN.known, link=None, holder=None)),
    attrs.evolve(PLAIN, known=attrs.evolve(PLAIN.known, holder=holder(active=False))),
    attrs.evolve(PLAIN, known=attrs.evolve(PLAIN.known, removed=True)),
    Case(identity=identity(email_verified=True), known=MIGRATING),
    Case(identity=identity(email_verified=True), known=attrs.evolve(MIGRATING, owes=True)),
    Case(identity=identity(email=None), choice=Choice.NEW_ACCOUNT, known=welcoming()),
    Case(identity=identity(), choice=Choice.NEW_ACCOUNT, known=welcoming(sign_up=False, taken=True)),
    Case(identity=identity(), choice=Choice.NEW_ACCOUNT, known=welcoming(subject_removed=True)),
]
"""What `cases` leaves out: the rows that look at one thing only, and where no accounts are made."""
