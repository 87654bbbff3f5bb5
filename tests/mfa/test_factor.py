"""What is stored of a factor: who continues a proposal, what a secret is bound to, and what a state shows of itself."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest

from authflow.mfa import factor
from authflow.mfa.factor import Enrolled, Mode, Proposed, Rotating, Unenrolled, binding, flow_digest
from authflow.testing.samples.mfa import (
    BROWSER,
    ELSEWHERE,
    ENROLLED,
    FLOW,
    NEW_SEALED,
    OLD_FLOW,
    OLD_SEALED,
    PHONE,
    PROPOSED,
    ROTATING,
    authenticator,
    proposal,
)
from authflow.values import AuthenticatorId, UserId

NO_HANDLES: list[Any] = [None, 7, b"flow-1", "", " ", "flow-1 ", "FLOW-1", "fl\u00f6w", "\ud800", "\x00", "x" * 65]
STATES = [Unenrolled(), PROPOSED, ENROLLED, ROTATING]


def test_a_proposal_is_continued_by_its_own_handle_in_its_own_browser_only():
    for flow, session in product((FLOW, OLD_FLOW), (BROWSER, ELSEWHERE)):
        assert proposal(FLOW).continues(flow, session) == (flow == FLOW and session == BROWSER)


@pytest.mark.parametrize("handle", NO_HANDLES)
def test_what_cannot_be_a_handle_continues_nothing(handle: Any):
    assert not proposal(FLOW).continues(handle, BROWSER)


def test_what_has_no_digest_equals_nothing():
    """A proposal without a handle, which no beginning makes, is not continued by a missing handle either."""
    assert flow_digest(None) == b""
    assert len(flow_digest(FLOW)) == 32
    assert flow_digest(FLOW) != flow_digest(OLD_FLOW)


def test_a_handle_and_a_ciphertext_never_show_themselves():
    shown = repr(ROTATING)
    for hidden in (FLOW, repr(flow_digest(FLOW)), repr(NEW_SEALED.ciphertext), repr(OLD_SEALED.ciphertext)):
        assert hidden not in shown


def test_a_secret_is_bound_to_owner_kind_and_authenticator():
    """Section 20.5: a ciphertext moved to any other row does not open."""
    places = list(product(("ada", "eve"), ("totp", "sms"), ("a1", "a2")))
    bound = {binding(UserId(u), kind, AuthenticatorId(a)) for u, kind, a in places}
    assert len(bound) == len(places)


def test_what_a_state_holds():
    assert [factor.pending(state) for state in STATES] == [None, proposal(), None, proposal()]
    assert [factor.enrolled(state) for state in STATES] == [None, None, authenticator(), authenticator()]
    assert [factor.mode_of(state) for state in STATES] == [Mode.NEW, Mode.NEW, Mode.ROTATION, Mode.ROTATION]


def test_a_proposal_comes_and_goes_beside_what_stands():
    """Whatever was pending is replaced; what is enrolled is never touched."""
    newer = proposal(OLD_FLOW)
    rotating = Rotating(authenticator=authenticator(), proposal=newer)
    assert [factor.with_proposal(s, newer) for s in STATES] == [*[Proposed(proposal=newer)] * 2, *[rotating] * 2]
    assert [factor.without_proposal(s) for s in STATES] == [Unenrolled(), Unenrolled(), ENROLLED, ENROLLED]


def test_a_changed_authenticator_leaves_a_proposal_alone():
    changed = authenticator(name="Other")
    assert factor.with_authenticator(ENROLLED, changed) == Enrolled(authenticator=changed)
    assert factor.with_authenticator(ROTATING, changed) == Rotating(authenticator=changed, proposal=proposal())
    assert changed.id == PHONE
