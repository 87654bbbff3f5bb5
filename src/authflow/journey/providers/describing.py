"""What a provider is told of this app, before it is connected and after."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import attrs

from authflow.errors import Code, InputInvalid
from authflow.journey.providers.answers import MetadataShown
from authflow.sso.capabilities import Describing
from authflow.sso.connection import Connected
from authflow.values import Refused

if TYPE_CHECKING:
    from authflow.journey.ports import JourneyTransaction
    from authflow.ports import UnitOfWork
    from authflow.sso.endpoints import Endpoints
    from authflow.sso.kinds import Document, Kind
    from authflow.sso.service.connected import ConnectedProviders
    from authflow.sso.service.desk import Desk
    from authflow.values import OrganizationId

MEDIA_TYPE: Final = "application/samlmetadata+xml"
"""SAML metadata, appendix A; the only document of this sort that any kind writes."""


@attrs.frozen(kw_only=True)
class DescribingUs:
    """What an identity provider's administrator needs first, and the provider later."""

    uow: UnitOfWork[JourneyTransaction]
    desk: Desk
    connected: ConnectedProviders

    def metadata(self, organization: OrganizationId, kind: str, settings: Document | None) -> MetadataShown | Refused:
        """Let the kind write it, of *settings*, or of those that stand."""
        endpoints = self.desk.require_endpoints()
        with self.uow.begin() as tx:
            found = self._described(tx, organization, kind)
            if isinstance(found, Refused):
                return found
            known, standing = found
            return _shown(known, endpoints.of(organization), standing if settings is None else settings)

    def _described(
        self, tx: JourneyTransaction, organization: OrganizationId, kind: str
    ) -> tuple[Describing, Document | None] | Refused:
        """Return the kind that is meant, and the settings of the provider that stands if that is of this kind."""
        place = tx.organizations.get(organization)
        if place is None or not place.active:
            return Refused(code=Code.ORGANIZATION_UNKNOWN)
        provider = tx.providers.load(organization).state
        stands = provider if isinstance(provider, Connected) and kind in {"", provider.kind} else None
        known = self._meant(kind if stands is None else stands.kind)
        if known is None:
            return Refused(code=Code.SSO_KIND_UNKNOWN if kind else Code.SSO_NO_PROVIDER)
        if not isinstance(known, Describing):
            return Refused(code=Code.SSO_KIND_UNABLE)
        if stands is None:
            return known, None
        return known, self.connected.settings(stands)

    def _meant(self, key: str) -> Kind | None:
        kinds = self.desk.kinds
        return kinds.get(key) if key else next((kind for kind in kinds if isinstance(kind, Describing)), None)


def _shown(kind: Describing, here: Endpoints, settings: Document | None) -> MetadataShown | Refused:
    try:
        document = kind.describe(settings, endpoints=here)
    except InputInvalid as error:
        return Refused(code=Code.SSO_INPUT_INVALID, problems=dict(error.problems))
    return MetadataShown(
        document=document,
        media_type=MEDIA_TYPE,
        entity_id=here.metadata,
        callback=here.callback,
        logout=here.logout,
    )
