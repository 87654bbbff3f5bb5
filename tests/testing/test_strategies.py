"""What reaches a host from outside: what each strategy brings is read, refused or nobody's, as the strategy says."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from authflow import NOBODY, Arrived, BrowserSession, Code, Enrolled, Refused
from authflow.adapters.memory.unit_of_work import MemoryUnitOfWork
from authflow.adapters.system import SystemEntropy
from authflow.errors import InputInvalid
from authflow.membership.answers import Joined
from authflow.membership.terms import read_address
from authflow.mfa.totp import parse_code
from authflow.testing import add_user
from authflow.testing.browsers import Browser, Phone, installed
from authflow.testing.strategies import (
    addresses,
    confusables,
    contexts,
    garbage,
    hostile_texts,
    malformed_codes,
    not_addresses,
    not_identifiers,
    recovery_codes,
    relabelled,
    same_mailboxes,
    tampered,
    typed,
    wrong_codes,
)
from authflow.values import Method, Proof, UserId, identifier, same_address
from tests.stage import CONTEXT, Stage
from tests.stories.crashing import protected

if TYPE_CHECKING:
    from collections.abc import Callable

    from hypothesis.strategies import DataObject, SearchStrategy

    from authflow import Context

ADA = "ada.ok@example.com"
ADAS = UserId("ada@example.com")

WINDOW = range(-2, 3)
"""The time steps around now of which one may be accepted (mfa 6)."""

NOT_READ = {Code.MFA_CODE_REJECTED, Code.MFA_INPUT_INVALID}


def few(examples: int = 40) -> settings:
    return settings(max_examples=examples, suppress_health_check=list(HealthCheck))


# --- codes ------------------------------------------------------------------------------------------------------------


@attrs.frozen(kw_only=True)
class Asked:
    """Somebody who is asked for a code: what would be *right* now, and how it is *given*."""

    right: str
    also: tuple[str, ...]
    give: Callable[[str], Any]
    accepted: type[Any]


def enrolling() -> Asked:
    stage = Stage(MemoryUnitOfWork())
    ada = stage.person()
    stage.sign_in(ada)
    begun, now = stage.begin(ada), stage.clock.now()
    phone = Phone(begun.secret)
    near = tuple(phone.code(now, steps=steps) for steps in WINDOW)
    return Asked(
        right=phone.code(now), also=near, give=lambda code: stage.complete(ada, begun, code), accepted=Enrolled
    )


def signing_in() -> Asked:
    stage = Stage(MemoryUnitOfWork())
    ada, browser = protected(stage), Browser(CONTEXT)
    stage.sign_in(ada, browser)
    now = stage.clock.now()
    near = tuple(ada.app.code(now, steps=steps) for steps in WINDOW)
    return Asked(
        right=ada.app.code(now),
        also=near,
        give=lambda code: stage.verify(ada, "totp", code, browser),
        accepted=Arrived,
    )


def recovering() -> Asked:
    stage = Stage(MemoryUnitOfWork())
    ada, browser = protected(stage), Browser(CONTEXT)
    stage.sign_in(ada, browser)
    return Asked(
        right=ada.codes[0].replace("-", ""),
        also=tuple(ada.codes),
        give=lambda code: stage.verify(ada, "recovery", code, browser),
        accepted=Arrived,
    )


ASKED = {made.__name__: made for made in (enrolling, signing_in, recovering)}


@pytest.mark.parametrize("asked", ASKED.values(), ids=ASKED)
@given(data=st.data())
@few()
def test_a_right_code_is_accepted_however_it_is_typed(asked: Callable[[], Asked], data: DataObject):
    it = asked()
    assert isinstance(it.give(data.draw(typed(it.right))), it.accepted)


@given(text=malformed_codes("287082"))
def test_nothing_is_computed_from_a_text_that_only_holds_a_code(text: str):
    assert parse_code(text) is None


@pytest.mark.parametrize("asked", [enrolling, signing_in])
@given(data=st.data())
@few()
def test_a_text_that_only_holds_the_right_code_is_none(asked: Callable[[], Asked], data: DataObject):
    it = asked()
    assert it.give(data.draw(malformed_codes(it.right))).code in NOT_READ


@pytest.mark.parametrize("asked", [enrolling, signing_in])
@given(data=st.data())
@few()
def test_a_wrong_code_is_rejected(asked: Callable[[], Asked], data: DataObject):
    it = asked()
    assert it.give(data.draw(wrong_codes(*it.also))).code is Code.MFA_CODE_REJECTED


@given(code=recovery_codes())
@few()
def test_a_recovery_code_that_nobody_was_given_is_rejected(code: str):
    assert recovering().give(code).code is Code.MFA_CODE_REJECTED


@pytest.mark.parametrize("asked", ASKED.values(), ids=ASKED)
@given(text=hostile_texts())
@few()
def test_no_text_is_a_code(asked: Callable[[], Asked], text: str):
    assert asked().give(text).code in NOT_READ


# --- addresses --------------------------------------------------------------------------------------------------------


def coming_as(address: str) -> Any:
    """Answer whoever comes under *address*, verified, with a letter that was sent to `ADA`."""
    stage = Stage(MemoryUnitOfWork())
    acme = stage.organization(invites_bound_to_address=True)
    letter, person = stage.invite(stage.owner(acme), acme, ADA), stage.person("somebody@example.com")
    stage.save(attrs.evolve(stage.user(person.user), addresses=()))
    stage.give_address(person.user, address)
    stage.sign_in(person)
    return stage.accept(person, letter)


@given(address=addresses())
def test_an_address_is_read_as_it_is(address: str):
    assert read_address(address) == address


@given(text=not_addresses())
def test_what_is_no_address_is_not_read(text: str):
    assert read_address(text) is None


@given(address=same_mailboxes(ADA))
@few(20)
def test_another_spelling_of_a_mailbox_is_the_same_person(address: str):
    assert same_address(address, ADA)
    assert isinstance(coming_as(address), Joined)


@given(address=confusables(ADA))
@few(40)
def test_what_looks_like_an_address_is_somebody_else(address: str):
    assert not same_address(address, ADA)
    refused = coming_as(address)
    assert isinstance(refused, Refused)
    assert refused.code is Code.INVITATION_WRONG_USER


# --- identifiers, contexts --------------------------------------------------------------------------------------------


@given(text=not_identifiers())
def test_what_is_no_identifier_is_not_read(text: str):
    with pytest.raises(InputInvalid) as caught:
        identifier(text, field="organization")
    assert caught.value.field == "organization"


@given(context=contexts())
@few()
def test_no_context_stops_a_command(context: Context, sqlite_uow: Any):
    """What a browser and a proxy say of themselves is written down, on a database that takes no half characters."""
    flows = installed(sqlite_uow, entropy=SystemEntropy())
    if not flows.audit.of_user(ADAS):
        add_user(flows, ADAS)
    proof = Proof(method=Method.PASSWORD, at=flows.clock.now())
    answer = flows.sessions.establish(NOBODY, context, user=ADAS, proof=proof)
    assert flows.sessions.identify(answer.session).user == ADAS
    assert flows.audit.of_user(ADAS)


# --- sessions ---------------------------------------------------------------------------------------------------------


def signed_in() -> tuple[Stage, BrowserSession]:
    stage = Stage(MemoryUnitOfWork())
    ada = stage.person()
    stage.sign_in(ada)
    return stage, ada.browser.session


@pytest.mark.parametrize(("lies", "whose"), [(tampered, None), (relabelled, ADAS)])
@given(data=st.data())
@few()
def test_the_row_says_whose_a_session_is(
    lies: Callable[[BrowserSession], SearchStrategy[BrowserSession]], whose: str | None, data: DataObject
):
    """Whatever the value says of itself; and one that does not fit its row is nobody's."""
    stage, session = signed_in()
    assert stage.flows.sessions.identify(data.draw(lies(session))).user == whose


@given(stored=garbage())
@example(stored={"id": "s", "secret": "x", "generation": 0, "user": "ada@example.com"})
def test_no_other_json_is_a_session(stored: Any):
    stage, _ = signed_in()
    assert stage.flows.sessions.identify(BrowserSession.from_json(stored)).user is None
