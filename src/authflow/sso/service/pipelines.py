"""Pipelines as rows: who may go on with one, against what it is held, and what a step makes of it."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Final, cast

import attrs

from authflow.command.telemetry import report_unavailable
from authflow.errors import Code, SecretUnavailable, StaleVersion
from authflow.machine import Step
from authflow.ports import Stored
from authflow.sso import documents, login, setup
from authflow.sso.pipeline import Flow, PipelineId, Present, not_theirs
from authflow.sso.ports import SealedPipeline
from authflow.sso.progress import Away, ProofMailed, Proven
from authflow.sso.provider import Connected
from authflow.sso.sealing import proposal_binding, request_binding, settings_digest, state_binding, steps_digest
from authflow.sso.service.desk import Desk
from authflow.sso.setup import Proposed, Tried
from authflow.values import IDENTIFIER_MAX, Refused, Secret, SessionId, token_digest

if TYPE_CHECKING:
    from datetime import datetime

    from authflow.sso.pipeline import Handle
    from authflow.sso.ports import SsoTransaction
    from authflow.sso.progress import Command as LoginCommand
    from authflow.sso.progress import Login
    from authflow.sso.setup import Command as SetupCommand
    from authflow.sso.setup import Setup
    from authflow.values import Answer, Asker

    Command = LoginCommand | SetupCommand

LOG: Final = logging.getLogger("authflow.sso")

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


@attrs.frozen(kw_only=True)
class Pipelines(Desk):
    """Reading and stepping; every method runs in its caller's transaction. Rows have the state sealed (decision 25)."""

    def begin(self, tx: SsoTransaction, state: Login | Setup) -> None:
        """Store a pipeline that starts."""
        tx.pipelines.add(self._sealed(state))

    def read_ahead(self, tx: SsoTransaction, ticket: Secret) -> None:
        """Read the row of *ticket* before it is known who shows it: a database may read their browser's with it."""
        key = read_key(ticket.reveal())
        if key is not None:
            tx.pipelines.load(PipelineId(key))

    def load(self, tx: SsoTransaction, who: Bearer, *, lock: bool = False) -> Stored[Login | Setup] | Refused:
        """Return the pipeline's row, or why there is none; a stranger's is none, before anything else is looked at."""
        found = self.find(tx, who.pipeline, lock=lock)
        return Refused(code=Code.SSO_PIPELINE_INVALID) if found is None or not _opens(found.state, who) else found

    def peek(self, tx: SsoTransaction, who: Bearer) -> Login | Setup | None:
        """Return the state for whoever needs to know it before `load` answers; the log hears of it there."""
        found = self.find(tx, who.pipeline, tell=False)
        return None if found is None or not _opens(found.state, who) else found.state

    def find(
        self, tx: SsoTransaction, pipeline: PipelineId, *, lock: bool = False, tell: bool = True
    ) -> Stored[Login | Setup] | None:
        """Return the pipeline. One that cannot be read is none: the log is told why, and the person begins again."""
        row = tx.pipelines.load(pipeline, lock=lock)
        if row is None:
            return None
        try:
            state = documents.read(row.state.handle, self.vault.open(row.state.state, state_binding(pipeline)))
            self._require_opens(state)
        except SecretUnavailable as error:
            if tell:
                report_unavailable(error)
            return None
        if state is None and tell:
            LOG.warning("a pipeline was written in the format of another version: %s", pipeline)
        return None if state is None else Stored(state, row.version)

    def present(self, tx: SsoTransaction, state: Login | Setup, who: Bearer) -> Present:
        """Return what stands now, to be held against the pipeline's handle: all of it is read anew."""
        place = tx.organizations.get(state.handle.organization)
        now = self._set_up(state) if state.handle.flow is Flow.SETUP else self._connected(tx, state.handle)
        return Present(
            digest=who.digest,
            session=who.session,
            organization=None if place is None or not place.active else place.id,
            **now,
        )

    def step(
        self, tx: SsoTransaction, stored: Stored[Login | Setup], command: Command, now: datetime
    ) -> Step[Any, Any]:
        """Let the pipeline's table decide *command*, and store what it decides."""
        machine: Any = setup.MACHINE if stored.state.handle.flow is Flow.SETUP else login.MACHINE
        taken = cast("Step[Any, Answer]", machine.step(stored.state, command, now))
        if taken.state != stored.state:
            try:
                tx.pipelines.save(self._sealed(taken.state), expected=stored.version)
            except StaleVersion:
                return Step(stored.state, Refused(code=Code.SSO_STATE_INVALID))
        return taken

    def _require_opens(self, state: Login | Setup | None) -> None:
        """Open what is sealed within *state*, which may be of an older key than the whole.

        What the identity brings for its link is left out: without it somebody signs in all the same.

        Raises:
            SecretUnavailable: Going on would need what nobody can read any more.
        """
        if isinstance(state, Away | Proposed):
            self.vault.open(state.request, request_binding(state.handle.id))
        if isinstance(state, Proposed | Tried):
            self.vault.open(state.proposal, proposal_binding(state.handle.id))

    def _sealed(self, state: Login | Setup) -> SealedPipeline:
        return SealedPipeline(
            handle=state.handle,
            state=self.vault.seal(documents.write(state), state_binding(state.handle.id)),
            away=isinstance(state, Away | Proposed),
            user=state.user if isinstance(state, ProofMailed | Proven) else None,
        )

    def _connected(self, tx: SsoTransaction, handle: Handle) -> dict[str, Any]:
        stands = tx.providers.load(handle.organization).state
        kind = self.kinds.get(stands.kind) if isinstance(stands, Connected) else None
        if not isinstance(stands, Connected) or kind is None:
            return _NOTHING
        return {"provider": stands.id, "kind": stands.kind, "steps": steps_digest(kind, stands.settings.steps)}

    def _set_up(self, state: Login | Setup) -> dict[str, Any]:
        """What is being set up stands in the pipeline alone, and so changes only with the library."""
        handle, kind = state.handle, self.kinds.get(state.handle.kind)
        if kind is None or not isinstance(state, Proposed | Tried):
            return _NOTHING
        proposed = self.vault.open(state.proposal, proposal_binding(handle.id))
        digest = settings_digest(kind, proposed["config"])
        return {"provider": handle.provider, "kind": handle.kind, "steps": steps_digest(kind, digest)}


def _opens(state: Login | Setup, who: Bearer) -> bool:
    """Tell whether *who* shows what the pipeline's browser holds; its id alone opens nothing, for it is in ``state``.

    The organization is held against what stands now later, by the pipeline's table.
    """
    shown = Present(digest=who.digest, session=who.session, organization=state.handle.organization, **_NOTHING)
    return not_theirs(state.handle, shown) is None


_NOTHING: Final[dict[str, Any]] = {"provider": None, "kind": "", "steps": b""}
