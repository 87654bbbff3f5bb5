"""What an organization's log is told of refused sign-ons: each refusal of each comer, a few times an hour."""

from __future__ import annotations

import hashlib
from datetime import timedelta
from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING, Final, TypeVar

import attrs

from authflow.errors import Code
from authflow.facts.sso import SignOnRefused
from authflow.journey.door import Declined, expect
from authflow.ports import Allowed
from authflow.sso.progress import Open, Unconfirmed
from authflow.values import Answer, Budget, Refused

if TYPE_CHECKING:
    from collections.abc import Callable

    from authflow.journey.ports import JourneyTransaction
    from authflow.journey.sso.comers import Comer
    from authflow.ports import Clock
    from authflow.recording import Recorder
    from authflow.sso.pipeline import Handle
    from authflow.sso.progress import Login
    from authflow.sso.service import SignInPipelines
    from authflow.sso.service.unasked import Brought
    from authflow.values import Asker, Context

AnswerT = TypeVar("AnswerT", bound=Answer)

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
class RefusalLog:
    """Tells the log; every method runs in its caller's transaction."""

    clock: Clock
    recorder: Recorder
    pipelines: SignInPipelines

    def done_or_told(self, by: Comer, finish: Callable[[], AnswerT]) -> AnswerT | Refused:
        """Return what *finish* answers, or, where it declined, why, after the log was told of it."""
        try:
            return finish()
        except Declined as declined:
            return by.carried(self.told(by, declined.answer))

    def told(self, by: Comer, answer: object) -> Refused:
        """Return *answer*, a refusal of a table, after the log was told of it, within a budget for whoever comes.

        Nothing is told of what strangers try without an answer of the provider.
        """
        refused = expect(answer, Refused)
        stored = refused if refused.code in UNTOLD else self.pipelines.load(by.tx, by.who)
        if not isinstance(stored, Refused):
            state = stored.state
            comer = _comer(state, by.asker, by.context)
            self.tell(by.tx, state.handle, refused, comer=comer, asker=by.asker, context=by.context)
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
        now = self.clock.now()
        who = hashlib.sha256(f"{of.organization}\0{refused.code}\0{comer}".encode()).hexdigest()
        if isinstance(tx.limits.hit(TOLD, who, now), Allowed):
            fact = SignOnRefused(organization=of.organization, provider=of.provider, code=refused.code.value)
            self.recorder.record(tx, (fact,), asker=asker, context=context, now=now)


def counted_as_subject(subject: str) -> str:
    """Return that the refusals of whom the provider calls *subject* are counted together."""
    return f"subject\0{subject}"


def _comer(state: Login, asker: Asker, context: Context) -> str:
    """Return whose refusals are counted together: of whom the provider named, of who is signed in, of a network.

    A stranger can make as many browsers as they like, but is named by no provider, and has few networks.
    """
    if isinstance(state, Open | Unconfirmed):
        return counted_as_subject(state.identity.subject)
    return f"network\0{network(context.ip)}" if asker.user is None else f"user\0{asker.user}"


def network(ip: str | None) -> str:
    """Return what one customer has of addresses, that *ip* is one of; the empty text where it is none."""
    try:
        address = ip_address(ip or "")
    except ValueError:  # the host's, who may not say it: all of them together
        return ""
    address = getattr(address, "ipv4_mapped", None) or address
    return str(ip_network((address, PREFIX), strict=False)) if address.version == IPV6 else str(address)
