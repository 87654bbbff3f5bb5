"""What somebody does to an answer in a browser of their own, on its way from the provider to us."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Final

import attrs

from authflow.sso.kinds import Callback

if TYPE_CHECKING:
    from collections.abc import Callable


@attrs.frozen(kw_only=True)
class Forgery:
    """One way to come as somebody else.

    Args:
        told: What is done, for the page that tells of it.
        forge: Returns an answer about the first subject, done to it so that it be about the second.
    """

    told: str
    forge: Callable[[Callback, str, str], Callback]


def _overwritten(genuine: Callback, subject: str, other: str) -> Callback:
    document = base64.b64decode(genuine.fields["SAMLResponse"][0])
    forged = document.replace(f">{subject}<".encode(), f">{other}<".encode())
    return Callback(fields={**genuine.fields, "SAMLResponse": (base64.b64encode(forged).decode(),)})


def _invented(genuine: Callback, _subject: str, other: str) -> Callback:
    return Callback(fields={**genuine.fields, "code": (f"the-code-of-{other}",)})


OVERWRITTEN: Final = Forgery(
    told="She signs in there herself, and overwrites her subject with Ada's wherever the signed answer has it:",
    forge=_overwritten,
)
"""Of SAML, whose answer says in the browser who comes."""

INVENTED: Final = Forgery(
    told="Who comes is said behind her back; all that her browser carries is a code, and she makes one up for Ada:",
    forge=_invented,
)
"""Of OpenID Connect, whose answer in the browser is a code."""
