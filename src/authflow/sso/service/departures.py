"""Ending a session on both sides: ours tells the provider, and the provider's tells us, each in its own way."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

import attrs

from authflow.command.telemetry import report_unavailable
from authflow.errors import Code, ConfigInvalid, SecretUnavailable
from authflow.recording import shown
from authflow.sso.capabilities import LoggingOut
from authflow.sso.kinds import Rejected
from authflow.sso.provider_session import ProviderSession, name_digest
from authflow.sso.sealing import session_binding
from authflow.sso.service.asking import ask
from authflow.sso.service.names import named, same_format, spoken
from authflow.sso.service.pipelines import LOG
from authflow.sso.service.tickets import read_ticket, write_ticket
from authflow.values import OrganizationId, ProviderId, Refused

if TYPE_CHECKING:
    from authflow.sso.capabilities import LoggedOut, LogoutRequested
    from authflow.sso.connection import Connected
    from authflow.sso.identity import Identity
    from authflow.sso.kinds import Departure, Document, Trip
    from authflow.sso.links import Link
    from authflow.sso.ports import SsoTransaction
    from authflow.sso.service.connected import ConnectedProviders
    from authflow.sso.service.desk import Desk
    from authflow.values import Asker, Secret, SessionId

ANSWER_LIFE: Final = timedelta(minutes=10)
"""How long a provider's answer to our request counts: people look at its page in between."""

BINDING: Final = ("sso.logout",)


@attrs.frozen(kw_only=True)
class Counterpart:
    """A provider that ends sessions together with us."""

    provider: Connected
    kind: LoggingOut
    settings: Document = attrs.field(repr=False)


@attrs.frozen(kw_only=True)
class Leave:
    """What to ask of a provider when a session of ours ends."""

    of: Counterpart
    memory: Document = attrs.field(repr=False)


