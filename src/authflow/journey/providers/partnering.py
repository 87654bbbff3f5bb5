"""The part of ``flows.providers`` by which an installation's administrator connects what a partner provides."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from authflow.command import command, operation
from authflow.errors import Code, UniqueViolated
from authflow.journey.arguments import require_types
from authflow.journey.door import Declined, carried
from authflow.journey.gates import may_administer
from authflow.journey.providers.connecting import Proposal
from authflow.journey.providers.setting_up import EXISTS, SettingUp
from authflow.nobody import NO_USER
from authflow.recording import shown
from authflow.sso.provider import Authority
from authflow.values import Refused, identifier

if TYPE_CHECKING:
    from authflow.journey.ports import JourneyTransaction
    from authflow.journey.providers.answers import ProviderAdded, ProviderRemoved
    from authflow.journey.providers.connecting import Desk
    from authflow.sso.kinds import Document, Kind
    from authflow.values import Asker, BrowserSession, Context, OrganizationId


@attrs.frozen(kw_only=True)
class Partnering(SettingUp):
    """What a partner provisioned is the partner's to change: its organization's owners only see it (sso 4.6)."""

    @operation("providers.provision")
    def provision(
        self,
        session: BrowserSession,
        context: Context,
        *,
        organization: OrganizationId,
        kind: str,
        settings: Document,
        name: str = "",
        required: bool = True,
        newcomers: bool = True,
        default_role: str | None = None,
    ) -> ProviderAdded | Refused:
        """Connect a partner's provider, untried, for an installation's administrator; owners cannot change it.

        Doing it again changes the settings; doing the same again changes nothing. The arguments are those of
        `start_setup`.

        Raises:
            InUnitOfWork: A transaction is open, or a host's is shared.
            InputInvalid: *organization* cannot be an organization's id; or an argument is of another type.
        """
        identifier(organization, field="organization")
        require_types(kind=kind, name=name, settings=settings, default_role=default_role)
        self._uow.require_closed()
        known = self._travelling.desk.kinds.get(kind)
        refused = self._one(lambda: self._unprovisioned(session, organization))
        if refused is not None or known is None:
            return refused or Refused(code=Code.SSO_KIND_UNKNOWN, session=session)
        if self._connecting.unknown_role(default_role):
            problems = {"default_role": "is no role of this installation"}
            return Refused(code=Code.SSO_INPUT_INVALID, problems=problems, session=session)
        decided = Proposal(
            config={}, name=shown(name) or known.name, required=required, newcomers=newcomers, default_role=default_role
        )
        proposal = self._connecting.proposal(known, settings, decided)
        if isinstance(proposal, Refused):
            return attrs.evolve(proposal, session=session)
        return self._one(lambda: self._provisioned(session, context, organization, known, proposal))

    @command("providers.withdraw")
    def withdraw(
        self, session: BrowserSession, context: Context, *, organization: OrganizationId
    ) -> ProviderRemoved | Refused:
        """Take a partner's provider away, for an installation's administrator; otherwise as `disable`.

        Raises:
            InputInvalid: *organization* cannot be an organization's id.
        """
        identifier(organization, field="organization")
        with self._uow.begin() as tx:
            asker = self._sessions.identify(session, self._clock.now(), lock=True)
            at = self._desk(tx, asker, context, organization)
            return carried(self._disabled(at, self._partner(tx, asker, organization)), session, asker)

    # --- pieces of it -----------------------------------------------------------------------------------------------

    def _disabled(self, at: Desk, authority: Authority) -> ProviderRemoved | Refused:
        try:
            with self._uow.savepoint():
                return self._connecting.disable(at, authority)
        except Declined as declined:
            return declined.answer

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
            recipients=() if code is not None else self._connecting.owners(tx, organization),
        )

    def _unprovisioned(self, session: BrowserSession, organization: OrganizationId) -> Refused | None:
        with self._uow.begin() as tx:
            asker = self._sessions.identify(session, self._clock.now())
            code = self._partner(tx, asker, organization).refusal
            return None if code is None else carried(Refused(code=code), session, asker)

    def _provisioned(
        self, session: BrowserSession, context: Context, organization: OrganizationId, kind: Kind, proposal: Proposal
    ) -> ProviderAdded | Refused:
        with self._uow.begin() as tx:
            asker = self._sessions.identify(session, self._clock.now(), lock=True)
            at, authority = self._desk(tx, asker, context, organization), self._partner(tx, asker, organization)
            if authority.refusal is not None:
                return carried(Refused(code=authority.refusal), session, asker)
            try:
                with self._uow.savepoint():
                    return carried(self._connecting.provision(at, kind, proposal, authority), session, asker)
            except Declined as declined:
                return carried(declined.answer, session, asker)
            except UniqueViolated as violated:
                if violated.rule not in EXISTS:
                    raise
            return carried(Refused(code=Code.SSO_PROVIDER_EXISTS), session, asker)
