"""A mailed link verifies one address of one person, once, in time, and tells nobody else anything."""

from __future__ import annotations

from typing import Any

import attrs
import pytest

from authflow.accounts.commands import (
    Confirm,
    ConfirmationSent,
    ConfirmationView,
    Look,
    NothingToConfirm,
    Send,
    Verified,
    Void,
)
from authflow.accounts.confirmation import MACHINE, held_by
from authflow.accounts.states import Absent, Confirmed, Expired, Sent, Voided
from authflow.errors import Code
from authflow.facts import accounts as facts
from authflow.testing import assert_complete
from authflow.testing.samples.confirmation import (
    ADA,
    ALPHABET,
    ASKERS,
    BROKEN,
    EVE,
    HOLDER,
    INSTANT,
    LIFE,
    LIMITED,
    MAILING,
    NOW,
    OTHER,
    PEOPLE,
    SENT,
    TOKEN,
    WANTED,
    click,
    held,
    person,
    send,
)
from authflow.values import Refused, token_digest

EXPLORED = ALPHABET.walk()
OVER = [kind(mailing=MAILING, at=NOW) for kind in (Confirmed, Expired, Voided)]


def test_the_whole_table_is_walked():
    assert_complete(MACHINE, EXPLORED)


def test_only_a_mail_that_is_there_already_cannot_be_sent():
    assert {type(command) for _, command in EXPLORED.illegal} <= {Send}


def test_an_address_is_verified_for_its_own_person_in_time_and_once():
    verified = [step for step in EXPLORED.steps if isinstance(step.answer, Verified)]
    assert verified
    for step in verified:
        assert isinstance(step.state, Sent)
        assert isinstance(step.command, Confirm)
        assert isinstance(step.target, Confirmed)
        mailing, who = step.state.mailing, step.command.person
        assert who is not None
        assert who.active
        assert who.id == mailing.user == step.command.asker.user
        assert step.command.asker.level >= 1
        assert not step.command.taken
        assert step.now < mailing.expires_at
        own = held_by(who, mailing.address)
        assert own is not None
        assert own.verified_at is None
        assert step.facts == (facts.AddressVerified(user=mailing.user, address=mailing.address),)


def test_looking_changes_nothing():
    looked = [step for step in EXPLORED.steps if isinstance(step.command, Look)]
    assert ConfirmationView in {type(step.answer) for step in looked}
    for step in looked:
        assert step.target == step.state
        assert step.facts == ()


def test_nobody_else_is_told_anything():
    """Whoever is not its person is answered as if there were no such link, and it goes on waiting."""
    for step in EXPLORED.steps:
        if isinstance(step.state, Absent) or not isinstance(step.command, Look | Confirm):
            continue
        mine = step.command.person is not None and step.command.person.id == step.command.asker.user == MAILING.user
        if not mine or step.command.asker.level == 0:
            assert isinstance(step.answer, Refused)
            assert step.target == step.state
            assert step.answer.code in {
                Code.ACCOUNT_CONFIRMATION_INVALID,
                Code.SESSION_REQUIRED,
                Code.SESSION_ENDED,
                Code.SESSION_ELEVATION_REQUIRED,
            }


@pytest.mark.parametrize("state", [Absent(), SENT, *OVER], ids=lambda state: type(state).__name__)
def test_without_a_session_every_link_looks_the_same(state: Any):
    for who in ("nobody", "a session that ended", "a stranger of whom nothing is said"):
        for kind in (Look, Confirm):
            step = MACHINE.step(state, click(kind, asker=ASKERS[who], person=None), NOW)
            assert step.answer == Refused(code=ASKERS[who].why_not or Code.SESSION_REQUIRED)


@pytest.mark.parametrize("state", [Absent(), SENT, *OVER], ids=lambda state: type(state).__name__)
def test_what_a_provider_says_confirms_no_address(state: Any):
    """Decision 1: an organization's provider may sign somebody in, and never choose their addresses."""
    step = MACHINE.step(state, click(asker=ASKERS["ada, through a provider only"]), NOW)
    assert (step.state, step.answer) == (state, Refused(code=Code.SESSION_ELEVATION_REQUIRED))


# --- what a click finds -----------------------------------------------------------------------------------------------


