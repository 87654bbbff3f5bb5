"""Providers on every database: the same story, and one winner among admins."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from authflow import (
    Code,
    LinksRechecked,
    MembersReminded,
    ProviderAdded,
    ProviderRemoved,
    ProviderSaved,
    ProviderTried,
    SentAway,
)
from authflow.facts.records import Audit
from authflow.membership.standing import MemberFlag
from authflow.policy import Policy, SsoPolicy
from authflow.testing.races import race, tally
from tests.backends import BACKENDS
from tests.faces import FACES
from tests.journey.sso_stage import SsoStage
from tests.stage import CONTEXT

if TYPE_CHECKING:
    from authflow.values import OrganizationId, Secret
    from tests.stage import Person

EXCLUSIVE = Policy(sso=SsoPolicy(exclusive_second_factor=True))


@pytest.fixture(params=(*BACKENDS, *FACES))
def stage(request: pytest.FixtureRequest) -> SsoStage:
    uow = request.getfixturevalue(f"{request.param}_uow")
    if request.param not in FACES:
        return SsoStage(uow, EXCLUSIVE)
    host, awaited = uow
    return SsoStage(host, EXCLUSIVE, face=(awaited, request.getfixturevalue("loop")))


def tried(stage: SsoStage, owner: Person, organization: OrganizationId, subject: str) -> Secret:
    """Let *owner* propose a provider and sign in through it."""
    stage.idp.person(subject)
    browser, flows = owner.browser, stage.flows.providers
    away = browser.ask(
        flows.start_setup, CONTEXT, organization=organization, kind="fake", settings={"client_secret": "hush"}
    )
    assert isinstance(away, SentAway), away
    callback = stage.idp.answer(away.url, subject)
    answer = browser.ask(flows.resume, CONTEXT, pipeline=away.pipeline, callback=callback)
    assert isinstance(answer, ProviderTried), answer
    return away.pipeline


def act(stage: SsoStage, person: Person, command: str, organization: OrganizationId, **given: Any) -> Any:
    return person.browser.ask(getattr(stage.flows.providers, command), CONTEXT, organization=organization, **given)


# --- the same story everywhere ----------------------------------------------------------------------------------------


def test_connecting_keeping_asking_again_and_taking_away(stage: SsoStage):
    stage.idp.secret = True
    acme = stage.organization(require_second_factor=True)
    olga, ben = stage.owner(acme), stage.person("ben@example.com")
    stage.flows.members.add(CONTEXT, organization=acme, user=ben.user)
    pipeline = tried(stage, olga, acme, "00u1")
    added = olga.browser.ask(stage.flows.providers.confirm, CONTEXT, pipeline=pipeline)
    assert isinstance(added, ProviderAdded), added
    assert (added.lifted, stage.organization_of(acme).require_second_factor) == (True, False)
    assert olga.browser.ask(stage.flows.sso.access, organization=acme).met
    assert olga.browser.ask(stage.flows.providers.view, organization=acme).secrets == {"client_secret"}
    assert isinstance(act(stage, olga, "remind", acme), MembersReminded)
    assert isinstance(act(stage, olga, "configure", acme, required=False), ProviderSaved)
    assert isinstance(
        act(stage, olga, "edit", acme, settings={"url": "https://idp.example", "client_secret": "new"}), ProviderSaved
    )
    stage.clock.advance(stage.policy.sso.mark_life)
    assert stage.flows.upkeep.recheck_links() == LinksRechecked(confirmed=1)
    stage.elevate(olga)
    stage.flows.relay.drain_until_quiet()
    gone = act(stage, olga, "disable", acme)
    assert isinstance(gone, ProviderRemoved), gone
    assert (gone.links, gone.restored) == (1, True)
    assert stage.organization_of(acme).require_second_factor
    assert stage.links_of(olga.user) == ()
    assert stage.member(olga.user, acme).flags == MemberFlag.NONE  # type: ignore[union-attr]  # they are a member
    stage.flows.relay.drain_until_quiet()
    assert sorted(str(mail.kind) for mail in stage.mailer.sent if mail.to == "ben@example.com") == [
        "sso_ended",
        "sso_link_account",
        "sso_link_account",
    ]


# --- one winner -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("workers", [2, 16])
@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_of_many_admins_who_confirm_one_connects(database: str, workers: int, request: pytest.FixtureRequest):
    """Section 8, invariant 5: the others are told that there is a provider, and nothing of theirs stands."""
    stage = SsoStage(request.getfixturevalue(f"{database}_uow"))
    acme = stage.organization()
    owners = [stage.owner(acme, f"o{number}@example.com") for number in range(workers)]
    pipelines = [tried(stage, owner, acme, f"00u{number}") for number, owner in enumerate(owners)]
    sessions = [owner.browser.session for owner in owners]
    confirm = stage.flows.providers.confirm
    answers = race(workers, lambda n: confirm(sessions[n], CONTEXT, pipeline=pipelines[n]))
    told = tally(answers)
    assert told["ProviderAdded"] == 1, told
    assert told.keys() <= {"ProviderAdded", Code.SSO_PROVIDER_EXISTS, Code.ORGANIZATION_SSO_REQUIRED}, told
    assert sum(len(stage.links_of(owner.user)) for owner in owners) == 1
    assert stage.audited_in(acme).count(Audit.SSO_ENABLE) == 1
    flagged = [m for m in stage.members(acme) if MemberFlag.SSO_LINKED in m.flags]
    assert len(flagged) == 1
