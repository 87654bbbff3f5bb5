# pyright: strict
"""Tables a type checker must accept, and tables it must reject: every line marked `# rejected` and no other."""

from __future__ import annotations

from datetime import datetime
from typing import assert_type

import attrs

from authflow.machine import Machine, Step, on


@attrs.frozen(kw_only=True)
class Closed: ...


@attrs.frozen(kw_only=True)
class Opened:
    times: int


@attrs.frozen(kw_only=True)
class Sealed:
    reason: str


Door = Closed | Opened | Sealed


@attrs.frozen(kw_only=True)
class Open: ...


@attrs.frozen(kw_only=True)
class Close: ...


@attrs.frozen(kw_only=True)
class Seal:
    reason: str


Command = Open | Close | Seal


@attrs.frozen
class Done: ...


@attrs.frozen
class Stuck: ...


Answer = Done | Stuck


@attrs.frozen(kw_only=True)
class Ringing: ...


@attrs.frozen(kw_only=True)
class Ring: ...


def push(state: Closed, command: Open, now: datetime) -> Step[Door, Answer]:
    return Step(Opened(times=1), Done())


def pull(state: Opened, command: Close, now: datetime) -> Step[Closed, Done]:
    return Step(Closed(), Done())


def weld(state: Closed | Opened, command: Seal, now: datetime) -> Step[Door, Answer]:
    return Step(Sealed(reason=command.reason), Done())


def refuse(state: Sealed, command: Command, now: datetime) -> Step[Sealed, Stuck]:
    return Step(state, Stuck())


def chime(state: Ringing, command: Ring, now: datetime) -> Step[Ringing, Done]:
    return Step(state, Done())


def shrug(state: Closed, command: Open, now: datetime) -> Step[Closed, str]:
    return Step(state, "no answer of this machine")


def swapped(command: Open, state: Closed, now: datetime) -> Step[Door, Answer]:
    return Step(state, Done())


def timeless(state: Closed, command: Open) -> Step[Door, Answer]:
    return Step(state, Done())


def stateless(state: Closed, command: Open, now: datetime) -> Door:
    return state


# --- accepted -------------------------------------------------------------------------------------------------------

MACHINE = Machine[Door, Command, Answer](
    "test.door",
    rows=(
        on(Closed, Open).to(push, Opened, Sealed),
        on(Opened, Close).to(pull, Closed),
        on(Closed, Seal).to(weld, Sealed),
        on(Opened, Seal).to(weld, Sealed),
        on(Sealed, Open).to(refuse, Sealed),
        on(Sealed, Close).to(refuse, Sealed),
    ),
)

BELL = Machine[Ringing, Ring, Done]("test.bell", rows=(on(Ringing, Ring).to(chime, Ringing),))


def accepted(state: Door, command: Command, now: datetime) -> None:
    step = MACHINE.step(state, command, now)
    assert_type(step, Step[Door, Answer])
    assert_type(step.state, Door)
    assert_type(step.answer, Answer)
    MACHINE.step(Closed(), Open(), now)


# --- a row by itself ------------------------------------------------------------------------------------------------

on(Opened, Open).to(push, Opened)  # rejected: the rule takes another state
on(Closed, Close).to(push, Opened)  # rejected: the rule takes another command
on(Open, Closed).to(push, Opened)  # rejected: state and command are swapped
on(Closed, Open).to(swapped, Opened)  # rejected: the rule's arguments are swapped
on(Closed, Open).to(timeless, Opened)  # rejected: the rule takes no moment
on(Closed, Open).to(stateless, Opened)  # rejected: the rule returns no step
on(Closed, Open).to(chime, Ringing)  # rejected: a rule of another machine
on(Closed, Open).to(Opened, push)  # rejected: rule and target are swapped
on(Closed, Open).to(push)  # rejected: no target at all
on(Closed, Open).to(push, Opened(times=1))  # rejected: a target is a class, not a value
on(Closed)  # rejected: a row needs a command
on(Closed, Open, Seal)  # rejected: a row has one command

# --- a row in a table -----------------------------------------------------------------------------------------------

ROW_OF_BELL = on(Ringing, Ring).to(chime, Ringing)
ROW_OF_STRINGS = on(Closed, Open).to(shrug, Closed)
ROW_TO_A_STRANGER = on(Closed, Open).to(push, Opened, Ringing)
SWAPPED_ROW = on(Open, Closed)

Machine[Door, Command, Answer]("test.foreign", rows=(ROW_OF_BELL,))  # rejected: state and command of another machine
Machine[Door, Command, Answer]("test.answer", rows=(ROW_OF_STRINGS,))  # rejected: an answer of another machine
Machine[Door, Command, Answer]("test.target", rows=(ROW_TO_A_STRANGER,))  # rejected: a target of another machine
Machine[Door, Command, Answer]("test.state", rows=(on(Opened, Open).to(push, Opened),))  # rejected: a rule for Closed
Machine[Door, Command, Answer]("test.command", rows=(on(Closed, Seal).to(push, Opened),))  # rejected: a rule for Open
Machine[Door, Command, Answer]("test.swap", rows=(on(Open, Closed).to(push, Opened),))  # rejected: swapped
Machine[Door, Command, Answer]("test.bell", rows=(on(Ringing, Ring).to(chime, Ringing),))  # rejected: another machine
Machine[Door, Command, Answer]("test.list", rows=[on(Opened, Close).to(pull, Closed)])  # rejected: a table is fixed
Machine[Door, Command, Answer]("test.half", rows=(SWAPPED_ROW,))  # rejected: half a row

# --- steps ----------------------------------------------------------------------------------------------------------


def rejected(state: Door, command: Command, now: datetime) -> None:
    MACHINE.step(command, state, now)  # rejected: state and command are swapped
    MACHINE.step(Ringing(), command, now)  # rejected: a state of another machine
    MACHINE.step(state, Ring(), now)  # rejected: a command of another machine
    MACHINE.step(state, command, "2026-01-01")  # rejected: a moment is no text
    MACHINE.step(state, command)  # rejected: a step needs a moment
    step = MACHINE.step(state, command, now)
    step.state = Closed()  # rejected: a step is frozen
    print(step.answer.code)  # rejected: not every answer has a code
    Step(Closed(), Done(), (Done(),))  # rejected: only facts are facts
