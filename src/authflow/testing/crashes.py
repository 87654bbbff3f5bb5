"""Kills a process with SIGKILL before and after every step it sends to its database, and shows what is left.

    for death in deaths(act, prepare=restore):
        ...open the database again, repeat the command, look at every row...

`deaths` forks a child per point from the process that runs the test, where everything is imported already: a death
costs milliseconds. It goes on until a child gets to its end alive, so that no point is left out whatever *act* sends.
Needs ``os.fork``: Linux, macOS.
"""

from __future__ import annotations

import gc
import os
import pickle
import signal
import traceback
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, NoReturn

import attrs

from authflow.errors import AuthflowError
from authflow.testing.faults import Point, Points

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from authflow.adapters.sql.tap import Tap

CHUNK: Final = 1 << 16
"""Bytes read from a child at a time."""

POINTS_MAX: Final = 10_000
"""More points than any command has: a child that never gets to its end is a bug of the test."""


class CrashHarnessError(AssertionError):
    """The child did something else than die at its point or return: its traceback is the message."""


@attrs.frozen(kw_only=True)
class Death:
    """A process that was killed.

    Args:
        point: Where: nothing behind it was done.
        told: What *act* had told the outside world before, with `Outside.tell`.
    """

    point: Point
    told: tuple[Any, ...]

    @property
    def name(self) -> str:
        """Say where in one line, for the message of an assertion."""
        return f"killed {self.point.side} point {self.point.number}, {self.point.kind}: {self.point.text[:80]}"


@attrs.frozen(kw_only=True)
class Life:
    """A process that got to its end.

    Args:
        returned: What *act* returned.
        told: What it had told the outside world.
        points: All of its points.
    """

    returned: Any
    told: tuple[Any, ...]
    points: tuple[Point, ...]


class Outside:
    """What *act* gets: the tap at which it dies, and a way to do something that no rollback undoes, such as a mail."""

    def __init__(self, tap: Tap, pipe: int) -> None:
        self.tap = tap
        self._pipe = pipe

    def tell(self, what: object) -> None:
        """Tell the parent *what*, at once; it is known there whatever becomes of this process."""
        _write(self._pipe, what)


def deaths(act: Callable[[Outside], object], *, prepare: Callable[[], object]) -> Iterator[Death]:
    """Run *act* in a new process once per point, and kill it there; yield each death.

    Args:
        act: Opens connections of its own, gives `Outside.tap` to its unit of work, and does one thing.
        prepare: Puts the database into the same state before each run, and closes every connection of this process:
            one that is used on both sides of a fork belongs to neither.

    Raises:
        CrashHarnessError: *act* raised, or never came to its end.
    """
    for number in range(1, POINTS_MAX):
        prepare()
        ended = _run(act, kill_at=number)
        if isinstance(ended, Life):
            return
        yield ended
    msg = f"it was not at its end after {POINTS_MAX} points"
    raise CrashHarnessError(msg)


def undisturbed(act: Callable[[Outside], object], *, prepare: Callable[[], object]) -> Life:
    """Run *act* in a new process to its end: what every repetition after a death is compared with.

    Raises:
        CrashHarnessError: *act* raised, or returned what cannot be pickled.
    """
    prepare()
    ended = _run(act, kill_at=None)
    assert isinstance(ended, Life)
    return ended


def _run(act: Callable[[Outside], object], *, kill_at: int | None) -> Death | Life:
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        gc.disable()  # its first collection would copy every page of the parent
        _live(act, writing, kill_at)
    os.close(writing)
    try:
        words = _words(_all(reading))
    finally:
        os.close(reading)
        _, status = os.waitpid(child, 0)
    return _ended(words, status)


def _live(act: Callable[[Outside], object], pipe: int, kill_at: int | None) -> NoReturn:
    """Be the child. It never returns: nothing of the parent, its test runner above all, may be cleaned up twice."""
    seen: list[Point] = []

    def heard(point: Point) -> None:
        seen.append(point)
        if point.number == kill_at:
            _write(pipe, point)
            # By itself, so that it dies at this very point, and is not left waiting if its parent dies first.
            os.kill(os.getpid(), signal.SIGKILL)

    try:
        returned = act(Outside(Points(heard), pipe))
        _write(pipe, _End(returned, tuple(seen)))
    except BaseException:  # noqa: BLE001  # whatever it was, the parent says it
        with suppress(Exception):
            _write(pipe, _Failure(traceback.format_exc()))
    finally:
        os._exit(0)


@attrs.frozen
class _End:
    returned: Any
    points: tuple[Point, ...]


@attrs.frozen
class _Failure:
    trace: str


def _ended(words: list[Any], status: int) -> Death | Life:
    *told, last = words or [_Failure("the child died before it said anything")]
    if isinstance(last, Point) and os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL:
        return Death(point=last, told=tuple(told))
    if isinstance(last, _End):
        return Life(returned=last.returned, told=tuple(told), points=last.points)
    raise CrashHarnessError(last.trace if isinstance(last, _Failure) else f"the child ended with status {status}")


def _write(pipe: int, word: object) -> None:
    """Write *word* with its length before it: the reader knows where a word that was cut off begins."""
    try:
        content = pickle.dumps(word)
    except (pickle.PicklingError, TypeError, AttributeError, AuthflowError) as error:
        msg = f"{type(word).__name__} cannot be sent to the parent"
        raise CrashHarnessError(msg) from error
    view = memoryview(len(content).to_bytes(8, "big") + content)
    while view:
        view = view[os.write(pipe, view) :]


def _all(pipe: int) -> bytes:
    return b"".join(iter(lambda: os.read(pipe, CHUNK), b""))


def _words(sent: bytes) -> list[Any]:
    words: list[Any] = []
    while sent:
        length = int.from_bytes(sent[:8], "big")
        words.append(pickle.loads(sent[8 : 8 + length]))  # noqa: S301  # our own child wrote it
        sent = sent[8 + length :]
    return words
