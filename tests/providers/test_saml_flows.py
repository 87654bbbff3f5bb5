"""A SAML provider behind the flows: an owner connects it, somebody new comes in, no answer counts twice (row 20)."""

from __future__ import annotations

from typing import Any

import pytest

from authflow import Code, Refused, SecondFactorOwed
from authflow.adapters.memory.unit_of_work import MemoryUnitOfWork
from authflow.journey.sso.answers import AnswerKept, ChoiceOwed, MailSent, SentAway
from authflow.sso.case import Choice
from authflow.sso.kinds import Callback
from authflow.testing.browsers import Browser
from tests.providers.saml.installed import GRACE, OLGA, SamlStage, sent_away


@pytest.fixture
def stage() -> SamlStage:
    return SamlStage(MemoryUnitOfWork())


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
    assert refused.code is Code.SSO_RESPONSE_INVALID


def test_an_assertion_that_was_used_is_not_taken_again_though_all_else_is_new(stage: SamlStage):
    acme, first, second = stage.connected(), Browser(), Browser()
    one, other = sent_away(stage, first, acme), sent_away(stage, second, acme)
    assert isinstance(come_back(stage, first, one, stage.answered(one, OLGA)), SecondFactorOwed)
    del stage.saml  # the next one makes the same ids
    stage.answered(one, OLGA)
    refused = come_back(stage, second, other, stage.answered(other, OLGA))
    assert isinstance(refused, Refused)
    assert refused.code is Code.SSO_RESPONSE_REPLAYED
