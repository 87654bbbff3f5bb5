"""Identities, links and people for the tests of single sign-on, and the alphabet of ``sso.linking``."""

from __future__ import annotations

from datetime import timedelta
from itertools import product
from typing import TYPE_CHECKING, Any, Final

from authflow.sso.case import Known
from authflow.sso.grounds import (
    Attach,
    Inherit,
    MailedProof,
    Migrate,
    NewAccount,
    OwnSession,
    Reason,
    Recognize,
    Release,
)
from authflow.sso.identity import AHEAD, FRESH, Identity, Subject
from authflow.sso.linking import MACHINE
from authflow.sso.links import (
    Crossed,
    Held,
    Holder,
    Link,
    Linked,
    LinkedElsewhere,
    Renumbered,
    Unlinked,
)
from authflow.testing.clocks import START
from authflow.testing.samples.alphabet import Alphabet
from authflow.values import Address, LinkId, OrganizationId, ProviderId, UserId

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from authflow.sso.grounds import Command, Ground
    from authflow.sso.links import Linking

NOW: Final = START
EARLIER: Final = NOW - timedelta(days=30)
TICK: Final = timedelta(microseconds=1)
ACME: Final = OrganizationId("acme")
GLOBEX: Final = OrganizationId("globex")
ACME_IDP: Final = ProviderId("acme-idp")
HOSTILE_IDP: Final = ProviderId("globex-idp")
ADA: Final = UserId("ada")
EVE: Final = UserId("eve")
SUBJECT: Final = Subject("00u1")
FORMER: Final = Subject("ada@example.org")
OTHER: Final = Subject("00u2")
MAILBOX: Final = Address("ada@example.org")
NEW: Final = LinkId("link-new")


def welcoming(**given: Any) -> Known:
    """Return what is known where accounts are made, and the organization takes people in."""
    known: dict[str, Any] = {"sign_up": True, "open_to_newcomers": True, **given}
    return Known(**known)


def identity(**said: Any) -> Identity:
    """Return what Acme's provider said just now about somebody; every part can be turned by name."""
    asserted: dict[str, Any] = {
        "organization": ACME,
        "provider": ACME_IDP,
        "subject": SUBJECT,
        "email": MAILBOX,
        "name": "Ada",
        "at": NOW,
        **said,
    }
    return Identity(**asserted)


def holder(user: UserId = ADA, *, active: bool = True) -> Holder:
    """Return a person as they are now."""
    return Holder(user=user, active=active)


def link(user: UserId = ADA, subject: Subject = SUBJECT) -> Link:
    """Return a link that was made some time ago."""
    return Link(
        id=LinkId(f"link-{user}-{subject}"),
        organization=ACME,
        provider=ACME_IDP,
        subject=subject,
        user=user,
        linked_at=EARLIER,
        verified_at=EARLIER,
        synced_at=EARLIER,
    )


def attach(ground: Ground | None = None, **given: Any) -> Attach:
    """Return the request of a signed-in person who proved recently who they are."""
    asked: dict[str, Any] = {
        "person": holder(),
        "identity": identity(),
        "ground": ground or OwnSession(user=ADA, elevated=True),
        "id": NEW,
        "recipients": (MAILBOX,),
        "former_recipients": (Address("eve@example.org"),),
        **given,
    }
    return Attach(**asked)


def grounds() -> Iterator[Ground]:
    """Yield every ground there is, good ones and those that speak for somebody or something else."""
    for user in (ADA, EVE):
        yield OwnSession(user=user, elevated=True)
        yield OwnSession(user=user, elevated=False)
        yield NewAccount(user=user)
        for provider, subject in product((ACME_IDP, HOSTILE_IDP), (SUBJECT, OTHER)):
            yield MailedProof(user=user, provider=provider, subject=subject)


def standings() -> Iterator[Linking]:
    """Yield every way in which Ada and the subject can stand to each other."""
    own = link(ADA, OTHER)
    yield Unlinked()
    yield LinkedElsewhere(own=own)
    for active in (True, False):
        yield Linked(link=link(), holder=holder(active=active))
        yield Held(link=link(EVE), holder=holder(EVE, active=active))
        yield Crossed(link=link(EVE), holder=holder(EVE, active=active), own=own)
        yield Renumbered(link=link(ADA, FORMER), holder=holder(active=active))


def commands(_state: Linking) -> Iterator[tuple[Command, datetime]]:
    """Yield what can be asked of a link, by assertions that are fresh, too old, and from the future."""
    for ground, active, at in product(grounds(), (True, False), (NOW, NOW - FRESH)):
        yield attach(ground, person=holder(active=active), identity=identity(at=at)), NOW
    for at, verified in product((NOW, NOW - FRESH + TICK, NOW - FRESH, NOW + AHEAD + TICK), (True, False)):
        said = identity(at=at, legacy=FORMER, email_verified=verified)
        yield Recognize(identity=said), NOW
        for until in (None, NOW, NOW + TICK):
            yield Migrate(identity=said, until=until), NOW
    for reason in Reason:
        yield Release(reason=reason), NOW
    for active, member in product((True, False), (True, False)):
        yield Inherit(person=holder(active=active), member=member, id=NEW, recipients=(MAILBOX,)), NOW


def start() -> tuple[Linking, ...]:
    """Return the states of a whole walk."""
    return tuple(standings())


LINKING: Final = Alphabet(machine=MACHINE, start=start(), commands=commands)
