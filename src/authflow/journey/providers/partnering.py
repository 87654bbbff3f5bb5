"""What an installation's administrator does for a partner, whose provider an organization gets ready-made."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from authflow.command.running import in_one, looked
from authflow.errors import Code, UniqueViolated
from authflow.journey.gates import may_administer
from authflow.nobody import NO_USER
from authflow.sso.authority import Authority
from authflow.sso.ports import PROVIDER_ONCE
from authflow.values import Refused

if TYPE_CHECKING:
    from authflow.journey.door import Askers
    from authflow.journey.ports import JourneyTransaction
    from authflow.journey.providers.answers import ProviderAdded, ProviderRemoved
    from authflow.journey.providers.connecting import Connecting
    from authflow.journey.providers.orders import Order, Orders, Proposal
    from authflow.ports import UnitOfWork
    from authflow.sso.kinds import Kind, Kinds
    from authflow.values import Asker, BrowserSession, Context, OrganizationId


@attrs.frozen(kw_only=True)
class Partnering:
    """The commands for partners: what one provisioned is theirs to change, and its owners only see it (sso 4.6)."""

    uow: UnitOfWork[JourneyTransaction]
    askers: Askers
    orders: Orders
    kinds: Kinds
    connecting: Connecting

    def provision(
        self, session: BrowserSession, context: Context, organization: OrganizationId, kind: str, given: Proposal
    ) -> ProviderAdded | Refused:
        """Let the kind read the settings, between two transactions, and let the provider stand untried."""
        self.uow.require_closed()
        known = self.kinds.get(kind)
        refused = looked(self.uow, lambda: self._unprovisioned(session, organization))
        if refused is not None or known is None:
            return refused or Refused(code=Code.SSO_KIND_UNKNOWN, session=session)
        unknown = self.connecting.unknown_role(given.default_role)
        proposal = unknown or self.connecting.proposal(known, given)
        if isinstance(proposal, Refused):
            return attrs.evolve(proposal, session=session)

        def provisioned(at: Order) -> ProviderAdded | Refused:
            return self._provisioned(at, known, proposal)

        return in_one(self.uow, lambda: self.orders.given(session, context, organization, provisioned))

    def withdraw(
        self, session: BrowserSession, context: Context, organization: OrganizationId
    ) -> ProviderRemoved | Refused:
        """Take the provider away, all of it or nothing."""

        def withdrawn(at: Order) -> ProviderRemoved | Refused:
            authority = self._partner(at.tx, at.asker, organization)
            with self.uow.savepoint():
                return self.connecting.disable(at, authority)

        return self.orders.given(session, context, organization, withdrawn)

    # --- pieces ---------------------------------------------------------------------------------------------------

    def _partner(self, tx: JourneyTransaction, asker: Asker, organization: OrganizationId) -> Authority:
        """Return who commands for a partner: an administrator of the installation, who proved who they are."""
        actor = None if asker.user is None else tx.users.get(asker.user)
        place = tx.organizations.get(organization)
        code = may_administer(asker, actor, actor)
        if code is None and (place is None or not place.active):
            code = Code.ORGANIZATION_UNKNOWN
        return Authority(
            user=NO_USER if asker.user is None else asker.user,
            refusal=code,
            owner=True,
            elevated=asker.elevated,
            partner=True,
            recipients=() if code is not None else self.connecting.owners(tx, organization),
        )

    def _unprovisioned(self, session: BrowserSession, organization: OrganizationId) -> Refused | None:
        """Return why nobody may; who asks is judged before anything is read, and once more before it is stored."""

        def refusal(tx: JourneyTransaction, asker: Asker) -> Refused | None:
            code = self._partner(tx, asker, organization).refusal
            return None if code is None else Refused(code=code)

        return self.askers.found(session, refusal)

    def _provisioned(self, at: Order, kind: Kind, proposal: Proposal) -> ProviderAdded | Refused:
        authority = self._partner(at.tx, at.asker, at.organization)
        if authority.refusal is not None:
            return Refused(code=authority.refusal)
        try:
            with self.uow.savepoint():
                return self.connecting.provision(at, kind, proposal, authority)
        except UniqueViolated as violated:
            if violated.rule not in PROVIDER_ONCE:
                raise
        return Refused(code=Code.SSO_PROVIDER_EXISTS)
