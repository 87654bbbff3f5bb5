"""A SAML provider, ours, and one request between them, for every test of this folder."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, Final

import attrs

from authflow.adapters.providers.saml import Saml2
from authflow.adapters.providers.saml.certificates import OwnKeys, new_keys
from authflow.sso.endpoints import Endpoints
from authflow.sso.fetching import BUDGET, Failure, Response, Unfetched
from authflow.sso.kinds import Assertion, Departure, Rejected, Trip
from authflow.testing.clocks import ManualClock, SeededEntropy
from authflow.testing.saml import KEY_BITS, FakeSamlProvider, SamlPerson, callback
from authflow.values import OrganizationId, Secret

if TYPE_CHECKING:
    from datetime import timedelta

    from authflow.sso.fetching import Request
    from authflow.sso.kinds import Document
    from authflow.testing.saml_markup import Said

CLOCK: Final = ManualClock()
ADA: Final = SamlPerson(subject="ada-1", email="ada@example.com", first_name="Ada", last_name="Lovelace")
GENUINE: Final = ("ada-1", "ada@example.com", "Ada Lovelace")

TRIP: Final = Trip(
    organization=OrganizationId("acme"),
    callback="https://sp.example/acme/acs",
    metadata="https://sp.example/acme/metadata",
    state=Secret("a-state-that-nobody-guesses"),
    now=CLOCK.now(),
)
HERE: Final = Endpoints(callback=TRIP.callback, metadata=TRIP.metadata)


class Library:
    """`authflow.sso.fetching.Fetcher` over documents that a test lays out; it counts what is asked for."""

    def __init__(self, **documents: str) -> None:
        self.documents = {f"https://{host}.example/metadata": text for host, text in documents.items()}
        self.fetched: list[str] = []
        self.errands = 0
        self.status = 200

    def permits(self, url: str) -> bool:
        return url.startswith("https://") and " " not in url

    def errand(self) -> Library:
        self.errands += 1
        return self

    def left(self) -> timedelta:
        return BUDGET

    def fetch(self, request: Request) -> Response | Unfetched:
        self.fetched.append(request.url)
        document = self.documents.get(request.url)
        if document is None:
            return Unfetched(failure=Failure.UNREACHABLE)
        return Response(status=self.status, body=document.encode())


@cache
def keys(name: str) -> OwnKeys:
    """Return the pair of that name: making one takes a while."""
    return new_keys(name, CLOCK.now(), bits=KEY_BITS)


@cache
def provider(signs: str = "assertion") -> FakeSamlProvider:
    return FakeSamlProvider(CLOCK, keys=keys("idp"), signs=signs)


@cache
def kind() -> Saml2:
    return Saml2(fetcher=Library(), entropy=SeededEntropy())


@cache
def settings() -> Document:
    """Return the settings of the provider, and a key of ours."""
    ours = keys("sp")
    return kind().read(
        provider().settings(private_key=ours.private_key.reveal(), certificate=ours.certificate, sign_requests=True)
    )


@cache
def departure() -> Departure:
    left = kind().depart(settings(), TRIP)
    assert isinstance(left, Departure)
    return left


def said(**changes: Any) -> Said:
    """Return what the right answer to the request says, but for *changes*."""
    return attrs.evolve(provider().say(provider().read(departure()), ADA), **changes)


@cache
def signed(signs: str = "assertion") -> bytes:
    """Return the right answer, signed as is said."""
    return provider(signs).write(said())


def arrive(document: bytes, **changes: Any) -> Assertion | Rejected:
    """Let a browser bring *document*; *changes* are of the settings."""
    posted = callback(document, TRIP.state.reveal())
    return kind().arrive({**settings(), **changes}, TRIP, departure().request, posted)


def who(outcome: Assertion | Rejected) -> tuple[str, str | None, str] | None:
    """Return whom *outcome* means, or none for a refusal; it is never anything else."""
    assert isinstance(outcome, Assertion | Rejected)
    return (outcome.subject, outcome.email, outcome.name) if isinstance(outcome, Assertion) else None
