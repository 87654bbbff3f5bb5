"""Clocks that jump, go back, and differ between two nodes: what was once seen as expired never lives again."""

from __future__ import annotations

from contextlib import contextmanager
from datetime import timedelta
from itertools import chain, cycle, repeat
from typing import TYPE_CHECKING, Any, Final

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from authflow import Arrived, Code, Enrolled, EnrollmentOwed, Refused, RequirementsOpen, Secret
from authflow.adapters.keys import AesGcmCipher
from authflow.adapters.memory.unit_of_work import MemoryUnitOfWork
from authflow.facts.records import MailKind
from authflow.membership.answers import Entered
from authflow.membership.changes import FlagGroup
from authflow.membership.standing import MemberFlag
from authflow.testing.browsers import Browser, Phone, installed
from authflow.testing.clocks import JumpingClock, ManualClock, SkewedClock
from authflow.testing.providers import FakeProvider, connect
from authflow.testing.samples.links import link
from authflow.testing.strategies import clock_moves
from authflow.values import Method, Proof, ProviderId
from tests.stage import CONTEXT, Stage
from tests.stories.crashing import ACME, FLOWS, Draw, protected, shown
from tests.stories.playbook import POLICY, Play

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime

    from authflow.wiring import Authflow

NODES: Final = timedelta(minutes=5)
"""How far apart two nodes are (security 4)."""


@attrs.frozen
class Mortal:
    """Something that expires: how to use it, what that answers while it lives, what when it is over; since when."""

    use: Callable[[Authflow], Any]
    lives: type[Any]
    over: frozenset[Code]
    ends: timedelta


def proposal(stage: Stage) -> Mortal:
    ada = stage.person()
    stage.sign_in(ada)
    begun, session = stage.begin(ada), ada.browser.session
    phone = Phone(begun.secret)

    def use(flows: Authflow) -> Any:
        return flows.mfa.complete_totp(session, CONTEXT, begun.flow, code=phone.code(flows.clock.now()))

    return Mortal(
        use,
        Enrolled,
        frozenset({Code.MFA_ENROLLMENT_EXPIRED, Code.MFA_ENROLLMENT_STATE_CHANGED}),
        POLICY.mfa.pending_enrollment_ttl,
    )


def pending_sign_in(stage: Stage) -> Mortal:
    ada, browser = protected(stage), Browser(CONTEXT)
    stage.sign_in(ada, browser)
    session, code = browser.session, ada.codes[0]

    def use(flows: Authflow) -> Any:
        return flows.mfa.verify(session, CONTEXT, "recovery", code)

    return Mortal(use, Arrived, frozenset({Code.SESSION_NO_PENDING_LOGIN}), POLICY.sessions.pending_login_ttl)


def invitation(stage: Stage) -> Mortal:
    olga = stage.owner(stage.organization(ACME))
    letter = stage.invite(olga, ACME, "ada@example.com")

    def use(flows: Authflow) -> Any:
        return flows.invitations.accept(Browser(CONTEXT).session, CONTEXT, **letter.where())

    return Mortal(use, RequirementsOpen, frozenset({Code.INVITATION_EXPIRED}), POLICY.membership.invitation_ttl)


def reset_link(stage: Stage) -> Mortal:
    ada, root = protected(stage), stage.administrator()
    root.browser.ask(stage.flows.mfa.reset, CONTEXT, user=ada.user, reason="lost")
    link = Secret(str(stage.mails(MailKind.MFA_RESET)[-1].context["token"]))

    def use(flows: Authflow) -> Any:
        browser = Browser(CONTEXT)
        proof = attrs.evolve(stage.password(), at=flows.clock.now())
        browser.ask(flows.sessions.establish, CONTEXT, user=ada.user, proof=proof)
        return flows.sessions.redeem(browser.session, CONTEXT, token=link)

    return Mortal(use, EnrollmentOwed, frozenset({Code.MFA_RESET_LINK_INVALID}), POLICY.mfa.reset_link_ttl)


