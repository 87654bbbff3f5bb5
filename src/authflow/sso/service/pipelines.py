"""Pipelines as rows: who may go on with one, against what it is held, and what a step makes of it."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final, Generic

import attrs

from authflow.command.telemetry import report_unavailable
from authflow.errors import Code, SecretUnavailable, StaleVersion
from authflow.machine import Step
from authflow.ports import Stored
from authflow.sso import documents
from authflow.sso.pipeline import PipelineId, Present, not_theirs
from authflow.sso.ports import SealedPipeline
from authflow.sso.progress import Away, Open, ProofMailed, Proven, Unconfirmed
from authflow.sso.provider_session import name_digest
from authflow.sso.sealing import proposal_binding, request_binding, state_binding
from authflow.sso.service.names import spoken
from authflow.sso.service.roads import NO_PROVIDER, AnswerT, CommandT, StateT
from authflow.sso.setup import Proposed, Tried
from authflow.values import IDENTIFIER_MAX, Refused, Secret, SessionId, token_digest
from authflow.witness import noted

if TYPE_CHECKING:
    from datetime import datetime

    from authflow.sso.ports import SsoTransaction
    from authflow.sso.progress import Login, Return
    from authflow.sso.service.desk import Desk
    from authflow.sso.service.roads import Road, Standing
    from authflow.sso.setup import Setup
    from authflow.values import Asker, OrganizationId

LOG: Final = logging.getLogger("authflow.sso")

PROVIDER_KIND: Final = "provider_kind"
"""What logs and traces call the kind of the provider that a command is about (sso 15)."""

TICKET_MAX: Final = 128
"""Characters; longer than any that was given out, and what is longer is not even hashed."""


@attrs.frozen(kw_only=True)
class Bearer:
    """Who goes on with a pipeline: the browser's row, and the digest of the secret it showed."""

    session: SessionId
    pipeline: PipelineId
    digest: bytes = attrs.field(repr=False)


def read_key(text: str) -> str | None:
    """Return the row's key in front of a secret, or none if there cannot be one."""
    key, dot, secret = text.partition(".")
    fits = text.isascii() and text.isprintable() and len(text) <= TICKET_MAX
    return key if fits and dot and secret and " " not in key and 1 <= len(key) <= IDENTIFIER_MAX else None


def bearer(asker: Asker, ticket: Secret) -> Bearer | Refused:
    """Return who goes on with the pipeline of *ticket*; or why nobody does.

    A superseded value names its row, but does not open it: it goes on with nothing (decision 3).
    """
    key = read_key(ticket.reveal())
    if asker.why_not is Code.SESSION_SUPERSEDED:
        return Refused(code=Code.SESSION_SUPERSEDED)
    if key is None or not asker.session:
        return Refused(code=Code.SSO_PIPELINE_INVALID)
    return Bearer(session=asker.session, pipeline=PipelineId(key), digest=token_digest(ticket))


def find_any(
    tx: SsoTransaction, desk: Desk, pipeline: PipelineId, *, lock: bool = False, tell: bool = True
) -> Stored[Login | Setup] | None:
    """Return a pipeline of either machine. One that cannot be read is none, and the person begins again.

    With *tell* the log is told why.
    """
    row = tx.pipelines.load(pipeline, lock=lock)
    if row is None:
        return None
    try:
        state = documents.read(row.state.handle, desk.vault.open(row.state.state, state_binding(pipeline)))
        _require_opens(desk, state)
    except SecretUnavailable as error:
        if tell:
            report_unavailable(error)
        return None
    if state is None and tell:
        LOG.warning("a pipeline was written in the format of another version: %s", pipeline)
    return None if state is None else Stored(state, row.version)


