"""What is stored for a repeated command, against a model of three lines; what counts as the same command; the cost."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from authflow import Code, Context, Refused
from authflow.adapters.memory.unit_of_work import MemoryUnitOfWork
from authflow.errors import InputInvalid
from authflow.journey.keyed import ARGUMENTS_MAX, written
from authflow.journey.replay import FORMER_LIFETIME, LIFETIME, LIFETIME_WITH_SECRETS
from authflow.mfa.answers import CodesShown, Renamed
from authflow.values import NOBODY, Answer, AuthenticatorId, Method, Secret
from tests.stage import CONTEXT, Stage

if TYPE_CHECKING:
    from collections.abc import Callable

    from authflow.adapters.sql.tap import Event
    from authflow.adapters.sql.unit_of_work import SqlUnitOfWork
    from tests.stage import Person

INSTANT: Final = timedelta(microseconds=1)

MOVES: Final = st.sampled_from(
    [timedelta(0), INSTANT, -INSTANT, FORMER_LIFETIME, -FORMER_LIFETIME, LIFETIME - INSTANT, LIFETIME, -LIFETIME]
)
"""How a clock moves between two tries: also back."""

TEXTS: Final = ("a", "aa", "a\x00", "\ud800", "null")
VALUES: Final = (Secret("a"), b"a", None, 1, True, ("a", "a"), ())
ARGUMENTS: Final = st.sampled_from([*((repr(v), v) for v in (*TEXTS, *VALUES)), ("list", ["a"]), ("list", ("a",))])
"""What a command is asked with, and a name under which equal ones go."""

TRIES: Final = st.lists(
    st.tuples(MOVES, st.sampled_from(["one", "ONE", "two"]), st.sampled_from([Renamed, CodesShown]), ARGUMENTS),
    max_size=12,
)


@attrs.define
class Desk:
    """Somebody who is signed in, and commands that only count how often they are done."""

    stage: Stage = attrs.field(factory=lambda: Stage(MemoryUnitOfWork()))
    done: int = 0
    person: Person = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self.person = self.stage.person()
        self.stage.sign_in(self.person)

    def ask(self, key: str | None, kind: type[Answer], **arguments: Any) -> Answer:
        def work() -> Answer:
            self.done += 1
            which = AuthenticatorId(str(self.done))
            if kind is Renamed:
                return Renamed(session=session, authenticator=which, name="phone")
            codes = (Secret("a code"),)
            return CodesShown(session=session, authenticator=which, codes=codes, created_at=self.stage.clock.now())

        session, replays = self.person.browser.session, self.stage.joining.mfa._replays
        return replays.once(kind.__name__, session, Context(idempotency_key=key), arguments, work)


@given(tries=TRIES)
def test_a_key_is_one_command_with_one_answer_for_its_time(tries: list[tuple[Any, str, Any, tuple[str, Any]]]):
    desk, model = Desk(), dict[Any, Any]()
    clock = desk.stage.clock
    for move, key, kind, (name, argument) in tries:
        clock.advance(move)
        expected = model.get((key, kind))
        before, answer = desk.done, desk.ask(key, kind, argument=argument)
        if expected is None or clock.now() >= expected[2]:
            assert desk.done == before + 1
            model[key, kind] = (name, answer, clock.now() + (LIFETIME if kind is Renamed else LIFETIME_WITH_SECRETS))
            continue
        assert desk.done == before
        if name == expected[0]:
            assert answer == expected[1]
            continue
        # From the first miss on nothing is like it.
        assert answer == Refused(code=Code.IDEMPOTENCY_CONFLICT, session=answer.session)
        model[key, kind] = (None, None, expected[2])


def test_without_a_key_every_try_is_done():
    desk = Desk()
    assert desk.ask(None, Renamed) != desk.ask(None, Renamed)


def test_when_a_host_checked_a_proof_is_no_argument_but_what_it_checked_is():
    desk = Desk()
    first = desk.stage.password()
    later = attrs.evolve(first, at=first.at + INSTANT)
    assert desk.ask("key", Renamed, proof=first) == desk.ask("key", Renamed, proof=later)
    other = attrs.evolve(later, method=Method.MAILED_LINK)
    assert isinstance(desk.ask("key", Renamed, proof=other), Refused)


def test_the_name_of_an_argument_counts_and_their_order_does_not():
    desk = Desk()
    first = desk.ask("key", Renamed, one="a", other="b")
    assert desk.ask("key", Renamed, other="b", one="a") == first
    assert isinstance(desk.ask("key", Renamed, one="b", other="a"), Refused)


def test_what_cannot_be_compared_is_the_hosts_mistake():
    desk = Desk()
    with pytest.raises(InputInvalid):
        desk.ask("key", Renamed, argument=object())
    assert desk.done == 0


@pytest.mark.parametrize(("more", "done"), [(0, 1), (1, 0)])
def test_arguments_may_be_as_long_as_the_limit(more: int, done: int):
    desk = Desk()
    desk.ask("key", Renamed, argument="a" * (ARGUMENTS_MAX - len(written({"argument": ""})) + more))
    assert desk.done == done


def test_a_character_counts_as_it_is_written_down():
    """Six each: the limit is that of what is digested."""
    desk = Desk()
    assert isinstance(desk.ask("key", Renamed, argument="\u00e9" * (ARGUMENTS_MAX // 6)), Refused)
    assert desk.done == 0


class Heard(Counter[str]):
    """A tap that counts statements."""

    def before(self, event: Event) -> None:
        self[event.kind.value] += 1

    def after(self, event: Event) -> None: ...


def statements(stage: Stage, command: Callable[[], object]) -> int:
    """Return how many statements *command* costs."""
    stage.uow.tap = heard = Heard()
    command()
    stage.uow.tap = None
    return heard["statement"]


def test_a_browser_without_a_row_claims_nothing(sqlite_uow: SqlUnitOfWork):
    stage = Stage(sqlite_uow)
    ada, keyed = stage.person(), attrs.evolve(CONTEXT, idempotency_key="key")
    sign_in = partial(stage.flows.sessions.establish, NOBODY, user=ada.user, proof=stage.password())
    stage.sign_in(ada)
    assert statements(stage, lambda: sign_in(context=keyed)) == statements(stage, lambda: sign_in(context=CONTEXT))


def test_a_key_costs_its_claim_its_answer_and_a_look_at_the_row(sqlite_uow: SqlUnitOfWork):
    """To repeat an answer takes the claim, what was missed, and to find out who asks."""
    stage = Stage(sqlite_uow)
    ada = stage.person()
    stage.sign_in(ada)
    stage.enroll(ada)
    session, keyed, flows = ada.browser.session, attrs.evolve(CONTEXT, idempotency_key="key"), stage.flows
    bare = statements(stage, lambda: flows.mfa.regenerate_codes(session, CONTEXT))
    authentication = statements(stage, lambda: flows.sessions.identify(session))
    assert statements(stage, lambda: flows.mfa.regenerate_codes(session, keyed)) <= bare + 3
    assert statements(stage, lambda: flows.mfa.regenerate_codes(session, keyed)) == 2 + authentication


def test_a_command_and_its_key_do_not_run_into_each_other():
    desk = Desk()
    session, replays, done = desk.person.browser.session, desk.stage.joining.mfa._replays, list[str]()
    for command, key in (("mfa.remove", "d"), ("mfa.remov", "ed")):

        def work(command: str = command) -> Renamed:
            done.append(command)
            return Renamed(session=session, authenticator=AuthenticatorId("a"), name="phone")

        replays.once(command, session, Context(idempotency_key=key), {}, work)
    assert done == ["mfa.remove", "mfa.remov"]
