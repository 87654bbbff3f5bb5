"""What an answer to the second factor means for the session that gave it."""

from __future__ import annotations

from authflow.errors import Code
from authflow.journey import sign_in
from authflow.testing import assert_complete
from authflow.testing.clocks import START
from authflow.testing.samples.journey import SIGN_IN


def test_every_edge_of_signing_in_is_taken():
    assert_complete(sign_in.MACHINE, SIGN_IN.walk())


def test_nothing_counts_and_nothing_is_judged_where_nobody_is():
    for why in Code:
        verdict = sign_in.MACHINE.step(sign_in.Absent(why_not=why), sign_in.Ask(), START).answer
        assert verdict == sign_in.Verdict(directive=sign_in.Directive.LEAVE, code=why)


def test_only_a_pending_sign_in_counts_a_miss():
    miss = sign_in.Miss(code=Code.MFA_CODE_REJECTED)
    assert sign_in.MACHINE.step(sign_in.Owing(), miss, START).answer.directive is sign_in.Directive.COUNT_FAILURE
    assert sign_in.MACHINE.step(sign_in.Present(), miss, START).answer.directive is sign_in.Directive.LEAVE
