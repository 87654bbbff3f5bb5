"""The rules for what stands: a step is used once, a name is only a name, what goes leaves nothing."""

from __future__ import annotations

from typing import Any

import attrs
import pytest

from authflow.errors import Code
from authflow.facts import mfa as facts
from authflow.mfa import commands as c
from authflow.mfa.answers import Done, Kept, Removed, Renamed
from authflow.mfa.enrollment import MACHINE
from authflow.mfa.factor import Enrolled, Unenrolled, enrolled, pending
from authflow.mfa.kinds import TOTP, UNKNOWN
from authflow.testing.samples.mfa import (
    ADA,
    ENROLLED,
    EVE,
    NOW,
    PHONE,
    PROPOSED,
    ROTATING,
    SECOND,
    authenticator,
    change,
    person,
)
from authflow.values import AuthenticatorId, OrganizationId, Refused, Sealed

STANDING: list[Any] = [ENROLLED, ROTATING]
STATES: list[Any] = [Unenrolled(), PROPOSED, *STANDING]
BURNT = authenticator().last_accepted_step


def name(state: object) -> str:
    return type(state).__name__


@pytest.mark.parametrize("state", STANDING, ids=name)
@pytest.mark.parametrize("ahead", [-1_000_000, -1, 0])
def test_a_step_that_was_accepted_or_is_older_is_refused(state: Any, ahead: int):
    """Section 7.5: the second guard, behind the comparison."""
    step = MACHINE.step(state, c.UseStep(step=BURNT + ahead), NOW)
    assert step.answer == Refused(code=Code.MFA_CODE_REJECTED)
    assert step.state == state


@pytest.mark.parametrize("state", STANDING, ids=name)
@pytest.mark.parametrize("ahead", [1, 2, 1_000_000])
def test_a_newer_step_is_used_and_burnt_with_all_before_it(state: Any, ahead: int):
    step = MACHINE.step(state, c.UseStep(step=BURNT + ahead), NOW + SECOND)
    assert step.answer == Done()
    assert enrolled(step.state) == authenticator(BURNT + ahead, last_used_at=NOW + SECOND)
    assert pending(step.state) == pending(state)


@pytest.mark.parametrize("state", STANDING, ids=name)
def test_a_name_is_only_a_name(state: Any):
    step = MACHINE.step(state, c.Rename(change=change(), name="Work"), NOW)
    assert enrolled(step.state) == authenticator(name="Work")
    assert pending(step.state) == pending(state)
    assert step.answer == Renamed(authenticator=PHONE, name="Work")
    assert step.facts == (facts.FactorRenamed(user=ADA, authenticator=PHONE, kind="totp"),)


@pytest.mark.parametrize("state", STANDING, ids=name)
def test_what_is_removed_leaves_nothing_pending_either(state: Any):
    step = MACHINE.step(state, c.Remove(change=change()), NOW)
    assert step.state == Unenrolled()
    assert step.answer == Removed(user=ADA, authenticator=PHONE, kind=TOTP, actor_role="self")
    assert step.facts == (facts.FactorRemoved(user=ADA, authenticator=PHONE, kind="totp", actor_role="self"),)


@pytest.mark.parametrize(
    ("facts_", "role"),
    [
        ({"administrator": True}, "administrator"),
        (
            {
                "managed_by": OrganizationId("acme"),
                "manager_of": frozenset({OrganizationId("acme")}),
                "memberships": frozenset({OrganizationId("acme")}),
            },
            "manager",
        ),
    ],
)
def test_whoever_removes_for_another_is_named_by_role_and_the_account_is_the_subjects(facts_: Any, role: str):
    asked = change(asker=person(EVE), subject=ADA, **facts_)
    step = MACHINE.step(ENROLLED, c.Remove(change=asked), NOW)
    assert step.facts == (facts.FactorRemoved(user=ADA, authenticator=PHONE, kind="totp", actor_role=role),)


@pytest.mark.parametrize("state", STANDING, ids=name)
@pytest.mark.parametrize(
    ("fault", "refused"),
    [
        ({"asker": person(elevated=False)}, Code.SESSION_ELEVATION_REQUIRED),
        ({"asker": person(EVE)}, Code.MFA_FORBIDDEN),
        ({"target": UNKNOWN}, Code.MFA_NOT_FOUND),
        ({"required": True}, Code.MFA_REQUIRED_BY_ORGANIZATION),
    ],
)
def test_the_gates_of_a_removal_keep_what_stands(state: Any, fault: Any, refused: Code):
    step = MACHINE.step(state, c.Remove(change=change(**fault)), NOW)
    assert step.answer == Refused(code=refused)
    assert (step.state, step.facts) == (state, ())


@pytest.mark.parametrize("state", STANDING, ids=name)
def test_the_gates_of_a_name_keep_the_old_one(state: Any):
    problems = {"name": "is empty"}
    step = MACHINE.step(state, c.Rename(change=change(problems=problems), name=""), NOW)
    assert step.answer == Refused(code=Code.MFA_INPUT_INVALID, problems=problems)
    assert (step.state, step.facts) == (state, ())


def test_what_does_not_exist_is_not_found_and_not_elevated_comes_first():
    for command in (c.Remove(change=change(target=UNKNOWN)), c.Rename(change=change(target=UNKNOWN), name="x")):
        assert MACHINE.step(Unenrolled(), command, NOW).answer == Refused(code=Code.MFA_NOT_FOUND)
        lazy = attrs.evolve(command, change=change(target=UNKNOWN, asker=person(elevated=False)))
        assert MACHINE.step(Unenrolled(), lazy, NOW).answer == Refused(code=Code.SESSION_ELEVATION_REQUIRED)


def test_what_has_a_row_of_another_kind_has_none_here():
    """Recovery codes have no name to change: theirs is no factor of this table."""
    for command in (c.Remove(change=change()), c.Rename(change=change(), name="x")):
        assert MACHINE.step(Unenrolled(), command, NOW).answer == Refused(code=Code.MFA_NOT_FOUND)


@pytest.mark.parametrize("state", STATES, ids=name)
def test_what_is_forgotten_leaves_nothing_and_tells_nothing(state: Any):
    step = MACHINE.step(state, c.Forget(), NOW)
    assert (step.state, step.answer, step.facts) == (Unenrolled(), Done(), ())


@pytest.mark.parametrize("state", STATES, ids=name)
def test_a_merged_account_brings_its_factor_where_there_is_none(state: Any):
    """Section 2.1, decision 30: the id and the replay state come along; one's own factor stays."""
    other = authenticator(77, id=AuthenticatorId("authenticator-2"))
    step = MACHINE.step(state, c.Adopt(authenticator=other), NOW)
    if state in STANDING:
        assert (step.state, step.answer) == (state, Kept())
    else:
        assert (step.state, step.answer) == (Enrolled(authenticator=other), Done())


@pytest.mark.parametrize("state", STANDING, ids=name)
def test_a_new_seal_changes_nothing_else(state: Any):
    sealed = Sealed(key_id="k9", ciphertext=b"again")
    step = MACHINE.step(state, c.Reseal(sealed=sealed), NOW)
    assert enrolled(step.state) == authenticator(secret=sealed)
    assert pending(step.state) == pending(state)
    assert step.facts == ()