@attrs.frozen(kw_only=True)
class Departures:
    """Single logout; methods that take a transaction run in their caller's, and the others ask with none open."""

    desk: Desk
    connected: ConnectedProviders
    session_life: timedelta

    # --- what is remembered ---------------------------------------------------------------------------------------

    def remember(
        self, tx: SsoTransaction, provider: Connected, identity: Identity, link: Link, session: SessionId
    ) -> None:
        """Remember what *provider* calls the session by which *session* came, if it has a name that it can end by."""
        told = spoken(self.desk, provider.kind, identity)
        if told is None:
            return
        row = ProviderSession(
            session=session,
            provider=provider.id,
            link=link.id,
            user=link.user,
            name=name_digest(told.called.name),
            index=name_digest(told.called.index),
            memory=self.desk.vault.seal(told.memory, session_binding(session, provider.id)),
            expires_at=self.desk.clock.now() + self.session_life,
        )
        tx.provider_sessions.put(row)

    # --- from here ------------------------------------------------------------------------------------------------

    def leave(self, tx: SsoTransaction, asker: Asker) -> Leave | None:
        """Return what to ask of the provider by which *asker* came last, and forget by what names they came."""
        rows = {row.provider: row for row in tx.provider_sessions.of_session(asker.session)}
        marks = sorted((mark for mark in asker.marks if mark.provider in rows), key=lambda mark: mark.at)
        for provider in rows:
            tx.provider_sessions.remove(asker.session, provider)
        if not marks:
            return None
        found = self.counterpart(tx, marks[-1].organization)
        row = rows[marks[-1].provider]
        if isinstance(found, Refused) or (found.provider.id, marks[-1].link) != (row.provider, row.link):
            return None
        try:
            memory = self.desk.vault.open(row.memory, session_binding(row.session, row.provider))
        except SecretUnavailable as error:
            report_unavailable(error)
            return None
        return Leave(of=found, memory=memory)

    def depart(self, leave: Leave) -> tuple[Departure, Secret] | None:
        """Return where to send the browser, and a ticket for when it is back; none where there is nowhere to ask."""
        kind, now = leave.of.kind, self.desk.clock.now()
        trip = self._trip(leave.of)
        left = ask(self.desk.uow, kind, lambda: kind.depart_logout(leave.of.settings, trip, leave.memory))
        if left is None or isinstance(left, Rejected):
            return None
        provider = leave.of.provider
        document: Document = {
            "organization": provider.organization,
            "provider": provider.id,
            "steps": provider.settings.steps.hex(),
            "request": dict(left.request),
            "at": now.isoformat(),
        }
        ticket = write_ticket(self.desk.vault, document, BINDING)
        return None if ticket is None else (left, ticket)

    def awaited(self, tx: SsoTransaction, ticket: Secret, now: datetime) -> tuple[Counterpart, Document] | Refused:
        """Return whose answer *ticket* waits for, and to what."""
        document = read_ticket(self.desk.vault, ticket, BINDING)
        if document is None:
            return Refused(code=Code.SSO_STATE_INVALID)
        if not timedelta(0) <= now - datetime.fromisoformat(document["at"]) < ANSWER_LIFE:
            return Refused(code=Code.SSO_PIPELINE_EXPIRED)
        found = self.counterpart(tx, OrganizationId(document["organization"]))
        if isinstance(found, Refused):
            return found
        stands = (found.provider.id, found.provider.settings.steps.hex())
        same = stands == (ProviderId(document["provider"]), document["steps"])
        return (found, document["request"]) if same else Refused(code=Code.SSO_PROVIDER_CHANGED)

    def arrive(self, of: Counterpart, request: Document, query: str) -> LoggedOut | Refused:
        """Let the kind check the answer."""
        trip = self._trip(of)
        came = ask(self.desk.uow, of.kind, lambda: of.kind.arrive_logout(of.settings, trip, request, query))
        return self._told(of, came) if isinstance(came, Rejected) else came

    # --- from there -----------------------------------------------------------------------------------------------

    def read(self, of: Counterpart, query: str) -> LogoutRequested | Refused:
        """Let the kind check a request."""
        trip = self._trip(of)
        came = ask(self.desk.uow, of.kind, lambda: of.kind.read_logout(of.settings, trip, query))
        return self._told(of, came) if isinstance(came, Rejected) else came

    def meant(self, tx: SsoTransaction, of: Counterpart, asked: LogoutRequested) -> tuple[ProviderSession, ...]:
        """Return which sessions a request means: those of the person, or the ones of them that it names."""
        indexes = {name_digest(index) for index in asked.sessions}
        rows = tx.provider_sessions.named(of.provider.id, name_digest(asked.name_id))
        here = (row for row in rows if not indexes or row.index in indexes)
        return tuple(row for row in here if self._of_that_format(of, row, asked))

    def answer(self, of: Counterpart, asked: LogoutRequested) -> Departure | None:
        """Let the kind say that it is done."""
        trip = self._trip(of)
        said = ask(self.desk.uow, of.kind, lambda: of.kind.answer_logout(of.settings, trip, asked))
        return None if isinstance(said, Rejected) else said

    # --- pieces ---------------------------------------------------------------------------------------------------

    def counterpart(self, tx: SsoTransaction, organization: OrganizationId) -> Counterpart | Refused:
        """Return the provider of *organization*, if its kind ends sessions; or why there is none."""
        found = self.connected.find(tx, organization)
        if isinstance(found, Refused):
            return found
        kind = self.desk.kinds.get(found.kind)
        if kind is None or not isinstance(kind, LoggingOut):
            return Refused(code=Code.SSO_KIND_UNABLE)
        settings = self.connected.settings(found)
        return Counterpart(provider=found, kind=kind, settings=settings)

    def require_endpoint(self) -> None:
        """Return if the host has an address for single logout.

        Raises:
            ConfigInvalid: It has not.
        """
        if self.desk.endpoints is None or not self.desk.endpoints.logout:
            raise ConfigInvalid(
                setting="Endpoints.logout", problem="is missing: providers need an address to answer to"
            )

    def _trip(self, of: Counterpart) -> Trip:
        return self.desk.trip(of.provider.organization, self.desk.new_secret(), self.desk.clock.now(), logout=True)

    def _of_that_format(self, of: Counterpart, row: ProviderSession, asked: LogoutRequested) -> bool:
        if not asked.format:
            return True
        try:
            memory = self.desk.vault.open(row.memory, session_binding(row.session, row.provider))
        except SecretUnavailable as error:
            report_unavailable(error)
            return True
        return same_format(named(of.kind, memory), asked)

    @staticmethod
    def _told(of: Counterpart, came: Rejected) -> Refused:
        told = (of.provider.kind, of.provider.organization, came.code, shown(came.detail))
        LOG.info("%s of %s, single logout, rejected: %s %s", *told)
        return Refused(code=came.code)
