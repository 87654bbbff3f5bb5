"""The kernel: what stands in the table happens, what does not stand there does not."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from authflow.errors import AuthflowError, Code, IllegalCommand, NaiveDatetime, UndeclaredEdge
from authflow.machine import Edge, Fact, Machine, Step, on
from authflow.values import UTC

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)


@attrs.frozen(kw_only=True)
class Closed:
    """Nobody gets through."""

    knocks: int = 0


@attrs.frozen(kw_only=True)
class Opened:
    since: datetime


@attrs.frozen(kw_only=True)
class Sealed: ...


@attrs.frozen(kw_only=True)
class Knock:
    word: str = ""


@attrs.frozen(kw_only=True)
class Close: ...


@attrs.frozen(kw_only=True)
class Burn: ...


@attrs.frozen(kw_only=True)
class Knocked(Fact):
    times: int


Door = Closed | Opened | Sealed
Command = Knock | Close | Burn


def knock(state: Closed, command: Knock, now: datetime) -> Step[Door, str]:
    """Open at the word | seal at the third wrong one.

    A second paragraph is for readers of the code.
    """
    if command.word == "sesame":
        return Step(Opened(since=now), "come in")
    if state.knocks == 2:
        return Step(Sealed(), "never again", (Knocked(times=3),))
    return Step(Closed(knocks=state.knocks + 1), "who is there?", (Knocked(times=state.knocks + 1),))


def close(state: Opened, command: Close, now: datetime) -> Step[Closed, str]:
    return Step(Closed(), "closed")


MACHINE = Machine[Door, Command, str](
    "test.door",
    rows=(
        on(Closed, Knock).to(knock, Closed, Opened, Sealed),
        on(Opened, Close).to(close, Closed),
    ),
)

LEGAL = {(Closed, Knock), (Opened, Close)}
STATES: tuple[Door, ...] = (Closed(), Opened(since=NOW), Sealed())
COMMANDS: tuple[Command, ...] = (Knock(), Close(), Burn())


# --- steps ----------------------------------------------------------------------------------------------------------


def test_a_step_carries_the_next_state_the_answer_and_the_facts():
    assert MACHINE.step(Closed(), Knock(word="friend"), NOW) == Step(
        Closed(knocks=1), "who is there?", (Knocked(times=1),)
    )
    assert MACHINE.step(Closed(), Knock(word="sesame"), NOW) == Step(Opened(since=NOW), "come in", ())


def test_the_moment_reaches_the_rule_unchanged():
    local = NOW.astimezone(timezone(timedelta(hours=5, minutes=45)))
    assert MACHINE.step(Closed(), Knock(word="sesame"), local).state == Opened(since=local)


moments = st.datetimes(timezones=st.timezones())
states = st.builds(Closed, knocks=st.integers(0, 2)) | st.builds(Opened, since=moments) | st.just(Sealed())
commands = st.builds(Knock, word=st.sampled_from(["", "sesame"])) | st.just(Close()) | st.just(Burn())


@given(states, commands, moments)
def test_a_step_is_pure(state: Door, command: Command, now: datetime):
    """The same arguments give the same step or the same exception, and are themselves left alone."""
    before = repr((state, command, now))

    def outcome() -> Step[Door, str] | str:
        try:
            return MACHINE.step(state, command, now)
        except IllegalCommand as error:
            return str(error)

    assert outcome() == outcome()
    assert repr((state, command, now)) == before


# --- what does not stand in the table -------------------------------------------------------------------------------


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("command", COMMANDS)
def test_every_pair_is_legal_or_raises(state: Door, command: Command):
    if (type(state), type(command)) in LEGAL:
        assert MACHINE.step(state, command, NOW).answer
        return
    with pytest.raises(IllegalCommand) as caught:
        MACHINE.step(state, command, NOW)
    assert caught.value.machine == "test.door"
    assert (caught.value.state, caught.value.command) == (type(state).__name__, type(command).__name__)


def recorded(answer: Door) -> tuple[Machine[Door, Command, str], list[object]]:
    """Return a machine of one row, and the list of calls its rule received."""
    calls: list[object] = []

    def note(state: Closed, command: Knock, now: datetime) -> Step[Door, str]:
        calls.append((state, command, now))
        return Step(answer, "noted")

    return Machine[Door, Command, str]("test.recorded", rows=(on(Closed, Knock).to(note, Closed),)), calls


def test_no_rule_runs_for_an_illegal_command():
    machine, calls = recorded(Closed())
    for state, command in ((Sealed(), Knock()), (Closed(), Burn()), (Opened(since=NOW), Close())):
        with pytest.raises(IllegalCommand):
            machine.step(state, command, NOW)
    assert calls == []


def test_no_rule_runs_without_a_time_zone():
    machine, calls = recorded(Closed())
    with pytest.raises(NaiveDatetime):
        machine.step(Closed(), Knock(), NOW.replace(tzinfo=None))
    assert calls == []


def test_a_subclass_of_a_state_is_another_state():
    class Ajar(Closed):
        pass

    with pytest.raises(IllegalCommand, match="Knock in Ajar"):
        MACHINE.step(Ajar(), Knock(), NOW)


def test_a_subclass_of_a_target_is_another_target():
    class Ajar(Closed):
        pass

    machine, _ = recorded(Ajar())
    with pytest.raises(UndeclaredEdge, match="note went from Closed to Ajar"):
        machine.step(Closed(), Knock(), NOW)


def test_a_rule_cannot_leave_its_row():
    machine, _ = recorded(Sealed())
    with pytest.raises(UndeclaredEdge) as caught:
        machine.step(Closed(), Knock(), NOW)
    error = caught.value
    assert (error.machine, error.rule, error.state, error.target) == ("test.recorded", "note", "Closed", "Sealed")


def test_bugs_have_codes_and_one_root():
    assert IllegalCommand.code is Code.MACHINE_ILLEGAL_COMMAND
    assert UndeclaredEdge.code is Code.MACHINE_UNDECLARED_EDGE
    assert issubclass(IllegalCommand, AuthflowError)
    assert issubclass(UndeclaredEdge, AuthflowError)


def test_a_pair_stands_in_one_row():
    twice = (on(Opened, Close).to(close, Closed), on(Opened, Close).to(close, Sealed))
    with pytest.raises(ValueError, match=r"test\.twice: .* each pair of state and command once"):
        Machine[Door, Command, str]("test.twice", rows=twice)


def test_a_table_has_rows():
    with pytest.raises(ValueError, match=r"test\.empty: a table needs rows"):
        Machine[Door, Command, str]("test.empty", rows=())


# --- exports --------------------------------------------------------------------------------------------------------


def test_edges_are_the_arrows_of_the_table_in_its_order():
    assert list(MACHINE.edges()) == [
        Edge(Closed, Knock, knock, Closed),
        Edge(Closed, Knock, knock, Opened),
        Edge(Closed, Knock, knock, Sealed),
        Edge(Opened, Close, close, Closed),
    ]


def test_states_and_commands_come_in_the_order_of_the_table():
    assert MACHINE.states() == (Closed, Opened, Sealed)
    assert MACHINE.commands() == (Knock, Close)


def test_mermaid():
    assert MACHINE.mermaid() == (
        "stateDiagram-v2\n"
        "    [*] --> Closed\n"
        "    Closed --> Closed: Knock\n"
        "    Closed --> Opened: Knock\n"
        "    Closed --> Sealed: Knock\n"
        "    Opened --> Closed: Close"
    )


def test_mermaid_draws_one_arrow_for_all_commands_between_two_states():
    machine = Machine[Door, Command, str](
        "test.two",
        rows=(
            on(Opened, Close).to(close, Closed),
            on(Opened, Burn).to(lambda _state, _command, _now: Step(Closed(), ""), Closed),
        ),
    )
    assert machine.mermaid().splitlines()[2:] == ["    Opened --> Closed: Close, Burn"]


def test_mermaid_draws_a_way_in_to_every_state_that_only_itself_leads_to():
    machine = Machine[Door, Command, str](
        "test.ways_in",
        rows=(
            on(Opened, Close).to(close, Closed),
            on(Closed, Knock).to(knock, Opened),
            on(Sealed, Burn).to(lambda state, _command, _now: Step(state, ""), Sealed, Closed),
        ),
    )
    assert machine.mermaid().splitlines()[1:3] == ["    [*] --> Opened", "    [*] --> Sealed"]


def test_table():
    assert MACHINE.table() == (
        "| state | command | rule | next | what it decides |\n"
        "|---|---|---|---|---|\n"
        "| Closed | Knock | `knock` | Closed, Opened, Sealed | Open at the word \\| seal at the third wrong one. |\n"
        "| Opened | Close | `close` | Closed |  |"
    )
