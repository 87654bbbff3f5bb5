"""An organization's provider: one, its owners', and what disabling it gives back."""

from __future__ import annotations

import attrs
import pytest

from authflow.errors import Code
from authflow.facts import sso as facts
from authflow.sso.provider import (
    MACHINE,
    Connect,
    Connected,
    Disable,
    Edit,
    NoProvider,
    ProviderConnected,
    ProviderDisabled,
    ProviderEdited,
)
from authflow.testing import assert_complete
from authflow.testing.samples.links import MAILBOX, NOW
from authflow.testing.samples.pipelines import (
    AUTHORITIES,
    CONNECTED,
    OTHER_CONFIG,
    OWNER,
    PARTNER,
    PROVIDER,
    SETTINGS,
)
from authflow.values import Refused

EXPLORED = PROVIDER.walk()
MANAGER = AUTHORITIES[2]
PARTNERS = attrs.evolve(CONNECTED, partner=True)


def test_the_whole_table_is_walked():
    assert_complete(MACHINE, EXPLORED)


def test_a_refusal_changes_nothing_and_reports_nothing():
    for step in EXPLORED.steps:
        if isinstance(step.answer, Refused):
            assert (step.target, step.facts) == (step.state, ())


def test_trust_is_changed_by_elevated_owners_alone():
    """Decision 5."""
    for step in EXPLORED.steps:
        trusts = not isinstance(step.command, Edit) or step.command.trust
        if trusts and not isinstance(step.answer, Refused):
            assert step.command.authority.owner
            assert step.command.authority.elevated
            assert step.command.authority.refusal is None


def test_an_organization_has_one_provider():
    """Invariant 5."""
    step = MACHINE.step(CONNECTED, Connect(authority=OWNER, provider=CONNECTED), NOW)
    assert step.answer == Refused(code=Code.SSO_PROVIDER_EXISTS)


def test_connecting_tells_all_owners():
    step = MACHINE.step(NoProvider(), Connect(authority=OWNER, provider=CONNECTED), NOW)
    assert (step.state, step.answer) == (CONNECTED, ProviderConnected(provider=CONNECTED))
    (fact,) = step.facts
    assert isinstance(fact, facts.ProviderConnected)
    assert (fact.user, fact.recipients, fact.lifted) == (OWNER.user, (MAILBOX,), False)


@pytest.mark.parametrize(
    ("settings", "changed"),
    [
        (SETTINGS, ()),
        (attrs.evolve(SETTINGS, required=False, scim=True), ("required", "scim")),
        (attrs.evolve(SETTINGS, newcomers=False, config=OTHER_CONFIG), ("newcomers", "config")),
    ],
)
def test_an_edit_says_what_changed(settings: object, changed: tuple[str, ...]):
    step = MACHINE.step(CONNECTED, Edit(authority=OWNER, settings=settings, trust=True, provisions=True), NOW)
    assert isinstance(step.answer, ProviderEdited)
    assert step.answer.changed == changed
    assert len(step.facts) == bool(changed)


def test_scim_goes_on_where_it_is_served_and_nowhere_else():
    """4.7: from whatever stood, by whoever asks; what is on stays on, and goes off anywhere."""
    for step in EXPLORED.steps:
        on = isinstance(step.state, Connected) and isinstance(step.target, Connected) and step.target.settings.scim
        if on and not step.state.settings.scim:
            assert step.command.provisions
    on = attrs.evolve(CONNECTED, settings=attrs.evolve(SETTINGS, scim=True))
    off = Edit(authority=MANAGER, settings=SETTINGS, trust=False)
    assert isinstance(MACHINE.step(on, off, NOW).answer, ProviderEdited)
    again = Edit(authority=MANAGER, settings=attrs.evolve(SETTINGS, scim=True), trust=False)
    assert MACHINE.step(CONNECTED, again, NOW).answer == Refused(code=Code.SSO_SCIM_UNAVAILABLE)


def test_a_manager_says_who_must_use_it_and_nothing_that_is_believed_of_it():
    loose = attrs.evolve(SETTINGS, required=False)
    edited = MACHINE.step(CONNECTED, Edit(authority=MANAGER, settings=loose, trust=False), NOW)
    assert isinstance(edited.answer, ProviderEdited)
    trusting = Edit(authority=MANAGER, settings=attrs.evolve(SETTINGS, config=OTHER_CONFIG), trust=True)
    assert MACHINE.step(CONNECTED, trusting, NOW).answer == Refused(code=Code.MEMBERSHIP_FORBIDDEN)


@pytest.mark.parametrize("command", [Disable(authority=OWNER), Edit(authority=OWNER, settings=SETTINGS, trust=False)])
def test_what_a_partner_provisioned_is_the_partners(command: Disable | Edit):
    """And nothing else is: an administrator does not change by this way what an owner connected."""
    locked = Refused(code=Code.SSO_PARTNER_LOCKED)
    theirs = attrs.evolve(command, authority=PARTNER)
    assert MACHINE.step(PARTNERS, command, NOW).answer == locked
    assert not isinstance(MACHINE.step(PARTNERS, theirs, NOW).answer, Refused)
    assert MACHINE.step(CONNECTED, theirs, NOW).answer == locked


@pytest.mark.parametrize("lifted", [True, False])
def test_disabling_gives_back_what_connecting_took(*, lifted: bool):
    """Decision 26."""
    step = MACHINE.step(attrs.evolve(CONNECTED, lifted=lifted), Disable(authority=OWNER), NOW)
    assert step.state == NoProvider()
    assert step.answer == ProviderDisabled(provider=CONNECTED.id, restored=lifted)


@pytest.mark.parametrize("command", [Disable(authority=OWNER), Edit(authority=OWNER, settings=SETTINGS, trust=False)])
def test_what_is_not_there_is_not_changed(command: Disable | Edit):
    assert MACHINE.step(NoProvider(), command, NOW).answer == Refused(code=Code.SSO_NO_PROVIDER)


def test_every_step_ends_with_one_provider_or_none():
    assert {type(step.target) for step in EXPLORED.steps} == {NoProvider, Connected}
