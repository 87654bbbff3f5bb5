"""The way to a provider and back: one place for signing in, linking and setting up.

Whatever may use the network happens while no transaction is open. What is stored before it and after it is decided by
the tables; a pipeline's row says once and for all what the journey is for.
"""

from __future__ import annotations

import hmac
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

import attrs

from authflow.command.telemetry import report_unavailable
from authflow.errors import BrokenPromise, Code, ConfigInvalid, SecretUnavailable
from authflow.mailbox import read_address
from authflow.recording import legible, shown
from authflow.sso.identity import NAME_MAX, Identity, read_subject, vouches
from authflow.sso.kinds import Callback, Rejected, Trip
from authflow.sso.pipeline import LIFE, Flow, Handle, PipelineId, barred
from authflow.sso.progress import Away, Return
from authflow.sso.provider import Connected
from authflow.sso.sealing import (
    answer_binding,
    canonical,
    memory_binding,
    proposal_binding,
    request_binding,
    settings_binding,
    steps_digest,
)
from authflow.sso.service.asking import ask
from authflow.sso.service.pipelines import LOG, Bearer, Pipelines, read_key
from authflow.sso.service.trips import Back, Came, Leaving, Left, Purpose
from authflow.sso.setup import Proposed
from authflow.values import Refused, Secret, token_digest

if TYPE_CHECKING:
    from authflow.machine import Step
    from authflow.ports import Stored
    from authflow.sso.endpoints import Endpoints
    from authflow.sso.kinds import Assertion, Departure, Document, Kind
    from authflow.sso.ports import SsoTransaction
    from authflow.sso.progress import Login
    from authflow.sso.setup import Setup
    from authflow.values import OrganizationId, SessionId, UserId

ANSWER_MAX: Final = 256 * 1024
"""Bytes of JSON of an answer that is stored until its browser goes on: a signed assertion is a tenth of that."""

STATE_FIELDS: Final = ("state", "RelayState")
"""Where an answer carries what must come back with it: RFC 6749 4.1.2, SAML Bindings 3.4.3."""


