"""What single sign-on means for whoever asks, of the rows that stand: here the facts of a decision are read."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

import attrs

from authflow.facts.sso import GlassBroken
from authflow.membership.standing import Member, MemberFlag, role_in
from authflow.ports import Allowed, Sso
from authflow.sso.access import UNUSABLE, Access, Door, Entrant, Why, access, unmet, unusable
from authflow.sso.connection import Connected
from authflow.values import Budget, Context, Level

if TYPE_CHECKING:
    from datetime import datetime

    from authflow.journey.ports import JourneyTransaction
    from authflow.policy import Policy
    from authflow.ports import Clock, UnitOfWork
    from authflow.recording import Recorder
    from authflow.values import Asker, OrganizationId


TOLD: Final = Budget(name="sso.glass_told", limit=1, window=timedelta(hours=1))
"""How often a session that goes on behind broken glass is written down."""


@attrs.frozen(kw_only=True)
class Entrance:
    """How one session stands to one provider.

    Args:
        provider: The organization's.
        missing: The first thing that is missing for a sign-on, whether it is required or not.
        access: What is decided about it.
        at: When.
    """

    provider: Connected
    missing: Why | None
    access: Access
    at: datetime


@attrs.frozen(kw_only=True)
class Entrances:
    """`authflow.ports.SsoStatus` over the rows: providers, links, memberships, and the session's own marks.

    An organization without a provider costs one statement; one with a provider two more, and its owners are looked
    at only where somebody might break the glass.
    """

    uow: UnitOfWork[JourneyTransaction]
    clock: Clock
    recorder: Recorder
    policy: Policy

    def status(self, organization: OrganizationId, asker: Asker) -> Sso:
        """Return the facts for the person and session of *asker* at *organization*.

        For the owner who breaks the glass it is not required (sso 14.3).
        """
        with self.uow.begin() as tx:
            found = self.enter(tx, organization, asker)
        if found is None:
            return Sso()
        return Sso(
            provider=found.provider.id,
            name=found.provider.name,
            required=found.provider.settings.required and not found.access.broken_glass,
            linked=found.missing not in UNUSABLE,
            marked=found.missing is None,
        )

    def enter(self, tx: JourneyTransaction, organization: OrganizationId, asker: Asker) -> Entrance | None:
        """Return how *asker* stands to the provider, as `look`; where they break the glass, that is written down.

        Once an hour for a session and an organization, and not at each of its requests.
        """
        found = self.look(tx, organization, asker)
        if found is None or not found.access.broken_glass or found.missing is None or asker.user is None:
            return found
        if isinstance(tx.limits.hit(TOLD, f"{asker.session}:{organization}", found.at), Allowed):
            broken = GlassBroken(
                organization=organization,
                provider=found.provider.id,
                user=asker.user,
                reason=found.missing.value,
            )
            self.recorder.record(tx, (broken,), asker=asker, context=Context(), now=found.at)
        return found

    def look(self, tx: JourneyTransaction, organization: OrganizationId, asker: Asker) -> Entrance | None:
        """Return how *asker* stands to the provider of *organization*, or none where it has none."""
        provider = tx.providers.load(organization).state
        if not isinstance(provider, Connected):
            return None
        now, door, entrant = self.clock.now(), _door(provider), self._entrant(tx, provider, asker)
        life = self.policy.sso.mark_life
        missing = unmet(door, entrant, now, life)
        if missing in UNUSABLE and entrant.owner:
            entrant = attrs.evolve(entrant, another_way_in=self._another_way_in(tx, door, now))
        return Entrance(provider=provider, missing=missing, access=access(door, entrant, now, mark_life=life), at=now)

    def _entrant(self, tx: JourneyTransaction, provider: Connected, asker: Asker) -> Entrant:
        """Return who asks. Whoever is no member yet has no flags, and is judged by their link alone."""
        mark = asker.mark(provider.organization, provider.id)
        if asker.user is None:
            return Entrant(level=asker.level, mark=mark)
        member = tx.members.load(provider.organization, asker.user).state
        flags = member.flags if isinstance(member, Member) else MemberFlag.SSO_LINKED
        return Entrant(
            level=asker.level,
            owner=role_in(provider.organization, member) == self.policy.membership.roles[-1],
            link=tx.links.of_user(provider.id, asker.user),
            linked=MemberFlag.SSO_LINKED in flags,
            invalid=MemberFlag.SSO_INVALID in flags,
            mark=mark,
        )

    def _another_way_in(self, tx: JourneyTransaction, door: Door, now: datetime) -> bool:
        """Tell whether another active owner could come in through the provider, and let this one in.

        Whoever asks is among the owners; that their own link is of no use was found just now.
        """
        owners = tx.members.with_role(door.organization, self.policy.membership.roles[-1])
        unrestricted = [owner for owner in owners if MemberFlag.MEMBER_LIMIT_RESTRICTED not in owner.flags]
        linked = tx.links.linked(door.provider, [owner.user for owner in unrestricted])
        return any(_comes_in(tx, door, owner, now) for owner in unrestricted if owner.user in linked)


def _comes_in(tx: JourneyTransaction, door: Door, owner: Member, now: datetime) -> bool:
    person = tx.users.get(owner.user)
    if person is None or not person.active:
        return False
    entrant = Entrant(
        level=Level.NONE,
        link=tx.links.of_user(door.provider, owner.user),
        linked=MemberFlag.SSO_LINKED in owner.flags,
        invalid=MemberFlag.SSO_INVALID in owner.flags,
    )
    return unusable(door, entrant, now) is None


def _door(provider: Connected) -> Door:
    settings = provider.settings
    return Door(
        organization=provider.organization,
        provider=provider.id,
        required=settings.required,
        confirms=settings.confirms,
    )
