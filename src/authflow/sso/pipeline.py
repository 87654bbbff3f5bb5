"""What every sign-in through a provider has, from its start to its end, and when it may not go on (sso 3).

A pipeline is a row of the server's. The browser holds a random secret that leads there; organization, provider, flow
and steps are written once and never change, and nothing that comes with a request can name others.
"""

from __future__ import annotations

import hmac
from datetime import timedelta
from enum import StrEnum, unique
from typing import TYPE_CHECKING, Final, NewType

import attrs

from authflow.errors import Code
from authflow.witness import gate

if TYPE_CHECKING:
    from datetime import datetime

    from authflow.values import OrganizationId, ProviderId, SessionId, UserId

PipelineId = NewType("PipelineId", str)

LIFE: Final = timedelta(minutes=60)
"""From start to end, whatever happens in between (decision 25)."""


@unique
class Flow(StrEnum):
    """What a pipeline is for."""

    LOGIN = "login"
    LINK = "link"
    SETUP = "setup"
    UNASKED = "unasked"


@attrs.frozen(kw_only=True)
class Handle:
    """What is written when a pipeline starts and never changes.

    Args:
        id: Names the row.
        digest: Of the secret that the browser holds.
        session: The browser's session row.
        flow: What it is for.
        organization: Whose provider is asked.
        provider: Which; while it is being set up, the id that it is going to have.
        kind: Its kind, such as ``google`` or ``saml2``.
        steps: Digest of the kind's version and of what stands for its settings: under others, or under the same after
            the provider was disabled, nothing goes on with this pipeline.
        started_by: Who was signed in, or none.
        started_at, expires_at: Its life.
    """

    id: PipelineId
    digest: bytes = attrs.field(repr=False)
    session: SessionId
    flow: Flow
    organization: OrganizationId
    provider: ProviderId
    kind: str
    steps: bytes = attrs.field(repr=False)
    started_by: UserId | None = None
    started_at: datetime
    expires_at: datetime


@attrs.frozen(kw_only=True)
class Present:
    """What stands now, when somebody goes on with a pipeline: to be held against its handle.

    Args:
        digest: Of the secret that the request brings.
        session: The session row that its value opens.
        organization: The organization that the request is for, and that is active; none otherwise.
        provider: The provider that stands there now and is not disabled, or none.
        kind, steps: Those of that provider now.
    """

    digest: bytes = attrs.field(repr=False)
    session: SessionId
    organization: OrganizationId | None
    provider: ProviderId | None
    kind: str
    steps: bytes = attrs.field(repr=False)


@gate
def not_theirs(handle: Handle, present: Present) -> Code | None:
    """A pipeline goes on in the browser and for the organization that started it, and says nothing to any other.

    State that is not bound to the browser was CVE-2025-68158, and to the organization GHSA-w699-8wff-fqxw.
    """
    same = (present.session, present.organization) == (handle.session, handle.organization)
    return None if same and hmac.compare_digest(handle.digest, present.digest) else Code.SSO_PIPELINE_INVALID


@gate
def changed(handle: Handle, present: Present) -> Code | None:
    """Provider, kind and settings are those of its start: one that was disabled is trusted no more (CVE-2026-1486)."""
    same = (present.provider, present.kind) == (handle.provider, handle.kind)
    return None if same and hmac.compare_digest(handle.steps, present.steps) else Code.SSO_PROVIDER_CHANGED


@gate
def expired(handle: Handle, now: datetime) -> Code | None:
    """Its life is over, whatever it waits for."""
    return None if now < handle.expires_at else Code.SSO_PIPELINE_EXPIRED


def barred(handle: Handle, present: Present, now: datetime) -> Code | None:
    """Return why the pipeline may not go on, or none. A stranger learns nothing, not even that it is over."""
    return not_theirs(handle, present) or expired(handle, now) or changed(handle, present)
