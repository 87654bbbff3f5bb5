"""Any sequence of commands, by two people in any number of browsers, on a clock that also goes back."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import attrs
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, multiple, rule

from authflow.adapters.memory.unit_of_work import MemoryUnitOfWork
from authflow.errors import Code
from authflow.sessions.commands import Elevated, EnrollmentOwed, OthersEnded, SignedIn
from authflow.sessions.standing import SECOND
from authflow.testing.samples.sessions import ANNE, BEN, POLICY, sso
from authflow.values import NOBODY, Asker, BrowserSession, Level, Method, Refused, SessionId, UserId
from tests.sessions.world import CONTEXT, World

if TYPE_CHECKING:
    from authflow.sessions.outcomes import SessionAnswer
    from authflow.values import Proof, Secret

PEOPLE = st.sampled_from((ANNE, BEN))
FIRST_FACTORS = st.sampled_from((Method.PASSWORD, Method.MAILED_LINK))
JUMPS = st.sampled_from((1, 59, 299, 901, 3600, 15 * 86_400, -1, -300, -86_400)).map(lambda s: timedelta(seconds=s))
SYSTEM = Asker(user=None, session=SessionId(""), label="system")

Value = tuple[str, str, int]


def key(session: BrowserSession) -> Value:
    return (session.id, session.secret.reveal(), session.generation)


class Browsers(RuleBasedStateMachine):
    """Every value ever given out is kept, and every one of them is presented again after every command."""

    values = Bundle("values")
    links = Bundle("links")

    def __init__(self) -> None:
        super().__init__()
        self.world = World(MemoryUnitOfWork())
        self.given: dict[Value, BrowserSession] = {}
        self.seen_out: set[Value] = set()
        self.own: dict[str, dict[Method, datetime]] = {}
        self.tired: dict[str, set[Method]] = {}
        self.protected: set[UserId] = set()

    # --- what is done -----------------------------------------------------------------------------------------------

    @initialize(target=values, others=st.integers(0, 2))
    def begin(self, others: int) -> Any:
        return multiple(NOBODY, *(self._keep(self.world.service.open()) for _ in range(others)))

    @rule(target=values, session=values, user=PEOPLE, method=FIRST_FACTORS)
    def establish(self, session: BrowserSession, user: UserId, method: Method) -> Any:
        return self._first_factor(session, user, self.world.proof(method))

    @rule(target=values, session=values, user=PEOPLE)
    def enter_an_organization(self, session: BrowserSession, user: UserId) -> Any:
        return self._first_factor(session, user, sso(self.world.clock.now()))

    def _first_factor(self, session: BrowserSession, user: UserId, proof: Proof) -> BrowserSession:
        before = self._user(session)
        answer = self.world.service.establish(session, CONTEXT, user=user, proof=proof)
        if not isinstance(answer, SignedIn):
            return self._begun(answer, proof)
        assert answer.user == user
        assert before == user or user not in self.protected, "a second factor was skipped"
        self._remember(answer, proof, anew=before != user)
        return self._keep(answer.session)

    def _begun(self, answer: SessionAnswer, proof: Proof) -> BrowserSession:
        """Nobody is signed in by this; what the row proves from now on begins with *proof*."""
        if answer.session.renew:
            self.own[answer.session.id], self.tired[answer.session.id] = {}, set()
            self._own(answer.session.id, proof)
        return self._keep(answer.session)

    @rule(target=values, session=values, method=st.sampled_from(sorted(SECOND, key=str)))
    def prove(self, session: BrowserSession, method: Method) -> Any:
        proof, before = self.world.proof(method), self._user(session)
        answer = self.world.service.prove(session, CONTEXT, proof=proof)
        half = isinstance(answer, Refused) and answer.code is Code.SESSION_ELEVATION_REQUIRED
        if isinstance(answer, SignedIn | Elevated) or half:
            assert isinstance(answer, SignedIn) is (before is None)
            self._own(session.id, proof)
        return self._keep(answer.session)

    @rule(target=values, session=values)
    def fail(self, session: BrowserSession) -> Any:
        return self._keep(self.world.service.fail(session, CONTEXT).session)

    @rule(target=values, session=values)
    def cancel(self, session: BrowserSession) -> Any:
        return self._keep(self.world.service.cancel(session, CONTEXT).session)

    @rule(session=values)
    def sign_out(self, session: BrowserSession) -> None:
        self.world.service.sign_out(session, CONTEXT)

    @rule(target=values, session=values)
    def end_others(self, session: BrowserSession) -> Any:
        asker = self.world.identify(session)
        user, proved = asker.user, asker.level >= Level.ONE
        answer = self.world.service.end_others(session, CONTEXT, reason="asked")
        kept = self._keep(answer.session)
        assert isinstance(answer, OthersEnded) is proved, "a provider's word ends nothing (decision 1)"
        if proved:
            assert self._signed_in(user) == [kept]
        return kept

    @rule(target=values, session=values)
    def enroll(self, session: BrowserSession) -> Any:
        """The gate of the enrollment, then the proof of the new factor, as the journey does it."""
        with self.world.uow.begin():
            asker = self.world.service.enrolling(session, self.world.clock.now())
            if asker.user is None or not asker.elevated:
                return NOBODY
            if asker.user not in self.protected:
                self.world.protect(asker.user)
            proof = self.world.proof(Method.TOTP)
            answer = self.world.service.finish_enrollment(session, CONTEXT, proof=proof)
        assert isinstance(answer, SignedIn), answer
        self.protected.add(asker.user)
        self._own(session.id, proof)
        kept = self._keep(answer.session)
        assert self._signed_in(asker.user) == [kept]
        return kept

    @rule(target=links, user=PEOPLE)
    def reset(self, user: UserId) -> Any:
        with self.world.uow.begin() as tx:
            tx.factors.remove(user)
            self.world.service.end_all(SYSTEM, CONTEXT, user=user, reason="factors_reset")
            link = self.world.service.require_enrollment(user)
        self.protected.discard(user)
        assert self._signed_in(user) == []
        return (user, link.token)

    @rule(target=values, session=values, link=consumes(links))
    def redeem(self, session: BrowserSession, link: tuple[UserId, Secret]) -> Any:
        user, token = link
        answer = self.world.service.redeem(session, CONTEXT, token=token)
        if isinstance(answer, EnrollmentOwed):
            assert self.world.service.enrolling(answer.session, self.world.clock.now()).user == user
            again = self.world.service.redeem(session, CONTEXT, token=token)
            assert not isinstance(again, EnrollmentOwed)
        return self._keep(answer.session)

    @rule(user=PEOPLE, active=st.booleans())
    def deactivate(self, *, user: UserId, active: bool) -> None:
        self.world.deactivate(user, active=active)
        if not active:
            assert self._signed_in(user) == []

    @rule(by=JUMPS)
    def move_the_clock(self, by: timedelta) -> None:
        self.world.clock.advance(by)

    @rule()
    def sweep(self) -> None:
        self.world.service.sweep(self.world.clock.now())

    # --- what holds -------------------------------------------------------------------------------------------------

    @invariant()
    def a_value_that_was_once_nobodys_is_never_somebodys_again(self) -> None:
        """Superseded, ended, expired, pending: the one way to be signed in is a value that was renewed for it."""
        for value, session in self.given.items():
            if self.world.identify(session).user is None:
                self.seen_out.add(value)
            else:
                assert value not in self.seen_out

    @invariant()
    def a_row_has_one_value(self) -> None:
        known = [session.id for session in self.given.values() if self.world.identify(session).user is not None]
        assert len(known) == len(set(known))

    @invariant()
    def nobody_is_elevated_without_a_recent_proof_of_their_own(self) -> None:
        now = self.world.clock.now()
        for session in self.given.values():
            asker = self.world.identify(session)
            if asker.user is None:
                continue
            own, tired = self.own[session.id], self.tired[session.id]
            tired |= {method for method, at in own.items() if now - at > POLICY.elevation_age}
            recent = {m for m, at in own.items() if timedelta(0) <= now - at <= POLICY.elevation_age} - tired
            if asker.user in self.protected:
                expected = bool(recent & SECOND) and bool(set(own) - SECOND)
            else:
                expected = bool(recent)
            assert asker.elevated is expected

    # --- what is remembered -----------------------------------------------------------------------------------------

    def _keep(self, session: BrowserSession) -> BrowserSession:
        kept = attrs.evolve(session, renew=False)
        self.given[key(kept)] = kept
        return kept

    def _remember(self, answer: SignedIn, proof: Proof, *, anew: bool) -> None:
        if anew:
            self.own[answer.session.id], self.tired[answer.session.id] = {}, set()
        self._own(answer.session.id, proof)

    def _own(self, row: str, proof: Proof) -> None:
        if proof.organization is None:
            self.own[row][proof.method] = proof.at
            self.tired[row].discard(proof.method)

    def _user(self, session: BrowserSession) -> UserId | None:
        return self.world.identify(session).user

    def _signed_in(self, user: UserId) -> list[BrowserSession]:
        return [session for session in self.given.values() if self._user(session) == user]


TestBrowsers = Browsers.TestCase
TestBrowsers.settings = settings(max_examples=150, stateful_step_count=40)
