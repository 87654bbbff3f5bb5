"""What is ordered about an organization's provider: who orders it, and what a provider is to be."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import attrs

from authflow.values import Answer, Refused, Role

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from authflow.journey.door import Askers
    from authflow.journey.ports import JourneyTransaction
    from authflow.ports import Clock
    from authflow.values import Asker, BrowserSession, Context, OrganizationId

AnswerT = TypeVar("AnswerT", bound=Answer)


@attrs.frozen(kw_only=True)
class Proposal:
    """A provider as it was proposed: its settings, and what is decided about members. JSON types alone."""

    config: Mapping[str, Any]
    name: str
    required: bool = True
    newcomers: bool = True
    default_role: str | None = None

    def decided(self) -> dict[str, Any]:
        """Return what is decided about members, as `Settings` have it."""
        role = None if self.default_role is None else Role(self.default_role)
        return {"required": self.required, "newcomers": self.newcomers, "default_role": role}


@attrs.frozen(kw_only=True)
class Order:
    """One command about a provider: who gave it, from where, when, over which organization."""

    tx: JourneyTransaction
    asker: Asker
    context: Context
    organization: OrganizationId
    now: datetime


@attrs.frozen(kw_only=True)
class Orders:
    """Takes them in: each is one transaction, with the account held of whoever gives it."""

    askers: Askers
    clock: Clock

    def given(
        self,
        session: BrowserSession,
        context: Context,
        organization: OrganizationId,
        command: Callable[[Order], AnswerT],
    ) -> AnswerT | Refused:
        """Let *command* answer an order of whoever *session* is; the answer carries the session on."""
        return self.askers.asked(session, lambda tx, asker: command(self.of(tx, asker, context, organization)))

    def of(self, tx: JourneyTransaction, asker: Asker, context: Context, organization: OrganizationId) -> Order:
        """Return an order that is given in the caller's transaction."""
        return Order(tx=tx, asker=asker, context=context, organization=organization, now=self.clock.now())