def sign_on(stage: Stage) -> Mortal:
    """What a session has of a sign-in through its organization's provider, beside a password of its own.

    A clock that was set back beyond its beginning refuses what lies far ahead; that is no end of it.
    """
    idp, acme, ada = FakeProvider(), stage.organization(ACME), stage.person()
    connect(stage.flows, acme, idp, cipher=AesGcmCipher(stage.ring, stage.entropy))
    stage.flows.members.add(CONTEXT, organization=acme, user=ada.user)
    stage.sign_in(ada)
    with stage.uow.begin() as tx:
        tx.links.add(attrs.evolve(link(ada.user), provider=ProviderId(f"{acme}-idp"), verified_at=stage.clock.now()))
    stage.flows.members.set_flags(
        CONTEXT, organization=acme, user=ada.user, group=FlagGroup.SSO, flags=MemberFlag.SSO_LINKED
    )
    here, own = ProviderId(f"{acme}-idp"), link(ada.user).id
    proof = Proof(method=Method.SSO, at=stage.clock.now(), organization=acme, provider=here, link=own)
    ada.browser.ask(stage.flows.sessions.establish, CONTEXT, user=ada.user, proof=proof)
    session = ada.browser.session
    stage.flows = nodes(stage, timedelta(), [timedelta()])[0]  # one that reads the rows of single sign-on

    begun = stage.clock.now()

    def use(flows: Authflow) -> Any:
        answer = flows.members.enter(session, organization=acme)
        return None if isinstance(answer, Refused) and stage.clock.now() < begun else answer

    return Mortal(use, Entered, frozenset({Code.ORGANIZATION_SSO_REQUIRED}), POLICY.sso.mark_life)


MORTALS: Final = (sign_on, proposal, pending_sign_in, invitation, reset_link)

either_way = clock_moves() | clock_moves().map(lambda by: -by)

moves = st.lists(st.tuples(either_way, st.integers(0, 2)), max_size=12)
"""How the clock moves before each try, and which node is asked."""

moments = st.lists(st.tuples(st.sampled_from([0, 1]), either_way, st.integers(0, 2)), max_size=6)
"""When each try is, around the beginning of a life or its end, and which node is asked."""

jumps = st.lists(clock_moves(), min_size=1, max_size=5)


def nodes(stage: Stage, ahead: timedelta, off: list[timedelta]) -> list[Authflow]:
    """Return the same installation on three nodes: one is right, one is ahead or behind, one jumps at every look."""
    clocks = [stage.clock, SkewedClock(stage.clock, ahead), JumpingClock(stage.clock, off)]
    return [installed(stage.uow, clock=c, entropy=stage.entropy, ring=stage.ring, policy=POLICY) for c in clocks]


@pytest.mark.parametrize("mortal", MORTALS, ids=lambda made: made.__name__)
@given(end=clock_moves(), then=moments, ahead=st.sampled_from([NODES, -NODES]), off=jumps)
@settings(max_examples=60)
def test_what_was_seen_as_expired_never_lives_again(
    mortal: Callable[[Stage], Mortal],
    end: timedelta,
    then: list[tuple[int, timedelta, int]],
    ahead: timedelta,
    off: list[timedelta],
):
    """Decision 35: the refusal is stored, and no clock that goes back undoes it.

    Whoever is asked first is asked around the end: what is used while it lives is gone, and shows nothing more.
    """
    stage = Stage(MemoryUnitOfWork(), POLICY)
    it, begun = mortal(stage), stage.clock.now()
    asked, seen_over = nodes(stage, ahead, off), False
    for lives, by, node in [(1, end, 0), *then]:
        stage.clock.set(begun + lives * it.ends + by)
        answer = it.use(asked[node])
        assert not (seen_over and isinstance(answer, it.lives))
        if isinstance(answer, it.lives):
            return
        seen_over = seen_over or getattr(answer, "code", None) in it.over


