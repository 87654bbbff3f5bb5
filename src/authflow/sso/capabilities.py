"""What some kinds of provider can do and others cannot: a kind that has these methods can, and no other is asked.

A host's own kind goes on being one without them. As of `authflow.sso.kinds.Kind`, no method is called while a
transaction is open, unless it says that it asks nobody.
"""

from __future__ import annotations

from enum import StrEnum, unique
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import attrs

if TYPE_CHECKING:
    from authflow.sso.endpoints import Endpoints
    from authflow.sso.kinds import Assertion, Callback, Departure, Document, Rejected, Single, Trip


@unique
class Shape(StrEnum):
    """What JSON a setting is."""

    TEXT = "text"
    LIST = "list"
    NUMBER = "number"
    FLAG = "flag"


@attrs.frozen(kw_only=True)
class Setting:
    """One setting of a kind, as a form asks for it.

    Args:
        name: Its key in the settings.
        shape: A text, a list of texts, a whole number, or true or false.
        required: Nothing works without it. Of settings that stand in for each other none is.
        secret: Nobody is shown it again.
        choices: What a text is one of, and what the texts of a list are among; empty where anything may stand.
    """

    name: str
    shape: Shape = Shape.TEXT
    required: bool = False
    secret: bool = False
    choices: tuple[str, ...] = ()


@runtime_checkable
class Listing(Protocol):
    """A kind that says which settings it has, so that a host can draw the form of a setup."""

    @property
    def settings(self) -> tuple[Setting, ...]:
        """All of them, in the order in which a form asks. Asks nobody."""
        ...


@runtime_checkable
class Describing(Protocol):
    """A kind whose providers read a document about us before they know us: SAML's metadata."""

    def describe(self, settings: Document | None, *, endpoints: Endpoints) -> str:
        """Return the document, with what *settings* say of our own key and nothing else of them. Asks nobody.

        They may be those of a provider, a part of what is going to be proposed, or none.

        Raises:
            InputInvalid: What *settings* say of our key is unusable; *field* names it.
        """
        ...


@runtime_checkable
class Unasked(Protocol):
    """A kind whose providers may send an answer to no request: sign-ins that begin there."""

    def takes_unasked(self, settings: Document) -> bool:
        """Tell whether *settings* let such an answer in at all. Asks nobody."""
        ...

    def arrive_unasked(self, settings: Document, trip: Trip, callback: Callback) -> Assertion | Rejected:
        """Check an answer that the provider sent of itself; one that answers a request is none."""
        ...


@attrs.frozen(kw_only=True)
class Named:
    """What a provider calls a session of somebody's there: *name* is who it is, *index* which session, or empty.

    *format* is the kind of name, or empty where nothing says: what is written alike may be another name in another one.
    """

    name: str
    index: str
    format: str = ""


@attrs.frozen(kw_only=True)
class LogoutRequested:
    """The provider ends the sessions of *name_id*, of that *format*; of all of them where no *sessions* are named.

    *id* and *state* belong into the answer. *once* makes the request single use.
    """

    id: str
    name_id: str
    sessions: tuple[str, ...]
    state: str | None
    once: Single
    format: str = ""


@attrs.frozen(kw_only=True)
class LoggedOut:
    """The provider answers our request: it ended the session, or with *complete* false, not everywhere."""

    complete: bool


@runtime_checkable
class LoggingOut(Protocol):
    """A kind whose sessions end on both sides. The callback of its trips is where single logout is answered."""

    def named(self, memory: Document) -> Named | None:
        """Return what the provider calls the session that left *memory*, if it can be ended by that. Asks nobody."""
        ...

    def depart_logout(self, settings: Document, trip: Trip, memory: Document) -> Departure | None:
        """Ask the provider to end the session that left *memory*; none where there is nowhere to ask."""
        ...

    def arrive_logout(self, settings: Document, trip: Trip, request: Document, query: str) -> LoggedOut | Rejected:
        """Check the answer to the request that `depart_logout` made, with what it left in *request*.

        *query* is the raw text behind the question mark, for that is what is signed.
        """
        ...

    def read_logout(self, settings: Document, trip: Trip, query: str) -> LogoutRequested | Rejected:
        """Check the request of a provider to end sessions; *query* is that of `arrive_logout`."""
        ...

    def answer_logout(self, settings: Document, trip: Trip, requested: LogoutRequested) -> Departure | None:
        """Tell the provider that what it *requested* is done; none where there is nowhere to tell it."""
        ...
