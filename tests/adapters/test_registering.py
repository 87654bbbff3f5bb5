"""Whoever came through a provider chose no username: logs and mails call them by an address that is theirs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from authflow import Choice, Secret
from authflow.adapters.memory.unit_of_work import MemoryUnitOfWork
from authflow.adapters.registering import person_of
from authflow.facts.records import MailKind
from authflow.journey.sso.answers import SignedOn
from authflow.ports import User, UserAddress
from authflow.sso.ports import Newcomer
from authflow.testing.browsers import Browser
from authflow.testing.clocks import START
from authflow.values import Address, UserId
from tests.journey.sso_stage import SsoStage

if TYPE_CHECKING:
    from datetime import datetime

ADA = Address("Ada@example.org")


@pytest.mark.parametrize(("verified_at", "called"), [(START, ADA), (None, "")])
def test_a_generated_username_is_shown_to_nobody(verified_at: datetime | None, called: str):
    """An address that nobody proved may be somebody else's."""
    ada = person_of(Newcomer(id=UserId("a1b2"), name="Olga the owner", address=ADA, verified_at=verified_at))
    assert (ada.label, ada.called()) == ("user-a1b2", called)


def test_a_username_is_shown_as_it_is():
    own = UserAddress(address=ADA, primary=True, verified_at=START)
    assert User(id=UserId("a1b2"), label="user-of-ada", addresses=(own,)).called() == "user-of-ada"


def test_a_newcomer_reads_their_own_address_in_their_first_mail():
    stage, browser = SsoStage(MemoryUnitOfWork()), Browser()
    acme = stage.organization("acme")
    stage.connect(acme)
    stage.idp.person("00u1", email=ADA, name="Ada")
    trip = stage.come(browser, acme, "00u1")
    trip.choose(Choice.NEW_ACCOUNT)
    trip.open_link(Secret(str(stage.mails(MailKind.SSO_ADDRESS_PROOF)[-1].context["token"])))
    assert isinstance(trip.choose(Choice.NEW_ACCOUNT), SignedOn)
    (mail,) = stage.mails(MailKind.SSO_LINKED)
    assert (mail.to, mail.context["actor"]) == (ADA, ADA)
