"""Requests to providers: minted for a new pipeline, and made by the kind while no transaction is open."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from authflow.errors import Code
from authflow.recording import shown
from authflow.sso.kinds import Rejected
from authflow.sso.pipeline import LIFE, Flow, Handle, PipelineId
from authflow.sso.sealing import request_binding, steps_digest
from authflow.sso.service.asking import ask
from authflow.sso.service.exchange import NewPipeline, Redirection
from authflow.sso.service.identities import told
from authflow.sso.service.pipelines import PROVIDER_KIND
from authflow.values import Refused, token_digest
from authflow.witness import noted

if TYPE_CHECKING:
    from datetime import datetime

    from authflow.sso.kinds import Assertion, Departure
    from authflow.sso.service.desk import Desk
    from authflow.sso.service.exchange import Purpose


@attrs.frozen(kw_only=True)
class Requests:
    """What sends a browser to a provider."""

    desk: Desk

    def mint(self, purpose: Purpose, now: datetime) -> NewPipeline:
        """Return a fresh pipeline, a fresh secret for its browser, and a fresh state; nothing is stored.

        Raises:
            ConfigInvalid: The host configured no address to come back to.
        """
        noted(PROVIDER_KIND, purpose.kind.key)
        key = PipelineId(self.desk.new_id())
        ticket, state = self.desk.new_handle_secret(key), self.desk.new_handle_secret(key)
        handle = Handle(
            id=key,
            digest=token_digest(ticket),
            session=purpose.session,
            flow=purpose.flow,
            organization=purpose.organization,
            provider=purpose.provider,
            kind=purpose.kind.key,
            steps=steps_digest(purpose.kind, purpose.digest),
            started_by=purpose.started_by,
            started_at=now,
            expires_at=now + LIFE,
        )
        trip = self.desk.trip(purpose.organization, state, now)
        return NewPipeline(handle=handle, ticket=ticket, trip=trip, kind=purpose.kind, settings=purpose.settings)

    def make(self, new: NewPipeline) -> Redirection | Refused:
        """Let the kind make its request, with no transaction open.

        Raises:
            InUnitOfWork: One is.
        """
        made: Departure | Rejected = ask(
            self.desk.uow, new.kind, lambda: new.kind.depart(new.settings, new.trip), Code.SSO_PROVIDER_UNREACHABLE
        )
        if isinstance(made, Rejected):
            problems = told_in_setups(made) if new.handle.flow is Flow.SETUP else {}
            return Refused(code=told(new.handle, made), problems=problems)
        sealed = self.desk.vault.seal(made.request, request_binding(new.handle.id))
        return Redirection(url=made.url, form=dict(made.form), state=token_digest(new.trip.state), request=sealed)


def told_in_setups(came: Assertion | Departure | Rejected) -> dict[str, str]:
    """Return what an owner is told who sets the provider up, and can mend it; whoever signs in is told the code."""
    return {"provider": shown(came.detail)} if isinstance(came, Rejected) and came.detail else {}
