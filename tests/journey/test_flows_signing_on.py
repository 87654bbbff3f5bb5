"""Signing in through a provider, from the facade, on memory: each row of the tables as somebody meets it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from authflow.adapters.memory.unit_of_work import MemoryUnitOfWork
from authflow.errors import Code
from authflow.journey.sso_answers import AccountLinked, ChoiceOwed, MailSent, Offer, SignedOn
from authflow.membership.standing import Member, MemberFlag
from authflow.sessions.commands import SecondFactorOwed
from authflow.sso.case import Choice, Page
from authflow.testing.browsers import Browser
from authflow.values import Level, Refused
from tests.journey.sso_stage import SsoStage

if TYPE_CHECKING:
    from authflow.values import OrganizationId


@pytest.fixture
def stage() -> SsoStage:
    return SsoStage(MemoryUnitOfWork())


@pytest.fixture
def acme(stage: SsoStage) -> OrganizationId:
    """An organization with a provider that knows Ada under a subject of its own."""
    organization = stage.organization()
    stage.connect(organization)
    stage.idp.person("00u1", email="ada@example.com", name="Ada")
    return organization


def refused(answer: Any, code: Code) -> None:
    assert isinstance(answer, Refused), answer
    assert answer.code is code


# --- whoever is known -----------------------------------------------------------------------------------------------


def test_a_known_identity_signs_its_person_in(stage: SsoStage, acme: OrganizationId):
    ada = stage.person()
    link = stage.link(ada.user, acme, "00u1")
    answer = stage.come(ada.browser, acme, "00u1").answer
    assert isinstance(answer, SignedOn), answer
    assert (answer.user, answer.link, answer.linked, answer.code) == (ada.user, link.id, False, None)
    asker = stage.identify(ada)
    assert asker.user == ada.user
    assert asker.level is Level.NONE
    (mark,) = asker.marks
    assert (mark.organization, mark.link) == (acme, link.id)
    member = stage.member(ada.user, acme)
    assert isinstance(member, Member)
    assert member.flags == MemberFlag.SSO_LINKED


def test_the_second_factor_comes_first_and_the_sign_in_goes_on_behind_it(stage: SsoStage, acme: OrganizationId):
    ada = stage.person()
    stage.sign_in(ada)
    stage.enroll(ada)
    stage.link(ada.user, acme, "00u1")
    browser = Browser()
    trip = stage.come(browser, acme, "00u1")
    assert isinstance(trip.answer, SecondFactorOwed), trip.answer
    assert stage.flows.sessions.identify(browser.session).user is None
    assert not isinstance(stage.member(ada.user, acme), Member)
    assert isinstance(trip.resume(), SecondFactorOwed)
    from tests.stage import STEP

    stage.clock.advance(STEP)
    stage.verify(ada, "totp", ada.app.code(stage.clock.now()), browser)
    answer = trip.resume()
    assert isinstance(answer, SignedOn), answer
    assert isinstance(stage.member(ada.user, acme), Member)


# --- whoever is not --------------------------------------------------------------------------------------------------


def test_a_stranger_is_asked(stage: SsoStage, acme: OrganizationId):
    """And what they are asked is the same whether anybody has the asserted address (decision 22)."""
    browser = Browser()
    trip = stage.come(browser, acme, "00u1")
    page = trip.answer
    assert isinstance(page, ChoiceOwed), page
    assert page.page is Page.STRANGER
    assert page.offers == {Offer.SIGN_IN, Offer.MAIL_PROOF, Offer.NEW_ACCOUNT}
    assert trip.look() == page


def test_whoever_is_signed_in_links_the_identity(stage: SsoStage, acme: OrganizationId):
    ada = stage.person()
    stage.sign_in(ada)
    trip = stage.come(ada.browser, acme, "00u1", link=True)
    assert isinstance(trip.answer, ChoiceOwed), trip.answer
    assert trip.answer.page is Page.VISITOR
    answer = trip.choose(Choice.LINK)
    assert isinstance(answer, AccountLinked), answer
    assert answer.linked
    (link,) = stage.links_of(ada.user)
    assert (link.id, link.subject) == (answer.link, "00u1")
    refused(trip.choose(Choice.LINK), Code.SSO_PIPELINE_EXPIRED)


def test_a_newcomer_is_registered_once_their_address_is_proven(stage: SsoStage, acme: OrganizationId):
    from authflow import Secret
    from authflow.facts.records import MailKind

    browser = Browser()
    trip = stage.come(browser, acme, "00u1")
    assert isinstance(trip.choose(Choice.NEW_ACCOUNT), MailSent)
    (mail,) = stage.mails(MailKind.SSO_ADDRESS_PROOF)
    assert mail.to == "ada@example.com"
    page = trip.open_link(Secret(str(mail.context["token"])))
    assert isinstance(page, ChoiceOwed), page
    assert page.offers == {Offer.CONTINUE}
    answer = trip.resume()
    assert isinstance(answer, SignedOn), answer
    person = stage.user(answer.user)
    assert person.verified_addresses() == ("ada@example.com",)
    assert person.name == "Ada"
    assert isinstance(stage.member(answer.user, acme), Member)
