"""A click waits for exactly what was clicked, by whom, in that browser (decision 13)."""

from __future__ import annotations

import pytest

from authflow.errors import Code
from authflow.membership.answers import ConfirmationOwed
from authflow.membership.consent import (
    CURABLE,
    MACHINE,
    Anonymous,
    Claimed,
    Consent,
    Given,
    NoConsent,
    Proceed,
    Resume,
    Settle,
)
from authflow.testing import assert_complete
from authflow.testing.samples.consent import ADA, ALPHABET, CLICK, EVE, LIFE, OTHER, resume
from authflow.testing.samples.membership import DIGEST, HOME, INVITATION, NOW, SECOND, WRONG
from authflow.values import Refused

EXPLORED = ALPHABET.walk()


def test_the_whole_table_is_walked():
    assert_complete(MACHINE, EXPLORED)


def test_every_command_may_arrive_in_every_state():
    assert EXPLORED.illegal == ()


def test_going_on_means_exactly_what_was_clicked_by_its_person_in_time():
    for step in EXPLORED.steps:
        if not isinstance(step.answer, Proceed):
            continue
        assert isinstance(step.command, Resume)
        assert not isinstance(step.state, NoConsent)
        assert step.answer.click == step.state.click
        assert step.command.token == step.state.click.token
        assert step.now < step.state.click.at + LIFE
        assert step.command.user is not None
        if isinstance(step.state, Given | Claimed):
            assert step.command.user == step.state.user
        if not isinstance(step.state, Given):
            assert step.command.confirmed


def test_looking_is_no_click():
    assert MACHINE.step(NoConsent(), resume(), NOW).answer == Refused(code=Code.INVITATION_CONSENT_VOID)


@pytest.mark.parametrize(
    "state", [Given(click=CLICK, user=ADA), Anonymous(click=CLICK), Claimed(click=CLICK, user=ADA)]
)
@pytest.mark.parametrize("token", [None, WRONG])
def test_a_resend_in_between_voids_the_click(state: Consent, token: bytes | None):
    step = MACHINE.step(state, resume(token=token, confirmed=True), NOW)
    assert (step.state, step.answer) == (NoConsent(), Refused(code=Code.INVITATION_CONSENT_VOID))


@pytest.mark.parametrize(
    "state", [Given(click=CLICK, user=ADA), Anonymous(click=CLICK), Claimed(click=CLICK, user=ADA)]
)
def test_a_click_waits_an_hour_and_not_a_moment_longer(state: Consent):
    last, over = NOW + LIFE - SECOND, NOW + LIFE
    assert isinstance(MACHINE.step(state, resume(confirmed=True), last).answer, Proceed)
    for late in (over, over + SECOND):
        step = MACHINE.step(state, resume(confirmed=True), late)
        assert (step.state, step.answer) == (NoConsent(), Refused(code=Code.INVITATION_CONSENT_VOID))


def test_the_first_account_that_fits_is_asked_once_and_no_other_can_answer():
    first = MACHINE.step(Anonymous(click=CLICK), resume(ADA), NOW)
    assert (first.state, first.answer) == (
        Claimed(click=CLICK, user=ADA),
        ConfirmationOwed(organization=HOME, invitation=INVITATION),
    )
    other = MACHINE.step(first.state, resume(EVE, confirmed=True), NOW)
    assert (other.state, other.answer) == (first.state, Refused(code=Code.INVITATION_WRONG_USER))
    confirmed = MACHINE.step(first.state, resume(ADA, confirmed=True), NOW)
    assert (confirmed.state, confirmed.answer) == (Given(click=CLICK, user=ADA), Proceed(click=CLICK))


def test_a_wrong_account_does_not_take_the_click_from_the_right_one():
    """Whoever is told to switch accounts must find the click again after switching."""
    wrong = MACHINE.step(Anonymous(click=CLICK), resume(EVE, addressed=False, confirmed=True), NOW)
    assert (wrong.state, wrong.answer) == (Anonymous(click=CLICK), Refused(code=Code.INVITATION_WRONG_USER))


def test_only_what_the_same_click_can_still_lead_to_leaves_it_waiting():
    given = Given(click=CLICK, user=ADA)
    codes = [None, *Code]
    waiting = [c for c in codes if MACHINE.step(given, Settle(invitation=INVITATION, code=c), NOW).state == given]
    assert set(waiting) == CURABLE


def test_the_fate_of_another_invitation_does_not_touch_the_click():
    given = Given(click=CLICK, user=ADA)
    step = MACHINE.step(given, Settle(invitation=OTHER.invitation, code=None), NOW)
    assert step.state == given


def test_the_digest_is_shown_nowhere():
    assert repr(DIGEST) not in repr(Given(click=CLICK, user=ADA))
    assert repr(DIGEST) not in repr(resume())
