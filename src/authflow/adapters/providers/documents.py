"""Reading what a provider sent: JSON and forms that may say anything, and members that may be of any type."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qsl

from authflow.adapters.providers.cache import NobodyAsked
from authflow.errors import Code
from authflow.sso.fetching import Failure, Response, Unfetched
from authflow.sso.identity import NAME_MAX
from authflow.sso.kinds import Rejected

if TYPE_CHECKING:
    from authflow.sso.kinds import Document, Json

FORM: Final = "application/x-www-form-urlencoded"

FIELDS_MAX: Final = 100
"""Fields of a form."""

DETAIL_MAX: Final = 200
"""Characters of the other side's own words that a log gets."""

OK: Final = 200
TOO_MANY: Final = 429
SERVER_ERROR: Final = 500


def parse(text: bytes) -> Document | None:
    """Return the JSON object in *text*, or none.

    UTF-8 only, no member twice, no NaN: what two parsers could read in two ways is not read at all.
    """
    read = _loaded(text)
    return read if isinstance(read, dict) else None


def parse_list(text: bytes) -> list[Json] | None:
    """Return the JSON list in *text*, read as strictly as `parse` reads an object, or none."""
    read = _loaded(text)
    return read if isinstance(read, list) else None


def parse_form(text: bytes) -> Document | None:
    """Return the fields of an urlencoded form, or none if one is there twice, or the text is none."""
    try:
        pairs = parse_qsl(text.decode("ascii"), strict_parsing=True, errors="strict", max_num_fields=FIELDS_MAX)
    except ValueError:
        return None
    return dict(pairs) if len({name for name, _ in pairs}) == len(pairs) else None


def document(response: Response | Unfetched, what: str) -> Document | Rejected:
    """Return the JSON object of a successful *response*, or why there is none; *what* names it in the log."""
    if isinstance(response, Unfetched):
        return unfetched(response, what)
    if response.status != OK:
        return status(response, what)
    return parse(response.body) or invalid(f"{what} is no JSON object")


def unfetched(failed: Unfetched, what: str) -> Rejected:
    """Return the refusal for something that could not be fetched."""
    if failed.failure is Failure.BUSY:
        return NobodyAsked(code=Code.SSO_PROVIDER_UNREACHABLE, detail=f"{what}: {failed.failure}, {failed.detail}")
    answered = failed.failure in {Failure.LARGE, Failure.REDIRECTED}
    code = Code.SSO_RESPONSE_INVALID if answered else Code.SSO_PROVIDER_UNREACHABLE
    return Rejected(code=code, detail=f"{what}: {failed.failure}, {failed.detail}")


def status(response: Response, what: str) -> Rejected:
    """Return the refusal for an answer of an unexpected status."""
    passing = response.status >= SERVER_ERROR or response.status == TOO_MANY
    code = Code.SSO_PROVIDER_UNREACHABLE if passing else Code.SSO_RESPONSE_INVALID
    return Rejected(code=code, detail=f"{what}: status {response.status}")


def invalid(detail: str) -> Rejected:
    """Return the refusal of an answer that is not as it must be."""
    return Rejected(code=Code.SSO_RESPONSE_INVALID, detail=detail)


def quoted(said: object) -> str:
    """Return the other side's own words as a log may carry them: printable ASCII, and not many."""
    text = said if isinstance(said, str) else type(said).__name__
    return "".join(c if " " <= c <= "~" else "?" for c in text[:DETAIL_MAX])


def text(source: Document, name: str) -> str | None:
    """Return the text of a member, or none if it is missing, empty or something else."""
    said = source.get(name)
    return said if isinstance(said, str) and said else None


def texts(source: Document, name: str) -> tuple[str, ...]:
    """Return the texts in a member that is a list, or none."""
    listed = source.get(name)
    return tuple(item for item in (listed if isinstance(listed, list) else []) if isinstance(item, str))


def person_name(said: object) -> str:
    """Return *said* as a name to show, or nothing if it is none."""
    if not isinstance(said, str) or not said.isprintable():
        return ""
    return said.strip()[:NAME_MAX]


def _loaded(text: bytes) -> Json:
    try:
        read: Json = STRICT.decode(text.decode())
    except (ValueError, RecursionError):
        return None
    return read


def _once(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    members = dict(pairs)
    if len(members) != len(pairs):
        msg = "a member is there twice"
        raise ValueError(msg)
    return members


def _refused(constant: str) -> float:
    raise ValueError(constant)


STRICT: Final = json.JSONDecoder(object_pairs_hook=_once, parse_constant=_refused)
