"""Whether a session meets an organization's single sign-on, asked at every request; a broken glass is written down."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

import attrs

from authflow.command import command
from authflow.errors import Code
from authflow.facts.sso import GlassBroken
from authflow.journey.door import carried
from authflow.journey.provider_answers import AccessShown
from authflow.journey.sso_door import SsoDoor
from authflow.membership.standing import administrates, identified, role_in
from authflow.ports import Allowed
from authflow.values import Budget, Context, Refused

if TYPE_CHECKING:
    from authflow.journey.entrances import Entrance, Entrances
    from authflow.journey.ports import JourneyTransaction
    from authflow.recording import Recorder
    from authflow.values import Asker, BrowserSession, OrganizationId

TOLD: Final = Budget(name="sso.glass_told", limit=1, window=timedelta(hours=1))
"""A session that goes on behind broken glass is written down once an hour, and not at each of its requests."""


@attrs.frozen(kw_only=True)
class Accessing(SsoDoor):
    """The part of ``flows.sso`` that a host asks before it lets a session act in an organization."""

    _entrances: Entrances = attrs.field(alias="entrances")

    @command("sso.access")
    def access(self, session: BrowserSession, *, organization: OrganizationId) -> AccessShown | Refused:
        """Answer whether this session meets the organization's single sign-on now (sso 14.3).

        ``members.enter`` asks this and everything else that an organization requires; this says what is missing.
        A password never meets it, and neither does the sign-on of another organization (decisions 1, 2).
        """
        with self._uow.begin() as tx:
            asker = self._sessions.identify(session, self._clock.now())
            return carried(self._access(tx, asker, organization), session, asker)

    def _access(self, tx: JourneyTransaction, asker: Asker, organization: OrganizationId) -> AccessShown | Refused:
        authority = self._membership.authority(asker, organization=organization)
        actor = authority.actor
        unknown = identified(actor) or (None if authority.organization.active else Code.ORGANIZATION_UNKNOWN)
        if unknown is not None:
            return Refused(code=unknown)
        if role_in(organization, actor.membership) is None:
            return AccessShown(met=True) if administrates(actor.user) else Refused(code=Code.MEMBERSHIP_FORBIDDEN)
        found = self._entrances.look(tx, organization, asker)
        tell_glass(tx, self._recorder, found, asker, Context())
        return _shown(found)


def tell_glass(
    tx: JourneyTransaction, recorder: Recorder, found: Entrance | None, asker: Asker, context: Context
) -> None:
    """Write down that an owner came in without the provider, where *found* says so (decision 6)."""
    if found is None or not found.access.broken_glass or found.missing is None or asker.user is None:
        return
    organization, provider = found.provider.organization, found.provider.id
    if isinstance(tx.limits.hit(TOLD, f"{asker.session}:{organization}", found.at), Allowed):
        broken = GlassBroken(organization=organization, provider=provider, user=asker.user, reason=found.missing.value)
        recorder.record(tx, (broken,), asker=asker, context=context, now=found.at)


def _shown(found: Entrance | None) -> AccessShown:
    if found is None:
        return AccessShown(met=True)
    return AccessShown(
        met=found.access.met,
        required=found.provider.settings.required,
        why_not=None if found.missing is None else found.missing.value,
        broken_glass=found.access.broken_glass,
        provider=found.provider.id,
        name=found.provider.name,
    )
