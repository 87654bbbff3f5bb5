"""A sign-in through a provider as it stands, held for the browser that began it; and what is logged of refusals."""

from __future__ import annotations

import hashlib
from datetime import timedelta
from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING, Any, Final

import attrs

from authflow.errors import Code
from authflow.facts.sso import SignOnRefused
from authflow.journey.sso.circumstances import Circumstances, Situation
from authflow.ports import Allowed
from authflow.sso.pipeline import Flow, barred, not_theirs
from authflow.sso.progress import Away, Open, Over, Unconfirmed
from authflow.sso.provider import Connected
from authflow.values import Budget, Refused

if TYPE_CHECKING:
    from collections.abc import Sequence

    from authflow.journey.ports import JourneyTransaction
    from authflow.machine import Fact
    from authflow.ports import Clock, Stored, UnitOfWork
    from authflow.recording import Recorder
    from authflow.sso.case import Choice
    from authflow.sso.pipeline import Handle, Present
    from authflow.sso.progress import Login
    from authflow.sso.service import Travelling
    from authflow.sso.service.pipelines import Bearer
    from authflow.sso.service.unasked import Brought
    from authflow.sso.setup import Setup
    from authflow.values import Asker, BrowserSession, Context


UNTOLD: Final = frozenset(
    {
        Code.SSO_PIPELINE_INVALID,
        Code.SSO_PIPELINE_EXPIRED,
        Code.SSO_PROVIDER_UNTRIED,
        Code.SSO_RATE_LIMITED,
        Code.SSO_STATE_INVALID,
        Code.SSO_LINK_UNPROVEN,
    }
)
"""Refusals that no log of an organization keeps: whoever asked may be anybody, or may ask again and again."""

TOLD: Final = Budget(name="sso.refused_told", limit=5, window=timedelta(hours=1))
"""How often one refusal is written down for one comer: each is counted alone, so that nobody's hides another's."""

IPV6: Final = 6

PREFIX: Final = 64
"""Bits of an IPv6 address that one customer has all addresses behind (RFC 6177)."""


@attrs.frozen(kw_only=True)
class Comer:
    """Who goes on with a pipeline: in which browser, from where, as whom."""

    session: BrowserSession
    context: Context
    asker: Asker
    who: Bearer


@attrs.frozen(kw_only=True)
class HeldPipeline:
    """A sign-in as it stands: *at* is none where it cannot go on, and its table says why."""

    stored: Stored[Any]
    present: Present
    at: Situation | None


@attrs.frozen(kw_only=True)
class Holding:
    """What every step of a sign-in begins with; every method runs in its caller's transaction."""

    uow: UnitOfWork[JourneyTransaction]
    clock: Clock
    recorder: Recorder
    travelling: Travelling
    circumstances: Circumstances
    mails: Budget

    def held(
        self, tx: JourneyTransaction, who: Bearer, asker: Asker, choice: Choice, *, lock: bool
    ) -> HeldPipeline | Refused:
        """Return the sign-in as it stands, for the browser that began it and for nobody else.

        A setup goes on elsewhere. With *lock* the provider is held too: whoever disables it does so before this
        sign-in is decided, or after it is done.
        """
        stored = self.travelling.load(tx, who, lock=lock)
        if isinstance(stored, Refused):
            return stored
        provider = tx.providers.load(stored.state.handle.organization, lock=lock).state
        state, present = stored.state, self.travelling.present(tx, stored.state, who)
        theirs = state.handle.flow is not Flow.SETUP and not_theirs(state.handle, present) is None
        if not theirs or not isinstance(state, Away | Open | Over):
            return Refused(code=Code.SSO_PIPELINE_INVALID)
        if not isinstance(state, Open) or barred(state.handle, present, self.clock.now()) is not None:
            return HeldPipeline(stored=stored, present=present, at=None)
        if not isinstance(provider, Connected) or provider.id != state.handle.provider:
            return Refused(code=Code.SSO_PROVIDER_CHANGED)
        at = Situation(state=state, provider=provider, asker=asker, choice=choice)
        return HeldPipeline(stored=stored, present=present, at=at)

    def refused(self, tx: JourneyTransaction, who: Bearer, refused: Refused, asker: Asker, context: Context) -> Refused:
        """Return *refused*, after the organization's log was told of it, within a budget for whoever comes.

        Nothing is told of what strangers try without an answer of the provider.
        """
        stored = refused if refused.code in UNTOLD else self.travelling.load(tx, who)
        if not isinstance(stored, Refused):
            self.tell(
                tx,
                stored.state.handle,
                refused,
                comer=_comer(stored.state, asker, context),
                asker=asker,
                context=context,
            )
        return refused

    def tell(
        self,
        tx: JourneyTransaction,
        of: Handle | Brought,
        refused: Refused,
        *,
        comer: str,
        asker: Asker,
        context: Context,
    ) -> None:
        """Record that *comer* was refused, unless nobody is told of it, or was often enough.

        It is counted last of all: whoever waits for the counter holds nothing that is waited for behind it.
        """
        if refused.code in UNTOLD:
            return
        who = hashlib.sha256(f"{of.organization}\0{refused.code}\0{comer}".encode()).hexdigest()
        if isinstance(tx.limits.hit(TOLD, who, self.clock.now()), Allowed):
            fact = SignOnRefused(organization=of.organization, provider=of.provider, code=refused.code.value)
            self.record(tx, (fact,), asker, context)

    def record(self, tx: JourneyTransaction, facts: Sequence[Fact], asker: Asker, context: Context) -> None:
        """Record *facts*, of whoever asks."""
        self.recorder.record(tx, facts, asker=asker, context=context, now=self.clock.now())


def named(subject: str) -> str:
    """Return that the refusals of whom the provider calls *subject* are counted together."""
    return f"subject\0{subject}"


def _comer(state: Login | Setup, asker: Asker, context: Context) -> str:
    """Return whose refusals are counted together: of whom the provider named, of who is signed in, of a network.

    A stranger can make as many browsers as they like, but is named by no provider, and has few networks.
    """
    if isinstance(state, Open | Unconfirmed):
        return named(state.identity.subject)
    return f"network\0{network(context.ip)}" if asker.user is None else f"user\0{asker.user}"


def network(ip: str | None) -> str:
    """Return what one customer has of addresses, that *ip* is one of; the empty text where it is none."""
    try:
        address = ip_address(ip or "")
    except ValueError:  # the host's, who may not say it: all of them together
        return ""
    address = getattr(address, "ipv4_mapped", None) or address
    return str(ip_network((address, PREFIX), strict=False)) if address.version == IPV6 else str(address)