def test_a_link_is_good_for_48_hours_and_not_a_microsecond_longer():
    last, over = NOW + LIFE - INSTANT, NOW + LIFE
    assert MACHINE.step(SENT, click(), last).answer == Verified(address=WANTED, first=True)
    step = MACHINE.step(SENT, click(), over)
    assert (step.state, step.answer) == (
        Expired(mailing=MAILING, at=over),
        Refused(code=Code.ACCOUNT_CONFIRMATION_EXPIRED),
    )


def test_what_was_seen_as_expired_stays_so_when_the_clock_goes_back():
    expired = MACHINE.step(SENT, click(), NOW + LIFE).state
    step = MACHINE.step(expired, click(), NOW)
    assert (step.state, step.answer) == (expired, Refused(code=Code.ACCOUNT_CONFIRMATION_EXPIRED))


FOUND = {
    "ada": (Confirmed, Verified(address=WANTED, first=True)),
    "ada, with another address verified": (Confirmed, Verified(address=WANTED, first=False)),
    "ada, who verified it": (Voided, NothingToConfirm()),
    "ada, who verified it, another one open": (Voided, NothingToConfirm()),
    "ada, who holds another one": (Voided, Refused(code=Code.ACCOUNT_CONFIRMATION_INVALID)),
    "ada, who holds another one, verified": (Voided, NothingToConfirm()),
    "ada, who holds none": (Voided, Refused(code=Code.ACCOUNT_CONFIRMATION_INVALID)),
    "ada, inactive": (Sent, Refused(code=Code.ACCOUNT_CONFIRMATION_INVALID)),
    "eve": (Sent, Refused(code=Code.ACCOUNT_CONFIRMATION_INVALID)),
    "eve, with nothing open": (Sent, Refused(code=Code.ACCOUNT_CONFIRMATION_INVALID)),
    "nobody known": (Sent, Refused(code=Code.ACCOUNT_CONFIRMATION_INVALID)),
}


@pytest.mark.parametrize("who", PEOPLE)
def test_what_a_click_finds_decides_and_is_stored(who: str):
    by = ASKERS["eve" if who.startswith("eve") else "ada"]
    step = MACHINE.step(SENT, click(asker=by, person=PEOPLE[who]), NOW)
    assert (type(step.state), step.answer) == FOUND[who]


@pytest.mark.parametrize("who", PEOPLE)
def test_a_look_says_what_the_click_would(who: str):
    by = ASKERS["eve" if who.startswith("eve") else "ada"]
    looked = MACHINE.step(SENT, click(Look, asker=by, person=PEOPLE[who]), NOW).answer
    clicked = FOUND[who][1]
    shown = ConfirmationView(address=WANTED, expires_at=MAILING.expires_at)
    assert looked == (shown if isinstance(clicked, Verified) else clicked)


def test_the_session_decides_who_the_person_is():
    """A service that read somebody else's row verifies nothing."""
    step = MACHINE.step(SENT, click(asker=ASKERS["eve"], person=ADA), NOW)
    assert (step.state, step.answer) == (SENT, Refused(code=Code.ACCOUNT_CONFIRMATION_INVALID))


def test_an_address_that_is_somebody_elses_by_now_is_not_verified_twice():
    step = MACHINE.step(SENT, click(taken=True), NOW)
    assert (type(step.state), step.answer) == (Voided, Refused(code=Code.ACCOUNT_ADDRESS_TAKEN))


@pytest.mark.parametrize("address", ["ADA@EXAMPLE.ORG", "ada@example.org"])
def test_capitals_do_not_tell_addresses_apart(address: Any):
    assert isinstance(MACHINE.step(SENT, click(person=person("ada", held(address))), NOW).answer, Verified)


def test_a_look_alike_is_another_address():
    alike: Any = "\u0251da@example.org"
    step = MACHINE.step(SENT, click(person=person("ada", held(alike))), NOW)
    assert step.answer == Refused(code=Code.ACCOUNT_CONFIRMATION_INVALID)


# --- a second click ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("state", OVER, ids=lambda state: type(state).__name__)
@pytest.mark.parametrize(
    "who", ["ada, who verified it", "ada, who verified it, another one open", "ada, who holds another one, verified"]
)
def test_a_second_click_is_no_failure_while_nothing_is_open_about_it(state: Any, who: str):
    step = MACHINE.step(state, click(person=PEOPLE[who]), NOW + 2 * LIFE)
    assert (step.state, step.answer) == (state, NothingToConfirm())


