"""The post flow's table: every edge is taken, no other, and every combination has an outcome."""

from __future__ import annotations

from itertools import product

import pytest

from authflow.errors import Code
from authflow.journey import post_flow
from authflow.journey.post_flow import Detour, InvitationFate
from authflow.membership.admission import Requirement
from authflow.testing import assert_complete
from authflow.testing.clocks import START
from authflow.testing.samples.journey import ORGANIZATION, POST_FLOW, REQUIREMENTS, meetings

MEETINGS = meetings(Code)
STANDINGS: list[post_flow.PostFlow] = [
    post_flow.Protected(),
    post_flow.Unprotected(),
]


def _named(value: object) -> str:
    """Name a case the same in every process: a set has no order of its own."""
    some = getattr(value, "requirements", value)
    return "+".join(sorted(some)) if isinstance(some, frozenset) else str(value)


def test_every_edge_of_the_post_flow_is_taken():
    assert_complete(post_flow.MACHINE, POST_FLOW.walk())


@pytest.mark.parametrize("state", STANDINGS, ids=str)
@pytest.mark.parametrize("command", MEETINGS, ids=_named)
def test_invitation_by_second_factor_always_has_an_outcome(state: post_flow.PostFlow, command: post_flow.Command):
    step = post_flow.MACHINE.step(state, command, START)
    outcome = step.answer
    assert isinstance(step.state, post_flow.Finished)
    assert isinstance(outcome, post_flow.InvitationOutcome)
    assert (outcome.fate is InvitationFate.NONE) == isinstance(command, post_flow.MeetNoInvitation)
    assert (outcome.member is not None) == (outcome.fate is InvitationFate.JOINED)
    assert (outcome.code is not None) == (outcome.fate in {InvitationFate.KEPT, InvitationFate.CLEARED})
    assert (outcome.detour is not None) == isinstance(
        command, post_flow.MeetOpenRequirements | post_flow.MeetConfirmation
    )
    if isinstance(command, post_flow.MeetRefusal):
        assert (outcome.fate is InvitationFate.KEPT) == command.waits


@pytest.mark.parametrize("state", STANDINGS, ids=str)
@pytest.mark.parametrize("open_ones", REQUIREMENTS, ids=_named)
def test_the_detour_meets_an_open_requirement_and_an_address_comes_before_a_factor(
    state: post_flow.PostFlow, open_ones: frozenset[Requirement]
):
    command = post_flow.MeetOpenRequirements(organization=ORGANIZATION, requirements=open_ones)
    outcome = post_flow.MACHINE.step(state, command, START).answer
    factor = Detour.ENROLL_FACTOR if isinstance(state, post_flow.Unprotected) else Detour.PROVE_FACTOR
    order = [
        (Requirement.SIGN_IN, Detour.SIGN_IN),
        (Requirement.VERIFIED_ADDRESS, Detour.VERIFY_ADDRESS),
        (Requirement.SECOND_FACTOR, factor),
        (Requirement.SSO_LINK, Detour.SIGN_IN_THROUGH_SSO),
    ]
    assert outcome.detour is next(detour for requirement, detour in order if requirement in open_ones)


def test_codes_are_added_exactly_when_there_is_no_backup_and_it_is_not_closed():
    for has_backup, closed in product((True, False), repeat=2):
        command = post_flow.SettleCodes(has_backup=has_backup, closed=closed)
        step = post_flow.MACHINE.step(post_flow.FactorProven(), command, START)
        add = not has_backup and not closed
        assert step.answer == post_flow.CodesSettled(add=add)
        assert step.state == post_flow.Protected()
