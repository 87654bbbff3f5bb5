"""A command as a descriptor: what a host gets depends on whom it asks.

A service calls the method; an `AsyncFace` of the same service gives something to await.
"""

from __future__ import annotations

import inspect
from functools import partial, wraps
from types import MethodType
from typing import TYPE_CHECKING, Any, Concatenate, Final, Generic, ParamSpec, Protocol, Self, TypeVar, cast, overload

from authflow.command.arguments import checked
from authflow.command.explaining import explained
from authflow.command.face import AsyncFace, awaited
from authflow.command.running import RUNNING, Running
from authflow.command.telemetry import Report, span
from authflow.witness import listen, unlisten

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Mapping

    from authflow.ports import UnitOfWork
    from authflow.values import Answer, BrowserSession, Context

ASKER: Final = frozenset({"session", "context"})
"""Who asks, and from where: by these names a command knows its own."""

P = ParamSpec("P")
R_co = TypeVar("R_co", covariant=True)


class Replays(Protocol):
    """Does a command that is sent again under one idempotency key once, and answers it alike (decision 8)."""

    def once(
        self,
        command: str,
        session: BrowserSession,
        context: Context,
        arguments: Mapping[str, object],
        work: Callable[[], Answer],
    ) -> Answer:
        """Return the stored reply to the same command, or do *work* and store what it answers."""
        ...


class Service(Protocol):
    """What a command needs of the service it belongs to, where it is as private as everything that is no command."""

    @property
    def _uow(self) -> UnitOfWork[Any]:
        """Makes the command's transaction."""
        ...

    @property
    def _replays(self) -> Replays:
        """Asked by commands that have a session, and so could be repeated by a browser."""
        ...


class Command(Generic[P, R_co]):
    """A public method of a service, under a stable dotted *name*.

    Args:
        function: The method; its session and context are recognized by these names. Arguments of some types are
            checked before it runs (`authflow.command.arguments`).
        name: For logs, spans and the scope of idempotency keys.
        guesses: It compares something that a stranger could guess, so nobody may undo its count (decision 7).
        whole: It is one transaction. Otherwise it makes its own, or none.
    """

    def __init__(self, function: Callable[..., R_co], *, name: str, guesses: bool, whole: bool) -> None:
        self.function, self.name, self.guesses, self.whole = function, name, guesses, whole
        self.signature: Final = inspect.signature(function)
        self._checked = checked(self.signature)
        self._places = {name: at - 1 for at, name in enumerate(self.signature.parameters) if name in ASKER}
        self.repeatable = whole and len(self._places) == len(ASKER)
        self.__doc__ = function.__doc__

        @wraps(function)
        def call(service: Service, /, *args: Any, **kwargs: Any) -> R_co:  # noqa: ANN401  # whatever the function takes
            return self.perform(service, *args, **kwargs)

        self._call = call

    @overload
    def __get__(self, service: None, owner: type) -> Self: ...
    @overload
    def __get__(self, service: AsyncFace, owner: type) -> Callable[P, Coroutine[Any, Any, R_co]]: ...
    @overload
    def __get__(self, service: object, owner: type) -> Callable[P, R_co]: ...
    def __get__(self, service: object, owner: type) -> object:
        """Return the command itself, or bound to a service, or to the awaitable face of one."""
        if service is None:
            return self
        if isinstance(service, AsyncFace):
            return wraps(self.function)(awaited(service, self._call))
        return MethodType(self._call, service)

    def perform(self, service: Service, *args: Any, **kwargs: Any) -> R_co:  # noqa: ANN401  # whatever the function takes
        """Do the command for *service*, and report what came of it; inside another command it is a part of that one."""
        here = Running(_uow_of(service))
        if here.is_part():
            return self.function(service, *args, **kwargs)
        inside, heard = RUNNING.set(here if self.whole else None), listen(here.entries)
        try:
            with span(self.name) as tracing:
                report = Report(self.name, (*args, *kwargs.values()), tracing)
                try:
                    answer = explained(self.name, self._done(service, args, kwargs, report, here), here.entries)
                except BaseException as error:
                    report.raised(error, here.entries)
                    raise
                report.answered(answer, here.entries)
                return answer
        finally:
            here.over = True
            unlisten(heard)
            RUNNING.reset(inside)

    def _done(
        self, service: Service, args: tuple[Any, ...], kwargs: dict[str, Any], report: Report, here: Running
    ) -> R_co:
        for argument in self._checked:
            argument.require(args, kwargs)
        if not self.whole:
            return self.function(service, *args, **kwargs)
        if self.guesses:
            here.uow.require_counters()

        def work() -> R_co:
            return explained(self.name, self.function(service, *args, **kwargs), here.entries)

        once = self._once(service, args, kwargs, work)

        def tried() -> R_co:
            report.tried()
            here.try_anew()
            return once()

        return here.uow.run(tried)

    def _once(
        self, service: Service, args: tuple[Any, ...], kwargs: dict[str, Any], work: Callable[[], R_co]
    ) -> Callable[[], R_co]:
        """Return *work*, or under an idempotency key what answers as it did the first time, explanation included."""
        context: Context | None = self._asker(args, kwargs).get("context") if self.repeatable else None
        if context is None or context.idempotency_key is None:
            return work
        bound = self.signature.bind(service, *args, **kwargs)
        bound.apply_defaults()
        arguments = bound.arguments
        session: BrowserSession = arguments["session"]
        others = {name: value for name, value in list(arguments.items())[1:] if name not in {"session", "context"}}
        once = partial(_replays_of(service).once, self.name, session, context, others)
        return lambda: cast("R_co", once(cast("Callable[[], Answer]", work)))

    def _asker(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
        """Return who asks, as far as it was given; what is missing Python will say."""
        by_place = {name: args[place] for name, place in self._places.items() if place < len(args)}
        return by_place | {name: kwargs[name] for name in self._places if name in kwargs}


def _uow_of(service: Service) -> UnitOfWork[Any]:
    return service._uow  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]  # a command is its service's method


def _replays_of(service: Service) -> Replays:
    return service._replays  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]  # as above


def command(name: str, *, guesses: bool = False) -> Callable[[Callable[Concatenate[Any, P], R_co]], Command[P, R_co]]:
    """Make a method the command *name*: one whole transaction."""

    def made(function: Callable[Concatenate[Any, P], R_co]) -> Command[P, R_co]:
        return Command(function, name=name, guesses=guesses, whole=True)

    return made


def operation(name: str) -> Callable[[Callable[Concatenate[Any, P], R_co]], Command[P, R_co]]:
    """Make a method the operation *name*: it makes its own transactions, or needs none."""

    def made(function: Callable[Concatenate[Any, P], R_co]) -> Command[P, R_co]:
        return Command(function, name=name, guesses=False, whole=False)

    return made
