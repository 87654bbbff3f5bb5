"""Where membership asks the world: one method per thing that a person, a journey or the host may want.

Every method is one command in one transaction. What it decides stands in the tables; here facts are read, randomness
is minted, and the steps are stored and recorded.
"""

from __future__ import annotations

import attrs

from authflow.membership.service.invitations import Invitations
from authflow.membership.service.members import Members
from authflow.membership.service.moving import Moving
from authflow.membership.service.receiving import Prospects, Receiving

__all__ = ["Membership", "Prospects"]


@attrs.frozen(kw_only=True)
class Membership(Receiving, Invitations, Members, Moving):
    """Members of organizations and the invitations by which they come."""
