"""What a browser carries for us: as much as a cookie holds, and nothing that is not written as we write it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from authflow.sso.sealing import Vault
from authflow.sso.service.tickets import TICKET_MAX, read_ticket, write_ticket
from authflow.values import Sealed, Secret

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

BINDING = ("test",)
SPACES = "ICAg"
"""Three of them as base64: JSON may end in any number."""

COOKIE_MAX = 4096
"""Bytes of a cookie with its name and its attributes (RFC 6265 6.1)."""

AROUND = "__Host-ticket=; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=600; Expires=Wed, 21 Oct 2026 07:28:00 GMT"


class Open:
    """A cipher that hides nothing and opens everything: what is refused here is refused before it is asked."""

    def seal(self, secret: Secret, *, bound_to: Sequence[str]) -> Sealed:  # noqa: ARG002  # the port gives it
        return Sealed(key_id="key", ciphertext=secret.reveal().encode())

    def open(self, sealed: Sealed, *, bound_to: Sequence[str]) -> Secret:  # noqa: ARG002  # as above
        return Secret(sealed.ciphertext.decode())

    def needs_reseal(self, sealed: Sealed) -> bool:  # noqa: ARG002  # as above
        return False


VAULT = Vault(Open())


def written(length: int) -> Secret | None:
    """Return the ticket of a document that is *length* bytes long."""
    return write_ticket(VAULT, {"a": "x" * (length - len('{"a":""}'))}, BINDING)


def test_a_ticket_is_written_and_read_up_to_what_a_cookie_holds():
    longest = (TICKET_MAX - len("key.")) * 3 // 4
    for length in (longest - 9, longest):
        ticket = written(length)
        assert ticket is not None
        assert read_ticket(VAULT, ticket, BINDING) is not None
    assert len(ticket.reveal()) == TICKET_MAX
    assert written(longest + 1) is None
    assert written(longest + 9) is None
    assert len(AROUND) + TICKET_MAX <= COOKIE_MAX


@pytest.mark.parametrize(
    "edit",
    [
        lambda text: text + SPACES * ((TICKET_MAX - len(text)) // len(SPACES) + 1),
        lambda text: f"é{text}",
        lambda text: text.replace(".", ".!"),
        lambda text: text[:-1],
    ],
)
def test_what_is_not_written_as_we_write_it_is_not_opened(edit: Callable[[str], str]):
    ticket = written(42)
    assert ticket is not None
    assert read_ticket(VAULT, ticket, BINDING) is not None
    assert read_ticket(VAULT, Secret(edit(ticket.reveal())), BINDING) is None
