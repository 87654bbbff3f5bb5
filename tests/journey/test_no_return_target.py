"""Invariant 11, over the whole facade: which answers have an address to go to, and which arguments could be one.

`test_flows_redirects` tries two hundred bad addresses on single sign-on; here is that there is no other place for them.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import attrs

from authflow.values import Answer
from tests.test_command import ALL

if TYPE_CHECKING:
    from collections.abc import Iterator

ADDRESS: Final = re.compile(r"(^|_)(url|uri|next|location|target|redirect|return|return_to|goto|href|relay_state)($|_)")
"""What an argument or a field is called that somebody is sent to."""

SENDING: Final = {
    ("SentAway", "url"),  # of the provider that an owner connected, or proposes here
    ("SentToSignOut", "url"),  # likewise, of single logout
    ("ProviderSessionsEnded", "url"),  # likewise, and the way back from there
    ("Begun", "uri"),  # ``otpauth://``, for an authenticator app
}


def below(kind: type[Any]) -> Iterator[type[Any]]:
    for child in kind.__subclasses__():
        yield child
        yield from below(child)


def test_these_answers_send_somebody_somewhere_and_no_other():
    """Each address is read from the provider's settings, or made of the host's endpoints; none comes with a request."""
    found = {
        (kind.__name__, field.name)
        for kind in below(Answer)
        if kind.__module__.startswith("authflow.") and attrs.has(kind)
        for field in attrs.fields(kind)
        if ADDRESS.search(field.name)
    }
    assert found == SENDING


def test_no_command_is_told_where_to_go():
    """What a request carries goes in as a `Callback`, as the text of a query, or not at all: there is no ``next``."""
    taken = {(name, each) for name, command in ALL.items() for each in command.signature.parameters}
    assert {(name, each) for name, each in taken if ADDRESS.search(each)} == {("accounts.merge", "target")}  # a person
    carried = {name for name, each in taken if each in {"callback", "query"}}
    assert carried == {
        *("sso.keep_answer", "sso.resume", "sso.keep_unasked", "sso.end_sessions", "sso.finish_sign_out"),
        "providers.resume",
    }
