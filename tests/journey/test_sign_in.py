"""What an answer to the second factor means for the session that gave it."""

from __future__ import annotations

from authflow.errors import Code
from authflow.journey import sign_in
from authflow.testing import ManualClock, assert_complete, explore

NOW = ManualClock().now()


def test_every_edge_of_signing_in_is_taken():
    start = [sign_in.Owing(), sign_in.Present(), sign_in.Absent(why_not=Code.SESSION_REQUIRED)]
    judged = [
        sign_in.Ask(),
        sign_in.Pass(),
        sign_in.Miss(code=Code.MFA_CODE_REJECTED),
        sign_in.Decline(code=Code.MFA_RATE_LIMITED),
    ]
    assert_complete(sign_in.MACHINE, explore(sign_in.MACHINE, start, lambda _state: [(c, NOW) for c in judged]))


def test_nothing_counts_and_nothing_is_judged_where_nobody_is():
    for why in Code:
        verdict = sign_in.MACHINE.step(sign_in.Absent(why_not=why), sign_in.Ask(), NOW).answer
        assert verdict == sign_in.Verdict(directive=sign_in.Directive.LEAVE, code=why)


def test_only_a_pending_sign_in_counts_a_miss():
    miss = sign_in.Miss(code=Code.MFA_CODE_REJECTED)
    assert sign_in.MACHINE.step(sign_in.Owing(), miss, NOW).answer.directive is sign_in.Directive.COUNT_FAILURE
    assert sign_in.MACHINE.step(sign_in.Present(), miss, NOW).answer.directive is sign_in.Directive.LEAVE
