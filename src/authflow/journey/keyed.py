"""A request under an idempotency key: what can be one, what the key is scoped to, how arguments are compared."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final, cast

import attrs

from authflow.errors import BrokenPromise, Code, InputInvalid
from authflow.journey import replies
from authflow.values import Proof, Secret, token_digest
from authflow.witness import gate

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import datetime

    from authflow.values import BrowserSession

KEY_MAX: Final = 64
"""Characters of a key: a UUID, or the hexadecimal digits of 256 bits."""

ARGUMENTS_MAX: Final = 1 << 16
"""Characters of a command's arguments as they are written down to be compared: some 900 identifiers."""


@attrs.frozen(kw_only=True)
class KeyedRequest:
    """One command as it is asked for.

    Args:
        command: Its stable name.
        key: The idempotency key.
        session: The value that was presented.
        arguments: Everything else, as it is written down.
        now: The instant at which it is asked.
    """

    command: str
    key: str = attrs.field(repr=False)
    session: BrowserSession
    arguments: str = attrs.field(repr=False)
    now: datetime

    @property
    def secret(self) -> bytes:
        """Return the digest of the secret that was presented."""
        return token_digest(self.session.secret)

    def row(self, session: BrowserSession | None = None) -> bytes:
        """Return the digest of the key and of what it is scoped to, as whoever presents *session* asks for it.

        That is the row of the browser, the command, and the person whom the value names; while it names nobody, the
        value itself: of two people who sign in here one after the other neither meets the other's reply. What a value
        names opens nothing: whose reply it is, is compared again with what was sealed.

        Not keyed: there is nothing to guess in it, and a key of the ring that is rotated must not hide what is stored.
        """
        asks = self.session if session is None else session
        if asks.user is None:
            return self.row_of_value(token_digest(asks.secret))
        return self._row("person", asks.user)

    def row_of_value(self, asked: bytes) -> bytes:
        """Return the row of the value whose secret has the digest *asked*, as long as it names nobody."""
        return self._row("value", asked.hex())

    def _row(self, *who: str) -> bytes:
        parts = [part.encode(errors="surrogatepass") for part in (self.session.id, *who, self.command, self.key)]
        return hashlib.sha256(b"".join(len(part).to_bytes(4, "big") + part for part in parts)).digest()


@gate
def malformed(key: object) -> Code | None:
    """Return none if *key* can be a key: 1 to 64 printable ASCII characters."""
    legal = isinstance(key, str) and key.isascii() and key.isprintable() and 1 <= len(key) <= KEY_MAX
    return None if legal else Code.IDEMPOTENCY_KEY_INVALID


@gate
def oversized(characters: int) -> Code | None:
    """Return none if arguments of so many *characters* can be written down, digested and compared at little cost."""
    return Code.IDEMPOTENCY_TOO_LARGE if characters > ARGUMENTS_MAX else None


def least_length(arguments: Mapping[str, object]) -> int:
    """Return how many characters `written` makes of *arguments* at least; above the limit it stops to count.

    Each text takes its length, and each thing in a collection one. So nothing of more than the limit is copied or
    walked through, however often one collection stands in another, or in itself.
    """
    characters, waiting = 0, list[object]([arguments])
    while waiting and characters <= ARGUMENTS_MAX:
        inside = _inside(waiting.pop())
        characters += len(inside)
        if characters <= ARGUMENTS_MAX and not isinstance(inside, str | bytes):
            waiting.extend(inside)
    return characters


def _inside(value: object) -> str | bytes | Collection[object]:
    """Return the text that *value* is, or the values in it; nothing of what is short in any case."""
    match value:
        case Secret():
            return value.reveal()
        case str() | bytes():
            return value
        case Mapping():
            return cast("Mapping[object, object]", value).items()
        case tuple() | list() | frozenset():
            return cast("Collection[object]", value)
        case _ if attrs.has(type(value)):
            return [getattr(value, name) for name in replies.fields(value)]
        case _:
            return ()


def written(arguments: Mapping[str, object]) -> str:
    """Return *arguments* as text: the same for equal ones.

    Raises:
        InputInvalid: One of them is nothing that could be compared.
    """
    comparable = {name: _comparable(value) for name, value in sorted(arguments.items())}
    try:
        return replies.text_of(replies.plain(comparable))
    except (BrokenPromise, RecursionError, ValueError) as error:
        raise InputInvalid(field="arguments", problem="cannot be compared with those of another try") from error


def _comparable(value: object) -> object:
    """Return *value* as every try gives it: lists are tuples, and when a host checked a proof is no argument."""
    if isinstance(value, Proof):
        return (value.method, value.organization, value.provider, value.link)
    return tuple(cast("list[object]", value)) if isinstance(value, list) else value
