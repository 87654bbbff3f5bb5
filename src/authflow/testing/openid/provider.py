"""The fake provider itself: what each of its endpoints answers, and what goes wrong when a test wants it to."""

from __future__ import annotations

import base64
import hashlib
import json
from datetime import timedelta
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qs, unquote_plus, urlencode, urlsplit

import attrs

from authflow.testing.openid.calls import FORM, Call, Reply, json_reply
from authflow.testing.openid.faults import Fault, Grant, wrong_claims
from authflow.testing.openid.keys import SigningKey, encode, sign_with_secret, unsigned

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from authflow.ports import Clock, Entropy

TOKEN_LIFE: Final = timedelta(minutes=5)


@attrs.define(kw_only=True)
class FakeOpenId:
    """A provider of OpenID Connect and OAuth 2 that one test owns.

    Args:
        clock, entropy: Where its times, codes and tokens come from.
        issuer: Its name; `authflow.testing.openid.serve` puts where it listens.
        client_id, client_secret: The one client it knows; without a secret a public one.
        keys: The first one signs; all are in its key set.
        published: Its key set where that holds others than *keys*.
        people: Whom it knows, by their subjects, and what it says of them in the ID token and at UserInfo.
        metadata: What its discovery document says otherwise; none leaves a member out.
        documents: What else it answers with, by the path: `bytes`, or anything that JSON can say. Whoever shows an
            access token gets it.
        faults: What it does wrong now; change it at any time.
        slowness: Seconds, of the fault `Fault.SLOW`.
        form_encoded: It answers with tokens in a form, as some providers of OAuth 2 do.
        token_reply: What its token endpoint answers to everything, where that is not tokens.
        calls: How often each path was asked for.
    """

    clock: Clock
    entropy: Entropy
    issuer: str = "https://provider.example"
    client_id: str = "client"
    client_secret: str | None = attrs.field(default="a secret", repr=False)
    keys: list[SigningKey] = attrs.field(factory=lambda: [SigningKey.generate()])
    published: list[SigningKey] | None = None
    people: dict[str, dict[str, object]] = attrs.field(factory=dict[str, dict[str, object]])
    metadata: dict[str, object] = attrs.field(factory=dict[str, object])
    documents: dict[str, object] = attrs.field(factory=dict[str, object])
    faults: set[Fault] = attrs.field(factory=set[Fault])
    slowness: float = 30
    form_encoded: bool = False
    token_reply: Reply | None = None
    calls: dict[str, int] = attrs.field(factory=dict[str, int])
    _codes: dict[str, Grant] = attrs.field(factory=dict[str, Grant], init=False, repr=False)
    _tokens: dict[str, Grant] = attrs.field(factory=dict[str, Grant], init=False, repr=False)

    # --- what people and administrators do ---

    def approve(self, url: str, subject: str) -> dict[str, tuple[str, ...]]:
        """Sign *subject* in at the authorization request *url*, and return the fields of the answer.

        The browser brings them to the ``redirect_uri``: they are those of `authflow.sso.kinds.Callback`.
        """
        asked = {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
        code = self._secret()
        self._codes[code] = Grant(
            subject=subject,
            client_id=asked["client_id"],
            redirect_uri=asked["redirect_uri"],
            challenge=asked.get("code_challenge", ""),
            nonce=asked.get("nonce"),
        )
        return {name: (value,) for name, value in self._answering(asked["state"], {"code": code}).items()}

    def deny(self, url: str, error: str = "access_denied") -> dict[str, tuple[str, ...]]:
        """Refuse the authorization request *url*, and return the fields of the answer."""
        state = parse_qs(urlsplit(url).query)["state"][0]
        return {name: (value,) for name, value in self._answering(state, {"error": error}).items()}

    def roll_keys(self, *, keep: bool = False) -> SigningKey:
        """Sign with a new key from now on; with *keep* the old ones stay in the key set."""
        fresh = SigningKey.generate(self.keys[0].algorithm, kid=self._secret())
        self.keys = [fresh, *(self.keys if keep else [])]
        return fresh

    def revoke(self, subject: str) -> None:
        """Take back every token of *subject*."""
        self._tokens = {token: grant for token, grant in self._tokens.items() if grant.subject != subject}

    # --- what clients ask ---

    def answer(self, call: Call) -> Reply:
        """Return the answer to *call*, or what a fault makes of it."""
        self.calls[call.path] = self.calls.get(call.path, 0) + 1
        if Fault.HUGE in self.faults:
            return Reply(body=b'"' + b"x" * (2 * 2**20) + b'"')
        if Fault.REDIRECTING in self.faults:
            return Reply(status=302, location=f"{self.issuer}{call.path}")
        if Fault.BROKEN in self.faults:
            return Reply(status=500)
        if Fault.NO_JSON in self.faults:
            return Reply(body=b"<html>")
        reply = self._endpoint(call.path)(call)
        return attrs.evolve(reply, seconds=self.slowness) if Fault.SLOW in self.faults else reply

    def _endpoint(self, path: str) -> Callable[[Call], Reply]:
        fixed: dict[str, Callable[[Call], Reply]] = {
            "/.well-known/openid-configuration": self._discovery,
            "/keys": self._key_set,
            "/token": self._token,
            "/login/oauth/access_token": self._token,
            "/userinfo": self._userinfo,
            "/authorize": self._authorize,
            "/login/oauth/authorize": self._authorize,
        }
        return fixed.get(path, self._document)

    def _discovery(self, call: Call) -> Reply:  # noqa: ARG002  # the same for everybody
        said: dict[str, object] = {
            "issuer": "https://somebody.example" if Fault.FOREIGN_METADATA in self.faults else self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "userinfo_endpoint": f"{self.issuer}/userinfo",
            "jwks_uri": f"{self.issuer}/keys",
            "authorization_response_iss_parameter_supported": True,
            "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post", "none"],
        }
        if Fault.NO_PKCE not in self.faults:
            said["code_challenge_methods_supported"] = ["S256"]
        return json_reply({name: value for name, value in (said | self.metadata).items() if value is not None})

    def _key_set(self, call: Call) -> Reply:  # noqa: ARG002  # the same for everybody
        return json_reply({"keys": [key.jwk for key in (self.keys if self.published is None else self.published)]})

    def _authorize(self, call: Call) -> Reply:
        """Let the person named by ``login_hint`` in, the first one otherwise: a browser that asks nobody."""
        asked = call.form
        subject = asked.get("login_hint") or next(iter(self.people))
        fields = self.approve(f"?{urlencode(asked)}", subject)
        query = urlencode({name: values[0] for name, values in fields.items()})
        return Reply(status=302, location=f"{asked['redirect_uri']}?{query}")

    def _token(self, call: Call) -> Reply:
        if self.token_reply is not None:
            return self.token_reply
        if Fault.ECHOING in self.faults:
            said = json.dumps({**call.headers, **call.form})
            return json_reply({"error": said, "error_description": said}, status=400)
        if not self._knows(call):
            return json_reply({"error": "invalid_client"}, status=401)
        if call.form.get("grant_type") == "refresh_token":
            grant = self._tokens.pop(call.form.get("refresh_token", ""), None)
            nonce = None
        else:
            grant, nonce = self._redeemed(call.form)
        if grant is None:
            return json_reply({"error": "invalid_grant"}, status=400)
        given = self._given(grant, nonce)
        if self.form_encoded:
            return Reply(media_type=FORM, body=urlencode(given).encode())
        return json_reply(given)

    def _userinfo(self, call: Call) -> Reply:
        grant = self._bearer(call)
        if grant is None:
            return json_reply({"error": "invalid_token"}, status=401)
        subject = "somebody else" if Fault.LYING_USERINFO in self.faults else grant.subject
        return json_reply({"sub": subject, **self.people.get(grant.subject, {})})

    def _document(self, call: Call) -> Reply:
        if self._bearer(call) is None:
            return json_reply({"message": "Bad credentials"}, status=401)
        if call.path not in self.documents:
            return json_reply({"message": "Not Found"}, status=404)
        said = self.documents[call.path]
        return said if isinstance(said, Reply) else json_reply(said)

    # --- codes and tokens ---

    def _answering(self, state: str, fields: Mapping[str, str]) -> dict[str, str]:
        said = {**fields, "state": state, "iss": self.issuer}
        if Fault.FOREIGN_ANSWERING_ISSUER in self.faults:
            said["iss"] = "https://somebody.example"
        if Fault.NO_ANSWERING_ISSUER in self.faults:
            del said["iss"]
        return said

    def _knows(self, call: Call) -> bool:
        """Tell whether the client said who it is, in any of the three ways."""
        scheme, _, encoded = call.headers.get("authorization", "").partition(" ")
        if scheme == "Basic":
            user, _, password = base64.b64decode(encoded).decode().partition(":")
            return (unquote_plus(user), unquote_plus(password)) == (self.client_id, self.client_secret)
        return (call.form.get("client_id"), call.form.get("client_secret")) == (self.client_id, self.client_secret)

    def _redeemed(self, form: Mapping[str, str]) -> tuple[Grant | None, str | None]:
        code = form.get("code", "")
        grant = self._codes.get(code)
        if Fault.REUSABLE_CODE not in self.faults:
            self._codes.pop(code, None)
        if grant is None or form.get("redirect_uri") != grant.redirect_uri:
            return None, None
        hashed = encode(hashlib.sha256(form.get("code_verifier", "").encode()).digest())
        proven = hashed == grant.challenge or Fault.IGNORED_PKCE in self.faults
        return (grant, grant.nonce) if proven else (None, None)

    def _given(self, grant: Grant, nonce: str | None) -> dict[str, str]:
        access, renewal = self._secret(), self._secret()
        self._tokens[access] = self._tokens[renewal] = grant
        given = {"access_token": access, "token_type": "Bearer", "refresh_token": renewal}
        if Fault.NO_ID_TOKEN not in self.faults:
            given["id_token"] = self.id_token(grant, nonce, access)
        return given

    def _bearer(self, call: Call) -> Grant | None:
        scheme, _, token = call.headers.get("authorization", "").partition(" ")
        return self._tokens.get(token) if scheme == "Bearer" else None

    def _secret(self) -> str:
        return encode(self.entropy.random_bytes(24))

    # --- ID tokens ---

    def claims(self, grant: Grant, nonce: str | None, access: str) -> dict[str, object]:
        """Return what an ID token of *grant* says, faults included."""
        now = self.clock.now()
        digest = hashlib.sha512 if self.keys[0].algorithm == "EdDSA" else hashlib.sha256
        hashed = digest(access.encode()).digest()
        said: dict[str, object] = {
            "iss": self.issuer,
            "sub": grant.subject,
            "aud": grant.client_id,
            "iat": int(now.timestamp()),
            "auth_time": int(now.timestamp()),
            "exp": int((now + TOKEN_LIFE).timestamp()),
            "at_hash": encode(hashed[: len(hashed) // 2]),
            **({} if nonce is None else {"nonce": nonce}),
            **({} if Fault.TERSE in self.faults else self.people.get(grant.subject, {})),
        }
        said |= wrong_claims(self.faults, grant, now)
        return {name: value for name, value in said.items() if value is not None}

    def id_token(self, grant: Grant, nonce: str | None, access: str) -> str:
        """Return the ID token of *grant*, signed as it must be unless a fault is on."""
        key, said = self.keys[0], self.claims(grant, nonce, access)
        if Fault.ALGORITHM_NONE in self.faults:
            return unsigned(said, {"kid": key.kid})
        if Fault.PUBLIC_KEY_AS_SECRET in self.faults:
            return sign_with_secret(said, key.public_pem, {"kid": key.kid})
        if Fault.UNKNOWN_KEY in self.faults:
            return SigningKey.generate(kid=self._secret()).sign(said)
        if Fault.KEY_IN_HEADER in self.faults:
            own = SigningKey.generate(kid=key.kid)
            return own.sign(said, {"jwk": own.jwk, "jku": f"{self.issuer}/keys"})
        return key.sign(said)
