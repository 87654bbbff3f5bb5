"""An organization's provider: one, its owners', and what disabling it gives back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
import pytest

from authflow.errors import Code
from authflow.facts import sso as facts
from authflow.sso.connection import Connected, NoProvider
from authflow.sso.difference import SAME, Difference
from authflow.sso.provider import MACHINE
from authflow.sso.provider_commands import (
    Configure,
    Connect,
    Disable,
    Edit,
    ProviderConnected,
    ProviderDisabled,
    ProviderEdited,
    Provision,
)
from authflow.testing import assert_complete
from authflow.testing.samples.links import MAILBOX, NOW
from authflow.testing.samples.pipelines import (
    AUTHORITIES,
    CONNECTED,
    DIFFERENCES,
    OTHER_CONFIG,
    OWNER,
    PARTNER,
    PROVIDER,
    SETTINGS,
)
from authflow.values import Refused, Role

if TYPE_CHECKING:
    from authflow.sso.connection import Settings

EXPLORED = PROVIDER.walk()
MANAGER, STALE = AUTHORITIES[2], AUTHORITIES[3]
PARTNERS = attrs.evolve(CONNECTED, partner=True)
MOVED, WITHHELD, RENAMED = DIFFERENCES[2:]
LOOSE = attrs.evolve(SETTINGS, required=False)


def edited(difference: Difference = SAME, **given: object) -> Edit:
    settings = SETTINGS if difference == SAME else attrs.evolve(SETTINGS, config=OTHER_CONFIG)
    return Edit(**{"authority": OWNER, "settings": settings, "difference": difference, **given})


def configured(settings: Settings = SETTINGS, **given: object) -> Configure:
    return Configure(**{"authority": OWNER, "name": CONNECTED.name, "settings": settings, **given})


def asked(command: object, state: object = CONNECTED) -> object:
    """Return the code of the refusal, or the answer."""
    answer = MACHINE.step(state, command, NOW).answer
    return answer.code if isinstance(answer, Refused) else answer


def test_the_whole_table_is_walked():
    assert_complete(MACHINE, EXPLORED)


def test_a_refusal_changes_nothing_and_reports_nothing():
    for step in EXPLORED.steps:
        if isinstance(step.answer, Refused):
            assert (step.target, step.facts) == (step.state, ())


def test_trust_is_changed_by_elevated_owners_alone():
    """Decision 5."""
    for step in EXPLORED.steps:
        manages = isinstance(step.command, Configure) or (
            isinstance(step.command, Edit) and step.command.difference == SAME
        )
        if not manages and not isinstance(step.answer, Refused):
            assert step.command.authority.owner
            assert step.command.authority.elevated
        if not isinstance(step.answer, Refused):
            assert step.command.authority.refusal is None


def test_what_opens_a_provider_is_proven_and_told_to_its_owners():
    """Decision 5, of every way in which more come in by it than did: whoever closes it needs no recent proof."""
    for step in EXPLORED.steps:
        if not isinstance(step.command, Configure) or not isinstance(step.answer, ProviderEdited):
            continue
        before, after, authority = step.state.settings, step.target.settings, step.command.authority
        raised = before.default_role != after.default_role and step.command.rank_after > step.command.rank_before
        admits = (after.newcomers and not before.newcomers) or (after.scim and not before.scim)
        lifts = before.required and not after.required
        opened = raised or admits or lifts
        assert authority.elevated or not opened
        assert authority.owner or not lifts
        assert [fact.recipients for fact in step.facts] == [authority.recipients if opened else ()] * len(step.facts)
        if (after.newcomers and not before.newcomers) or before.default_role != after.default_role:
            assert step.command.ungranted is None


@pytest.mark.parametrize(
    ("before", "after", "rank"),
    [
        (SETTINGS, LOOSE, 0),
        (attrs.evolve(SETTINGS, newcomers=False), SETTINGS, 0),
        (SETTINGS, attrs.evolve(SETTINGS, scim=True), 0),
        (SETTINGS, attrs.evolve(SETTINGS, default_role=Role("manager")), 1),
    ],
    ids=["required", "newcomers", "scim", "role"],
)
def test_each_way_to_open_takes_a_recent_proof_and_its_way_back_none(before: Settings, after: Settings, rank: int):
    state = attrs.evolve(CONNECTED, settings=before)
    there = configured(after, authority=STALE, rank_after=rank, provisions=True)
    assert asked(there, state) is Code.SESSION_ELEVATION_REQUIRED
    assert isinstance(asked(attrs.evolve(there, authority=OWNER), state), ProviderEdited)
    back = configured(before, authority=STALE, rank_before=rank)
    assert isinstance(asked(back, attrs.evolve(CONNECTED, settings=after)), ProviderEdited)


def test_a_manager_requires_it_and_an_owner_alone_does_not_any_more():
    """Not to require it takes nearly as much away as to disable it."""
    assert asked(configured(LOOSE, authority=MANAGER)) is Code.MEMBERSHIP_FORBIDDEN
    assert isinstance(asked(configured(authority=MANAGER), attrs.evolve(CONNECTED, settings=LOOSE)), ProviderEdited)


def test_a_role_that_one_may_not_grant_is_refused_where_it_would_be_given():
    """Decision 36; whoever changes something else is not asked about it."""
    role, refused = attrs.evolve(SETTINGS, default_role=Role("owner")), Code.ROLE_NOT_ALLOWED
    closed = attrs.evolve(CONNECTED, settings=attrs.evolve(SETTINGS, newcomers=False))
    for rank in (0, 9):
        assert asked(configured(role, ungranted=refused, rank_after=rank)) is refused
    assert asked(configured(SETTINGS, ungranted=refused), closed) is refused
    assert isinstance(asked(configured(LOOSE, ungranted=refused)), ProviderEdited)


# --- editing ----------------------------------------------------------------------------------------------------------


def test_refusals_of_an_edit_stand_in_one_order():
    """Who may; whose it is; whether it is what was read; who may change that much; then what is wrong with it."""
    nobody = AUTHORITIES[1]
    worst = edited(RENAMED, authority=nobody, overtaken=True)
    assert asked(worst, PARTNERS) is nobody.refusal
    assert asked(attrs.evolve(worst, authority=MANAGER), PARTNERS) is Code.SSO_PARTNER_LOCKED
    assert asked(attrs.evolve(worst, authority=MANAGER)) is Code.SSO_PROVIDER_CHANGED
    assert asked(edited(RENAMED, authority=MANAGER)) is Code.MEMBERSHIP_FORBIDDEN
    assert asked(edited(RENAMED, authority=STALE)) is Code.SESSION_ELEVATION_REQUIRED
    for difference, names in ((RENAMED, {"issuer"}), (WITHHELD, {"client_secret"})):
        refused = MACHINE.step(CONNECTED, edited(difference), NOW).answer
        assert isinstance(refused, Refused)
        assert (refused.code, refused.problems.keys()) == (Code.SSO_INPUT_INVALID, names)


def test_whose_names_the_subjects_are_is_never_changed_and_no_secret_goes_where_nobody_sent_it():
    for step in EXPLORED.steps:
        if isinstance(step.command, Edit | Provision) and isinstance(step.answer, ProviderEdited):
            assert not step.command.difference.naming
            assert not step.command.difference.withheld


def test_links_forget_what_would_go_elsewhere_than_whence_it_came():
    """RFC 6749 10.4: a refresh token is between its client and the server that issued it."""
    for step in EXPLORED.steps:
        if isinstance(step.answer, ProviderEdited):
            moves = isinstance(step.command, Edit | Provision) and step.command.difference.forgets
            assert step.answer.forgets == moves


def test_nobody_overwrites_what_they_never_saw():
    for step in EXPLORED.steps:
        if isinstance(step.command, Edit) and step.command.overtaken:
            assert isinstance(step.answer, Refused)
    assert asked(edited(overtaken=True)) is Code.SSO_PROVIDER_CHANGED


def test_a_partner_provisions_what_is_theirs_of_the_same_kind_and_keeps_what_is_decided_elsewhere():
    scim = attrs.evolve(PARTNERS, settings=attrs.evolve(SETTINGS, scim=True))
    wanted = attrs.evolve(PARTNERS, name="Theirs", settings=LOOSE)
    again = Provision(authority=PARTNER, provider=wanted, difference=MOVED)
    step = MACHINE.step(scim, again, NOW)
    assert step.state == attrs.evolve(wanted, settings=attrs.evolve(LOOSE, scim=True))
    assert isinstance(step.answer, ProviderEdited)
    assert (step.answer.changed, step.answer.forgets) == (("name", "required"), True)
    assert asked(again) is Code.SSO_PROVIDER_EXISTS
    assert asked(again, attrs.evolve(PARTNERS, kind="saml2")) is Code.SSO_PROVIDER_EXISTS
    assert asked(attrs.evolve(again, authority=OWNER), PARTNERS) is Code.SSO_PARTNER_LOCKED
    assert asked(Provision(authority=OWNER, provider=PARTNERS), NoProvider()) is Code.SSO_PARTNER_LOCKED
    assert asked(Provision(authority=PARTNER, provider=PARTNERS), NoProvider()) == ProviderConnected(provider=PARTNERS)


# --- the one that there is --------------------------------------------------------------------------------------------


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
    ("command", "changed"),
    [
        (edited(), ()),
        (edited(MOVED), ("config",)),
        (configured(name="Another name"), ("name",)),
        (configured(attrs.evolve(LOOSE, scim=True), provisions=True), ("required", "scim")),
        (configured(attrs.evolve(SETTINGS, newcomers=False, default_role=Role("a"))), ("newcomers", "default_role")),
    ],
)
def test_a_change_says_what_is_different(command: Edit | Configure, changed: tuple[str, ...]):
    step = MACHINE.step(CONNECTED, command, NOW)
    assert isinstance(step.answer, ProviderEdited)
    assert step.answer.changed == changed
    assert len(step.facts) == bool(changed)


def test_scim_goes_on_where_it_is_served_and_nowhere_else():
    """4.7: from whatever stood, by whoever asks; what is on stays on, and goes off anywhere."""
    for step in EXPLORED.steps:
        on = isinstance(step.state, Connected) and isinstance(step.target, Connected) and step.target.settings.scim
        if on and not step.state.settings.scim:
            assert step.command.provisions
    served = attrs.evolve(SETTINGS, scim=True)
    assert isinstance(asked(configured(authority=MANAGER), attrs.evolve(CONNECTED, settings=served)), ProviderEdited)
    assert asked(configured(served)) is Code.SSO_SCIM_UNAVAILABLE


@pytest.mark.parametrize("command", [Disable(authority=OWNER), edited(), configured()], ids=lambda c: type(c).__name__)
def test_what_a_partner_provisioned_is_the_partners(command: Disable | Edit | Configure):
    """And nothing else is: an administrator does not change by this way what an owner connected."""
    theirs = attrs.evolve(command, authority=PARTNER)
    assert asked(command, PARTNERS) is Code.SSO_PARTNER_LOCKED
    assert isinstance(asked(theirs, PARTNERS), ProviderEdited | ProviderDisabled)
    assert asked(theirs) is Code.SSO_PARTNER_LOCKED


@pytest.mark.parametrize("lifted", [True, False])
def test_disabling_gives_back_what_connecting_took(*, lifted: bool):
    """Decision 26."""
    step = MACHINE.step(attrs.evolve(CONNECTED, lifted=lifted), Disable(authority=OWNER), NOW)
    assert step.state == NoProvider()
    assert step.answer == ProviderDisabled(provider=CONNECTED.id, restored=lifted)


@pytest.mark.parametrize("command", [Disable(authority=OWNER), edited(), configured()], ids=lambda c: type(c).__name__)
def test_what_is_not_there_is_not_changed(command: Disable | Edit | Configure):
    assert asked(command, NoProvider()) is Code.SSO_NO_PROVIDER


def test_every_step_ends_with_one_provider_or_none():
    assert {type(step.target) for step in EXPLORED.steps} == {NoProvider, Connected}
