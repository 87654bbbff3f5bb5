"""Answers that nobody asked for: taken in where a policy and the provider's settings say so, and given to no browser.

Whoever posts one shows no cookie of ours. What it says is checked at once, and goes out again sealed, for the browser
that was redirected to bring back; only then is there a pipeline, and it is that browser's (decision 25).
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import attrs

from authflow.errors import Code
from authflow.recording import shown
from authflow.sso.capabilities import Unasked
from authflow.sso.identity import Subject
from authflow.sso.kinds import Assertion, Rejected, Single
from authflow.sso.pipeline import Flow
from authflow.sso.service.asking import ask
from authflow.sso.service.identities import read_identity
from authflow.sso.service.pipelines import LOG
from authflow.sso.service.tickets import read_ticket, write_ticket
from authflow.values import Address, OrganizationId, ProviderId, Refused

if TYPE_CHECKING:
    from authflow.policy import SsoPolicy
    from authflow.sso.connection import Connected
    from authflow.sso.identity import Identity
    from authflow.sso.kinds import Callback, Document
    from authflow.sso.ports import SsoTransaction
    from authflow.sso.service.exchange import NewPipeline
    from authflow.sso.service.travelling import SignInTravelling
    from authflow.values import Asker, Secret

TICKET_LIFE: Final = timedelta(seconds=60)
"""A browser follows a redirect at once: what comes later was left lying somewhere."""

BINDING: Final = ("sso.unasked",)


@attrs.frozen(kw_only=True)
class Listening:
    """A provider that may send an answer of itself."""

    provider: Connected
    kind: Unasked
    settings: Document = attrs.field(repr=False)


@attrs.frozen(kw_only=True)
class Brought:
    """What a ticket holds: what was said, by which provider under which settings, and when it came."""

    organization: OrganizationId
    provider: ProviderId
    steps: bytes = attrs.field(repr=False)
    said: Assertion
    at: datetime


@attrs.frozen(kw_only=True)
class UnaskedAnswers:
    """Taking them in, and giving them to a browser; every method but `arrive` runs in its caller's transaction."""

    sign_ins: SignInTravelling
    policy: SsoPolicy

    def listening(self, tx: SsoTransaction, organization: OrganizationId) -> Listening | Refused:
        """Return the provider of *organization*, if what it sends of itself is taken in; or why it is not."""
        found = self.sign_ins.connected.find(tx, organization)
        if isinstance(found, Refused):
            return found
        kind = self.sign_ins.desk.kinds.get(found.kind)
        if kind is None or not isinstance(kind, Unasked):
            return Refused(code=Code.SSO_KIND_UNABLE)
        settings = self.sign_ins.connected.settings(found)
        if not self.policy.idp_initiated or not kind.takes_unasked(settings):
            return Refused(code=Code.SSO_UNASKED_CLOSED)
        return Listening(provider=found, kind=kind, settings=settings)

    def arrive(self, to: Listening, callback: Callback, now: datetime) -> Assertion | Rejected:
        """Let the kind check the answer, with no transaction open. What it carries beside that is not even read.

        Raises:
            InUnitOfWork: One is.
            ConfigInvalid: The host configured no address to come back to.
        """
        desk = self.sign_ins.desk
        trip = desk.trip(to.provider.organization, desk.new_secret(), now)
        came = ask(desk.uow, to.kind, lambda: to.kind.arrive_unasked(to.settings, trip, callback))
        if isinstance(came, Rejected):
            told = (to.provider.kind, to.provider.organization, came.code, shown(came.detail))
            LOG.info("%s of %s, unasked, rejected: %s %s", *told)
        return came

    def ticket(self, to: Listening, said: Assertion, at: datetime) -> Secret | Refused:
        """Return what *said* says, sealed for a browser to bring back; or that it is too much for one."""
        document: Document = {
            "organization": to.provider.organization,
            "provider": to.provider.id,
            "steps": to.provider.settings.steps.hex(),
            "at": at.isoformat(),
            "subject": said.subject,
            "email": said.email,
            "name": said.name,
            "once": [[single.key, single.expires_at.isoformat()] for single in said.once],
            "memory": dict(said.memory),
        }
        ticket = write_ticket(self.sign_ins.desk.vault, document, BINDING)
        return Refused(code=Code.SSO_RESPONSE_INVALID) if ticket is None else ticket

    def brought(self, ticket: Secret, now: datetime) -> Brought | Refused:
        """Return what *ticket* holds, if we gave it out a moment ago."""
        found = read_ticket(self.sign_ins.desk.vault, ticket, BINDING)
        if found is None:
            return Refused(code=Code.SSO_STATE_INVALID)
        brought = _brought(found)
        fresh = timedelta(0) <= now - brought.at < TICKET_LIFE
        return brought if fresh else Refused(code=Code.SSO_PIPELINE_EXPIRED)

    def begin(
        self, tx: SsoTransaction, to: Listening, brought: Brought, asker: Asker
    ) -> tuple[NewPipeline, Identity] | Refused:
        """Return a pipeline in the session of *asker*, and who is meant; what makes the answer single use is spent.

        A browser that waits for an answer of its own takes no other (decision 25).
        """
        same = (to.provider.id, to.provider.settings.steps) == (brought.provider, brought.steps)
        if not same:
            return Refused(code=Code.SSO_PROVIDER_CHANGED)
        now = self.sign_ins.desk.clock.now()
        if tx.pipelines.waits(asker.session, to.provider.id, now):
            return Refused(code=Code.SSO_STATE_INVALID)
        purpose = self.sign_ins.connected.purpose(to.provider, Flow.UNASKED, asker.session, asker.user)
        new = self.sign_ins.requests.mint(purpose, now)
        identity = read_identity(tx, self.sign_ins.desk, new.handle, brought.said, brought.at)
        return (new, identity) if not isinstance(identity, Code) else Refused(code=identity)


def _brought(document: dict[str, Any]) -> Brought:
    once = tuple(Single(key=key, expires_at=datetime.fromisoformat(end)) for key, end in document["once"])
    email = document["email"]
    said = Assertion(
        subject=Subject(document["subject"]),
        email=None if email is None else Address(email),
        name=document["name"],
        once=once,
        memory=document["memory"],
    )
    return Brought(
        organization=OrganizationId(document["organization"]),
        provider=ProviderId(document["provider"]),
        steps=bytes.fromhex(document["steps"]),
        said=said,
        at=datetime.fromisoformat(document["at"]),
    )
