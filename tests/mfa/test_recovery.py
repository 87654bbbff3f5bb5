"""The table of recovery codes: added once, used up one by one, replaced whole, never standing alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs
import pytest

from authflow.errors import Code
from authflow.facts import mfa as facts
from authflow.mfa.answers import CodesShown, Done, Kept, NoCodesAdded, Removed, WhyNoCodes
from authflow.mfa.kinds import RECOVERY, UNKNOWN
from authflow.mfa.recovery import MACHINE, Adopt, Consume, Fall, Forget, NoCodes, Ready
from authflow.testing import assert_complete
from authflow.testing.samples.mfa import ADA, CODES, EVE, NOW, READY, SECOND, STRANGER, person
from authflow.testing.samples.recovery import ALPHABET, OTHER, SHOWN, add, regenerate, remove
from authflow.values import Refused

if TYPE_CHECKING:
    from authflow.mfa.recovery import Recovery

FRESH = Ready(authenticator=CODES, created_at=NOW, left=10)
STATES: list[Recovery] = [NoCodes(), READY]


def name(state: object) -> str:
    return type(state).__name__


EXPLORED = ALPHABET.walk()


def test_the_whole_table_is_walked():
    assert_complete(MACHINE, EXPLORED)


def test_only_what_needs_codes_is_missing_where_there_are_none():
    assert {(s.__name__, k.__name__) for s, k in EXPLORED.illegal_pairs()} == {
        ("NoCodes", "Consume"),
        ("NoCodes", "Remove"),
    }


def test_a_refusal_changes_nothing_and_reports_nothing():
    for step in EXPLORED.steps:
        if isinstance(step.answer, Refused | NoCodesAdded | Kept):
            assert step.target == step.state
            assert step.facts == ()


def test_codes_only_get_fewer_until_a_new_set_is_shown():
    for step in EXPLORED.steps:
        if isinstance(step.state, Ready) and isinstance(step.target, Ready):
            fewer = step.target.left - step.state.left
            assert fewer == {Consume: -1}.get(type(step.command), 0) or isinstance(step.answer, CodesShown)


def test_no_code_is_ever_in_a_state_or_in_a_fact():
    for step in EXPLORED.steps:
        assert "0000-0000" not in repr((step.target, step.answer, step.facts))


# --- adding ---------------------------------------------------------------------------------------------------------


def test_whoever_has_a_primary_factor_and_no_codes_gets_some_shown_once():
    """Section 10.5."""
    step = MACHINE.step(NoCodes(), add(), NOW)
    assert step.state == FRESH
    assert step.answer == CodesShown(authenticator=CODES, codes=SHOWN, created_at=NOW)
    assert step.facts == (facts.RecoveryCodesAdded(user=ADA, authenticator=CODES, count=10),)


def test_codes_never_stand_alone():
    assert MACHINE.step(NoCodes(), add(protected=False), NOW).answer == NoCodesAdded(why=WhyNoCodes.NO_PRIMARY)


@pytest.mark.parametrize("protected", [True, False])
def test_a_closed_kind_is_not_added_and_never_an_error(*, protected: bool):
    """Section 3.3: it must not surface after the primary factor was stored."""
    step = MACHINE.step(NoCodes(), add(protected=protected, closed=True), NOW)
    assert step.answer == NoCodesAdded(why=WhyNoCodes.CLOSED)
    assert step.state == NoCodes()


@pytest.mark.parametrize("protected", [True, False])
@pytest.mark.parametrize("closed", [True, False])
def test_codes_that_there_are_stay(*, protected: bool, closed: bool):
    """Decision 28: nothing is written."""
    step = MACHINE.step(READY, add(protected=protected, closed=closed), NOW)
    assert (step.state, step.answer, step.facts) == (READY, NoCodesAdded(why=WhyNoCodes.PRESENT), ())


# --- replacing ------------------------------------------------------------------------------------------------------


def test_new_codes_kill_the_old_ones_under_the_same_id():
    """Section 10.3."""
    used = attrs.evolve(READY, left=2, last_used_at=NOW - SECOND)
    step = MACHINE.step(used, regenerate(), NOW)
    assert step.state == FRESH
    assert step.answer == CodesShown(authenticator=CODES, codes=SHOWN, created_at=NOW)
    assert step.facts == (facts.RecoveryCodesRegenerated(user=ADA, authenticator=CODES, count=10),)


REFUSED_CHANGES = [
    ({"asker": STRANGER}, Code.SESSION_ENDED),
    ({"asker": person(elevated=False)}, Code.SESSION_ELEVATION_REQUIRED),
    ({"asker": person(EVE)}, Code.MFA_FORBIDDEN),
]


@pytest.mark.parametrize("state", STATES, ids=name)
@pytest.mark.parametrize(
    ("fault", "told"), [*REFUSED_CHANGES, ({"subject": EVE, "administrator": True}, Code.MFA_FORBIDDEN)]
)
def test_only_their_owner_sees_new_codes(state: Any, fault: Any, told: Code):
    step = MACHINE.step(state, regenerate(**fault), NOW)
    assert step.answer == Refused(code=told)
    assert step.state == state


def test_where_there_are_none_none_are_replaced():
    assert MACHINE.step(NoCodes(), regenerate(), NOW).answer == Refused(code=Code.MFA_NOT_ENROLLED)


# --- using ----------------------------------------------------------------------------------------------------------


def test_a_used_code_is_one_less_and_its_owner_is_told():
    step = MACHINE.step(READY, Consume(user=ADA), NOW)
    assert step.state == attrs.evolve(READY, left=9, last_used_at=NOW)
    assert step.answer == Done()
    assert step.facts == (facts.RecoveryCodeUsed(user=ADA, authenticator=CODES, remaining=9),)


def test_the_last_code_leaves_an_empty_set():
    """Which is still a set: it can be replaced, and none is added beside it."""
    step = MACHINE.step(attrs.evolve(READY, left=1), Consume(user=ADA), NOW)
    assert isinstance(step.state, Ready)
    assert step.state.left == 0
    assert step.facts == (facts.RecoveryCodeUsed(user=ADA, authenticator=CODES, remaining=0),)
    assert MACHINE.step(step.state, add(), NOW).answer == NoCodesAdded(why=WhyNoCodes.PRESENT)
    assert isinstance(MACHINE.step(step.state, regenerate(), NOW).answer, CodesShown)


# --- removing -------------------------------------------------------------------------------------------------------


def test_codes_may_go_while_an_organization_requires_a_factor():
    """Section 23, 12: the primary factor stays."""
    step = MACHINE.step(READY, remove(required=True, usable_left=1), NOW)
    assert step.state == NoCodes()
    assert step.answer == Removed(user=ADA, authenticator=CODES, kind=RECOVERY, actor_role="self")
    gone = facts.BackupFactorRemoved(user=ADA, authenticator=CODES, kind="recovery", cascade=False)
    assert step.facts == (gone,)


@pytest.mark.parametrize(("fault", "told"), [*REFUSED_CHANGES, ({"target": UNKNOWN}, Code.MFA_NOT_FOUND)])
def test_whoever_may_not_remove_them_leaves_them(fault: Any, told: Code):
    step = MACHINE.step(READY, remove(**fault), NOW)
    assert step.answer == Refused(code=told)
    assert step.state == READY


def test_codes_fall_with_the_last_primary_factor():
    """Section 14.4: recorded for the account they were of, and never mailed by themselves."""
    step = MACHINE.step(READY, Fall(user=ADA), NOW)
    assert (step.state, step.answer) == (NoCodes(), Done())
    fallen = facts.BackupFactorRemoved(user=ADA, authenticator=CODES, kind="recovery", cascade=True)
    assert step.facts == (fallen,)
    again = MACHINE.step(NoCodes(), Fall(user=ADA), NOW)
    assert (again.state, again.answer, again.facts) == (NoCodes(), Done(), ())


@pytest.mark.parametrize("state", STATES, ids=name)
def test_what_is_forgotten_tells_nothing(state: Any):
    step = MACHINE.step(state, Forget(), NOW)
    assert (step.state, step.answer, step.facts) == (NoCodes(), Done(), ())


def test_a_merged_account_brings_its_codes_where_there_are_none():
    """Decision 30: under the same id, because their digests are bound to it."""
    moved, kept = (MACHINE.step(state, Adopt(ready=OTHER), NOW) for state in STATES)
    assert (moved.state, moved.answer, moved.facts) == (OTHER, Done(), ())
    assert (kept.state, kept.answer, kept.facts) == (READY, Kept(), ())
