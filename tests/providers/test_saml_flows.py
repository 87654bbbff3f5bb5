"""A SAML provider behind the flows: an owner connects it, somebody new comes in, no answer counts twice (row 20)."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

import pytest

from authflow import Code, Refused, SecondFactorOwed
from authflow.adapters.memory.unit_of_work import MemoryUnitOfWork
from authflow.adapters.providers.saml import Saml2
from authflow.journey.providers.answers import ProviderAdded, ProviderTried
from authflow.journey.sso.answers import AnswerKept, ChoiceOwed, MailSent, SentAway
from authflow.sso.case import Choice
from authflow.sso.kinds import Callback, Departure, Kinds
from authflow.testing.browsers import Browser, installed
from authflow.testing.clocks import SeededEntropy
from authflow.testing.saml import FakeSamlProvider, SamlFault, SamlPerson
from tests.journey.sso_stage import SsoStage
from tests.providers.saml.stage import Library, keys

if TYPE_CHECKING:
    from authflow.adapters.keys import KeyRing
    from authflow.policy import Policy
    from authflow.values import OrganizationId
    from authflow.wiring import Authflow

OLGA = SamlPerson(subject="00u1", email="olga@idp.example", first_name="Olga")
GRACE = SamlPerson(subject="00u2", email="grace@idp.example", first_name="Grace", last_name="Hopper")


class SamlStage(SsoStage):
    """`SsoStage` with the real kind, and a provider that nobody but this test has."""

    def _over(self, uow: Any, ring: KeyRing, policy: Policy | None) -> Authflow:
        return installed(
            uow,
            clock=self.clock,
            entropy=self.entropy,
            mailer=self.mailer,
            ring=ring,
            policy=policy or self.policy,
            kinds=Kinds(Saml2(fetcher=Library(), entropy=SeededEntropy("saml"))),
        )

    @cached_property
    def saml(self) -> FakeSamlProvider:
        return FakeSamlProvider(self.clock, keys=keys("idp"))

    def answered(self, away: SentAway, who: SamlPerson, fault: SamlFault | None = None) -> Callback:
        """Return what the browser would post that was sent *away*."""
        return self.saml.answer(Departure(url=away.url, form=away.form, request={}), who, fault)

    def connected(self) -> OrganizationId:
        """Let an owner connect the provider, by signing in through it."""
        acme = self.organization()
        olga, flows = self.owner(acme), self.flows.providers
        settings, at = self.saml.settings(), olga.browser
        away = at.ask(flows.start_setup, at.context, organization=acme, kind="saml2", settings=settings)
        assert isinstance(away, SentAway), away
        tried = at.ask(flows.resume, at.context, pipeline=away.pipeline, callback=self.answered(away, OLGA))
        assert isinstance(tried, ProviderTried), tried
        assert (tried.subject, tried.email) == (OLGA.subject, OLGA.email)
        assert isinstance(at.ask(flows.confirm, at.context, pipeline=away.pipeline), ProviderAdded)
        return acme


@pytest.fixture
def stage() -> SamlStage:
    return SamlStage(MemoryUnitOfWork())


def sent_away(stage: SamlStage, browser: Browser, acme: OrganizationId) -> SentAway:
    away = browser.ask(stage.flows.sso.start, browser.context, organization=acme)
    assert isinstance(away, SentAway), away
    return away


def test_somebody_new_comes_by_an_answer_that_was_posted_cross_site(stage: SamlStage):
    """SAML vouches for no mailbox: a new account waits until its mail was read."""
    acme, browser = stage.connected(), Browser()
    away = sent_away(stage, browser, acme)
    assert isinstance(stage.flows.sso.keep_answer(callback=stage.answered(away, GRACE)), AnswerKept)
    asked = browser.ask(stage.flows.sso.resume, browser.context, pipeline=away.pipeline)
    assert isinstance(asked, ChoiceOwed), asked
    assert (asked.email, asked.name) == (GRACE.email, "Grace Hopper")
    chosen = browser.ask(stage.flows.sso.choose, browser.context, pipeline=away.pipeline, choice=Choice.NEW_ACCOUNT)
    assert isinstance(chosen, MailSent), chosen


def come_back(stage: SamlStage, browser: Browser, away: SentAway, brought: Callback) -> Any:
    return browser.ask(stage.flows.sso.resume, browser.context, pipeline=away.pipeline, callback=brought)


def test_an_answer_counts_once_and_for_the_sign_in_that_asked(stage: SamlStage):
    acme, first, second = stage.connected(), Browser(), Browser()
    one, other = sent_away(stage, first, acme), sent_away(stage, second, acme)
    posted = stage.answered(one, OLGA)
    assert isinstance(come_back(stage, first, one, posted), SecondFactorOwed)
    stolen = Callback(fields={**posted.fields, "RelayState": stage.answered(other, OLGA).fields["RelayState"]})
    refused = come_back(stage, second, other, stolen)
    assert isinstance(refused, Refused)
    assert refused.code is Code.SSO_STATE_INVALID


def test_an_assertion_that_was_used_is_not_taken_again_though_all_else_is_new(stage: SamlStage):
    acme, first, second = stage.connected(), Browser(), Browser()
    one, other = sent_away(stage, first, acme), sent_away(stage, second, acme)
    assert isinstance(come_back(stage, first, one, stage.answered(one, OLGA)), SecondFactorOwed)
    del stage.saml  # the next one makes the same ids
    stage.answered(one, OLGA)
    refused = come_back(stage, second, other, stage.answered(other, OLGA))
    assert isinstance(refused, Refused)
    assert refused.code is Code.SSO_RESPONSE_REPLAYED


@pytest.mark.parametrize("fault", [SamlFault.UNASKED, SamlFault.WRAPPED, SamlFault.WRONG_AUDIENCE, SamlFault.TAMPERED])
def test_a_faulty_answer_signs_nobody_in(stage: SamlStage, fault: SamlFault):
    acme, browser = stage.connected(), Browser()
    away = sent_away(stage, browser, acme)
    brought = stage.answered(away, OLGA, fault)
    refused = browser.ask(stage.flows.sso.resume, browser.context, pipeline=away.pipeline, callback=brought)
    assert isinstance(refused, Refused)
    assert refused.why is not None
