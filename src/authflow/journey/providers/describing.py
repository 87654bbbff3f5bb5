"""What a provider is told of this app, before it is connected and after."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import attrs

from authflow.command import command
from authflow.errors import Code, InputInvalid
from authflow.journey.arguments import require_types
from authflow.journey.providers.answers import MetadataShown
from authflow.journey.providers.setting_up import SettingUp
from authflow.sso.capabilities import Describing
from authflow.sso.provider import Connected
from authflow.values import Refused, identifier

if TYPE_CHECKING:
    from authflow.journey.ports import JourneyTransaction
    from authflow.sso.endpoints import Endpoints
    from authflow.sso.kinds import Document, Kind
    from authflow.values import OrganizationId

MEDIA_TYPE: Final = "application/samlmetadata+xml"
"""SAML metadata, appendix A; the only document of this sort that any kind writes."""


@attrs.frozen(kw_only=True)
class DescribingUs(SettingUp):
    """The part of ``flows.providers`` that an identity provider's administrator needs first, and the provider later."""

    @command("providers.metadata")
    def metadata(
        self, *, organization: OrganizationId, kind: str = "", settings: Document | None = None
    ) -> MetadataShown | Refused:
        """Return what a provider has to be told of this app, for a GET by anybody: no secret is in it.

        For the provider that stands, with its certificate for signing and encryption. Before there is one, or with
        *settings*, for one that is going to be proposed: an identity provider often has to know the app first.

        Args:
            organization: Whose provider reads it; its addresses are in it.
            kind: Of which kind; if it is empty that of the provider that stands, else the first one that can.
            settings: What is going to be proposed, as far as it is known: of it only ``certificate`` and
                ``sign_requests`` are looked at. None for what stands.

        Raises:
            ConfigInvalid: The host configured no address to come back to.
            InputInvalid: *organization* cannot be an organization's id; or an argument is of another type.
            SecretUnavailable: The key of the provider's settings is not in the ring.
        """
        identifier(organization, field="organization")
        require_types(kind=kind, settings={} if settings is None else settings)
        endpoints = self._travelling.desk.require_endpoints()
        with self._uow.begin() as tx:
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
        return known, self._travelling.connected.settings(stands)

    def _meant(self, key: str) -> Kind | None:
        kinds = self._travelling.desk.kinds
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
