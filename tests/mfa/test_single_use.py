"""No code is accepted twice, and no flow lives twice: any order of commands, from any browser, on any clock.

Hypothesis plays; a model of a few sets says what may be accepted. Nothing here knows how the library decides.
"""

from __future__ import annotations

import random
from datetime import datetime, timedelta
from typing import Any

import attrs
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, rule

from authflow.adapters.keys import AesGcmCipher, HmacPepper, KeyRing
from authflow.adapters.memory.unit_of_work import MemoryUnitOfWork
from authflow.errors import Code
from authflow.mfa import totp
from authflow.mfa.answers import Begun, CodesShown, Proven, Removed, Verified
from authflow.mfa.factor import enrolled
from authflow.mfa.kinds import TOTP
from authflow.mfa.service import SecondFactors
from authflow.policy import MfaPolicy
from authflow.ports import User, UserAddress
from authflow.recording import Recorder
from authflow.testing import ManualClock, SeededEntropy
from authflow.testing.samples.mfa import ADA, NOW, person
from authflow.values import Address, Budget, Context, Refused, Secret, SessionId

HERE, THERE = SessionId("here"), SessionId("there")
NOWHERE = Context()
STEPS = st.integers(-3, 3)
TTL = MfaPolicy().pending_enrollment_ttl

UNBOUNDED = MfaPolicy(
    enrollments=Budget(name="e", limit=1000, window=timedelta(seconds=1)),
    proposals=Budget(name="p", limit=1000, window=timedelta(seconds=1)),
    guesses_short=Budget(name="s", limit=1000, window=timedelta(seconds=1)),
    guesses_long=Budget(name="l", limit=1000, window=timedelta(seconds=1)),
    recovery_guesses=Budget(name="r", limit=1000, window=timedelta(seconds=1)),
)
"""So that only the codes decide. The budgets have a law of their own, below."""


def installation(policy: MfaPolicy) -> SecondFactors:
    """Return the service of an installation where Ada is."""
    entropy, clock, uow = SeededEntropy(), ManualClock(), MemoryUnitOfWork()
    ring = KeyRing.generate(entropy, NOW)
    cipher = AesGcmCipher(ring, entropy)
    own = UserAddress(address=Address("ada@example.org"), primary=True, verified_at=NOW)
    with uow.begin() as tx:
        tx.users.add(User(id=ADA, label="ada", addresses=(own,)))
    return SecondFactors(
        uow=uow,
        clock=clock,
        entropy=entropy,
        recorder=Recorder(cipher=cipher, entropy=entropy),
        cipher=cipher,
        pepper=HmacPepper(ring),
        policy=policy,
    )


@attrs.define
class Flow:
    """What the model knows of one enrollment. *over*: it was proven, ended, replaced, stopped, or seen as expired."""

    begun: Begun
    session: SessionId
    rotates: Secret | None
    tries: int = 0
    over: bool = False


