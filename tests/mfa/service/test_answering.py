"""Answering through the service, on every database: a code is used once, by its owner, and as it is declared."""

from __future__ import annotations

from authflow.errors import Code
from authflow.facts.records import Audit, MailKind
from authflow.mfa.answers import Begun, Verified
from authflow.mfa.factor import Mode
from authflow.mfa.kinds import KINDS, TOTP
from authflow.policy import MfaPolicy
from authflow.values import Budget, Refused, UserId
from tests.mfa.world import CONTEXT, World, refusal

# --- once -----------------------------------------------------------------------------------------------------------


def test_a_code_is_accepted_once(world: World):
    secret = world.enroll()
    code = world.code(secret)
    verified = world.verify(code)
    assert isinstance(verified, Verified)
    assert (verified.user, verified.kind, verified.remaining, verified.failures) == ("ada", TOTP, None, 0)
    assert verified.authenticator == world.held().id_of(TOTP)
    assert world.held().held()[0].last_used_at == world.clock.now()
    assert world.verify(code) == Refused(code=Code.MFA_CODE_REJECTED)
    assert world.audited() == [Audit.MFA_ADDED, Audit.OTP_REPLAYED]


def test_after_a_fast_phone_older_codes_are_refused(world: World):
    """Mfa 7.5: the accepted step burns all before it, also those that were never used."""
    secret = world.enroll()
    assert isinstance(world.verify(world.code(secret, 1)), Verified)
    assert refusal(world.verify(world.code(secret))) == Code.MFA_CODE_REJECTED
    assert refusal(world.verify(world.code(secret, -1))) == Code.MFA_CODE_REJECTED
    world.clock.advance(seconds=60)
    assert world.passes(secret)


def test_a_code_that_was_used_stays_used_when_the_clock_goes_back(world: World):
    secret = world.enroll()
    code = world.code(secret)
    assert isinstance(world.verify(code), Verified)
    for seconds in (-30, -60, 90):
        world.clock.advance(seconds=seconds)
        assert not isinstance(world.verify(code), Verified)


def test_a_wrong_a_replayed_and_an_old_code_are_told_alike(world: World):
    """Mfa 5: never why."""
    secret = world.enroll()
    assert world.passes(secret)
    told = [world.verify(code) for code in (world.code(secret), world.wrong(secret), world.code(secret, -5))]
    assert told == [Refused(code=Code.MFA_CODE_REJECTED)] * 3
    assert world.audited()[1:] == [Audit.OTP_REPLAYED, Audit.MFA_FAILED, Audit.MFA_FAILED]


def test_a_code_whose_sign_in_was_undone_is_not_burnt(world: World):
    """Section 10.4, for both kinds; the guess stays counted."""
    secret = world.enroll()
    codes = world.codes()
    assert isinstance(world.rolled_back(lambda: world.verify(world.code(secret))), Verified)
    assert isinstance(world.rolled_back(lambda: world.verify(codes[0], "recovery")), Verified)
    assert world.held().recovery.state.left == 10
    verified = world.verify(world.code(secret))
    assert isinstance(verified, Verified)
    assert verified.failures == 1
    assert world.verify(codes[0], "recovery").remaining == 9


def test_every_recovery_code_works_once_and_typed_as_people_type(wide: World):
    wide.enroll()
    codes = wide.codes()
    typed = [codes[0].lower(), codes[1].replace("-", " "), f"  {codes[2]}\n", codes[3].replace("0", "o"), *codes[4:]]
    told = [wide.verify(code, "recovery") for code in typed]
    assert [answer.remaining for answer in told] == list(range(9, -1, -1))
    assert {refusal(wide.verify(code, "recovery")) for code in codes} == {Code.MFA_CODE_REJECTED}
    assert wide.held().usable(wide.policy) == (TOTP,)
    assert wide.audited().count(Audit.RECOVERY_CODE_USED) == 10
    used = [text for _, text in wide.messages() if MailKind.RECOVERY_CODE_USED in text]
    assert len(used) == 10


def test_codes_belong_to_their_owner(world: World):
    secret, theirs = world.enroll(), world.enroll(world.eve)
    codes = world.codes(world.eve)
    world.codes()
    assert not world.passes(theirs)
    assert refusal(world.verify(codes[0], "recovery")) == Code.MFA_CODE_REJECTED
    assert world.passes(secret)
    assert world.passes(theirs, who=world.eve)
    assert isinstance(world.verify(codes[0], "recovery", who=world.eve), Verified)


def test_a_code_of_one_kind_is_none_of_another(world: World):
    """Mfa 15.5: the named kind only."""
    secret = world.enroll()
    codes = world.codes()
    assert refusal(world.verify(world.code(secret), "recovery")) == Code.MFA_CODE_REJECTED
    assert refusal(world.verify(codes[0][:20], "totp")) == Code.MFA_CODE_REJECTED
    assert isinstance(world.verify(codes[0], "recovery"), Verified)


# --- what is declared is what works ---------------------------------------------------------------------------------


def test_the_kinds_that_are_built_do_what_is_declared_of_them(world: World):
    """Mfa 3.1: what is declared of typed codes, activation, enrolling oneself and rotating is what happens."""
    secret = world.enroll()
    world.codes()
    for kind in (kind for kind in KINDS if kind.method is not None):
        answer = world.verify(world.wrong(secret), kind.id)
        assert kind.typed_code == (refusal(answer) == Code.MFA_CODE_REJECTED)
        assert not kind.needs_activation
        begun = world.service.begin(world.ada, CONTEXT, account="ada@example.org", kind=kind.id)
        assert kind.self_enrollable == isinstance(begun, Begun)
        assert kind.rotation == (getattr(begun, "mode", None) is Mode.ROTATION)


def test_budgets_are_counted_under_their_names(world: World):
    """A budget that is renamed begins anew; one that only changes its limit does not."""
    secret = world.enroll()
    other = Budget(name="other", limit=1, window=MfaPolicy().guesses_short.window)
    service = world.tuned(guesses_short=other)
    given = {"user": UserId("ada"), "kind": "totp", "code": world.wrong(secret)}
    told = [refusal(service.verify(world.ada, CONTEXT, **given)) for _ in range(2)]
    assert told == [Code.MFA_CODE_REJECTED, Code.MFA_RATE_LIMITED]
    assert refusal(world.verify(world.wrong(secret))) == Code.MFA_CODE_REJECTED
