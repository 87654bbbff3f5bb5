"""What travels between the steps of a journey to a provider: nothing of it is stored as it is."""

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
    """What a journey is for: everything that its pipeline will hold it to.

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
class Leaving:
    """A journey that begins: all that is random is minted, and nothing is stored yet."""

    handle: Handle
    ticket: Secret
    trip: Trip
    kind: Kind
    settings: Document = attrs.field(repr=False)


@attrs.frozen(kw_only=True)
class Left:
    """Where to send the browser, and what its pipeline keeps until it is back."""

    url: str = attrs.field(repr=False)
    form: dict[str, str] = attrs.field(repr=False)
    state: bytes = attrs.field(repr=False)
    request: Sealed


@attrs.frozen(kw_only=True)
class Back:
    """A browser is back, with an answer to be checked: *at* is when it came."""

    kind: Kind
    settings: Document = attrs.field(repr=False)
    trip: Trip
    request: Document = attrs.field(repr=False)
    callback: Callback
    at: datetime


@attrs.frozen(kw_only=True)
class Came:
    """An answer, and when it came."""

    callback: Callback
    at: datetime

    @classmethod
    def now(cls, callback: Callback | None, now: datetime) -> Came | None:
        """Return *callback* as what came just now, if anything did."""
        return None if callback is None else cls(callback=callback, at=now)
