"""OpenID Connect's code flow: an authentication request, and every check that its answer must pass (Core 3.1)."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import attrs

from authflow.adapters.providers.claims import ExpectedClaims, VerifiedClaims, WrongClaim, check_claims
from authflow.adapters.providers.code_flow import (
    Client,
    authorization,
    exchange,
    fresh_secret,
    read_code,
    refresh,
)
from authflow.adapters.providers.discovery import BASIC, JSON, METHODS
from authflow.adapters.providers.documents import document, invalid, text
from authflow.sso.fetching import Request
from authflow.sso.kinds import Departure, Rechecked, Rejected, Single
from authflow.sso.recheck import Said

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime, timedelta

    from authflow.adapters.providers.code_flow import Tokens
    from authflow.adapters.providers.discovery import Discovery, Metadata
    from authflow.ports import Entropy
    from authflow.sso.fetching import Errand, Fetcher
    from authflow.sso.kinds import Callback, Document, Trip


@attrs.frozen(kw_only=True)
class RelyingParty:
    """Us at one provider: what of the settings the protocol needs (Core 1.2).

    Args:
        algorithms: Of signatures that are accepted.
        max_age: How long ago people may have proven to the provider who they are; none where it is theirs to say.
        require_pkce: Refuse a provider that does not say that it checks PKCE, which is used in any case.
        userinfo: Ask UserInfo where the ID token has no address.
        client_auth: How the secret is sent, a name of `METHODS`; empty for what the provider's document names first.
    """

    issuer: str
    client_id: str
    client_secret: str | None = attrs.field(repr=False)
    scopes: Sequence[str]
    algorithms: frozenset[str]
    max_age: timedelta | None = None
    require_pkce: bool = True
    userinfo: bool = True
    client_auth: str = ""


@attrs.frozen(kw_only=True)
class Authenticated:
    """What came of one sign-in: the ID token, its claims joined by those of UserInfo, and the tokens."""

    verified: VerifiedClaims
    claims: Document = attrs.field(repr=False)
    tokens: Tokens
    once: Single


@attrs.frozen(kw_only=True)
class Discovered:
    """A provider whose document was read, us as its token endpoint knows us, and the errand on which it is asked."""

    party: RelyingParty
    metadata: Metadata
    client: Client
    errand: Errand
    now: datetime


class OidcFlow:
    """The protocol alone, for every kind that speaks it. Nothing of a request is kept here."""

    def __init__(self, fetcher: Fetcher, discovery: Discovery, entropy: Entropy) -> None:
        self._fetcher, self._discovery, self._entropy = fetcher, discovery, entropy

    def depart(self, party: RelyingParty, trip: Trip, extra: Mapping[str, str]) -> Departure | Rejected:
        """Make the authentication request (Core 3.1.2.1)."""
        found = self._discover(party, trip.now)
        if isinstance(found, Rejected):
            return found
        if party.require_pkce and not found.metadata.checks_pkce:
            return invalid("the provider does not say that it checks PKCE")
        nonce, verifier = fresh_secret(self._entropy), fresh_secret(self._entropy)
        fields = {"scope": " ".join(party.scopes), "nonce": nonce, **extra}
        if party.max_age is not None:
            fields["max_age"] = str(int(party.max_age.total_seconds()))
        url = authorization(found.metadata.authorization_url, party.client_id, verifier, trip, fields)
        return Departure(url=url, request={"nonce": nonce, "verifier": verifier})

    def arrive(
        self, party: RelyingParty, trip: Trip, request: Document, callback: Callback
    ) -> Authenticated | Rejected:
        """Check the answer, change its code for tokens, and check those (Core 3.1.2.7, 3.1.3)."""
        found = self._discover(party, trip.now)
        nonce, verifier = text(request, "nonce"), text(request, "verifier")
        if isinstance(found, Rejected):
            return found
        if nonce is None or verifier is None:
            return invalid("there is no request that this answers")
        code = read_code(callback, issuer=party.issuer, issuer_demanded=found.metadata.answers_issuer)
        if isinstance(code, Rejected):
            return code
        tokens = exchange(found.errand, found.client, code, verifier, trip.callback)
        return tokens if isinstance(tokens, Rejected) else self._authenticated(found, tokens, nonce)

    def recheck(
        self, party: RelyingParty, memory: Document, now: datetime, *, admits: Callable[[Document], bool] | None = None
    ) -> Rechecked:
        """Ask by the refresh token; whoever is meant by what comes back must be the same person (Core 12.2).

        With *admits* an ID token must come back as well, whose claims tell whether they may still come in.
        """
        found = self._discover(party, now)
        if isinstance(found, Rejected):
            return Rechecked(said=Said.FAILED, memory=memory, detail=found.detail)
        tokens = refresh(found.errand, found.client, memory)
        if isinstance(tokens, Rechecked):
            return tokens
        kept = {**memory, "refresh_token": tokens.refresh}
        if tokens.identity is None and admits is None:
            return Rechecked(said=Said.CONFIRMED, memory=kept)
        verified = self._verified(found, tokens, None)
        if isinstance(verified, VerifiedClaims) and verified.subject != memory.get("subject"):
            verified = invalid("the ID token means another subject")
        if isinstance(verified, Rejected):
            return Rechecked(said=Said.FAILED, memory=kept, detail=verified.detail)
        if admits is not None and not admits(verified.claims):
            return Rechecked(said=Said.REVOKED)
        return Rechecked(said=Said.CONFIRMED, memory=kept)

    def _discover(self, party: RelyingParty, now: datetime) -> Discovered | Rejected:
        errand = self._fetcher.errand()
        metadata = self._discovery.metadata(party.issuer, errand, now)
        if isinstance(metadata, Rejected):
            return metadata
        named = (each for each in METHODS.values() if each in metadata.client_auth)
        method = METHODS.get(party.client_auth) or next(named, None)
        if party.client_secret is not None and method is None:  # such as private_key_jwt alone
            return invalid("the provider takes no client secret")
        client = Client(
            id=party.client_id, secret=party.client_secret, token_url=metadata.token_url, method=method or BASIC
        )
        return Discovered(party=party, metadata=metadata, client=client, errand=errand, now=now)

    def _authenticated(self, found: Discovered, tokens: Tokens, nonce: str) -> Authenticated | Rejected:
        verified = self._verified(found, tokens, nonce)
        if isinstance(verified, Rejected):
            return verified
        claims = _claims(found, verified, tokens)
        if isinstance(claims, Rejected):
            return claims
        single = Single(key=_key(found.party.issuer, nonce), expires_at=verified.acceptable_until)
        return Authenticated(verified=verified, claims=claims, tokens=tokens, once=single)

    def _verified(self, found: Discovered, tokens: Tokens, nonce: str | None) -> VerifiedClaims | Rejected:
        """Return what the ID token proves; with *nonce* in answer to a sign-in, without one to a refresh."""
        party = found.party
        if tokens.identity is None:
            return invalid("there is no ID token")
        signed = self._discovery.verified(tokens.identity, found.metadata, party.algorithms, found.errand, found.now)
        if isinstance(signed, Rejected):
            return signed
        expected = ExpectedClaims(
            issuer=party.issuer,
            audience=party.client_id,
            nonce=nonce,
            max_age=None if nonce is None else party.max_age,
            access_token=tokens.access,
        )
        verified = check_claims(signed.claims, signed.algorithm, expected, found.now)
        return invalid(f"the ID token's {verified.claim} is wrong") if isinstance(verified, WrongClaim) else verified


def _claims(found: Discovered, verified: VerifiedClaims, tokens: Tokens) -> Document | Rejected:
    """Return the ID token's claims, and where it has no address those of UserInfo, about the same subject only."""
    url = found.metadata.userinfo_url
    if "email" in verified.claims or not found.party.userinfo or url is None:
        return verified.claims
    headers = {**JSON, "authorization": f"Bearer {tokens.access}"}
    said = document(found.errand.fetch(Request(url=url, headers=headers)), "UserInfo")
    if isinstance(said, Rejected):
        return said
    if said.get("sub") != verified.subject:  # Core 5.3.2: claims about somebody else are not used
        return invalid("UserInfo means another subject than the ID token")
    return {**said, **verified.claims}


def _key(issuer: str, nonce: str) -> str:
    return f"oidc:{hashlib.sha256(f'{issuer} {nonce}'.encode()).hexdigest()}"
