"""Stand-ins for what an installation may have, which say whatever a test wants."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from authflow.ports import Sso

if TYPE_CHECKING:
    from authflow.values import Asker, OrganizationId


@attrs.define
class FixedSso:
    """`authflow.ports.SsoStatus` that gives one answer to everybody, everywhere; assign another at any time.

    >>> FixedSso(Sso(required=True)).answer.linked
    False
    """

    answer: Sso = attrs.field(factory=Sso)

    def status(self, organization: OrganizationId, asker: Asker) -> Sso:  # noqa: ARG002  # the same for everybody
        """Return the one answer."""
        return self.answer
