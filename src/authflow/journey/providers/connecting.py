"""Writing an organization's provider: what connecting, editing and disabling it do, in one transaction each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import attrs

from authflow.errors import Code, InputInvalid
from authflow.facts.records import MailKind
from authflow.facts.sso import MembersToMail, RequirementChanged, SignOnRefused
from authflow.journey.door import Declined, expect, need
from authflow.journey.providers.answers import ProviderAdded, ProviderRemoved, ProviderSaved
from authflow.journey.providers.orders import Proposal
from authflow.membership.changes import FlagGroup
from authflow.membership.standing import MemberFlag, may_manage, role_in
from authflow.recording import shown
from authflow.sessions.commands import SignedIn
from authflow.sso.authority import Authority
from authflow.sso.connection import Connected, NoProvider, Settings
from authflow.sso.difference import compare
from authflow.sso.grounds import Attached, OwnSession
from authflow.sso.opening import UNKNOWN_ROLE
from authflow.sso.provider import MACHINE
from authflow.sso.provider_commands import (
    Connect,
    Disable,
    ProviderConnected,
    ProviderDisabled,
    ProviderEdited,
    Provision,
)
from authflow.sso.sealing import canonical, proposal_binding, provider_key, settings_binding
from authflow.values import Method, Proof, ProviderId, Refused

if TYPE_CHECKING:
    from authflow.journey.ports import JourneyTransaction
    from authflow.journey.providers.orders import Order
    from authflow.machine import Fact
    from authflow.membership.service import Membership
    from authflow.policy import Policy
    from authflow.ports import Stored, UnitOfWork
    from authflow.recording import Recorder
    from authflow.sessions.service import Sessions
    from authflow.sso.connection import Provider
    from authflow.sso.kinds import Document, Kind
    from authflow.sso.pipeline import Handle
    from authflow.sso.provider import ProviderStep
    from authflow.sso.provider_commands import Command, Configure, Edit
    from authflow.sso.service import Links
    from authflow.sso.service.connected import ConnectedProviders
    from authflow.sso.service.departures import Departures
    from authflow.sso.service.desk import Desk
    from authflow.sso.setup import Stands, Tried
    from authflow.values import Address, Asker, BrowserSession, OrganizationId


NONE_YET: Final = ProviderId("")
"""The provider of a setup: it has no row, and perhaps never will."""


@attrs.frozen(kw_only=True)
class Connecting:
    """What commands do to providers; every method runs in its caller's transaction."""

    uow: UnitOfWork[JourneyTransaction]
    recorder: Recorder
    sessions: Sessions
    membership: Membership
    desk: Desk
    connected: ConnectedProviders
    links: Links
    departures: Departures
    policy: Policy

    # --- who may --------------------------------------------------------------------------------------------------

    def authority(self, tx: JourneyTransaction, asker: Asker, organization: OrganizationId) -> Authority:
        """Return who commands, as they are right now, with everybody who owns the organization to be told."""
        standing = self.membership.authority(asker, organization=organization)
        refusal = may_manage(standing)
        return Authority(
            user=standing.actor.person,
            refusal=refusal,
            owner=role_in(organization, standing.actor.membership) == self.policy.membership.roles[-1],
            elevated=asker.elevated,
            recipients=() if refusal is not None else self.owners(tx, organization),
        )

    def owners(self, tx: JourneyTransaction, organization: OrganizationId) -> tuple[Address, ...]:
        """Return the verified addresses of everybody who owns *organization* (decision 5)."""
        members = tx.members.with_role(organization, self.policy.membership.roles[-1])
        people = (tx.users.get(member.user) for member in members)
        return tuple(address for person in people if person is not None for address in person.verified_addresses())

    def refused(self, at: Order, answer: Refused) -> None:
        """Write down that somebody who tried a proposed provider was refused: by it, or by us."""
        fact = SignOnRefused(organization=at.organization, provider=NONE_YET, code=answer.code.value)
        self._tell(at, (fact,))

    def proposal(self, kind: Kind, given: Proposal) -> Proposal | Refused:
        """Return what was *given*, as its kind reads it; no transaction is open."""
        config = self.config(kind, given.config)
        if isinstance(config, Refused):
            return config
        return attrs.evolve(given, config=config, name=given.name or kind.name)

    def config(self, kind: Kind, settings: Document) -> Document | Refused:
        """Return *settings* as their kind reads them, or what is wrong with them; no transaction is open."""
        try:
            return self.uow.outside(lambda: kind.read(settings))
        except InputInvalid as error:
            return Refused(code=Code.SSO_INPUT_INVALID, problems=dict(error.problems))

    # --- connecting -------------------------------------------------------------------------------------------------

    def connect(
        self, at: Order, session: BrowserSession, handle: Handle, stands: Stands, authority: Authority
    ) -> ProviderAdded:
        """Let the provider that *authority* tried stand, link it to them, and sign them on (sso 8).

        Raises:
            Declined: The organization's second factor is required elsewhere than in its row.
            UniqueViolated: Another one was connected at this very moment.
        """
        kind = self.kind(handle.kind)
        opened = self.desk.vault.open(stands.proposal, proposal_binding(handle.id))
        made = self._made(at, kind, handle.provider, Proposal(**opened), partner=False)
        added = self._added(at, Connect(authority=authority, provider=made))
        person = at.tx.users.get(stands.user)
        if person is None:
            raise Declined(Refused(code=Code.SESSION_USER_INACTIVE))
        ground = OwnSession(user=person.id, elevated=authority.elevated)
        linked = self.links.attach(at.tx, person, stands.identity, ground, at.now)
        link = expect(linked.answer, Attached).link
        self._tell(at, (*linked.facts, self._mailing(at, made.id, MailKind.SSO_LINK_ACCOUNT)))
        self.membership.set_flags(
            at.asker,
            at.context,
            organization=at.organization,
            user=person.id,
            group=FlagGroup.SSO,
            flags=MemberFlag.SSO_LINKED,
        )
        mark = Proof(method=Method.SSO, at=at.now, organization=at.organization, provider=made.id, link=link.id)
        arrived = expect(self.sessions.establish(session, at.context, user=person.id, proof=mark), SignedIn)
        self.departures.remember(at.tx, made, stands.identity, link, arrived.session.id)
        return attrs.evolve(added, link=link.id, session=arrived.session)

    def confirms(self, tried: Tried) -> bool:
        """Tell whether the provider that was *tried* can be asked again: its settings say so, and it gave with what."""
        kind = self.desk.kinds.get(tried.handle.kind)
        if kind is None or tried.identity.memory is None:
            return False
        opened = self.desk.vault.open(tried.proposal, proposal_binding(tried.handle.id))
        return kind.can_confirm(opened["config"])

    def provision(self, at: Order, kind: Kind, proposal: Proposal, authority: Authority) -> ProviderAdded:
        """Let a partner's provider stand, untried; whoever asks twice is told the same.

        Raises:
            Declined: As of `connect`; or another provider stands, or *proposal* is of another.
            UniqueViolated: As of `connect`.
        """
        stored = at.tx.providers.load(at.organization, lock=True)
        stands = stored.state
        if isinstance(stands, NoProvider):
            key = provider_key(at.organization, kind, proposal.config)
            made = self._made(at, kind, key, proposal, partner=True)
            return self._added(at, Provision(authority=authority, provider=made))
        config = self.connected.settings(stands) if stands.kind == kind.key else {}
        settings = attrs.evolve(self.anew(stands, kind, config, proposal.config), **proposal.decided())
        command = Provision(
            authority=authority,
            provider=attrs.evolve(stands, kind=kind.key, name=proposal.name, settings=settings),
            difference=compare(kind, config, proposal.config, given=proposal.config),
        )
        need(self.change(at, stored, command))
        return ProviderAdded(organization=at.organization, provider=stands.id, link=None, lifted=stands.lifted)

    # --- changing and disabling -------------------------------------------------------------------------------------

    def change(
        self, at: Order, stored: Stored[Provider], command: Edit | Configure | Provision
    ) -> ProviderSaved | Refused:
        """Store what the table makes of *command*, and what follows for members and links."""
        step = self._step(at, stored, command)
        if not isinstance(step.answer, ProviderEdited):
            return expect(step.answer, Refused)
        made = step.answer.provider
        if "scim" in step.answer.changed and not made.settings.scim:  # what makes no members any more governs none
            self.membership.clear_flags(at.organization, FlagGroup.IDP)
        forgotten = at.tx.links.forget_memories(made.id) if step.answer.forgets else 0
        return ProviderSaved(provider=made.id, changed=step.answer.changed, forgotten=forgotten)

    def anew(self, stands: Connected, kind: Kind, before: Document, after: Document) -> Settings:
        """Return the settings that stand with *after* for the kind's; the same is not sealed anew: it would differ."""
        if canonical(before) == canonical(after):
            return stands.settings
        return attrs.evolve(
            stands.settings,
            config=self.desk.vault.seal(after, settings_binding(stands.organization, stands.id)),
            steps=self.desk.new_steps(),
            confirms=kind.can_confirm(after),
        )

    def disable(self, at: Order, authority: Authority) -> ProviderRemoved | Refused:
        """Take the provider away, with its links and everybody's flags; the requirement that it lifted comes back."""
        stored = at.tx.providers.load(at.organization, lock=True)
        step = self._step(at, stored, Disable(authority=authority))
        if not isinstance(step.answer, ProviderDisabled):
            return expect(step.answer, Refused)
        at.tx.former_subjects.remember_all(step.answer.provider)
        gone = at.tx.links.remove_of_provider(step.answer.provider)
        self.membership.clear_flags(at.organization, FlagGroup.SSO, FlagGroup.IDP)
        if step.answer.restored:
            self._require_second_factor(at, required=True)
        self._tell(at, (self._mailing(at, step.answer.provider, MailKind.SSO_ENDED),))
        return ProviderRemoved(provider=step.answer.provider, links=len(gone), restored=step.answer.restored)

    def remind(self, at: Order, provider: Connected) -> None:
        """Have every member without a link mailed."""
        self._tell(at, (self._mailing(at, provider.id, MailKind.SSO_LINK_ACCOUNT),))

    def unknown_role(self, role: str | None) -> Refused | None:
        """Return why nobody can have *role*, or none: it is given, and none of this installation's."""
        return (
            None
            if self.knows_role(role)
            else Refused(code=Code.SSO_INPUT_INVALID, problems={"default_role": UNKNOWN_ROLE})
        )

    def knows_role(self, role: str | None) -> bool:
        """Tell whether newcomers can get *role*; none is the organization's own."""
        return role is None or self.policy.membership.rank(role) is not None

    # --- pieces ---------------------------------------------------------------------------------------------------

    def kind(self, key: str) -> Kind:
        """Return the kind.

        Raises:
            Declined: This installation does not know it.
        """
        found = self.desk.kinds.get(key)
        if found is None:
            raise Declined(Refused(code=Code.SSO_KIND_UNKNOWN))
        return found

    def _added(self, at: Order, command: Connect | Provision) -> ProviderAdded:
        made, step = command.provider, MACHINE.step(NoProvider(), command, at.now)
        if not isinstance(step.answer, ProviderConnected):
            raise Declined(expect(step.answer, Refused))
        if made.lifted:
            self._require_second_factor(at, required=False)
        at.tx.providers.save(at.organization, made, expected=0)
        self._tell(at, step.facts)
        return ProviderAdded(organization=at.organization, provider=made.id, link=None, lifted=made.lifted)

    def _made(self, at: Order, kind: Kind, key: ProviderId, proposal: Proposal, *, partner: bool) -> Connected:
        place = at.tx.organizations.get(at.organization)
        needed = place is not None and place.require_second_factor
        settings = Settings(
            **proposal.decided(),
            config=self.desk.vault.seal(proposal.config, settings_binding(at.organization, key)),
            steps=self.desk.new_steps(),
            confirms=kind.can_confirm(proposal.config),
        )
        return Connected(
            id=key,
            organization=at.organization,
            kind=kind.key,
            name=proposal.name,
            settings=settings,
            partner=partner,
            lifted=self.policy.sso.exclusive_second_factor and needed,
            connected_at=at.now,
        )

    def _require_second_factor(self, at: Order, *, required: bool) -> None:
        if not at.tx.organizations.demand_second_factor(at.organization, required=required):
            raise Declined(Refused(code=Code.SSO_REQUIREMENT_FIXED))
        reason = "provider_disabled" if required else "provider_connected"
        changed = RequirementChanged(organization=at.organization, require_second_factor=required, reason=reason)
        self._tell(at, (changed,))

    def _step(self, at: Order, stored: Stored[Provider], command: Command) -> ProviderStep:
        step = MACHINE.step(stored.state, command, at.now)
        if step.state != stored.state:
            at.tx.providers.save(at.organization, step.state, expected=stored.version)
        self._tell(at, step.facts)
        return step

    def _mailing(self, at: Order, provider: ProviderId, mail: MailKind) -> Fact:
        return MembersToMail(
            organization=at.organization, provider=provider, mail=mail.value, after="", actor=shown(at.asker.label)
        )

    def _tell(self, at: Order, facts: tuple[Fact, ...]) -> None:
        self.recorder.record(at.tx, facts, asker=at.asker, context=at.context, now=at.now)
