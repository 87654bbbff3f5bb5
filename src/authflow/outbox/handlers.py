"""Which handler delivers which category."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from authflow.errors import ConfigInvalid
from authflow.facts.records import Message
from authflow.outbox.delivery import Result

if TYPE_CHECKING:
    from authflow.facts.records import Category

Handler = Callable[[Message], Result]
"""Delivers one message, outside any transaction; idempotent, because a message comes at least once.

An exception is `Retry`. Only the newest message of a group is given, so its payload may be stale by one change:
a handler that needs the present state reads it.
"""


class Handlers:
    """The handler of each category. Filled before the first delivery, then frozen."""

    def __init__(self) -> None:
        self._handlers: dict[int, Handler] = {}
        self._frozen = False

    def add(self, category: Category, handler: Handler) -> None:
        """Let *handler* deliver the messages of *category*.

        Raises:
            ConfigInvalid: The category has a handler, or the first message was delivered already.
        """
        if self._frozen:
            raise ConfigInvalid(setting="handlers", problem="were frozen when the first message was delivered")
        if category in self._handlers:
            raise ConfigInvalid(setting="handlers", problem=f"already hold one for {category.name}")
        self._handlers[category] = handler

    def of(self, category: int) -> Handler | None:
        """Return the handler of *category*, or none: nobody here delivers it yet."""
        self._frozen = True
        return self._handlers.get(category)
