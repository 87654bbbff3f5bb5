"""Responses of providers: read for their pipeline, checked by the kind while no transaction is open, and taken once."""

from __future__ import annotations

import hmac
from typing import TYPE_CHECKING, Generic

import attrs

from authflow.errors import BrokenPromise, Code
from authflow.sso.pipeline import barred
from authflow.sso.progress import Away, Return
from authflow.sso.sealing import request_binding
from authflow.sso.service.asking import ask
from authflow.sso.service.exchange import DatedCallback, Response
from authflow.sso.service.identities import read_identity
from authflow.sso.service.kept import stated
from authflow.sso.service.roads import AnswerT, CommandT, StateT
from authflow.sso.setup import Proposed
from authflow.values import Refused, token_digest

if TYPE_CHECKING:
    from datetime import datetime

    from authflow.machine import Step
    from authflow.ports import Stored
    from authflow.sso.kinds import Assertion, Callback, Rejected
    from authflow.sso.pipeline import Present
    from authflow.sso.ports import SsoTransaction
    from authflow.sso.service.desk import Desk
    from authflow.sso.service.kept import KeptResponses
    from authflow.sso.service.pipelines import Bearer, Pipelines
    from authflow.sso.service.roads import Road


@attrs.frozen(kw_only=True)
class Responses(Generic[StateT, CommandT, AnswerT]):
    """What a browser brings back to the pipelines of one machine. `check` runs in no transaction, the others in one."""

    desk: Desk
    road: Road[StateT, CommandT, AnswerT]
    pipelines: Pipelines[StateT, CommandT, AnswerT]
    kept: KeptResponses

    def read(
        self, tx: SsoTransaction, who: Bearer, callback: Callback | None, now: datetime
    ) -> Response | Refused | None:
        """Return what has to be checked; none where there is nothing: what came was taken before, or nothing came.

        Whatever can be refused without asking anybody is, and what that ends is stored.
        """
        stored = self.pipelines.load(tx, who)
        if isinstance(stored, Refused):
            return stored
        brought = None if callback is None else DatedCallback(callback=callback, at=now)
        if brought is None and isinstance(stored.state, Away | Proposed):
            kept = self.kept.read(tx, who.pipeline)
            if isinstance(kept, Refused):
                return kept
            brought = kept
        if brought is None:
            return Refused(code=Code.SSO_PROVIDER_UNTRIED) if isinstance(stored.state, Proposed) else None
        return self._unfit(tx, stored, who, brought, now) or self._response(tx, stored.state, brought, now)

    def fit(self, tx: SsoTransaction, who: Bearer, callback: Callback, now: datetime) -> Response | None:
        """Return what has to be checked of *callback*, if it fits a pipeline that waits for it; nothing is stored."""
        state = self.pipelines.peek(tx, who)
        fits = state is not None and self._fits(state, self.pipelines.present(tx, state, who), callback, now)
        if state is None or not fits:
            return None
        response = self._response(tx, state, DatedCallback(callback=callback, at=now), now)
        return None if isinstance(response, Refused) else response

    def check(self, response: Response) -> Assertion | Rejected:
        """Let the kind check it, with no transaction open.

        Raises:
            InUnitOfWork: One is.
        """
        kind = response.kind
        return ask(
            self.desk.uow,
            kind,
            lambda: kind.arrive(response.settings, response.trip, response.request, response.callback),
        )

    def take(
        self, tx: SsoTransaction, who: Bearer, response: Response, came: Assertion | Rejected, now: datetime
    ) -> Step[StateT, AnswerT | Refused] | Refused:
        """Take what was checked: once, under the pipeline's row, with whatever makes it single use burnt.

        Its provider is held, since what comes of it in this transaction relies on it.
        """
        stored = self.pipelines.load(tx, who, lock=True)
        if isinstance(stored, Refused):
            return stored
        state = stored.state
        self.road.hold(tx, state.handle)
        waiting = isinstance(state, Away | Proposed)
        said = read_identity(tx, self.desk, state.handle, came, response.at) if waiting else Code.SSO_STATE_INVALID
        present = self.pipelines.present(tx, state, who)
        command = Return(present=present, state=token_digest(response.trip.state), said=said)
        return self.pipelines.step(tx, stored, command, now)

    # --- pieces ---------------------------------------------------------------------------------------------------

    def _unfit(
        self, tx: SsoTransaction, stored: Stored[StateT], who: Bearer, brought: DatedCallback, now: datetime
    ) -> Refused | None:
        """Return why a response need not even be looked at; the table says so, and what it ends is over."""
        present = self.pipelines.present(tx, stored.state, who)
        if self._fits(stored.state, present, brought.callback, now):
            return None
        held = self.pipelines.load(tx, who, lock=True)
        if isinstance(held, Refused):
            return held
        command = Return(present=present, state=_digest(brought.callback), said=Code.SSO_STATE_INVALID)
        answer = self.pipelines.step(tx, held, command, now).answer
        if not isinstance(answer, Refused):
            raise BrokenPromise(answer=type(answer).__name__)
        return answer

    def _fits(self, state: StateT, present: Present, callback: Callback, now: datetime) -> bool:
        """Tell whether a response is the one that the pipeline waits for, and that may go on."""
        good = isinstance(state, Away | Proposed) and hmac.compare_digest(state.state, _digest(callback))
        return good and barred(state.handle, present, now) is None

    def _response(self, tx: SsoTransaction, state: StateT, brought: DatedCallback, now: datetime) -> Response | Refused:
        answered = stated(brought.callback)
        if not isinstance(state, Away | Proposed) or answered is None or self.desk.endpoints is None:
            return Refused(code=Code.SSO_STATE_INVALID)
        handle = state.handle
        return Response(
            provider=handle.provider,
            kind=self.desk.kind(handle.kind),
            settings=self.road.settings(tx, state),
            trip=self.desk.trip(handle.organization, answered, now),
            request=self.desk.vault.open(state.request, request_binding(handle.id)),
            callback=brought.callback,
            at=brought.at,
        )


def _digest(callback: Callback) -> bytes:
    state = stated(callback)
    return b"" if state is None else token_digest(state)
