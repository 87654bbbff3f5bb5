"""What every command of single sign-on begins with."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from authflow.journey.door import Door

if TYPE_CHECKING:
    from authflow.journey.sso.concluding import Concluding
    from authflow.membership.service import Membership
    from authflow.recording import Recorder
    from authflow.sso.service import Links, Travelling


@attrs.frozen(kw_only=True)
class SsoDoor(Door):
    """The door, and the services behind it."""

    _travelling: Travelling = attrs.field(alias="travelling")
    _concluding: Concluding = attrs.field(alias="concluding")
    _links: Links = attrs.field(alias="links")
    _membership: Membership = attrs.field(alias="membership")
    _recorder: Recorder = attrs.field(alias="recorder")
