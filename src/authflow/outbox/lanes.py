"""The serial lanes of the outbox and what waits in them: messages, and the groups that are delivered as one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import attrs

from authflow.facts.records import Category, Message, Scalar, Scope

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

ALONE: Final = frozenset({Category.SIGNAL, Category.MAIL, Category.SECURITY_EVENT})
"""Categories of which every message is delivered, whatever its object (outbox 2.1, decision 37)."""


CATEGORIES: Final = {int(category): category for category in Category}
SCOPES: Final = {int(scope): scope for scope in Scope}
"""What this version knows, by its number."""


@attrs.frozen(kw_only=True)
class Lane:
    """One serial lane. *scope* is a plain number, because a newer version may have written a new one.

    Args:
        destination: The region it is for, or none for this installation.
        scope: What its messages are about; see `authflow.facts.records.Scope`.
        shard: The id of the organization, person or project.
    """

    destination: str | None
    scope: int
    shard: str


@attrs.frozen(kw_only=True)
class Queued:
    """A message as it waits in its lane; *number* is its place. Scope and category may be of a newer version.

    Args:
        number: Its place.
        lane: Where it waits.
        id: By which receivers know it again.
        category: See `authflow.Category`.
        object: What it is about; a newer message about it may replace it.
        payload: Scalars; a secret among them is sealed.
        at: When the change happened.
        due_at: Not delivered before.
        expires_at: Dropped after, or none.
    """

    number: int
    lane: Lane
    id: str
    category: int
    object: str
    payload: Mapping[str, Scalar] = attrs.field(repr=False)
    at: datetime
    due_at: datetime
    expires_at: datetime | None

    def message(self) -> Message | None:
        """Return the message as this version knows it, or none if its scope or category is of a newer one."""
        category, scope = CATEGORIES.get(self.category), SCOPES.get(self.lane.scope)
        if category is None or scope is None:
            return None
        return Message(
            id=self.id,
            scope=scope,
            shard=self.lane.shard,
            category=category,
            object=self.object,
            destination=self.lane.destination,
            payload=self.payload,
            at=self.at,
            due_at=self.due_at,
            expires_at=self.expires_at,
        )


@attrs.frozen
class Group:
    """Messages of one lane about one object, oldest first. Only the newest is delivered; exactly these go with it."""

    messages: tuple[Queued, ...]

    @property
    def head(self) -> str:
        """The id of the oldest message: tries are counted on it."""
        return self.messages[0].id

    @property
    def newest(self) -> Queued:
        """The message whose payload is delivered."""
        return self.messages[-1]

    @property
    def ids(self) -> tuple[str, ...]:
        """Every message that the delivery settles; none that was written meanwhile (outbox 1.11)."""
        return tuple(message.id for message in self.messages)


def groups(messages: Iterable[Queued]) -> tuple[Group, ...]:
    """Return the messages of one lane, oldest first, as groups in the order of their oldest message."""
    found: dict[tuple[int, str], list[Queued]] = {}
    for message in messages:
        alone = message.category in ALONE
        found.setdefault((message.category, message.id if alone else message.object), []).append(message)
    return tuple(Group(tuple(members)) for members in found.values())
