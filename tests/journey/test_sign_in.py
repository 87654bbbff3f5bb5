"""What an answer to the second factor means for the session that gave it."""

from __future__ import annotations

from authflow.errors import Code
from authflow.journey import sign_in
from authflow.mfa.answers import Done, Verified
from authflow.mfa.kinds import TOTP
from authflow.testing import assert_complete
from authflow.testing.clocks import START
from authflow.testing.samples.journey import SIGN_IN
from authflow.testing.samples.mfa import ADA, PHONE
from authflow.testing.samples.sessions import factor_owed, signed_in
from authflow.values import Refused


def test_every_edge_of_signing_in_is_taken():
    assert_complete(sign_in.MACHINE, SIGN_IN.walk())


def test_nothing_counts_and_nothing_is_judged_where_nobody_is():
    for why in Code:
        verdict = sign_in.MACHINE.step(sign_in.Absent(why_not=why), sign_in.Ask(), START).answer
        told = Code.SESSION_NO_PENDING_LOGIN if why in {Code.SESSION_REQUIRED, Code.SESSION_SUPERSEDED} else why
        assert verdict == sign_in.Verdict(directive=sign_in.Directive.LEAVE, code=told)


def test_only_a_pending_sign_in_counts_a_miss():
    miss = sign_in.Miss(code=Code.MFA_CODE_REJECTED)
    assert sign_in.MACHINE.step(sign_in.Owing(), miss, START).answer.directive is sign_in.Directive.COUNT_FAILURE
    assert sign_in.MACHINE.step(sign_in.Present(), miss, START).answer.directive is sign_in.Directive.LEAVE


def test_only_a_wrong_code_is_a_miss():
    """A refusal that compared nothing counts nowhere."""
    for code in Code:
        judged = sign_in.judgement(Refused(code=code))
        expected = sign_in.Miss if code is Code.MFA_CODE_REJECTED else sign_in.Decline
        assert judged == expected(code=code)
        assert type(judged) is expected


def test_a_code_that_was_accepted_passes():
    verified = Verified(user=ADA, authenticator=PHONE, kind=TOTP, step=7)
    assert [sign_in.judgement(answer) for answer in (verified, Done())] == [sign_in.Pass(), sign_in.Pass()]


def test_a_browser_stands_where_the_sessions_say():
    assert sign_in.standing(factor_owed()) == sign_in.Owing()
    assert sign_in.standing(signed_in()) == sign_in.Present()
    for why in Code:
        assert sign_in.standing(Refused(code=why)) == sign_in.Absent(why_not=why)
