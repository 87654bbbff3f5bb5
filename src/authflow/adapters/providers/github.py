"""GitHub: members of one organization there, by their numeric ids (sso 4.3)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import attrs

from authflow.adapters.providers.code_flow import Client, authorization, fresh_secret
from authflow.adapters.providers.discovery import POST
from authflow.adapters.providers.documents import (
    OK,
    SERVER_ERROR,
    TOO_MANY,
    document,
    parse_list,
    person_name,
    status,
    text,
    unfetched,
)
from authflow.adapters.providers.oauth2 import exchange_once, subject_of
from authflow.adapters.providers.settings import MISSING, reading
from authflow.adapters.system import SystemEntropy
from authflow.errors import Code
from authflow.mailbox import read_address
from authflow.sso.capabilities import Setting, Shape
from authflow.sso.fetching import Request, Unfetched
from authflow.sso.kinds import Assertion, Departure, Rechecked, Rejected
from authflow.sso.recheck import Said

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from authflow.ports import Entropy
    from authflow.sso.fetching import Errand, Fetcher, Response
    from authflow.sso.identity import Subject
    from authflow.sso.kinds import Callback, Document, Json, Trip
    from authflow.values import Address

WEB: Final = "https://github.com"
API: Final = "https://api.github.com"

SCOPE: Final = "read:org user:email"

LOGIN: Final = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,38})")
"""How GitHub names an organization; it becomes part of an URL."""

ASKED_WITH: Final = {"accept": "application/vnd.github+json", "x-github-api-version": "2022-11-28"}

GONE: Final = frozenset({401, 404})
"""The token was taken back, or they are no member."""

FORBIDDEN: Final = 403
"""The organization has not approved the application, or we asked too often: of the person it says nothing."""


@attrs.frozen(kw_only=True)
class Standing:
    """What GitHub says of somebody in the organization, and why it says so."""

    member: bool
    said: str


class GithubKind:
    """`authflow.sso.kinds.Kind` for the members of an organization at GitHub.

    Settings: ``client_id``, ``client_secret``, ``organization`` (its name), ``organization_id`` (its number: a name
    that was given up can be taken by anybody), ``verified_address`` (nobody comes in without one verified primary
    address). Membership is asked about again every day.

    Args:
        fetcher: Reaches GitHub.
        entropy: The operating system's unless given.
        web, api: Of an enterprise server, or for tests. They are the installation's to say and no settings: GitHub's
            word on an address counts (`authflow.sso.identity.vouches`).
    """

    key = "github"
    name = "GitHub"
    version = "1"
    trust = frozenset({"client_id", "client_secret", "organization", "organization_id", "verified_address"})
    naming: frozenset[str] = frozenset()
    secrets = frozenset({"client_secret"})
    settings = (
        Setting(name="client_id", required=True),
        Setting(name="client_secret", required=True, secret=True),
        Setting(name="organization", required=True),
        Setting(name="organization_id", shape=Shape.NUMBER, required=True),
        Setting(name="verified_address", shape=Shape.FLAG),
    )
    sent_to: Mapping[str, frozenset[str]] = {"client_secret": frozenset({"client_id"})}
    memory_sent_to: frozenset[str] = frozenset()  # access tokens, which ask GitHub for themselves and for no client

    def __init__(self, fetcher: Fetcher, *, entropy: Entropy | None = None, web: str = WEB, api: str = API) -> None:
        self._fetcher, self._entropy, self._web, self._api = fetcher, entropy or SystemEntropy(), web, api

    def read(self, settings: Document) -> Document:
        with reading(settings, self.trust) as fields:
            organization = fields.text("organization")
            if LOGIN.fullmatch(organization) is None:
                fields.wrong("organization", "is no name of an organization")
            number = fields.number("organization_id", 1, 2**53)
            if number is None:
                fields.wrong("organization_id", MISSING)
            return {
                "client_id": fields.text("client_id"),
                "client_secret": fields.required_secret("client_secret"),
                "organization": organization,
                "organization_id": number,
                "verified_address": fields.flag("verified_address", default=False),
            }

    def can_confirm(self, settings: Document) -> bool:  # noqa: ARG002  # the access token asks, and does not expire
        return True

    def depart(self, settings: Document, trip: Trip) -> Departure | Rejected:
        verifier = fresh_secret(self._entropy)
        url = authorization(
            f"{self._web}/login/oauth/authorize", self._client(settings).id, verifier, trip, {"scope": SCOPE}
        )
        return Departure(url=url, request={"verifier": verifier})

    def arrive(self, settings: Document, trip: Trip, request: Document, callback: Callback) -> Assertion | Rejected:
        errand = self._fetcher.errand()
        exchanged = exchange_once(errand, self._client(settings), trip, request, callback)
        if isinstance(exchanged, Rejected):
            return exchanged
        tokens, once = exchanged
        person = document(self._ask(errand, "/user", tokens.access), "/user")
        if isinstance(person, Rejected):
            return person
        subject = subject_of(person.get("id")) if isinstance(person.get("id"), int) else None
        if subject is None:
            return Rejected(code=Code.SSO_IDENTITY_INCOMPLETE, detail="/user has no id")
        refused = _refusal(self._standing(errand, settings, subject, tokens.access))
        if refused is not None:
            return refused
        address = self._address(errand, settings, person, tokens.access)
        if isinstance(address, Rejected):
            return address
        email, verified = address
        return Assertion(
            subject=subject,
            email=email,
            email_verified=verified or None,
            name=person_name(person.get("name")) or email.partition("@")[0],
            once=(once,),
            memory={"access_token": tokens.access, "subject": subject},
        )

    def recheck(self, settings: Document, memory: Document, now: datetime) -> Rechecked:  # noqa: ARG002  # nothing expires
        token, subject = text(memory, "access_token"), subject_of(memory.get("subject"))
        if token is None or subject is None:
            return Rechecked(said=Said.UNASKED)
        standing = self._standing(self._fetcher.errand(), settings, subject, token)
        if isinstance(standing, Rejected):
            return Rechecked(said=Said.FAILED, memory=memory, detail=standing.detail)
        return Rechecked(said=Said.CONFIRMED, memory=memory) if standing.member else Rechecked(said=Said.REVOKED)

    def _standing(self, errand: Errand, settings: Document, subject: Subject, token: str) -> Standing | Rejected:
        """Return what the organization, known by its number, says of the person whose token this is."""
        path = f"/user/memberships/orgs/{text(settings, 'organization')}"
        response = self._ask(errand, path, token)
        if not isinstance(response, Unfetched) and response.status in GONE:
            return Standing(member=False, said=f"{path}: status {response.status}")
        if not isinstance(response, Unfetched) and response.status == FORBIDDEN:
            return Rejected(code=Code.SSO_ACCESS_DENIED, detail=f"{path}: the organization does not let us ask")
        said = document(response, path)
        if isinstance(said, Rejected):
            return said
        same = (
            _id(said.get("organization")) == settings.get("organization_id") and str(_id(said.get("user"))) == subject
        )
        return Standing(member=same and said.get("state") == "active", said=f"{path}: not active there")

    def _address(
        self, errand: Errand, settings: Document, person: Document, token: str
    ) -> tuple[Address, bool] | Rejected:
        """Return their address, and whether it is verified; that the list cannot be had is not yet a failure."""
        response = self._ask(errand, "/user/emails", token)
        primary = _primary(response)
        verified = [entry for entry in primary if entry.get("verified") is True]
        email = read_address(verified[0].get("email")) if len(verified) == 1 else None
        if email is not None:
            return email, True
        if settings.get("verified_address") is True:
            return Rejected(code=Code.SSO_ADDRESS_UNVERIFIED, detail="no single verified primary address")
        public = read_address(person.get("email"))
        if public is not None:
            return public, False
        return _unverified(response, primary)

    def _ask(self, errand: Errand, path: str, token: str) -> Response | Unfetched:
        headers = {**ASKED_WITH, "authorization": f"Bearer {token}"}
        return errand.fetch(Request(url=f"{self._api}{path}", headers=headers))

    def _client(self, settings: Document) -> Client:
        return Client(
            id=text(settings, "client_id") or "",
            secret=text(settings, "client_secret"),
            token_url=f"{self._web}/login/oauth/access_token",
            method=POST,
        )


def _refusal(standing: Standing | Rejected) -> Rejected | None:
    if isinstance(standing, Rejected):
        return standing
    return None if standing.member else Rejected(code=Code.SSO_ACCESS_DENIED, detail=standing.said)


def _unverified(response: Response | Unfetched, primary: list[dict[str, Json]]) -> tuple[Address, bool] | Rejected:
    """Return the one primary address, which nobody verified, or why there is none."""
    if isinstance(response, Unfetched):
        return unfetched(response, "/user/emails")
    if response.status >= SERVER_ERROR or response.status == TOO_MANY:
        return status(response, "/user/emails")
    if len(primary) > 1:
        return Rejected(code=Code.SSO_ADDRESS_AMBIGUOUS, detail="several primary addresses")
    email = read_address(primary[0].get("email")) if primary else None
    return (email, False) if email is not None else Rejected(code=Code.SSO_ADDRESS_MISSING, detail="no address")


def _primary(response: Response | Unfetched) -> list[dict[str, Json]]:
    """Return the entries of a list of addresses that are primary; none if there is no such list."""
    if isinstance(response, Unfetched) or response.status != OK:
        return []
    return [
        entry for entry in parse_list(response.body) or [] if isinstance(entry, dict) and entry.get("primary") is True
    ]


def _id(said: Json) -> Json:
    number = said.get("id") if isinstance(said, dict) else None
    return None if isinstance(number, bool) else number
