"""Linking: whose an asserted identity becomes, and on what ground (sso 9, decisions 5, 15, 24, 27).

Nothing here looks at the address that the provider asserts. A link to a person is written because the person is signed
in and recently proved it, because they hold the mailbox that a link was mailed to, or because they were made just now;
the ground says which, and names the person it speaks for. An existing link never changes its owner: it moves only for
a signed-in person who asked for it, or with a whole account that is merged, by a new row.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from authflow.errors import Code
from authflow.facts import sso as facts
from authflow.machine import Machine, Step, on
from authflow.sso.grounds import (
    Attach,
    Attached,
    Command,
    Inherit,
    LinkAnswer,
    MailedProof,
    Migrate,
    NewAccount,
    OwnSession,
    Reason,
    Recognize,
    Recognized,
    Release,
    Released,
)
from authflow.sso.links import (
    Crossed,
    Held,
    Holder,
    Link,
    Linked,
    LinkedElsewhere,
    Linking,
    Renumbered,
    Unlinked,
)
from authflow.values import Refused
from authflow.witness import gate

if TYPE_CHECKING:
    from datetime import datetime

    from authflow.machine import Fact
    from authflow.sso.identity import Identity
    from authflow.values import LinkId, UserId


LinkStep = Step[Linking, LinkAnswer]


# --- rules ------------------------------------------------------------------------------------------------------------


def link(state: Unlinked, command: Attach, now: datetime) -> LinkStep:
    """The identity becomes the person's, on any ground that is good."""
    code = unfit(command, now)
    if code is not None:
        return Step(state, Refused(code=code))
    fact = facts.IdentityLinked(
        organization=command.identity.organization,
        provider=command.identity.provider,
        link=command.id,
        user=command.person.user,
        ground=type(command.ground).__name__,
        recipients=command.recipients,
    )
    return _stands(_new(command, now), (fact,))


def renumber(state: LinkedElsewhere, command: Attach, now: datetime) -> LinkStep:
    """The person's link takes the new subject: their provider calls them otherwise now. A new account has none."""
    code = unfit(command, now) or _takes_over(command)
    if code is not None:
        return Step(state, Refused(code=code))
    fact = facts.IdentityRenumbered(
        organization=state.own.organization,
        provider=state.own.provider,
        link=state.own.id,
        user=command.person.user,
        recipients=command.recipients,
    )
    return _stands(attrs.evolve(_seen(state.own, now), subject=command.identity.subject), (fact,))


def refresh(state: Linked, command: Attach, now: datetime) -> LinkStep:
    """The identity is the person's already: the link is confirmed, and nobody is told."""
    code = unfit(command, now) or disabled(state.holder) or _takes_over(command)
    if code is not None:
        return Step(state, Refused(code=code))
    return _stands(_seen(state.link, now), ())


def move(state: Held, command: Attach, now: datetime) -> LinkStep:
    """Somebody else's identity becomes the person's if they ask for it signed in; the old link goes (decision 27)."""
    return _moved(state, command, now, dropped=(state.link.id,))


def swap(state: Crossed, command: Attach, now: datetime) -> LinkStep:
    """As `move`; the person's other link goes too, since a person has one link at a provider."""
    return _moved(state, command, now, dropped=(state.link.id, state.own.id))


def recognize(state: Linked, command: Recognize, now: datetime) -> LinkStep:
    """The subject alone decides who came; whoever is inactive or suspended keeps the link and does not get in."""
    code = stale(command.identity, now) or disabled(state.holder)
    if code is not None:
        return Step(state, Refused(code=code))
    confirmed = _seen(state.link, now)
    return Step(Linked(link=confirmed, holder=state.holder), Recognized(link=confirmed))


def migrate(state: Renumbered, command: Migrate, now: datetime) -> LinkStep:
    """A link goes over to the provider's new subject: by policy, until a date, on a trusted claim (decision 24)."""
    identity = command.identity
    code = stale(identity, now) or disabled(state.holder) or _stays_behind(command, now)
    if code is not None:
        return Step(state, Refused(code=code))
    fact = facts.IdentityMigrated(
        organization=state.link.organization, provider=state.link.provider, link=state.link.id, user=state.link.user
    )
    confirmed = attrs.evolve(_seen(state.link, now), subject=identity.subject)
    return Step(Linked(link=confirmed, holder=state.holder), Recognized(link=confirmed), (fact,))


def release(state: Linked | Held, command: Release, _now: datetime) -> LinkStep:
    """The link ends; the subject may be anybody's again."""
    return Step(Unlinked(), Released(link=state.link.id), (_released(state.link, command.reason),))


def inherit(state: Held, command: Inherit, _now: datetime) -> LinkStep:
    """The link of a merged account becomes the other person's, by a new row, or ends where they do not belong.

    A link by which nobody may sign in does not let in whoever may: it ends, too.
    """
    gone = state.link
    if not command.member or (command.person.active and disabled(state.holder)):
        return Step(Unlinked(), _merged(state, command), (_released(gone, Reason.ACCOUNT_MERGED),))
    fact = facts.IdentityMoved(
        organization=gone.organization,
        provider=gone.provider,
        link=command.id,
        user=command.person.user,
        former_link=gone.id,
        former_user=gone.user,
        recipients=command.recipients,
    )
    inherited = attrs.evolve(gone, id=command.id, user=command.person.user)
    return Step(
        Linked(link=inherited, holder=command.person),
        Attached(link=inherited, dropped=(gone.id,), former=gone.user),
        (fact,),
    )


