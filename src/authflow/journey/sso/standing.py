"""A sign-in through a provider as it stands, for the browser that began it and for nobody else."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from authflow.errors import Code
from authflow.journey.sso.circumstances import Situation
from authflow.sso.pipeline import barred, not_theirs
from authflow.sso.progress import Away, Open, Over
from authflow.sso.provider import Connected
from authflow.values import Refused

if TYPE_CHECKING:
    from authflow.journey.sso.comers import Comer
    from authflow.ports import Clock, Stored
    from authflow.sso.case import Choice
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
    """Reads it, in its caller's transaction."""

    clock: Clock
    pipelines: SignInPipelines

    def of(self, by: Comer, choice: Choice, *, lock: bool) -> HeldPipeline | Refused:
        """Return the sign-in as it stands.

        With *lock* the provider is held too: whoever disables it does so before this sign-in is decided, or after it is
        done.
        """
        tx, stored = by.tx, self.pipelines.load(by.tx, by.who, lock=lock)
        if isinstance(stored, Refused):
            return stored
        provider = tx.providers.load(stored.state.handle.organization, lock=lock).state
        state, present = stored.state, self.pipelines.present(tx, stored.state, by.who)
        if not_theirs(state.handle, present) is not None or not isinstance(state, Away | Open | Over):
            return Refused(code=Code.SSO_PIPELINE_INVALID)
        if not isinstance(state, Open) or barred(state.handle, present, self.clock.now()) is not None:
            return HeldPipeline(stored=stored, present=present, at=None)
        if not isinstance(provider, Connected) or provider.id != state.handle.provider:
            return Refused(code=Code.SSO_PROVIDER_CHANGED)
        at = Situation(state=state, provider=provider, asker=by.asker, choice=choice)
        return HeldPipeline(stored=stored, present=present, at=at)
