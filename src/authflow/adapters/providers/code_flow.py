"""OAuth 2's authorization code flow, as every kind here uses it: the request, its answer, and tokens for the code.

PKCE with S256 always (RFC 7636), ``iss`` compared whenever it is sent (RFC 9207), and every field once (RFC 6749 3.1).
"""

from __future__ import annotations

import base64
import hashlib
import re
from typing import TYPE_CHECKING, Final
from urllib.parse import quote_plus, urlencode, urlsplit

import attrs

from authflow.adapters.providers.discovery import JSON, POST, S256
from authflow.adapters.providers.documents import (
    FORM,
    OK,
    SERVER_ERROR,
    TOO_MANY,
    invalid,
    parse,
    parse_form,
    quoted,
    status,
    text,
    unfetched,
)
from authflow.errors import Code
from authflow.sso.fetching import Request, Response, Unfetched
from authflow.sso.kinds import Rechecked, Rejected
from authflow.sso.recheck import Said

if TYPE_CHECKING:
    from collections.abc import Mapping

    from authflow.ports import Entropy
    from authflow.sso.fetching import Errand
    from authflow.sso.kinds import Callback, Document, Trip

RANDOM_BYTES: Final = 32
"""Of a nonce, and of a code verifier: 256 bits, 43 characters (RFC 7636 4.1)."""

VISIBLE: Final = re.compile(r"[ -~]{1,8192}")
"""RFC 6749 appendix A: codes and tokens are printable ASCII; of what is longer than this nothing is kept."""

WORD: Final = re.compile(r"[a-z_]{1,64}")
"""What errors are called. Anything else is not logged: it could be the code or the secret that was sent."""

ANSWER: Final = ("code", "error", "iss", "state")
"""Fields of an answer that mean nothing when they are there twice."""

PASSING: Final = frozenset({"server_error", "temporarily_unavailable"})
"""RFC 6749 4.1.2.1: errors that are over when one tries again."""

OURS: Final = frozenset(
    {"invalid_client", "invalid_request", "invalid_scope", "unauthorized_client", "unsupported_grant_type"}
)
"""RFC 6749 5.2: errors that blame who asks. A secret that expired says nothing of the people it asks about."""

UNAUTHORIZED: Final = 401
CLIENT_ERROR: Final = 400


@attrs.frozen(kw_only=True)
class Client:
    """Us, as the token endpoint at *token_url* knows us, and which *method* tells it so (OIDC Core 9)."""

    id: str
    secret: str | None = attrs.field(repr=False)
    token_url: str
    method: str


@attrs.frozen(kw_only=True)
class Tokens:
    """What a token endpoint gave."""

    access: str = attrs.field(repr=False)
    refresh: str | None = attrs.field(default=None, repr=False)
    identity: str | None = attrs.field(default=None, repr=False)


@attrs.frozen(kw_only=True)
class Denied:
    """A token endpoint that answered no: *error* as it said it, none where it said nothing that can be read."""

    status: int
    error: str | None

    @property
    def detail(self) -> str:
        """What the log is told; an *error* that is no word could be the code or the secret that was sent."""
        said = self.error if self.error is not None and WORD.fullmatch(self.error) else "no known error"
        return f"the token endpoint: status {self.status}, {said}"


# --- the request ------------------------------------------------------------------------------------------------------


def fresh_secret(entropy: Entropy) -> str:
    """Return 256 unpredictable bits in the alphabet of RFC 7636: a nonce or a code verifier."""
    return base64.urlsafe_b64encode(entropy.random_bytes(RANDOM_BYTES)).rstrip(b"=").decode()


def challenge(verifier: str) -> str:
    """Return the S256 challenge of *verifier* (RFC 7636 4.2)."""
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()


def authorization(url: str, client: str, verifier: str, trip: Trip, extra: Mapping[str, str]) -> str:
    """Return where to send the browser: the endpoint at *url*, whose own query stays (RFC 6749 3.1)."""
    fields = {
        "response_type": "code",
        "client_id": client,
        "redirect_uri": trip.callback,
        "state": trip.state.reveal(),
        "code_challenge": challenge(verifier),
        "code_challenge_method": S256,
        **extra,
    }
    return f"{url}{'&' if urlsplit(url).query else '?'}{urlencode(fields)}"


# --- the answer -------------------------------------------------------------------------------------------------------