@attrs.frozen(kw_only=True)
class Pipelines(Generic[StateT, CommandT, AnswerT]):
    """The pipelines of one machine: reading and stepping. Rows have the state sealed (decision 25).

    Every method runs in its caller's transaction. To one machine those of the other are none.
    """

    desk: Desk
    road: Road[StateT, CommandT, AnswerT]

    def begin(self, tx: SsoTransaction, state: StateT) -> None:
        """Store a pipeline that starts."""
        tx.pipelines.add(self._sealed(state))

    def read_ahead(self, tx: SsoTransaction, ticket: Secret, *, lock: bool = False) -> None:
        """Read the row of *ticket* before it is known who shows it: a database may read their browser's with it."""
        key = read_key(ticket.reveal())
        if key is not None:
            tx.pipelines.load(PipelineId(key), lock=lock)

    def load(self, tx: SsoTransaction, who: Bearer, *, lock: bool = False) -> Stored[StateT] | Refused:
        """Return the pipeline's row, or why there is none; a stranger's is none, before anything else is looked at."""
        found = self.find(tx, who.pipeline, lock=lock)
        if found is None or not _opens(found.state, who):
            return Refused(code=Code.SSO_PIPELINE_INVALID)
        noted(PROVIDER_KIND, found.state.handle.kind)
        return found

    def peek(self, tx: SsoTransaction, who: Bearer) -> StateT | None:
        """Return the state for whoever needs to know it before `load` answers; the log hears of it there."""
        found = self.find(tx, who.pipeline, tell=False)
        return None if found is None or not _opens(found.state, who) else found.state

    def find(
        self, tx: SsoTransaction, pipeline: PipelineId, *, lock: bool = False, tell: bool = True
    ) -> Stored[StateT] | None:
        """Return the pipeline, whoever asks."""
        found = find_any(tx, self.desk, pipeline, lock=lock, tell=tell)
        own = None if found is None else self.road.own(found.state)
        return None if found is None or own is None else Stored(own, found.version)

    def present(self, tx: SsoTransaction, state: StateT, who: Bearer) -> Present:
        """Return what stands now, to be held against the pipeline's handle: all of it is read anew."""
        place = tx.organizations.get(state.handle.organization)
        organization = None if place is None or not place.active else place.id
        return _present(who, organization, self.road.standing(tx, state))

    def step(
        self, tx: SsoTransaction, stored: Stored[StateT], command: CommandT | Return, now: datetime
    ) -> Step[StateT, AnswerT | Refused]:
        """Let the pipeline's table decide *command*, and store what it decides."""
        return self.store(tx, stored, self.decide(stored, command, now))

    def decide(
        self, stored: Stored[StateT], command: CommandT | Return, now: datetime
    ) -> Step[StateT, AnswerT | Refused]:
        """Let the table decide *command*; whoever has to do something first stores it when that is done."""
        return self.road.machine.step(stored.state, command, now)

    def store(
        self, tx: SsoTransaction, stored: Stored[StateT], step: Step[StateT, AnswerT | Refused]
    ) -> Step[StateT, AnswerT | Refused]:
        """Store what was decided, and return it; or that it came to nothing, since the pipeline is another one now."""
        if step.state != stored.state:
            try:
                tx.pipelines.save(self._sealed(step.state), expected=stored.version)
            except StaleVersion:
                return Step(stored.state, Refused(code=Code.SSO_STATE_INVALID))
        return step

    def _sealed(self, state: StateT) -> SealedPipeline:
        return SealedPipeline(
            handle=state.handle,
            state=self.desk.vault.seal(documents.write(state), state_binding(state.handle.id)),
            away=isinstance(state, Away | Proposed),
            user=state.user if isinstance(state, ProofMailed | Proven) else None,
            named=self._named(state),
        )

    def _named(self, state: Login | Setup) -> bytes | None:
        """Return by what a provider may take back what it said, while that waits."""
        if not isinstance(state, Open | Unconfirmed):
            return None
        told = spoken(self.desk, state.handle.kind, state.identity)
        return None if told is None else name_digest(told.called.name)


def _require_opens(desk: Desk, state: Login | Setup | None) -> None:
    """Open what is sealed within *state*, which may be of an older key than the whole.

    What the identity brings for its link is left out: without it somebody signs in all the same.

    Raises:
        SecretUnavailable: Going on would need what nobody can read any more.
    """
    if isinstance(state, Away | Proposed):
        desk.vault.open(state.request, request_binding(state.handle.id))
    if isinstance(state, Proposed | Tried):
        desk.vault.open(state.proposal, proposal_binding(state.handle.id))


def _opens(state: Login | Setup, who: Bearer) -> bool:
    """Tell whether *who* shows what the pipeline's browser holds; its id alone opens nothing, for it is in ``state``.

    The organization is held against what stands now later, by the pipeline's table.
    """
    return not_theirs(state.handle, _present(who, state.handle.organization, NO_PROVIDER)) is None


def _present(who: Bearer, organization: OrganizationId | None, standing: Standing) -> Present:
    return Present(
        digest=who.digest,
        session=who.session,
        organization=organization,
        provider=standing.provider,
        kind=standing.kind,
        steps=standing.steps,
    )