class SingleUse(RuleBasedStateMachine):
    """Everything a person, a thief with the same codes, and a clock can do."""

    flows, codes = Bundle("flows"), Bundle("codes")

    def __init__(self) -> None:
        super().__init__()
        self.service = installation(UNBOUNDED)
        self.clock: Any = self.service.clock
        self.secret: Secret | None = None
        self.pending: Flow | None = None
        self.accepted: dict[Secret, list[int]] = {}
        self.unused: set[str] = set()

    # --- the world --------------------------------------------------------------------------------------------------

    @rule(seconds=st.integers(-90, 90))
    def time_passes_or_goes_back(self, seconds: int) -> None:
        self.clock.advance(seconds=seconds)

    @rule(by=st.sampled_from([-TTL, TTL, -TTL + timedelta(seconds=1), timedelta(days=-1), timedelta(days=1)]))
    def a_clock_jumps(self, by: timedelta) -> None:
        self.clock.advance(by)

    @rule()
    def somebody_sweeps(self) -> None:
        self.service.expire()
        with self.service.uow.begin() as tx:
            tx.attempts.sweep(self.clock.now())  # type: ignore[attr-defined]  # the adapters', not the port's
        self._observed_now()

    def _observed_now(self) -> None:
        if self.pending is not None and self.clock.now() >= self.pending.begun.expires_at:
            self._over()

    def _over(self) -> None:
        if self.pending is not None:
            self.pending.over, self.pending = True, None

    def code_of(self, secret: Secret, steps: int) -> tuple[str, int]:
        at = totp.step_at(self.clock.now()) + steps
        return totp.code_at(secret, at), at

    def burn(self, secret: Secret, step: int) -> None:
        """The law: once, and only forwards."""
        before = self.accepted.setdefault(secret, [])
        assert all(step > used for used in before), "a code was accepted twice, or after a newer one"
        before.append(step)

    # --- enrolling ----------------------------------------------------------------------------------------------------

    @rule(target=flows, session=st.sampled_from([HERE, THERE]))
    def begin(self, session: SessionId) -> Flow:
        begun = self.service.begin(person(session=session), NOWHERE, account="ada@example.org")
        assert isinstance(begun, Begun)
        self._over()
        self.pending = Flow(begun, session, rotates=self.secret)
        return self.pending

    @rule(flow=flows, session=st.sampled_from([HERE, THERE]))
    def show_again(self, flow: Flow, session: SessionId) -> None:
        asker = person(session=session)
        shown = self.service.show_again(asker, NOWHERE, flow=flow.begun.flow, account="ada@example.org")
        alive = not flow.over and session == flow.session and self.clock.now() < flow.begun.expires_at
        assert isinstance(shown, Begun) == alive
        if isinstance(shown, Begun):
            assert shown.secret == flow.begun.secret
        elif not flow.over and session == flow.session:
            self._over()

    @rule(flow=flows, session=st.sampled_from([HERE, THERE]))
    def stop(self, flow: Flow, session: SessionId) -> None:
        self.service.cancel(person(session=session), NOWHERE, flow=flow.begun.flow)
        if not flow.over and session == flow.session:
            self._over()

    @rule(flow=flows, other=flows, session=st.sampled_from([HERE, THERE]), steps=STEPS)
    def complete(self, flow: Flow, other: Flow, session: SessionId, steps: int) -> None:
        text, step = self.code_of(other.begun.secret, steps)
        answer = self.service.complete(person(session=session), NOWHERE, flow=flow.begun.flow, code=text)
        if isinstance(answer, Proven):
            assert not flow.over, "a flow lived twice"
            assert session == flow.session
            assert self.clock.now() < flow.begun.expires_at
            assert flow.tries < UNBOUNDED.enrollment_proofs
            assert flow.rotates == self.secret
            self.burn(flow.begun.secret, answer.step)
            self.secret = flow.begun.secret
            self._over()
            return
        assert isinstance(answer, Refused)
        right = other is flow and abs(steps) <= 1
        if answer.code is Code.MFA_CODE_REJECTED:
            assert not right
            flow.tries += 1
        elif answer.code in {Code.MFA_ENROLLMENT_ENDED, Code.MFA_ENROLLMENT_EXPIRED}:
            self._over()
        else:
            assert answer.code is Code.MFA_ENROLLMENT_STATE_CHANGED
            assert flow.over or session != flow.session
        assert step >= 0

    # --- using --------------------------------------------------------------------------------------------------------

    @rule(flow=flows, steps=STEPS)
    def verify(self, flow: Flow, steps: int) -> None:
        """With a code of any secret there ever was: the present one, an old one, one that was never proven."""
        secret = flow.begun.secret
        text, step = self.code_of(secret, steps)
        answer = self.service.verify(person(), NOWHERE, user=ADA, kind="totp", code=text, browser="known")
        if isinstance(answer, Verified):
            assert secret == self.secret, "a secret was accepted that is not the factor's"
            assert abs(steps) <= 1
            assert answer.step == step
            self.burn(secret, step)
        elif secret == self.secret and abs(steps) <= 1:
            assert step <= max(self.accepted[secret]), "a new code was refused"

    @rule(target=codes)
    def add_codes(self) -> Any:
        shown = self.service.add_codes(person(), NOWHERE, user=ADA)
        return self._shown(shown)

    @rule(target=codes)
    def regenerate(self) -> Any:
        return self._shown(self.service.regenerate_codes(person(), NOWHERE))

    def _shown(self, answer: Any) -> tuple[str, ...]:
        if not isinstance(answer, CodesShown):
            return ("0000-0000-0000-0000",)
        texts = tuple(code.reveal() for code in answer.codes)
        self.unused = set(texts)
        return texts

    @rule(shown=codes, number=st.integers(0, 9))
    def recover(self, shown: tuple[str, ...], number: int) -> None:
        text = shown[number % len(shown)]
        answer = self.service.verify(person(), NOWHERE, user=ADA, kind="recovery", code=text.lower())
        assert isinstance(answer, Verified) == (text in self.unused)
        self.unused.discard(text)
        if isinstance(answer, Verified):
            assert answer.remaining == len(self.unused)

    # --- losing -------------------------------------------------------------------------------------------------------

    @rule()
    def remove(self) -> None:
        held = self._held()
        answer = self.service.remove(person(), NOWHERE, authenticator=held.id_of(TOTP))
        assert isinstance(answer, Removed) == (self.secret is not None)
        if isinstance(answer, Removed):
            self.secret = None
            self._over()
            self.service.fall(person(), NOWHERE, user=ADA, kinds=("recovery",))
            self.unused = set()

    @rule()
    def reset(self) -> None:
        self.service.forget(person(), NOWHERE, user=ADA)
        self.secret, self.unused = None, set()
        self._over()

    @rule(name=st.text(min_size=1, max_size=5))
    def rename(self, name: str) -> None:
        self.service.rename(person(), NOWHERE, authenticator=self._held().id_of(TOTP), name=name)

    def _held(self) -> Any:
        with self.service.uow.begin() as tx:
            return tx.factors.of_user(ADA)

    @invariant()
    def what_is_enrolled_is_what_was_proven_last(self) -> None:
        standing = enrolled(self._held().factor(TOTP).state)
        assert (standing is None) == (self.secret is None)
        if standing is not None and self.secret is not None:
            assert standing.last_accepted_step == max(self.accepted[self.secret])


