"""What a provider asserted, read as the identity that everything else goes by."""

from __future__ import annotations

from typing import TYPE_CHECKING

from authflow.errors import Code
from authflow.mailbox import read_address
from authflow.recording import legible, shown
from authflow.sso.identity import NAME_MAX, Identity, read_subject, vouches
from authflow.sso.kinds import Rejected
from authflow.sso.sealing import memory_binding
from authflow.sso.service.pipelines import LOG

if TYPE_CHECKING:
    from datetime import datetime

    from authflow.sso.kinds import Assertion
    from authflow.sso.pipeline import Handle
    from authflow.sso.ports import SsoTransaction
    from authflow.sso.service.desk import Desk


def read_identity(
    tx: SsoTransaction, desk: Desk, handle: Handle, came: Assertion | Rejected, at: datetime
) -> Identity | Code:
    """Return whom the provider means, as far as it can be anybody; what can be used once is used up by it."""
    if isinstance(came, Rejected):
        return told(handle, came)
    if not all(tx.single_use.spend(single) for single in came.once):
        return Code.SSO_RESPONSE_REPLAYED
    subject = read_subject(came.subject)
    if subject is None:
        return Code.SSO_IDENTITY_INCOMPLETE
    email, memory = read_address(came.email), came.memory
    return Identity(
        organization=handle.organization,
        provider=handle.provider,
        subject=subject,
        legacy=read_subject(came.legacy),
        email=email,
        email_verified=email is not None and vouches(handle.kind, came.email_verified),
        name=_name(came.name),
        at=at,
        memory=desk.vault.seal(memory, memory_binding(handle.provider, subject)) if memory else None,
    )


def told(handle: Handle, rejected: Rejected) -> Code:
    """Return what the person is told; the log is told more, on one line."""
    LOG.info("%s of %s rejected: %s %s", handle.kind, handle.organization, rejected.code, shown(rejected.detail))
    return rejected.code


def _name(said: object) -> str:
    """Return the name as it can be stored; none is given where a kind hands over something else than text."""
    return legible(said, NAME_MAX) if isinstance(said, str) else ""
