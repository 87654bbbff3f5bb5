"""What is stored for a repeated command, against a model of three lines; what counts as the same command; the cost."""

from __future__ import annotations

import tracemalloc
from collections import Counter
from datetime import timedelta
from functools import partial
from operator import itemgetter
from typing import TYPE_CHECKING, Any, ClassVar, Final

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from authflow import Code, Context, Refused
from authflow.adapters.memory.unit_of_work import MemoryUnitOfWork
from authflow.errors import InputInvalid
from authflow.journey.keyed import ARGUMENTS_MAX, least_length, written
from authflow.journey.replay import FORMER_LIFETIME, LIFETIME, LIFETIME_WITH_SECRETS
from authflow.mfa.answers import CodesShown, Renamed
from authflow.testing.clocks import START
from authflow.values import NOBODY, Answer, AuthenticatorId, Method, Secret
from tests.stage import CONTEXT, Stage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

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


@pytest.mark.parametrize("argument", [object(), 10**5000], ids=["nothing of ours", "more digits than Python writes"])
def test_what_cannot_be_compared_is_the_hosts_mistake(argument: object):
    desk = Desk()
    with pytest.raises(InputInvalid):
        desk.ask("key", Renamed, argument=argument)
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


class Row(tuple[Any, ...]):
    """A collection that tells how many things were taken out of any of its kind."""

    __slots__ = ()
    taken: ClassVar = 0

    def __iter__(self) -> Iterator[Any]:
        for thing in super().__iter__():
            Row.taken += 1
            yield thing


def rows_in_rows() -> Row:
    """Return what takes little room, and has a million million things in it."""
    thing = Row(("a",))
    for _ in range(12):
        thing = Row((thing,) * 10)
    return thing


def in_itself() -> list[Any]:
    """Return a list that never ends."""
    thing: list[Any] = []
    thing.append(Row((thing, thing)))
    return thing


HUGE: Final = "\U0001f600" * (4 * ARGUMENTS_MAX)
LARGE: Final[dict[str, Any]] = {
    "a text": HUGE,
    "bytes": HUGE.encode(),
    "a secret": Secret(HUGE),
    "a secret in a value": CodesShown(
        session=NOBODY, authenticator=AuthenticatorId("a"), codes=(Secret(HUGE),), created_at=START
    ),
    "a name": {HUGE: None},
    "a row": Row(HUGE),
    "many texts": Row((HUGE[: ARGUMENTS_MAX // 2],) * 3),
    "rows in rows": rows_in_rows(),
    "a list": [None] * (4 * ARGUMENTS_MAX),
    "a list in itself": in_itself(),
}


@pytest.mark.parametrize("large", LARGE)
def test_of_arguments_that_are_too_large_nothing_large_is_made(large: str):
    """They are measured as they are, and no further than the limit."""
    desk, argument = Desk(), LARGE[large]
    Row.taken = 0
    tracemalloc.start()
    try:
        answer = desk.ask("key", Renamed, argument=argument)
        made = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert isinstance(answer, Refused)
    assert answer.code is Code.IDEMPOTENCY_TOO_LARGE
    assert Row.taken <= ARGUMENTS_MAX
    assert made < 16 * ARGUMENTS_MAX


@given(
    argument=st.recursive(
        ARGUMENTS.map(itemgetter(1)), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)
    )
)
def test_no_request_is_measured_longer_than_it_is_written(argument: Any):
    """So the first look refuses nothing that the limit allows."""
    asked = {"argument": argument}
    assert least_length(asked) <= len(written(asked))


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