TestSingleUse = SingleUse.TestCase
TestSingleUse.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)


# --- budgets --------------------------------------------------------------------------------------------------------


def within(limit: int, window: timedelta, moments: list[datetime]) -> bool:
    """Tell whether at most *limit* of *moments*, in order, lie within any *window*, however it is laid."""
    return all(late - early >= window for early, late in zip(moments, moments[limit:], strict=False))


@pytest.mark.parametrize("seed", range(3))
def test_of_ten_thousand_guesses_at_most_ten_an_hour_are_evaluated(seed: int):
    """AuthQuake (security 2.46): a thousand sessions change nothing, and the fiftieth failure locks."""
    chance = random.Random(seed)  # noqa: S311  # when guesses come, not what they are
    service = installation(MfaPolicy())
    clock: Any = service.clock
    begun = service.begin(person(), NOWHERE, account="ada@example.org")
    assert isinstance(begun, Begun)
    service.complete(person(), NOWHERE, flow=begun.flow, code=totp.code_at(begun.secret, totp.step_at(NOW)))
    evaluated: list[datetime] = []
    told: set[Code] = set()
    for number in range(10_000):
        clock.advance(seconds=chance.choice((0, 0, 0, 0.5, 3, 30)))
        thief = person(session=SessionId(f"session-{number % 1000}"))
        answer = service.verify(thief, NOWHERE, user=ADA, kind="totp", code=f"{chance.randrange(10**6):06}")
        if isinstance(answer, Refused):
            told.add(answer.code)
        if not isinstance(answer, Refused) or answer.code is Code.MFA_CODE_REJECTED:
            evaluated.append(clock.now())
    assert told == {Code.MFA_CODE_REJECTED, Code.MFA_RATE_LIMITED, Code.MFA_LOCKED}
    assert len(evaluated) == 50
    assert within(10, timedelta(hours=1), evaluated)
    assert within(5, timedelta(seconds=20), evaluated)
    assert not within(9, timedelta(hours=1), evaluated)