@pytest.mark.parametrize(
    ("state", "code"),
    [
        (OVER[0], Code.ACCOUNT_CONFIRMATION_INVALID),
        (OVER[1], Code.ACCOUNT_CONFIRMATION_EXPIRED),
        (OVER[2], Code.ACCOUNT_CONFIRMATION_INVALID),
    ],
    ids=lambda given: str(given) if isinstance(given, Code) else type(given).__name__,
)
@pytest.mark.parametrize(
    "who", ["ada", "ada, with another address verified", "ada, who holds another one", "ada, who holds none"]
)
def test_what_is_over_verifies_nothing_again(state: Any, code: Code, who: str):
    step = MACHINE.step(state, click(person=PEOPLE[who]), NOW)
    assert (step.state, step.answer) == (state, Refused(code=code))


def test_an_unknown_link_is_no_failure_for_whom_nothing_is_open():
    open_one = MACHINE.step(Absent(), click(), NOW).answer
    done = MACHINE.step(Absent(), click(person=PEOPLE["ada, who verified it"]), NOW).answer
    assert (open_one, done) == (Refused(code=Code.ACCOUNT_CONFIRMATION_INVALID), NothingToConfirm())


def test_only_what_waits_is_voided():
    assert MACHINE.step(SENT, Void(), NOW).state == Voided(mailing=MAILING, at=NOW)
    assert [MACHINE.step(state, Void(), NOW).state for state in OVER] == OVER


# --- sending ----------------------------------------------------------------------------------------------------------


def test_a_link_is_mailed_to_the_stored_address():
    step = MACHINE.step(Absent(), send(), NOW)
    (mail,) = step.facts
    assert (step.state, step.answer) == (SENT, ConfirmationSent(address=WANTED))
    assert mail == facts.ConfirmationSent(
        user=ADA.id, address=WANTED, token=TOKEN, expires_at=NOW + LIFE, recipients=(WANTED,)
    )


def test_only_the_digest_is_kept():
    state = MACHINE.step(Absent(), send(), NOW).state
    assert isinstance(state, Sent)
    assert state.mailing.token == token_digest(TOKEN)
    assert TOKEN.reveal() not in repr(attrs.asdict(state))


def test_an_address_of_somebody_else_gets_a_warning_and_whoever_asks_sees_no_difference():
    free, taken = (MACHINE.step(Absent(), send(holder=holder), NOW) for holder in (None, HOLDER))
    assert (taken.state, taken.answer) == (free.state, free.answer)
    assert taken.facts == (
        facts.ConfirmationWithheld(user=ADA.id, address=WANTED),
        facts.AddressClaimed(user=HOLDER.user, address=HOLDER.address, recipients=(HOLDER.address,)),
    )


@pytest.mark.parametrize(
    ("flaw", "refused"),
    [
        ({"held": None}, Refused(code=Code.ACCOUNT_ADDRESS_UNKNOWN)),
        ({"held": held(verified=True)}, Refused(code=Code.ACCOUNT_ADDRESS_VERIFIED)),
        ({"asked": LIMITED}, Refused(code=Code.ACCOUNT_RATE_LIMITED, retry_after=LIMITED.retry_after)),
        ({"mailed": LIMITED}, Refused(code=Code.ACCOUNT_RATE_LIMITED, retry_after=LIMITED.retry_after)),
        (
            {"held": held(BROKEN)},
            Refused(code=Code.ACCOUNT_INPUT_INVALID, problems={"address": "is not an e-mail address"}),
        ),
    ],
)
@pytest.mark.parametrize("holder", [None, HOLDER])
def test_what_is_refused_sends_nothing(flaw: dict[str, Any], refused: Refused, holder: Any):
    step = MACHINE.step(Absent(), send(**flaw, holder=holder), NOW)
    assert (step.state, step.answer, step.facts) == (Absent(), refused, ())


@pytest.mark.parametrize("given", [["Ada@example.org"], ("Ada@example.org",), None, 7, b"Ada@example.org"])
def test_what_is_no_text_is_no_address_of_anybody(given: Any):
    """CVE-2023-7028: a list of addresses is no address."""
    assert held_by(ADA, given) is None


def test_an_address_is_found_as_it_is_stored():
    assert held_by(EVE, "ADA@example.ORG") == held()
    assert held_by(EVE, OTHER) is None
    assert held_by(None, WANTED) is None
