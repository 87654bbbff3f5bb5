"""A sign-in through a provider as it stands, for the browser that began it and for nobody else."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from authflow.errors import Code
from authflow.journey.sso.circumstances import Situation
from authflow.sso.case import Choice
from authflow.sso.connection import Connected
from authflow.sso.pipeline import Flow, barred, not_theirs
from authflow.sso.progress import Away, Open, Over, Unconfirmed
from authflow.values import Refused

if TYPE_CHECKING:
    from collections.abc import Callable

    from authflow.journey.ports import JourneyTransaction
    from authflow.journey.sso.comers import Comer
    from authflow.policy import SsoPolicy
    from authflow.ports import Clock, Stored
    from authflow.sso.pipeline import Present
    from authflow.sso.progress import Login
    from authflow.sso.service import SignInPipelines


@attrs.frozen(kw_only=True)
class HeldPipeline:
    """A sign-in as it stands: *at* is none where it cannot go on, and its table says why."""

    stored: Stored[Login]
    present: Present
    at: Situation | None


@attrs.frozen(kw_only=True)
class Standings:
    """Reads it, in its caller's transaction.

    With *lock* the provider is held too: whoever disables it does so before the sign-in is decided, or after it is
    done.
    """

    clock: Clock
    pipelines: SignInPipelines
    policy: SsoPolicy

    def of(self, by: Comer, choice: Choice, *, lock: bool) -> HeldPipeline | Refused:
        """Return a sign-in that began here as it stands; any other one goes on elsewhere."""
        return self._of(by, choice, self._elsewhere, lock=lock)

    def of_unasked(self, by: Comer, *, lock: bool) -> HeldPipeline | Refused:
        """Return one that began at the provider, likewise."""
        return self._of(by, Choice.NOTHING, self._closed, lock=lock)

    def _of(
        self,
        by: Comer,
        choice: Choice,
        shut: Callable[[JourneyTransaction, Login], Code | None],
        *,
        lock: bool,
    ) -> HeldPipeline | Refused:
        tx, stored = by.tx, self.pipelines.load(by.tx, by.who, lock=lock)
        if isinstance(stored, Refused):
            return stored
        provider = tx.providers.load(stored.state.handle.organization, lock=lock).state
        state, present = stored.state, self.pipelines.present(tx, stored.state, by.who)
        code = not_theirs(state.handle, present) or shut(tx, state)
        if code is not None:
            return Refused(code=code)
        if not isinstance(state, Open | Unconfirmed) or barred(state.handle, present, self.clock.now()) is not None:
            return HeldPipeline(stored=stored, present=present, at=None)
        if not isinstance(provider, Connected) or provider.id != state.handle.provider:
            return Refused(code=Code.SSO_PROVIDER_CHANGED)
        at = Situation(state=state, provider=provider, asker=by.asker, choice=choice)
        return HeldPipeline(stored=stored, present=present, at=at)

    def _elsewhere(self, _tx: JourneyTransaction, state: Login) -> Code | None:
        return None if isinstance(state, Away | Open | Over) else Code.SSO_PIPELINE_INVALID

    def _closed(self, tx: JourneyTransaction, state: Login) -> Code | None:
        """Return why no such pipeline goes on now: a browser that waits for its own answer takes no other (25)."""
        handle = state.handle
        if handle.flow is not Flow.UNASKED or not isinstance(state, Unconfirmed | Over):
            return Code.SSO_PIPELINE_INVALID
        if not self.policy.idp_initiated:
            return Code.SSO_UNASKED_CLOSED
        waits = tx.pipelines.waits(handle.session, handle.provider, self.clock.now())
        return Code.SSO_STATE_INVALID if waits else None
