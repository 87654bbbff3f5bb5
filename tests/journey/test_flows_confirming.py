"""Addresses confirmed through the facade: mailed, looked at, clicked once, and lost by whoever only claimed them."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from authflow import (
    AddressConfirmed,
    AlreadyConfirmed,
    Arrived,
    Category,
    Code,
    ConfirmationsSent,
    ConfirmationView,
    Context,
    InvitationFate,
    MailKind,
    Method,
    NothingToConfirm,
    Proof,
    Refused,
    Secret,
)
from authflow.adapters.memory.unit_of_work import MemoryUnitOfWork
from authflow.testing.browsers import Browser
from authflow.values import NOBODY, Address, OrganizationId, ProviderId
from tests.stage import CONTEXT, Person, Stage

if TYPE_CHECKING:
    from authflow import Mail

ADA = "ada@example.com"
CONFIRMATION = MailKind.ADDRESS_CONFIRMATION
LIFE = timedelta(hours=48)
INSTANT = timedelta(microseconds=1)


@pytest.fixture
def ada(stage: Stage) -> Person:
    """Somebody who registered and has proved no address, signed in."""
    return newcomer(stage)


@pytest.fixture
def memory() -> Stage:
    """A stage in memory, for what needs no database."""
    return Stage(MemoryUnitOfWork())


def newcomer(stage: Stage, address: str = ADA) -> Person:
    person = stage.person(address, verified=False)
    stage.sign_in(person)
    return person


def claiming(stage: Stage, name: str, address: str = ADA) -> Person:
    """Return somebody with a verified address of their own who claims another one, signed in."""
    person = stage.person(f"{name}@example.com")
    stage.give_address(person.user, address, verified=False)
    stage.sign_in(person)
    return person


def send(stage: Stage, at: Browser, **which: Any) -> Any:
    return at.ask(stage.flows.accounts.send_confirmations, CONTEXT, **which)


def look(stage: Stage, at: Browser, token: Secret) -> Any:
    return stage.flows.accounts.look_at_confirmation(at.session, token=token)


def confirm(stage: Stage, at: Browser, token: Secret) -> Any:
    return at.ask(stage.flows.accounts.confirm_address, CONTEXT, token=token)


def link(stage: Stage, person: Person, **which: Any) -> Secret:
    """Ask for a mail, and return the token that it brings."""
    answer = send(stage, person.browser, **which)
    assert isinstance(answer, ConfirmationsSent), answer
    return Secret(str(stage.mails(CONFIRMATION)[-1].context["token"]))


def verified(stage: Stage, person: Person) -> tuple[str, ...]:
    return stage.user(person.user).verified_addresses()


# --- the way through --------------------------------------------------------------------------------------------------


def test_a_mailed_link_verifies_its_address_once(stage: Stage, ada: Person):
    heard: list[Any] = []
    stage.flows.receivers.add("pages", Category.EMAIL_VERIFIED, heard.append)
    sent = send(stage, ada.browser)
    assert (type(sent), sent.addresses, sent.unsent) == (ConfirmationsSent, (ADA,), ())
    (mail,) = stage.mails(CONFIRMATION)
    assert mail.to == ADA
    token = Secret(str(mail.context["token"]))
    with stage.writes():
        view = look(stage, ada.browser, token)
    assert isinstance(view, ConfirmationView)
    assert (view.address, view.expires_at) == (ADA, stage.clock.now() + LIFE)
    with stage.writes(*written(stage)):
        answer = confirm(stage, ada.browser, token)
    assert (type(answer), answer.address) == (AddressConfirmed, ADA)
    assert answer.invitation.fate is InvitationFate.NONE
    assert stage.user(ada.user).addresses[0].verified_at == stage.clock.now()
    assert [e for e in stage.audited(ada) if e.startswith("address")] == [
        "address_confirmation_sent",
        "address_verified",
    ]
    stage.flows.relay.drain_until_quiet()
    assert [(notice.subject, notice.args["address"]) for notice in heard] == [(ada.user, ADA)]
    with stage.writes():
        again = confirm(stage, ada.browser, token)
        assert isinstance(look(stage, ada.browser, token), NothingToConfirm)
    assert (type(again), again.invitation.fate) == (AlreadyConfirmed, InvitationFate.NONE)


def written(stage: Stage) -> set[str]:
    """Return the tables that the first confirmation of a person changes."""
    addresses = "user" if isinstance(stage.uow, MemoryUnitOfWork) else "user_address"
    return {"account", "audit", "confirmation", "outbox", "session", addresses}


def test_the_invitation_that_waited_goes_on(stage: Stage, ada: Person):
    acme = stage.organization(require_verified_address=True)
    olga = stage.owner(acme)
    letter = stage.invite(olga, acme, ADA)
    stage.accept(ada, letter)
    answer = confirm(stage, ada.browser, link(stage, ada))
    assert answer.invitation.fate is InvitationFate.JOINED
    assert ada.user in {member.user for member in stage.members(acme)}


def test_a_second_click_goes_on_with_what_waits_in_its_browser(stage: Stage):
    """The first click came from another device."""
    acme = stage.organization(require_verified_address=True)
    olga = stage.owner(acme)
    ada = claiming(stage, "ada-at-home")
    letter = stage.invite(olga, acme, ADA)
    phone = Browser(CONTEXT)
    stage.sign_in(ada, phone)
    stage.change(acme, require_verified_address=False)
    token = link(stage, ada)
    assert stage.accept(ada, letter).requirements
    confirm(stage, phone, token)
    answer = confirm(stage, ada.browser, token)
    assert (type(answer), answer.invitation.fate) == (AlreadyConfirmed, InvitationFate.JOINED)


def test_right_after_a_registration_the_host_asks_itself(stage: Stage):
    bob = stage.person("bob@example.com", verified=False)
    stage.give_address(bob.user, "bob@work.example", verified=False)
    answer = stage.flows.accounts.send_confirmations(NOBODY, CONTEXT, user=bob.user)
    assert sorted(answer.addresses) == ["bob@example.com", "bob@work.example"]
    mails = stage.mails(CONFIRMATION)
    assert sorted(mail.to for mail in mails) == ["bob@example.com", "bob@work.example"]
    assert len({mail.context["token"] for mail in mails}) == 2


def test_every_mail_has_a_token_of_its_own_and_one_click_ends_them_all(stage: Stage, ada: Person):
    first, second = link(stage, ada), link(stage, ada)
    assert first != second
    assert isinstance(confirm(stage, ada.browser, second), AddressConfirmed)
    with stage.writes():
        assert isinstance(confirm(stage, ada.browser, first), AlreadyConfirmed), "nothing is open"
    stage.give_address(ada.user, "ada@work.example", verified=False)
    work = link(stage, ada)
    assert isinstance(confirm(stage, ada.browser, work), AddressConfirmed)
    assert verified(stage, ada) == (ADA, "ada@work.example")


def test_what_is_verified_or_unknown_is_sent_nothing(stage: Stage, ada: Person):
    confirm(stage, ada.browser, link(stage, ada))
    assert send(stage, ada.browser).addresses == ()
    assert send(stage, ada.browser, address=Address(ADA)).code is Code.ACCOUNT_ADDRESS_VERIFIED
    assert send(stage, ada.browser, address=Address("eve@example.com")).code is Code.ACCOUNT_ADDRESS_UNKNOWN
    assert send(stage, ada.browser, user="nobody").code is Code.ACCOUNT_UNKNOWN
    assert len(stage.mails(CONFIRMATION)) == 1


# --- whose link it is -------------------------------------------------------------------------------------------------


def test_nobody_but_its_person_uses_a_link_or_learns_anything(stage: Stage, ada: Person):
    token = link(stage, ada)
    eve = claiming(stage, "eve")
    ended = Browser(CONTEXT)
    stage.sign_in(ada, ended)
    over = ended.session
    ended.ask(stage.flows.sessions.sign_out, CONTEXT)
    unknown = Secret("unknown" * 5)
    flows = stage.flows.accounts
    for session, code in (
        (eve.browser.session, Code.ACCOUNT_CONFIRMATION_INVALID),
        (NOBODY, Code.SESSION_REQUIRED),
        (over, Code.SESSION_ENDED),
    ):
        with stage.writes():
            seen = [flows.look_at_confirmation(session, token=one) for one in (token, unknown)]
            told = [flows.confirm_address(session, CONTEXT, token=one) for one in (token, unknown)]
        assert {(answer.code, *answer.problems) for answer in (*seen, *told)} == {(code,)}
    assert isinstance(confirm(stage, ada.browser, token), AddressConfirmed)


def test_another_browser_of_the_same_person_will_do(stage: Stage, ada: Person):
    token, phone = link(stage, ada), Browser(CONTEXT)
    stage.sign_in(ada, phone)
    assert isinstance(confirm(stage, phone, token), AddressConfirmed)


def test_what_a_provider_says_confirms_no_address(stage: Stage, ada: Person):
    """Decision 1: an organization could otherwise give its people addresses, and take their accounts."""
    token, browser = link(stage, ada), Browser(CONTEXT)
    proof = Proof(
        method=Method.SSO, at=stage.clock.now(), organization=OrganizationId("acme"), provider=ProviderId("okta")
    )
    signed_in = browser.ask(stage.flows.sessions.establish, CONTEXT, user=ada.user, proof=proof)
    assert isinstance(signed_in, Arrived)
    with stage.writes():
        for answer in (look(stage, browser, token), confirm(stage, browser, token), send(stage, browser)):
            assert answer.code is Code.SESSION_ELEVATION_REQUIRED


# --- how long, how often ----------------------------------------------------------------------------------------------


def test_a_link_lives_48_hours_and_never_again(stage: Stage, ada: Person):
    token, other = link(stage, ada), link(stage, ada)
    stage.clock.advance(LIFE - INSTANT)
    assert isinstance(look(stage, ada.browser, other), ConfirmationView)
    stage.clock.advance(INSTANT)
    with stage.writes():
        assert look(stage, ada.browser, token).code is Code.ACCOUNT_CONFIRMATION_EXPIRED
    with stage.writes("confirmation"):
        assert confirm(stage, ada.browser, token).code is Code.ACCOUNT_CONFIRMATION_EXPIRED
    stage.clock.advance(-LIFE)
    with stage.writes():
        assert confirm(stage, ada.browser, token).code is Code.ACCOUNT_CONFIRMATION_EXPIRED
    assert isinstance(confirm(stage, ada.browser, other), AddressConfirmed), "nobody saw this one expired"


def test_a_person_asks_ten_times_a_minute(memory: Stage):
    ada = newcomer(memory)
    for number in range(10):
        memory.give_address(ada.user, f"ada-{number}@example.com", verified=False)
        assert isinstance(send(memory, ada.browser, address=Address(f"ada-{number}@example.com")), ConfirmationsSent)
        memory.clock.advance(timedelta(seconds=1))
    mails = len(memory.mails(CONFIRMATION))
    with memory.writes():
        refused = send(memory, ada.browser)
    assert (refused.code, refused.retry_after) == (Code.ACCOUNT_RATE_LIMITED, timedelta(seconds=50))
    assert len(memory.mails(CONFIRMATION)) == mails == 10
    memory.clock.advance(refused.retry_after)
    assert isinstance(send(memory, ada.browser, address=Address(ADA)), ConfirmationsSent)


def test_an_address_gets_five_mails_in_five_minutes_whoever_asks(memory: Stage):
    ada, eve = newcomer(memory), claiming(memory, "eve", "ADA@example.com")
    for person in (ada, eve, ada, eve, eve):
        assert send(memory, person.browser).addresses
    with memory.writes("limit"):
        refused = send(memory, ada.browser)
    assert (refused.code, refused.retry_after) == (Code.ACCOUNT_RATE_LIMITED, timedelta(seconds=300))
    memory.give_address(ada.user, "ada@work.example", verified=False)
    partly = send(memory, ada.browser)
    assert (partly.addresses, partly.unsent) == (("ada@work.example",), (ADA,)), "one address does not stop another"
    assert len(memory.mails(CONFIRMATION)) == 6
    memory.clock.advance(refused.retry_after)
    assert ADA in send(memory, ada.browser).addresses


# --- an address of somebody else --------------------------------------------------------------------------------------


def test_an_address_of_somebody_else_is_warned_and_whoever_claims_it_learns_nothing(stage: Stage):
    olga = stage.person(ADA)
    eve, ben = claiming(stage, "eve", "ADA@example.com"), claiming(stage, "ben", "free@example.com")
    taken, free = send(stage, eve.browser), send(stage, ben.browser)
    assert [type(taken), taken.addresses] == [ConfirmationsSent, ("ADA@example.com",)]
    assert shape(taken) == shape(free)
    assert [mail.to for mail in stage.mails(CONFIRMATION)] == ["free@example.com"]
    (warning,) = stage.mails(MailKind.ADDRESS_CLAIMED)
    assert (warning.to, warning.context["user"]) == (ADA, olga.user)
    assert not {eve.user, CONTEXT.ip, "token"} & {*map(str, warning.context.values()), *warning.context}
    documents = [exported(stage, who) for who in (eve, ben)]
    assert shape(documents[0]["confirmations"]) == shape(documents[1]["confirmations"])
    assert stage.audited(eve) == stage.audited(ben)


def shape(value: Any) -> Any:
    """Return *value* with every text as long as it is, and no more said."""
    if isinstance(value, dict):
        return {name: shape(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [shape(inner) for inner in value]
    if attrs.has(type(value)):
        return shape({name: getattr(value, name) for name in ("addresses", "unsent")})
    return type(value).__name__


def exported(stage: Stage, person: Person) -> Any:
    return person.browser.ask(stage.flows.accounts.export, CONTEXT, user=person.user).document


def test_whoever_only_claimed_an_address_loses_it_when_somebody_else_proves_it(stage: Stage, ada: Person):
    """Account pre-hijacking: an address that was registered first is not kept by that."""
    eve = claiming(stage, "eve", "ADA@example.com")
    hers, theirs = link(stage, eve), link(stage, ada)
    assert isinstance(confirm(stage, ada.browser, theirs), AddressConfirmed)
    assert [held.address for held in stage.user(eve.user).addresses] == ["eve@example.com"]
    with stage.writes():
        assert isinstance(confirm(stage, eve.browser, hers), AlreadyConfirmed), "nothing of hers is open"
    lost = stage.audit(eve)[-1]
    assert (lost.event, lost.data) == ("address_lost", {"address": ADA})
    assert (lost.actor, lost.actor_label, lost.ip, lost.session, lost.user_agent) == (None, "", None, None, None)


def test_an_address_that_somebody_verified_elsewhere_is_not_taken_from_them(stage: Stage):
    eve = claiming(stage, "eve")
    token = link(stage, eve)
    olga = stage.person(ADA)
    with stage.writes("confirmation"):
        assert confirm(stage, eve.browser, token).code is Code.ACCOUNT_ADDRESS_TAKEN
    assert verified(stage, olga) == (ADA,)
    assert verified(stage, eve) == ("eve@example.com",)


def test_what_the_host_verifies_ends_every_link_too(stage: Stage, ada: Person):
    eve = claiming(stage, "eve")
    tokens = {person.user: link(stage, person) for person in (ada, eve)}
    ada.browser.ask(stage.flows.accounts.record_verified_address, CONTEXT, user=ada.user, address=ADA)
    assert [held.address for held in stage.user(eve.user).addresses] == ["eve@example.com"]
    with stage.writes():
        for person in (ada, eve):
            assert isinstance(confirm(stage, person.browser, tokens[person.user]), AlreadyConfirmed)


# --- sessions of before -----------------------------------------------------------------------------------------------


def test_the_first_proof_of_an_address_ends_the_sessions_of_before(stage: Stage, ada: Person):
    """Somebody else may have opened the account in this name, and still be signed in."""
    attacker = Browser(CONTEXT)
    stage.sign_in(ada, attacker)
    before = ada.browser.session
    answer = confirm(stage, ada.browser, link(stage, ada))
    assert answer.ended_sessions == 1
    assert stage.flows.sessions.identify(attacker.session).why_not is Code.SESSION_ENDED
    assert stage.identify(ada).user == ada.user
    assert stage.flows.sessions.identify(before).why_not is Code.SESSION_SUPERSEDED


def test_a_further_address_ends_no_session(stage: Stage):
    ada, phone = claiming(stage, "ada-at-home"), Browser(CONTEXT)
    stage.sign_in(ada, phone)
    answer = confirm(stage, ada.browser, link(stage, ada))
    assert answer.ended_sessions == 0
    assert stage.flows.sessions.identify(phone.session).user == ada.user


# --- addresses and accounts that change -------------------------------------------------------------------------------


def replaced(stage: Stage, person: Person, address: str) -> None:
    """Change the address, as a host does in its own table."""
    known = stage.user(person.user)
    stage.save(attrs.evolve(known, addresses=(attrs.evolve(known.addresses[0], address=Address(address)),)))


def test_a_link_to_an_address_that_changed_confirms_nothing(stage: Stage, ada: Person):
    token = link(stage, ada)
    replaced(stage, ada, "eve@example.com")
    with stage.writes("confirmation"):
        assert confirm(stage, ada.browser, token).code is Code.ACCOUNT_CONFIRMATION_INVALID
    replaced(stage, ada, ADA)
    with stage.writes():
        assert confirm(stage, ada.browser, token).code is Code.ACCOUNT_CONFIRMATION_INVALID


def test_a_host_ends_the_links_to_an_address_that_it_removes(stage: Stage, ada: Person):
    token, void = link(stage, ada), stage.flows.accounts.void_confirmations
    assert void(user="somebody-else", address=Address(ADA)) == 0
    assert void(user=ada.user, address=Address("not an address\n")) == 0
    assert [void(user=ada.user, address=Address("ADA@example.com")) for _ in range(2)] == [1, 0]
    with stage.writes():
        assert confirm(stage, ada.browser, token).code is Code.ACCOUNT_CONFIRMATION_INVALID
    assert isinstance(confirm(stage, ada.browser, link(stage, ada)), AddressConfirmed)


def test_a_deleted_person_leaves_no_link(stage: Stage, ada: Person):
    token = link(stage, ada)
    ada.browser.ask(stage.flows.accounts.delete, CONTEXT, user=ada.user)
    assert "confirmation" not in stage.snapshot()
    again = newcomer(stage)
    assert confirm(stage, again.browser, token).code is Code.ACCOUNT_CONFIRMATION_INVALID


def test_links_do_not_move_with_a_merge(stage: Stage):
    eve, root = claiming(stage, "eve"), stage.administrator()
    token = link(stage, eve)
    ben = claiming(stage, "ben")
    merged = root.browser.ask(stage.flows.accounts.merge, CONTEXT, source=eve.user, target=ben.user)
    assert not isinstance(merged, Refused)
    assert "confirmation" not in stage.snapshot()
    stage.sign_in(ben)
    assert confirm(stage, ben.browser, token).code is Code.ACCOUNT_CONFIRMATION_INVALID


def test_an_export_names_what_was_mailed_and_no_token(stage: Stage, ada: Person):
    token = link(stage, ada)
    document = exported(stage, ada)
    until = (stage.clock.now() + LIFE).isoformat()
    assert document["confirmations"] == [{"address": ADA, "expires_at": until, "state": "Sent"}]
    assert token.reveal() not in str(document)


def test_the_sweep_forgets_what_is_long_over(stage: Stage, ada: Person):
    link(stage, ada)
    stage.clock.advance(LIFE + stage.policy.accounts.ended_kept)
    assert stage.flows.upkeep.sweep().confirmations == 0
    stage.clock.advance(INSTANT)
    assert stage.flows.upkeep.sweep().confirmations == 1
    assert "confirmation" not in stage.snapshot()


# --- mails that are not worth sending any more ------------------------------------------------------------------------


def record(stage: Stage, ada: Person) -> None:
    ada.browser.ask(stage.flows.accounts.record_verified_address, CONTEXT, user=ada.user, address=ADA)


def remove_address(stage: Stage, ada: Person) -> None:
    replaced(stage, ada, "other@example.com")


def suspend(stage: Stage, ada: Person) -> None:
    stage.save(attrs.evolve(stage.user(ada.user), active=False))


def void(stage: Stage, ada: Person) -> None:
    stage.flows.accounts.void_confirmations(user=ada.user, address=Address(ADA))


def delete(stage: Stage, ada: Person) -> None:
    ada.browser.ask(stage.flows.accounts.delete, CONTEXT, user=ada.user)


def wait(stage: Stage, _ada: Person) -> None:
    stage.clock.advance(LIFE)


@pytest.mark.parametrize("change", [record, remove_address, suspend, void, delete, wait], ids=lambda one: one.__name__)
def test_a_link_that_is_over_is_not_mailed(memory: Stage, change: Any):
    """Decision 37: before it is sent, token, address and person are read again."""
    ada = newcomer(memory)
    send(memory, ada.browser)
    change(memory, ada)
    assert memory.mails(CONFIRMATION) == []


def test_a_warning_about_what_is_nobodys_any_more_is_not_mailed(memory: Stage):
    olga, eve = memory.person(ADA), claiming(memory, "eve")
    send(memory, eve.browser)
    replaced(memory, olga, "olga@example.com")
    assert memory.mails(MailKind.ADDRESS_CLAIMED) == []


# --- whatever a host hands on -----------------------------------------------------------------------------------------


def test_an_address_that_would_begin_another_line_of_a_mail_gets_none(memory: Stage):
    """What a careless host stored; the other address of the person is mailed."""
    ada = newcomer(memory)
    memory.give_address(ada.user, "ada@example.com\r\nBcc: eve@example.com", verified=False)
    sent = send(memory, ada.browser)
    assert (sent.addresses, len(sent.unsent)) == ((ADA,), 1)
    assert [mail.to for mail in memory.mails(CONFIRMATION)] == [ADA]


TOKENS = st.one_of(
    st.text(max_size=60),
    st.text(alphabet="\r\n\0\u0130\ud800 7", max_size=200),
    st.text(alphabet="abcdefghijklmnopqrstuvwxyz234567", min_size=40, max_size=300),
)


@settings(max_examples=60, deadline=None)
@given(typed=TOKENS, changed=st.booleans())
def test_no_other_text_confirms_anything(typed: str, *, changed: bool):
    stage = Stage(MemoryUnitOfWork())
    ada = newcomer(stage)
    token = link(stage, ada)
    given_text = token.reveal() + typed if changed and typed else typed
    with stage.writes():
        assert look(stage, ada.browser, Secret(given_text)).code is Code.ACCOUNT_CONFIRMATION_INVALID
        assert confirm(stage, ada.browser, Secret(given_text)).code is Code.ACCOUNT_CONFIRMATION_INVALID
    assert isinstance(confirm(stage, ada.browser, token), AddressConfirmed)


def test_a_repeated_command_is_answered_alike(stage: Stage, ada: Person):
    """Also after the first answer gave the browser another session value (decision 8)."""
    session = ada.browser.session
    keyed = [Context(idempotency_key=f"key-{number}") for number in range(2)]
    sent = [stage.flows.accounts.send_confirmations(session, keyed[0]) for _ in range(2)]
    assert sent[0] == sent[1]
    (mail,) = stage.mails(CONFIRMATION)
    token = token_of(mail)
    answers = [stage.flows.accounts.confirm_address(session, keyed[1], token=token) for _ in range(2)]
    assert isinstance(answers[0], AddressConfirmed)
    assert answers[0] == answers[1]


def token_of(mail: Mail) -> Secret:
    return Secret(str(mail.context["token"]))