@attrs.frozen(kw_only=True)
class Travelling(Pipelines):
    """To a provider and back. *endpoints* is none where the host configured no address to come back to."""

    endpoints: Endpoints | None

    # --- there ----------------------------------------------------------------------------------------------------

    def connected(self, tx: SsoTransaction, organization: OrganizationId) -> Connected | Refused:
        """Return the provider of an active *organization*, of a kind that is known here; or why there is none."""
        found, place = tx.providers.load(organization).state, tx.organizations.get(organization)
        if place is None or not place.active:
            return Refused(code=Code.ORGANIZATION_UNKNOWN)
        if not isinstance(found, Connected):
            return Refused(code=Code.SSO_NO_PROVIDER)
        return found if self.kinds.get(found.kind) is not None else Refused(code=Code.SSO_KIND_UNKNOWN)

    def purpose(self, provider: Connected, flow: Flow, session: SessionId, user: UserId | None) -> Purpose:
        """Return what a journey to the connected *provider* is for."""
        kind = self._kind(provider.kind)
        return Purpose(
            flow=flow,
            organization=provider.organization,
            provider=provider.id,
            kind=kind,
            settings=self._settings(provider),
            digest=provider.settings.steps,
            session=session,
            started_by=user,
        )

    def leave(self, purpose: Purpose, now: datetime) -> Leaving:
        """Mint a journey: a fresh pipeline, a fresh secret for its browser, and a fresh state.

        Raises:
            ConfigInvalid: The host configured no address to come back to.
        """
        if self.endpoints is None:
            raise ConfigInvalid(setting="endpoints", problem="are missing: providers need an address to answer to")
        key = PipelineId(self.new_id())
        ticket, state = self.new_handle_secret(key), self.new_handle_secret(key)
        place = self.endpoints.of(purpose.organization)
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
        trip = Trip(
            organization=purpose.organization, callback=place.callback, metadata=place.metadata, state=state, now=now
        )
        return Leaving(handle=handle, ticket=ticket, trip=trip, kind=purpose.kind, settings=purpose.settings)

    def depart(self, leaving: Leaving) -> Left | Refused:
        """Let the kind make its request, with no transaction open.

        Raises:
            InUnitOfWork: One is.
        """
        kind, code = leaving.kind, Code.SSO_PROVIDER_UNREACHABLE
        made: Departure | Rejected = ask(self.uow, kind, lambda: kind.depart(leaving.settings, leaving.trip), code)
        if isinstance(made, Rejected):
            problems = told_in_setups(made) if leaving.handle.flow is Flow.SETUP else {}
            return Refused(code=_told(leaving.handle, made), problems=problems)
        sealed = self.vault.seal(made.request, request_binding(leaving.handle.id))
        return Left(url=made.url, form=dict(made.form), state=token_digest(leaving.trip.state), request=sealed)

    # --- kept until the browser goes on ---------------------------------------------------------------------------

    def keep(self, tx: SsoTransaction, callback: Callback, now: datetime) -> Refused | None:
        """Store an answer that came by a cross-site request, for the pipeline whose state it carries.

        Whether it comes in time is told, and stored, when its browser goes on (decision 35).
        """
        state = stated(callback)
        key = None if state is None else read_key(state.reveal())
        found = None if key is None else self.find(tx, PipelineId(key), lock=True)
        if state is None or found is None or not isinstance(found.state, Away | Proposed):
            return Refused(code=Code.SSO_STATE_INVALID)
        waiting = found.state
        if not hmac.compare_digest(waiting.state, token_digest(state)):
            return Refused(code=Code.SSO_STATE_INVALID)
        fields: dict[str, Any] = {name: list(values) for name, values in callback.fields.items()}
        document: Document = {"fields": fields, "at": now.isoformat()}
        if len(canonical(document)) > ANSWER_MAX:
            return Refused(code=Code.SSO_RESPONSE_INVALID)
        sealed = self.vault.seal(document, answer_binding(waiting.handle.id))
        kept = tx.pipelines.keep_answer(waiting.handle.id, sealed)
        return None if kept else Refused(code=Code.SSO_STATE_INVALID)

    # --- and back -------------------------------------------------------------------------------------------------

    def back(
        self, tx: SsoTransaction, who: Bearer, callback: Callback | None, now: datetime, *, setting_up: bool = False
    ) -> Back | Refused | None:
        """Return what has to be checked; none where the answer was taken before, and is not given again.

        Whatever can be refused without asking anybody is, and what that ends is stored. The answer to a setup is none
        to a sign-in, and the other way round.
        """
        stored = self.load(tx, who)
        if isinstance(stored, Refused):
            return stored
        if (stored.state.handle.flow is Flow.SETUP) is not setting_up:
            return Refused(code=Code.SSO_PIPELINE_INVALID)
        waiting = isinstance(stored.state, Away | Proposed)
        came = self._kept(tx, who.pipeline) if callback is None and waiting else Came.now(callback, now)
        if isinstance(came, Refused):
            return came
        if came is None:
            return Refused(code=Code.SSO_PROVIDER_UNTRIED) if isinstance(stored.state, Proposed) else None
        return self._unfit(tx, stored, who, came, now) or self._checked(tx, stored.state, came, now)

    def arrive(self, back: Back) -> Assertion | Rejected:
        """Let the kind check the answer, with no transaction open.

        Raises:
            InUnitOfWork: One is.
        """
        return ask(self.uow, back.kind, lambda: back.kind.arrive(back.settings, back.trip, back.request, back.callback))

    def take(
        self, tx: SsoTransaction, who: Bearer, back: Back, came: Assertion | Rejected, now: datetime
    ) -> Step[Any, Any] | Refused:
        """Take the checked answer: once, under the pipeline's row, with whatever makes it single use burnt.

        A sign-in's provider is held, since what comes of the answer in this transaction relies on it.
        """
        stored = self.load(tx, who, lock=True)
        if isinstance(stored, Refused):
            return stored
        if stored.state.handle.flow is not Flow.SETUP:
            tx.providers.load(stored.state.handle.organization, lock=True)
        state = stored.state
        away = isinstance(state, Away | Proposed)
        said = self.said(tx, state.handle, came, back.at) if away else Code.SSO_STATE_INVALID
        present = self.present(tx, state, who)
        return self.step(tx, stored, Return(present=present, state=token_digest(back.trip.state), said=said), now)

    # --- pieces ---------------------------------------------------------------------------------------------------

    def _unfit(
        self, tx: SsoTransaction, stored: Stored[Login | Setup], who: Bearer, came: Came, now: datetime
    ) -> Refused | None:
        """Return why the answer need not even be looked at; the table says so, and what it ends is over."""
        state, present = stated(came.callback), self.present(tx, stored.state, who)
        digest = b"" if state is None else token_digest(state)
        waiting = stored.state if isinstance(stored.state, Away | Proposed) else None
        good = waiting is not None and hmac.compare_digest(waiting.state, digest)
        if good and barred(stored.state.handle, present, now) is None:
            return None
        held = self.load(tx, who, lock=True)
        if isinstance(held, Refused):
            return held
        command = Return(present=present, state=digest, said=Code.SSO_STATE_INVALID)
        return _refusal(self.step(tx, held, command, now))

    def _checked(self, tx: SsoTransaction, state: Login | Setup, came: Came, now: datetime) -> Back | Refused:
        answered = stated(came.callback)
        if not isinstance(state, Away | Proposed) or answered is None or self.endpoints is None:
            return Refused(code=Code.SSO_STATE_INVALID)
        handle, place = state.handle, self.endpoints.of(state.handle.organization)
        trip = Trip(
            organization=handle.organization,
            callback=place.callback,
            metadata=place.metadata,
            state=answered,
            now=now,
        )
        return Back(
            kind=self._kind(handle.kind),
            settings=self._settings_of(tx, state),
            trip=trip,
            request=self.vault.open(state.request, request_binding(handle.id)),
            callback=came.callback,
            at=came.at,
        )

    def said(self, tx: SsoTransaction, handle: Handle, came: Assertion | Rejected, at: datetime) -> Identity | Code:
        """Return whom the provider means, as far as it can be anybody; what can be used once is used up by it."""
        if isinstance(came, Rejected):
            return _told(handle, came)
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
            memory=self.vault.seal(memory, memory_binding(handle.provider, subject)) if memory else None,
        )

    def _kept(self, tx: SsoTransaction, pipeline: PipelineId) -> Came | Refused | None:
        """Return the stored answer; one whose key is gone is as a pipeline's state that cannot be read (`find`)."""
        sealed = tx.pipelines.answer(pipeline)
        if sealed is None:
            return None
        try:
            document = self.vault.open(sealed, answer_binding(pipeline))
        except SecretUnavailable as error:
            report_unavailable(error)
            return Refused(code=Code.SSO_PIPELINE_INVALID)
        fields = {name: tuple(values) for name, values in document["fields"].items()}
        return Came(callback=Callback(fields=fields), at=datetime.fromisoformat(document["at"]))

    def _settings_of(self, tx: SsoTransaction, state: Away | Proposed) -> Document:
        if isinstance(state, Proposed):
            proposal = self.vault.open(state.proposal, proposal_binding(state.handle.id))
            found: Document = proposal["config"]
            return found
        provider = tx.providers.load(state.handle.organization).state
        if not isinstance(provider, Connected):  # `barred` has seen it in this very transaction
            raise BrokenPromise(answer=type(provider).__name__)
        return self._settings(provider)

    def _settings(self, provider: Connected) -> Document:
        return self.vault.open(provider.settings.config, settings_binding(provider.organization, provider.id))

    def _kind(self, key: str) -> Kind:
        found = self.kinds.get(key)
        if found is None:  # whoever asks has looked
            raise BrokenPromise(answer=key)
        return found


def stated(callback: Callback) -> Secret | None:
    """Return the state that an answer carries; none if it has none, or more than one."""
    values = [value for name in STATE_FIELDS for value in callback.fields.get(name, ())]
    return Secret(values[0]) if len(values) == 1 else None


def _name(said: object) -> str:
    """Return the name as it can be stored; none is given where a kind hands over something else than text."""
    return legible(said, NAME_MAX) if isinstance(said, str) else ""


def _refusal(step: Step[Any, Any]) -> Refused:
    if not isinstance(step.answer, Refused):
        raise BrokenPromise(answer=type(step.answer).__name__)
    return step.answer


def told_in_setups(came: Assertion | Departure | Rejected) -> dict[str, str]:
    """Return what an owner is told who sets the provider up, and can mend it; whoever signs in is told the code."""
    return {"provider": shown(came.detail)} if isinstance(came, Rejected) and came.detail else {}


def _told(handle: Handle, rejected: Rejected) -> Code:
    """Return what the person is told; the log is told more, on one line."""
    LOG.info("%s of %s rejected: %s %s", handle.kind, handle.organization, rejected.code, shown(rejected.detail))
    return rejected.code
