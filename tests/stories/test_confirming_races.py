"""Many at once at one link, or at one address: one click confirms, one person has the address, and nobody deadlocks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import attrs
import pytest

from authflow import AddressConfirmed, AlreadyConfirmed, Code, MailKind, Refused, Secret
from authflow.testing.races import WORKERS, race, tally
from authflow.values import Address
from tests.stage import CONTEXT, Stage

if TYPE_CHECKING:
    from authflow.values import BrowserSession
    from tests.stage import Person

ADA: Final = "ada@example.com"
ROUNDS: Final = range(3)
"""How often two meet: which of them is first is not ours to choose."""


@pytest.fixture
def stage(uow: Any) -> Stage:
    return Stage(uow)


def claiming(stage: Stage, name: str) -> tuple[Person, BrowserSession, Secret]:
    """Return somebody who verified another address, their session, and their link to this one."""
    person = stage.person(f"{name}@example.com")
    stage.give_address(person.user, ADA, verified=False)
    stage.sign_in(person)
    person.browser.ask(stage.flows.accounts.send_confirmations, CONTEXT)
    token = Secret(str(stage.mails(MailKind.ADDRESS_CONFIRMATION)[-1].context["token"]))
    return person, person.browser.session, token


def holders(stage: Stage) -> tuple[str, ...]:
    with stage.uow.begin() as tx:
        return tx.users.holders(Address(ADA))


def test_one_click_of_many_confirms_and_the_others_are_second_ones(stage: Stage):
    person, session, token = claiming(stage, "zoe")
    confirm = stage.flows.accounts.confirm_address
    answers = race(WORKERS, lambda _number: confirm(session, CONTEXT, token=token))
    assert tally(answers) == {AddressConfirmed.__name__: 1, AlreadyConfirmed.__name__: WORKERS - 1}
    assert stage.audited(person).count("address_verified") == 1


def test_a_first_address_is_confirmed_once_and_its_session_renewed_once(stage: Stage):
    ada = stage.person(verified=False)
    stage.sign_in(ada)
    ada.browser.ask(stage.flows.accounts.send_confirmations, CONTEXT)
    token = Secret(str(stage.mails(MailKind.ADDRESS_CONFIRMATION)[-1].context["token"]))
    session, confirm = ada.browser.session, stage.flows.accounts.confirm_address
    answers = race(WORKERS, lambda _number: confirm(session, CONTEXT, token=token))
    assert tally(answers) == {AddressConfirmed.__name__: 1, Code.SESSION_SUPERSEDED: WORKERS - 1}
    assert holders(stage) == (ada.user,)


@pytest.mark.parametrize("_round", ROUNDS)
def test_of_two_who_prove_one_address_one_has_it(stage: Stage, _round: int):
    people = [claiming(stage, name) for name in ("zoe", "yan")]
    confirm = stage.flows.accounts.confirm_address
    answers = race(2, lambda number: confirm(people[number][1], CONTEXT, token=people[number][2]))
    assert tally(answers)[AddressConfirmed.__name__] == 1
    (winner,) = [
        person for (person, _, _), one in zip(people, answers, strict=True) if isinstance(one, AddressConfirmed)
    ]
    (loser,) = [person for person, _, _ in people if person is not winner]
    assert holders(stage) == (winner.user,)
    assert [held.address for held in stage.user(loser.user).addresses] == [loser.user]
    assert "address_lost" in stage.audited(loser)


@pytest.mark.parametrize("_round", ROUNDS)
def test_an_address_that_changes_during_the_click_is_not_verified_under_its_new_name(stage: Stage, _round: int):
    person, session, token = claiming(stage, "zoe")
    known = stage.user(person.user)
    changed = tuple(
        attrs.evolve(held, address=Address("new@example.com")) if held.address == ADA else held
        for held in known.addresses
    )

    def act(number: int) -> Any:
        if number:
            return stage.save(attrs.evolve(known, addresses=changed))
        return stage.flows.accounts.confirm_address(session, CONTEXT, token=token)

    answer, _ = race(2, act)
    assert isinstance(answer, AddressConfirmed | AlreadyConfirmed | Refused)
    assert set(stage.user(person.user).verified_addresses()) <= {person.user, ADA}
    again = stage.flows.accounts.confirm_address(session, CONTEXT, token=token)
    assert not isinstance(again, AddressConfirmed)