def read_code(callback: Callback, *, issuer: str | None = None, issuer_demanded: bool = False) -> str | Rejected:
    """Return the code of an answer that is *issuer*'s.

    Where the issuer is known, another one's answer is refused before anything else of it is believed, an error
    included (RFC 9207 2.4); where it promised to name itself, an answer without a name is another one's.
    """
    if any(len(callback.fields.get(name, ())) > 1 for name in ANSWER):
        return invalid("a field of the answer is there twice")
    said = callback.one("iss")
    if said is None and issuer_demanded:
        return invalid("the answer does not name its issuer")
    if said is not None and issuer is not None and said != issuer:
        return invalid("the answer is another issuer's")
    error = callback.one("error")
    if error is not None:
        return _refused(error, callback.one("error_description"))
    code = callback.one("code")
    return code if code is not None and VISIBLE.fullmatch(code) else invalid("the answer has no code")


def _refused(error: str, description: str | None) -> Rejected:
    code = Code.SSO_PROVIDER_UNREACHABLE if error in PASSING else Code.SSO_PROVIDER_REFUSED
    return Rejected(code=code, detail=quoted(f"{error}: {description}" if description else error))


# --- the tokens -------------------------------------------------------------------------------------------------------


def exchange(errand: Errand, client: Client, code: str, verifier: str, callback: str) -> Tokens | Rejected:
    """Return the tokens for *code* (RFC 6749 4.1.3, RFC 7636 4.5)."""
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": callback,
        "code_verifier": verifier,
    }
    answered = _ask(errand, client, form)
    if not isinstance(answered, Denied):
        return answered
    return Rejected(code=Code.SSO_PROVIDER_REFUSED, detail=answered.detail)


def refresh(errand: Errand, client: Client, memory: Document) -> Tokens | Rechecked:
    """Return new tokens for the one in *memory*, or what it means that there are none (sso 4.1).

    That the provider does not know the token any more is a revocation; that we could not ask, for whatever reason of
    its or ours, is a failure.
    """
    token = text(memory, "refresh_token")
    if token is None:
        return Rechecked(said=Said.UNASKED)
    answered = _ask(errand, client, {"grant_type": "refresh_token", "refresh_token": token})
    if isinstance(answered, Tokens):
        return attrs.evolve(answered, refresh=answered.refresh or token)
    if isinstance(answered, Denied) and _revokes(answered):
        return Rechecked(said=Said.REVOKED)
    return Rechecked(said=Said.FAILED, memory=memory, detail=answered.detail)


def _revokes(denied: Denied) -> bool:
    """Tell whether it is the person's token that was denied, and not we ourselves."""
    if denied.error == "invalid_grant":
        return True
    return denied.status == UNAUTHORIZED and denied.error not in OURS | PASSING


def _ask(errand: Errand, client: Client, form: Mapping[str, str]) -> Tokens | Denied | Rejected:
    headers, authenticated = _authenticated(client, form)
    response = errand.fetch(Request(url=client.token_url, headers={**JSON, **headers}, form=authenticated))
    if isinstance(response, Unfetched):
        return unfetched(response, "the token endpoint")
    if response.status >= SERVER_ERROR or response.status == TOO_MANY:
        return status(response, "the token endpoint")
    read = parse_form(response.body) if response.media_type == FORM else parse(response.body)
    error = text(read or {}, "error")
    if response.status >= CLIENT_ERROR or error is not None:  # some answer 200 to everything
        return Denied(status=response.status, error=error)
    return invalid("the token endpoint's answer cannot be read") if read is None else _tokens(response, read)


def _tokens(response: Response, read: Document) -> Tokens | Rejected:
    access, kept = text(read, "access_token"), text(read, "refresh_token")
    if str(read.get("token_type")).lower() != "bearer":  # RFC 6749 7.1: whoever does not know a type does not use it
        return invalid("the access token is not of the type bearer")
    if response.status != OK or access is None or not VISIBLE.fullmatch(access):  # RFC 6749 5.1
        return invalid("there is no access token")
    usable = kept if kept is not None and VISIBLE.fullmatch(kept) else None
    return Tokens(access=access, refresh=usable, identity=text(read, "id_token"))


def _authenticated(client: Client, form: Mapping[str, str]) -> tuple[Mapping[str, str], Mapping[str, str]]:
    """Return the headers and the form of a request that says who asks (RFC 6749 2.3.1)."""
    if client.secret is None:
        return {}, {**form, "client_id": client.id}
    if client.method == POST:
        return {}, {**form, "client_id": client.id, "client_secret": client.secret}
    pair = f"{quote_plus(client.id)}:{quote_plus(client.secret)}"
    return {"authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"}, form