@pytest.mark.parametrize("mortal", MORTALS, ids=lambda made: made.__name__)
def test_it_lives_until_it_is_over_and_then_stays_over_on_both_nodes(mortal: Callable[[Stage], Mortal]):
    stage = Stage(MemoryUnitOfWork(), POLICY)
    it = mortal(stage)
    assert isinstance(it.use(stage.flows), it.lives)
    again = Stage(MemoryUnitOfWork(), POLICY)
    it, begun = mortal(again), again.clock.now()
    ahead = nodes(again, it.ends, [timedelta()])[1]
    assert it.use(ahead).code in it.over
    assert again.clock.now() == begun
    assert it.use(again.flows).code in it.over


@given(moves=moves, ahead=st.sampled_from([NODES, -NODES]))
@settings(max_examples=60)
def test_no_time_step_is_accepted_twice(moves: list[tuple[timedelta, int]], ahead: timedelta):
    """Whatever the clocks of two nodes do between two tries."""
    stage = Stage(MemoryUnitOfWork(), POLICY)
    ada, asked = protected(stage), nodes(stage, ahead, [timedelta()])
    accepted: list[str] = []
    for by, node in moves:
        stage.clock.advance(by)
        flows, browser = asked[node], Browser(CONTEXT)
        code, proof = ada.app.code(flows.clock.now()), attrs.evolve(stage.password(), at=flows.clock.now())
        browser.ask(flows.sessions.establish, CONTEXT, user=ada.user, proof=proof)
        if isinstance(flows.mfa.verify(browser.session, CONTEXT, "totp", code), Arrived):
            accepted.append(code)
    assert len(accepted) == len(set(accepted))


# --- a clock that leaps within a command ------------------------------------------------------------------------------


class LeapingClock(ManualClock):
    """A clock that can be let leap: right at the first look from then on, and far away at every later one."""

    def __init__(self, start: datetime, leaps: list[timedelta]) -> None:
        super().__init__(start)
        self.leaps, self._off = leaps, repeat(timedelta())

    def now(self) -> datetime:
        return super().now() + next(self._off)

    @contextmanager
    def leaping(self) -> Iterator[None]:
        calm, self._off = self._off, chain([timedelta()], cycle(self.leaps))
        yield
        self._off = calm


YEARS: Final = timedelta(days=3653)

LEAPS: Final = {"ahead": [YEARS], "back": [-YEARS], "to and fro": [YEARS, -YEARS]}


def leaping(stage: Stage, leaps: list[timedelta]) -> LeapingClock:
    """Give *stage*, as after a restart, a clock that leaps when it is told to."""
    clock = LeapingClock(stage.clock.now(), leaps)
    stage.clock = clock
    stage.flows = stage.open(stage.ring)
    return clock


@pytest.mark.parametrize("leaps", LEAPS.values(), ids=LEAPS)
@pytest.mark.parametrize("flow", FLOWS.values(), ids=FLOWS)
def test_a_clock_that_leaps_within_a_command_changes_nothing(flow: Callable[[Stage], Any], leaps: list[timedelta]):
    """All of a command happens at the instant that it saw first: it answers and writes as if time stood still."""
    calm, restless = (Stage(MemoryUnitOfWork(), POLICY, entropy=Draw()) for _ in range(2))
    clock = leaping(restless, leaps)
    expected, ask = flow(calm)(CONTEXT), flow(restless)
    with clock.leaping():
        answer = ask(CONTEXT)
    assert shown(answer) == shown(expected)
    assert restless.snapshot() == calm.snapshot()


@pytest.mark.parametrize("seed", range(3))
def test_commands_one_after_the_other_do_not_notice_that_the_clock_leaps_in_each(seed: int):
    calm, restless = Play(MemoryUnitOfWork(), seed), Play(MemoryUnitOfWork(), seed)
    clock = leaping(restless.stage, LEAPS["to and fro"])
    for _ in range(60):
        expected, move = calm.next(), restless.next()
        calm_answer = expected.ask(CONTEXT)
        with clock.leaping():
            answer = move.ask(CONTEXT)
        assert shown(answer) == shown(calm_answer), move.name
        assert restless.stage.snapshot() == calm.stage.snapshot(), move.name
        expected.then(calm_answer)
        move.then(answer)
