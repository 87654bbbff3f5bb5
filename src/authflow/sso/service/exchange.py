"""What is exchanged with a provider, and with the browser in between: nothing of it is stored as it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

if TYPE_CHECKING:
    from datetime import datetime

    from authflow.sso.kinds import Callback, Document, Kind, Trip
    from authflow.sso.pipeline import Flow, Handle
    from authflow.values import OrganizationId, ProviderId, Sealed, Secret, SessionId, UserId


@attrs.frozen(kw_only=True)
class Purpose:
    """What a pipeline is begun for: everything that it will be held to.

    *digest* stands for the settings: their `authflow.sso.provider.Settings.steps`, or, while a provider is being set
    up, their `authflow.sso.sealing.settings_digest`.
    """

    flow: Flow
    organization: OrganizationId
    provider: ProviderId
    kind: Kind
    settings: Document = attrs.field(repr=False)
    digest: bytes = attrs.field(repr=False)
    session: SessionId
    started_by: UserId | None = None


@attrs.frozen(kw_only=True)
class NewPipeline:
    """A pipeline that begins: all that is random is minted, and nothing is stored yet. *ticket* is for its browser."""

    handle: Handle
    ticket: Secret
    trip: Trip
    kind: Kind
    settings: Document = attrs.field(repr=False)


@attrs.frozen(kw_only=True)
class Redirection:
    """Where to send the browser with a request, and what its pipeline keeps of it until the response is there."""

    url: str = attrs.field(repr=False)
    form: dict[str, str] = attrs.field(repr=False)
    state: bytes = attrs.field(repr=False)
    request: Sealed


@attrs.frozen(kw_only=True)
class DatedCallback:
    """What a browser brought, and when."""

    callback: Callback
    at: datetime


@attrs.frozen(kw_only=True)
class Response:
    """A provider's response, and all that its kind checks it against. *at* is when it came."""

    provider: ProviderId
    kind: Kind
    settings: Document = attrs.field(repr=False)
    trip: Trip
    request: Document = attrs.field(repr=False)
    callback: Callback
    at: datetime
