"""What every command of single sign-on begins with."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from authflow.journey.door import Door

if TYPE_CHECKING:
    from authflow.journey.sso.concluding import Concluding
    from authflow.journey.sso.confirming import Confirming
    from authflow.membership.service import Membership
    from authflow.recording import Recorder
    from authflow.sso.service import Links, Travelling
    from authflow.sso.service.departures import Departures
    from authflow.sso.service.unasked import UnaskedAnswers


@attrs.frozen(kw_only=True)
class SsoDoor(Door):
    """The door, and the services behind it."""

    _travelling: Travelling = attrs.field(alias="travelling")
    _concluding: Concluding = attrs.field(alias="concluding")
    _unasked: UnaskedAnswers = attrs.field(alias="unasked")
    _confirming: Confirming = attrs.field(alias="confirming")
    _departures: Departures = attrs.field(alias="departures")
    _links: Links = attrs.field(alias="links")
    _membership: Membership = attrs.field(alias="membership")
    _recorder: Recorder = attrs.field(alias="recorder")
