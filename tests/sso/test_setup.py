"""Connecting a provider: whoever finishes is the owner who began, and signed in through it."""

from __future__ import annotations

import attrs
import pytest

from authflow.errors import Code
from authflow.sso.identity import FRESH
from authflow.sso.progress import Abandon, Over, Return, Why
from authflow.sso.setup import MACHINE, Confirm, Proposed, Stands, Tried
from authflow.testing import assert_complete
from authflow.testing.samples.links import ADA, EVE, NOW, identity
from authflow.testing.samples.pipelines import (
    AUTHORITIES,
    CHANGED,
    OTHER_CONFIG,
    OWNER,
    PRESENT,
    PROPOSED,
    SETUP,
    SETUP_HANDLE,
    STATE,
    STRANGE,
    TRIED,
    WRONG,
)
from authflow.values import Address, Refused, UserId

EXPLORED = SETUP.walk()


def confirm(**given: object) -> Confirm:
    asked: dict[str, object] = {"present": PRESENT, "visitor": ADA, "authority": OWNER, "exists": False, **given}
    return Confirm(**asked)


def test_the_whole_table_is_walked():
    assert_complete(MACHINE, EXPLORED)


def test_it_stands_only_for_the_elevated_owner_who_began_and_tried_it():
    """Decision 5, CVE-2026-42354."""
    stands = [step for step in EXPLORED.steps if isinstance(step.answer, Stands)]
    assert stands
    for step in stands:
        assert isinstance(step.state, Tried)
        assert isinstance(step.command, Confirm)
        assert step.command.visitor == step.command.authority.user == SETUP_HANDLE.started_by == step.answer.user
        assert step.command.authority == OWNER
        assert not step.command.exists
        assert step.now < NOW + FRESH


def test_whoever_is_asserted_it_is_the_admin_who_is_linked():
    """CVE-2026-42354: even if the provider asserts another member's address, or nobody's."""
    for email in (Address("eve@example.org"), None):
        tried = attrs.evolve(TRIED, identity=identity(email=email))
        answer = MACHINE.step(tried, confirm(), NOW).answer
        assert isinstance(answer, Stands)
        assert (answer.user, answer.proposal) == (ADA, OTHER_CONFIG)


def test_another_browser_learns_nothing_and_a_changed_provider_ends_it():
    for step in EXPLORED.steps:
        if step.command.present in STRANGE:
            assert (step.target, step.answer) == (step.state, Refused(code=Code.SSO_PIPELINE_INVALID))
        going_on = not isinstance(step.state, Over) and not isinstance(step.command, Abandon)
        if step.command.present in CHANGED and going_on:
            assert isinstance(step.target, Over)


def test_nothing_leaves_the_end():
    assert all(step.target == step.state for step in EXPLORED.steps if isinstance(step.state, Over))


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ({"visitor": None}, Code.SESSION_REQUIRED),
        ({"visitor": EVE}, Code.SSO_IDENTITY_MISMATCH),
        ({"visitor": UserId("a")}, Code.SSO_IDENTITY_MISMATCH),
        ({"authority": attrs.evolve(OWNER, user=EVE)}, Code.SSO_IDENTITY_MISMATCH),
        ({"authority": attrs.evolve(OWNER, user=UserId("a"))}, Code.SSO_IDENTITY_MISMATCH),
        ({"authority": AUTHORITIES[1]}, Code.SESSION_REQUIRED),
        ({"authority": AUTHORITIES[2]}, Code.MEMBERSHIP_FORBIDDEN),
        ({"authority": AUTHORITIES[3]}, Code.SESSION_ELEVATION_REQUIRED),
    ],
)
def test_whoever_may_not_may_mend_it_and_try_again(given: dict[str, object], code: Code):
    step = MACHINE.step(TRIED, confirm(**given), NOW)
    assert (step.state, step.answer) == (TRIED, Refused(code=code))


@pytest.mark.parametrize(
    ("command", "now", "code"),
    [
        (confirm(exists=True), NOW, Code.SSO_PROVIDER_EXISTS),
        (confirm(), NOW + FRESH, Code.SSO_IDENTITY_EXPIRED),
    ],
)
def test_what_cannot_be_mended_ends_it(command: Confirm, now: object, code: Code):
    step = MACHINE.step(TRIED, command, now)
    assert (step.state, step.answer) == (Over(handle=SETUP_HANDLE, why=Why.FAILED), Refused(code=code))


def test_nothing_stands_that_nobody_signed_in_through():
    step = MACHINE.step(PROPOSED, confirm(), NOW)
    assert (step.state, step.answer) == (PROPOSED, Refused(code=Code.SSO_PROVIDER_UNTRIED))


def test_an_answer_that_was_not_asked_for_changes_nothing():
    for said in (identity(), Code.SSO_IDENTITY_INCOMPLETE):
        step = MACHINE.step(PROPOSED, Return(present=PRESENT, state=WRONG, said=said), NOW)
        assert (step.state, step.answer) == (PROPOSED, Refused(code=Code.SSO_STATE_INVALID))


def test_a_provider_cannot_speak_for_another():
    """Invariant 3."""
    for changed in ({"provider": "globex-idp"}, {"organization": "globex"}, {"provider": "a"}, {"organization": "a"}):
        said = identity(**changed)
        assert isinstance(PROPOSED, Proposed)
        answer = MACHINE.step(PROPOSED, Return(present=PRESENT, state=STATE, said=said), NOW).answer
        assert answer == Refused(code=Code.SSO_IDENTITY_MISMATCH)


def test_somebody_else_who_owns_it_too_cannot_finish():
    other = attrs.evolve(OWNER, user=UserId("olga"))
    answer = MACHINE.step(TRIED, confirm(visitor=UserId("olga"), authority=other), NOW).answer
    assert answer == Refused(code=Code.SSO_IDENTITY_MISMATCH)
