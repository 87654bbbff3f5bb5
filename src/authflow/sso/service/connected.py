"""The provider that an organization has connected: where sign-ins are sent, and who is asked to sign out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from authflow.errors import Code
from authflow.sso.connection import Connected
from authflow.sso.sealing import settings_binding
from authflow.sso.service.exchange import Purpose
from authflow.values import Refused

if TYPE_CHECKING:
    from authflow.sso.kinds import Json
    from authflow.sso.pipeline import Flow
    from authflow.sso.ports import SsoTransaction
    from authflow.sso.service.desk import Desk
    from authflow.values import OrganizationId, SessionId, UserId


@attrs.frozen(kw_only=True)
class ConnectedProviders:
    """Reads; every method that takes a transaction runs in its caller's."""

    desk: Desk

    def find(self, tx: SsoTransaction, organization: OrganizationId) -> Connected | Refused:
        """Return the provider of an active *organization*, of a kind that is known here; or why there is none."""
        found, place = tx.providers.load(organization).state, tx.organizations.get(organization)
        if place is None or not place.active:
            return Refused(code=Code.ORGANIZATION_UNKNOWN)
        if not isinstance(found, Connected):
            return Refused(code=Code.SSO_NO_PROVIDER)
        return found if self.desk.kinds.get(found.kind) is not None else Refused(code=Code.SSO_KIND_UNKNOWN)

    def settings(self, provider: Connected) -> dict[str, Json]:
        """Return what *provider* is connected with.

        Raises:
            SecretUnavailable: Nobody can read it any more.
        """
        return self.desk.vault.open(provider.settings.config, settings_binding(provider.organization, provider.id))

    def purpose(self, provider: Connected, flow: Flow, session: SessionId, user: UserId | None) -> Purpose:
        """Return what a pipeline to *provider* is begun for."""
        return Purpose(
            flow=flow,
            organization=provider.organization,
            provider=provider.id,
            kind=self.desk.kind(provider.kind),
            settings=self.settings(provider),
            digest=provider.settings.steps,
            session=session,
            started_by=user,
        )
