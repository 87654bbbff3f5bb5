"""Whether a session meets an organization's single sign-on, asked at every request."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from authflow.errors import Code
from authflow.journey.sso.answers import AccessShown
from authflow.membership.standing import administrates, role_in
from authflow.membership.terms import well_formed
from authflow.values import Level, Refused

if TYPE_CHECKING:
    from authflow.journey.door import Askers
    from authflow.journey.ports import JourneyTransaction
    from authflow.journey.sso.entrances import Entrance, Entrances
    from authflow.values import Asker, BrowserSession, OrganizationId


@attrs.frozen(kw_only=True)
class Accessing:
    """The command that a host gives before it lets a session act in an organization."""

    askers: Askers
    entrances: Entrances

    def access(self, session: BrowserSession, organization: OrganizationId) -> AccessShown | Refused:
        """Say whether the session may act there as far as single sign-on goes, and what is missing."""
        return self.askers.shown(session, lambda tx, asker: self._access(tx, asker, organization))

    def _access(self, tx: JourneyTransaction, asker: Asker, organization: OrganizationId) -> AccessShown | Refused:
        user = None if asker.user is None else tx.users.get(asker.user)
        if user is None:
            return Refused(code=asker.why_not or Code.SESSION_REQUIRED)
        place = tx.organizations.get(organization) if well_formed(organization) else None
        if place is None or not place.active:
            return Refused(code=Code.ORGANIZATION_UNKNOWN)
        if asker.level < Level.ONE and organization not in asker.organizations:
            return Refused(code=Code.SESSION_ELEVATION_REQUIRED)
        if role_in(organization, tx.members.load(organization, user.id).state) is None:
            return AccessShown(met=True) if administrates(user) else Refused(code=Code.MEMBERSHIP_FORBIDDEN)
        return _shown(self.entrances.enter(tx, organization, asker))


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
