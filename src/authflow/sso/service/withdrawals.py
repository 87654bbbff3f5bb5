"""Answers that wait on a page here, taken back by the provider that gave them: it ended the session they spoke of."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from authflow.sso.progress import Open, Unconfirmed, Withdraw, Withdrawn
from authflow.sso.provider_session import name_digest
from authflow.sso.service.names import same_format, spoken

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from authflow.ports import Stored
    from authflow.sso.capabilities import LogoutRequested
    from authflow.sso.pipeline import PipelineId
    from authflow.sso.ports import SealedPipeline, SsoTransaction
    from authflow.sso.progress import Login
    from authflow.sso.service.desk import Desk
    from authflow.sso.service.travelling import SignInPipelines
    from authflow.values import ProviderId


@attrs.frozen(kw_only=True)
class Withdrawals:
    """Finds them, holds them, and ends their pipelines; every method runs in its caller's transaction."""

    desk: Desk
    pipelines: SignInPipelines

    def named(self, tx: SsoTransaction, provider: ProviderId, asked: LogoutRequested) -> tuple[SealedPipeline, ...]:
        """Return every pipeline that waits with an answer about whom *asked* names."""
        return tx.pipelines.named(provider, name_digest(asked.name_id))

    def hold(self, tx: SsoTransaction, pipelines: Iterable[PipelineId]) -> tuple[Stored[Login], ...]:
        """Hold *pipelines*, in one order: whoever finishes one does so before, or finds that it is over.

        One that nobody can read any more is none.
        """
        found = (self.pipelines.find(tx, pipeline, lock=True) for pipeline in sorted(pipelines))
        return tuple(stored for stored in found if stored is not None)

    def withdraw(
        self,
        tx: SsoTransaction,
        provider: ProviderId,
        asked: LogoutRequested,
        held: Iterable[Stored[Login]],
        now: datetime,
    ) -> tuple[Open | Unconfirmed, ...]:
        """End those of *held* that *asked* means; return how they stood."""
        ended = list[Open | Unconfirmed]()
        for stored in held:
            state = stored.state
            if isinstance(state, Open | Unconfirmed) and self._means(asked, state):
                step = self.pipelines.step(tx, stored, Withdraw(provider=provider), now)
                ended += [state] if isinstance(step.answer, Withdrawn) else []
        return tuple(ended)

    def _means(self, asked: LogoutRequested, state: Open | Unconfirmed) -> bool:
        """Tell whether *asked*, which names the person, means the session of which they were spoken to be in.

        What cannot be read any more is meant, as `authflow.sso.service.names.same_format` says.
        """
        told = spoken(self.desk, state.handle.kind, state.identity)
        if told is None:
            return True
        return (not asked.sessions or told.called.index in asked.sessions) and same_format(told.called, asked)
