"""Single sign-on of an installation that has none."""

from __future__ import annotations

from typing import TYPE_CHECKING

from authflow.ports import Sso

if TYPE_CHECKING:
    from authflow.values import Asker, OrganizationId


class NoSso:
    """`authflow.ports.SsoStatus` without any provider."""

    def status(self, organization: OrganizationId, asker: Asker) -> Sso:  # noqa: ARG002  # the same for everybody
        """Return that nothing is required and nothing linked."""
        return Sso()
