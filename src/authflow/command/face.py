"""The awaitable face of a service: the same commands, the same code, each run so that the event loop goes on."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

T = TypeVar("T")


class Spawn(Protocol):
    """Runs a synchronous function so that what waits inside it lets the event loop go on."""

    def __call__(self, function: Callable[..., T], /, *args: Any, **kwargs: Any) -> Coroutine[Any, Any, T]:  # noqa: ANN401  # whatever the function takes
        """Return what *function* returns, to be awaited."""
        ...


class AsyncFace:
    """The awaitable face of *sync*: the same commands, the same code, each run by *spawn*.

    ``class AsyncMembers(AsyncFace, Members)`` is all that a service's face takes: type checkers see every command of
    ``Members`` as a coroutine function. What is no command is read from *sync*.
    """

    _sync: Any
    _spawn: Spawn

    def __init__(self, sync: Any, spawn: Spawn) -> None:  # noqa: ANN401  # the subclass says which service it is
        # The services are frozen, and so are their faces.
        object.__setattr__(self, "_sync", sync)
        object.__setattr__(self, "_spawn", spawn)

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401  # the subclass says what there is
        return getattr(object.__getattribute__(self, "_sync"), name)

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"


def awaited(face: AsyncFace, function: Callable[..., T]) -> Callable[..., Coroutine[Any, Any, T]]:
    """Return *function* of the synchronous service as *face* gives it: something to await."""
    spawn, sync = face._spawn, face._sync  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]  # it shows commands only
    return partial(spawn, function, sync)
