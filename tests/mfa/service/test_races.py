"""Many at once, on every database: exactly one wins, and the losers are told what any loser is told."""

from __future__ import annotations

from authflow.errors import Code
from authflow.facts.records import Audit, Category
from authflow.mfa.answers import CodesShown, NoCodesAdded, Proven, Verified, WhyNoCodes
from authflow.mfa.kinds import TOTP
from authflow.testing.contracts.threads import THREADS, at_once
from authflow.values import FlowId, Refused, UserId
from tests.mfa.world import CONTEXT, World, refusal

# --- enrolling --------------------------------------------------------------------------------------------------------


def test_of_many_right_proofs_at_once_one_enrolls(wide: World):
    """The losers are told what a loser one after the other is told (decision 28)."""
    begun = wide.begin()
    answers = at_once(lambda _: wide.complete(begun))
    assert sum(isinstance(answer, Proven) for answer in answers) == 1
    lost = {refusal(answer) for answer in answers if isinstance(answer, Refused)}
    assert lost == {Code.MFA_ENROLLMENT_STATE_CHANGED}
    assert wide.audited() == [Audit.MFA_ADDED]
    assert len(wide.messages(Category.MAIL)) == 1


def test_of_many_wrong_proofs_at_once_five_are_compared(wide: World):
    begun = wide.begin()
    wrong = wide.wrong(begun.secret)
    answers = at_once(lambda _: wide.complete(begun, wrong))
    told = sorted(refusal(answer) for answer in answers)
    assert told.count(Code.MFA_CODE_REJECTED) == 4
    assert told.count(Code.MFA_ENROLLMENT_ENDED) == 1
    assert told.count(Code.MFA_ENROLLMENT_STATE_CHANGED) == THREADS - 5
    assert refusal(wide.complete(begun)) == Code.MFA_ENROLLMENT_STATE_CHANGED


def test_of_many_beginnings_at_once_the_last_one_counts(wide: World):
    begun = at_once(lambda _: wide.begin())
    assert wide.held().factor(TOTP).version == THREADS
    answers = [wide.complete(each) for each in begun]
    assert sum(isinstance(answer, Proven) for answer in answers) == 1


def test_of_many_completions_at_once_the_budget_holds(world: World):
    answers = at_once(lambda _: world.service.complete(world.ada, CONTEXT, flow=FlowId("x"), code="000000"))
    told = [refusal(answer) for answer in answers]
    assert told.count(Code.MFA_ENROLLMENT_STATE_CHANGED) == 10
    assert told.count(Code.MFA_RATE_LIMITED) == THREADS - 10


def test_codes_are_added_once_by_many(world: World):
    world.enroll()
    answers = at_once(lambda _: world.service.add_codes(world.ada, CONTEXT, user=UserId("ada")))
    assert sum(isinstance(answer, CodesShown) for answer in answers) == 1
    assert [a for a in answers if not isinstance(a, CodesShown)] == [NoCodesAdded(why=WhyNoCodes.PRESENT)] * 15


# --- answering --------------------------------------------------------------------------------------------------------


def test_of_many_at_once_one_uses_the_step(wide: World):
    secret = wide.enroll()
    code = wide.code(secret)
    answers = at_once(lambda _: wide.verify(code))
    assert sum(isinstance(answer, Verified) for answer in answers) == 1
    assert [a for a in answers if isinstance(a, Refused)] == [Refused(code=Code.MFA_CODE_REJECTED)] * (THREADS - 1)
    assert wide.audited().count(Audit.OTP_REPLAYED) == THREADS - 1


def test_of_many_at_once_one_uses_the_recovery_code(wide: World):
    wide.enroll()
    code = wide.codes()[0]
    answers = at_once(lambda _: wide.verify(code, "recovery"))
    assert [answer.remaining for answer in answers if isinstance(answer, Verified)] == [9]
    assert [a for a in answers if isinstance(a, Refused)] == [Refused(code=Code.MFA_CODE_REJECTED)] * (THREADS - 1)
    assert wide.held().recovery.state.left == 9


def test_many_at_once_use_a_code_each(wide: World):
    wide.enroll()
    codes = wide.codes()
    answers = at_once(lambda number: wide.verify(codes[number], "recovery"), threads=10)
    assert sorted(answer.remaining for answer in answers) == list(range(10))


def test_a_sign_in_and_a_rotation_at_once_both_happen(wide: World):
    """Whichever comes first, the new secret is the factor's afterwards and the old one is none."""
    old = wide.enroll()
    begun = wide.begin()
    typed, proof = wide.code(old), wide.code(begun.secret)
    answers = at_once(lambda n: wide.complete(begun, proof) if n else wide.verify(typed), threads=2)
    assert isinstance(answers[1], Proven)
    wide.clock.advance(seconds=60)
    assert not wide.passes(old)
    assert wide.passes(begun.secret)
