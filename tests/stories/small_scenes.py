"""Scenes of crashes beside those of `crashing`: the commands that write a row or two, a host's own, and a timer's."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import attrs

from authflow import OutboxPolicy
from authflow.facts.records import Signal
from authflow.membership.changes import FlagGroup
from authflow.membership.standing import MemberFlag
from authflow.sso.recheck import Said
from authflow.sso.sealing import Vault, memory_binding
from authflow.testing.browsers import Browser
from tests.journey.sso_stage import SsoStage
from tests.stage import CONTEXT, SECURITY
from tests.stories.crashing import ACME, Ask, member, place, protected

if TYPE_CHECKING:
    from collections.abc import Callable

    from authflow.values import InvitationId, OrganizationId, ProjectId
    from tests.stage import Person, Stage

Timed: TypeAlias = "tuple[Callable[[], Any], Callable[[], Any]]"
"""What a timer calls, and what must be the same in the end however often it died."""

DAY: Final = timedelta(days=1)
BEN: Final = "ben@example.com"


def by(person: Person, command: Any, /, *args: Any, **given: Any) -> Ask:
    """Return *command* as *person* gives it, with the session value that they have now."""
    session = person.browser.session
    return lambda context: command(session, context, *args, **given)


# --- under a key ------------------------------------------------------------------------------------------------------


def show_totp(stage: Stage) -> Ask:
    ada = stage.person()
    stage.sign_in(ada)
    return by(ada, stage.flows.mfa.show_totp, stage.begin(ada).flow, account="ada")


def cancel_totp(stage: Stage) -> Ask:
    ada = stage.person()
    stage.sign_in(ada)
    return by(ada, stage.flows.mfa.cancel_totp, stage.begin(ada).flow)


def rename(stage: Stage) -> Ask:
    ada = protected(stage)
    return by(ada, stage.flows.mfa.rename, ada.factor, name="Work")


def cancel(stage: Stage) -> Ask:
    ada = protected(stage)
    stage.sign_in(ada)  # and the second factor is owed
    return by(ada, stage.flows.sessions.cancel)


def end_others(stage: Stage) -> Ask:
    ada = stage.person()
    stage.sign_in(ada, Browser(CONTEXT))
    stage.sign_in(ada)
    return by(ada, stage.flows.sessions.end_others)


def export(stage: Stage) -> Ask:
    ada = protected(stage)
    return by(ada, stage.flows.accounts.export, user=ada.user)


def record_verified_address(stage: Stage) -> Ask:
    """Somebody else claims it too."""
    ada, eve = stage.person(verified=False), stage.person("eve@example.com")
    stage.give_address(eve.user, "ada@example.com", verified=False)
    stage.sign_in(ada)
    return by(ada, stage.flows.accounts.record_verified_address, user=ada.user, address="ada@example.com")


def _invited(stage: Stage) -> tuple[Person, InvitationId]:
    olga = place(stage)
    return olga, stage.invite(olga, ACME, BEN).invitation


def _asked_for(stage: Stage) -> tuple[Person, InvitationId]:
    """A member asks for somebody; the owner has yet to say what becomes of it."""
    olga, bob = place(stage), protected(stage, "bob@example.com")
    stage.flows.members.add(CONTEXT, organization=ACME, user=bob.user)
    asked = bob.browser.ask(stage.flows.invitations.request_invite, CONTEXT, organization=ACME, email=BEN)
    return olga, asked.invitation


def request_invite(stage: Stage) -> Ask:
    place(stage)
    bob = protected(stage, "bob@example.com")
    stage.flows.members.add(CONTEXT, organization=ACME, user=bob.user)
    return by(bob, stage.flows.invitations.request_invite, organization=ACME, email=BEN)


def request_join(stage: Stage) -> Ask:
    place(stage)
    return by(protected(stage), stage.flows.invitations.request_join, organization=ACME)


def approve(stage: Stage) -> Ask:
    olga, asked = _asked_for(stage)
    return by(olga, stage.flows.invitations.approve, organization=ACME, invitation=asked)


def reject(stage: Stage) -> Ask:
    olga, asked = _asked_for(stage)
    return by(olga, stage.flows.invitations.reject, organization=ACME, invitation=asked)


def resend(stage: Stage) -> Ask:
    olga, invited = _invited(stage)
    return by(olga, stage.flows.invitations.resend, organization=ACME, invitation=invited)


def withdraw(stage: Stage) -> Ask:
    olga, invited = _invited(stage)
    return by(olga, stage.flows.invitations.withdraw, organization=ACME, invitation=invited)


def change_role(stage: Stage) -> Ask:
    olga, where = member(stage)
    return by(olga, stage.flows.members.change_role, role="admin", **where)


def set_teams(stage: Stage) -> Ask:
    olga, where = member(stage)
    return by(olga, stage.flows.members.set_teams, teams=["web"], **where)


SMALL: Final[dict[str, Callable[[Stage], Ask]]] = {
    scene.__name__: scene
    for scene in (
        *(show_totp, cancel_totp, rename, cancel, end_others, export, record_verified_address),
        *(request_invite, request_join, approve, reject, resend, withdraw, change_role, set_teams),
    )
}


# --- a host's own: nobody's browser asks, and so there is no key ------------------------------------------------------


def add_member(stage: Stage) -> Ask:
    place(stage)
    ada = stage.person()
    return lambda context: stage.flows.members.add(context, organization=ACME, user=ada.user)


def set_flags(stage: Stage) -> Ask:
    place(stage)
    ada, flag = stage.person(), MemberFlag.MEMBER_LIMIT_RESTRICTED
    stage.flows.members.add(CONTEXT, organization=ACME, user=ada.user)
    change = stage.flows.members.set_flags
    return lambda context: change(context, organization=ACME, user=ada.user, group=FlagGroup.LIMIT, flags=flag)


def void_confirmations(stage: Stage) -> Ask:
    ada = stage.person(verified=False)
    stage.sign_in(ada)
    ada.browser.ask(stage.flows.accounts.send_confirmations, CONTEXT)
    return lambda _: stage.flows.accounts.void_confirmations(user=ada.user, address="ada@example.com")


def redrive(stage: Stage) -> Ask:
    """A message that a receiver could not take was set aside."""
    flows = stage.open(stage.ring, attrs.evolve(stage.policy, outbox=OutboxPolicy(attempts=1)))

    def fail(_: object) -> None:
        raise ConnectionError

    flows.receivers.add("crm", Signal.MEMBER_INVITED, fail)
    stage.flows.relay.drain_until_quiet()
    olga = place(stage)
    olga.browser.ask(stage.flows.invitations.invite, CONTEXT, organization=ACME, email=BEN)
    flows.relay.drain_until_quiet()
    parked = [each.queued.id for each in flows.outbox.parked()]
    assert len(parked) == 2, "one in each region"
    return lambda _: flows.outbox.redrive(parked)


HOSTS: Final[dict[str, Callable[[Stage], Ask]]] = {
    scene.__name__: scene for scene in (add_member, set_flags, void_confirmations, redrive)
}


# --- a timer's: several transactions, and whoever comes next goes on --------------------------------------------------


def sweep(stage: Stage) -> Timed:
    """A session, a proposal, an invitation and counts are over."""
    stage.invite(place(stage), ACME, BEN)
    eve = stage.person("eve@example.com")
    stage.sign_in(eve)
    stage.begin(eve)
    stage.clock.advance(stage.policy.membership.invitation_ttl + stage.policy.membership.ended_kept + DAY)
    return stage.flows.upkeep.sweep, lambda: {name: len(rows) for name, rows in sorted(stage.snapshot().items())}


def reseal(stage: Stage) -> Timed:
    """Two people's secrets, and afterwards both still open."""
    people = [protected(stage, address) for address in ("ada@example.com", "bob@example.com")]
    stage.ring = stage.ring.rotate(stage.entropy, stage.clock.now())
    stage.flows = stage.open(stage.ring)

    def opened() -> tuple[int, list[str]]:
        left = stage.flows.upkeep.reseal()
        return left, [type(stage.elevate(person, Browser(CONTEXT))).__name__ for person in people]

    return stage.flows.upkeep.reseal, opened