def keep_own(state: Crossed, command: Inherit, _now: datetime) -> LinkStep:
    """Whoever has a link there keeps it, since a person has one at a provider; the merged account's ends."""
    told = _released(state.link, Reason.ACCOUNT_MERGED)
    return Step(LinkedElsewhere(own=state.own), _merged(state, command), (told,))


MACHINE = Machine[Linking, Command, LinkAnswer](
    "sso.linking",
    rows=(
        # state              command           rule       next
        on(Unlinked, Attach).to(link, Unlinked, Linked),
        on(LinkedElsewhere, Attach).to(renumber, LinkedElsewhere, Linked),
        on(Linked, Attach).to(refresh, Linked),
        on(Held, Attach).to(move, Held, Linked),
        on(Crossed, Attach).to(swap, Crossed, Linked),
        on(Linked, Recognize).to(recognize, Linked),
        on(Renumbered, Migrate).to(migrate, Renumbered, Linked),
        on(Linked, Release).to(release, Unlinked),
        on(Held, Release).to(release, Unlinked),
        on(Held, Inherit).to(inherit, Linked, Unlinked),
        on(Crossed, Inherit).to(keep_own, LinkedElsewhere),
    ),
)


# --- gates ------------------------------------------------------------------------------------------------------------


def unfit(command: Attach, now: datetime) -> Code | None:
    """Return why nothing may be linked by this command, whatever stands, or none."""
    return stale(command.identity, now) or groundless(command) or disabled(command.person)


@gate
def stale(identity: Identity, now: datetime) -> Code | None:
    """An assertion older than ten minutes is made again before anybody acts upon it (decision 25)."""
    return None if identity.is_fresh(now) else Code.SSO_IDENTITY_EXPIRED


@gate
def groundless(command: Attach) -> Code | None:
    """The ground speaks for this very person, a mailed proof for this very identity (CVE-2025-22146, CVE-2026-9087)."""
    ground, identity = command.ground, command.identity
    if ground.user != command.person.user:
        return Code.SSO_IDENTITY_MISMATCH
    match ground:
        case OwnSession(elevated=False):
            return Code.SESSION_ELEVATION_REQUIRED
        case MailedProof() if (ground.provider, ground.subject) != (identity.provider, identity.subject):
            return Code.SSO_IDENTITY_MISMATCH
        case _:
            return None


@gate
def disabled(holder: Holder) -> Code | None:
    """A link of somebody who may not sign in is touched by nobody until it is released (decision 15)."""
    return None if holder.active else Code.SSO_IDENTITY_DISABLED


@gate
def _takes_over(command: Attach) -> Code | None:
    """A sign-up never takes over what stands (decision 15)."""
    return Code.SSO_IDENTITY_CONFLICT if isinstance(command.ground, NewAccount) else None


@gate
def _wrong_ground_to_move(command: Attach) -> Code | None:
    """Only an explicit request of the session's own person moves a link (decision 15)."""
    return None if isinstance(command.ground, OwnSession) else Code.SSO_IDENTITY_CONFLICT


@gate
def _stays_behind(command: Migrate, now: datetime) -> Code | None:
    return None if migrates(command.identity, command.until, now) else Code.SSO_MIGRATION_CLOSED


def migrates(identity: Identity, until: datetime | None, now: datetime) -> bool:
    """Tell whether links go over to a provider's new subject: by policy *until* then, on a trusted claim."""
    return until is not None and now < until and identity.email_verified


# --- pieces -----------------------------------------------------------------------------------------------------------


def _moved(state: Held | Crossed, command: Attach, now: datetime, *, dropped: tuple[LinkId, ...]) -> LinkStep:
    code = unfit(command, now) or disabled(state.holder) or _wrong_ground_to_move(command)
    if code is not None:
        return Step(state, Refused(code=code))
    fact = facts.IdentityMoved(
        organization=state.link.organization,
        provider=state.link.provider,
        link=command.id,
        user=command.person.user,
        former_link=state.link.id,
        former_user=state.link.user,
        recipients=(*command.recipients, *command.former_recipients),
    )
    return _stands(_new(command, now), (fact,), dropped=dropped, former=state.link.user)


def _new(command: Attach, now: datetime) -> Link:
    return Link(
        id=command.id,
        organization=command.identity.organization,
        provider=command.identity.provider,
        subject=command.identity.subject,
        user=command.person.user,
        linked_at=now,
        verified_at=now,
        synced_at=now,
    )


def _merged(state: Held | Crossed, command: Inherit) -> Released:
    """Return that a merged account's link ends; its subject is nobody's to come back by where one may not sign in."""
    return Released(link=state.link.id, barred=not (state.holder.active and command.person.active))


def _released(gone: Link, reason: Reason) -> Fact:
    return facts.IdentityReleased(
        organization=gone.organization,
        provider=gone.provider,
        link=gone.id,
        user=gone.user,
        reason=reason.value,
    )


def _seen(stands: Link, now: datetime) -> Link:
    return attrs.evolve(stands, verified_at=now, synced_at=now)


def _stands(
    stands: Link, told: tuple[Fact, ...], *, dropped: tuple[LinkId, ...] = (), former: UserId | None = None
) -> Step[Linked, LinkAnswer]:
    after = Linked(link=stands, holder=Holder(user=stands.user, active=True))
    return Step(after, Attached(link=stands, dropped=dropped, former=former), told)
