"""What a host hands to composed commands: refused by its name where it is of another type than documented.

Sessions, secrets and flags are checked for every command (`authflow.command.arguments`); these are of one subject.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final, cast

from authflow.errors import InputInvalid
from authflow.sso.case import Choice
from authflow.sso.kinds import Callback
from authflow.values import identifier

if TYPE_CHECKING:
    from authflow.sso.kinds import Document, Json

NO_SETTINGS: Final[Document] = dict[str, "Json"]()


def require_types(
    *,
    settings: object = NO_SETTINGS,
    kind: object = "",
    name: object = "",
    query: object = "",
    default_role: object = None,
) -> None:
    """Refuse what is of another type than it is documented to be, before anybody relies on it.

    Raises:
        InputInvalid: *settings* are no mapping from texts, *default_role* is neither a text nor None, or another one
            is no text.
    """
    role = "" if default_role is None else default_role
    texts = {"kind": kind, "name": name, "query": query, "default_role": role}
    for field, text in texts.items():
        require_text(text, field=field)
    keys = list(cast("Mapping[object, object]", settings)) if isinstance(settings, Mapping) else [None]
    if not all(isinstance(key, str) for key in keys):
        raise InputInvalid(field="settings", problem="must be a mapping from texts")


def require_text(text: object, *, field: str) -> None:
    """Refuse what is no text; *field* names it.

    Raises:
        InputInvalid: It is none.
    """
    if not isinstance(text, str):
        raise InputInvalid(field=field, problem="must be a text")


def require_identifier(text: object, *, field: str) -> None:
    """Refuse what is given and cannot be an identifier; *field* names it.

    Raises:
        InputInvalid: It cannot.
    """
    if text is not None:
        identifier(text, field=field)


def require_callback(callback: object, *, optional: bool = False) -> None:
    """Refuse what is no `Callback`, such as the framework's own fields; None is one where it is *optional*.

    Raises:
        InputInvalid: It is something else.
    """
    if not isinstance(callback, Callback) and not (callback is None and optional):
        raise InputInvalid(field="callback", problem="must be a Callback")


def read_choice(choice: object) -> Choice:
    """Return what the person chose; *choice* may be the text of a form.

    Raises:
        InputInvalid: It names nothing that can be chosen. ``NOTHING`` is what ``sso.resume`` goes on with.
    """
    known = {each.value: each for each in Choice if each is not Choice.NOTHING}
    found = known.get(choice) if isinstance(choice, str) else None
    if found is None:
        raise InputInvalid(field="choice", problem="must be one of " + ", ".join(known))
    return found