class Beside(SsoStage):
    """Over the rows of a stage that stands already."""

    def project(self, key: ProjectId, organization: OrganizationId, *, security: bool = True) -> ProjectId:
        return key if key == SECURITY else super().project(key, organization, security=security)


def recheck_links(stage: Stage) -> Timed:
    """Two people whom their provider revokes. Whose answer was lost is asked about again a day later."""
    there = Beside(stage.uow, stage.policy, stage.entropy)
    there.idp.secret, there.idp.said = True, Said.REVOKED
    acme = there.organization()
    there.connect(acme)
    people = [there.person(address) for address in ("ada@example.com", BEN)]
    for person in people:
        there.found(person, acme)
        link = there.link(person.user, acme, f"at-{person.user}"[:60])
        sealed = Vault(there.cipher).seal({"refresh_token": "r"}, memory_binding(link.provider, link.subject))
        with there.uow.begin() as tx:
            tx.links.save(link, attrs.evolve(link, memory=sealed))

    ask = there.flows.upkeep.recheck_links
    there.clock.advance(DAY)

    def standing() -> list[str]:
        there.clock.advance(DAY)
        ask()
        return [*(str(there.member(p.user, acme)) for p in people), *there.audited_in(acme)]

    return ask, standing


TIMED: Final[dict[str, Callable[[Stage], Timed]]] = {scene.__name__: scene for scene in (sweep, reseal, recheck_links)}
