"""What the tests of providers share: a fake one, a trip to it, and the whole way there and back."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import attrs

from authflow.sso.kinds import Assertion, Callback, Departure, Rejected, Trip
from authflow.testing import ManualClock, SeededEntropy
from authflow.testing.openid import FakeOpenId, SigningKey
from authflow.values import OrganizationId, Secret

if TYPE_CHECKING:
    from datetime import datetime

    from authflow.sso.kinds import Document, Kind

CALLBACK = "https://app.example/sso/callback"

ALICE = {"email": "alice@acme.example", "email_verified": True, "name": "Alice"}


@cache
def rsa_key(kid: str = "rsa-1") -> SigningKey:
    """One for the whole run: to make it takes longer than any test that needs it."""
    return SigningKey.generate("RS256", kid=kid)


def provider(**given: Any) -> FakeOpenId:
    """Return a fake provider that knows Alice, and signs with ES256, whose keys are made at once."""
    return FakeOpenId(**{"clock": ManualClock(), "entropy": SeededEntropy(), "people": {"alice": {**ALICE}}} | given)


def trip(now: datetime, state: str = "the state") -> Trip:
    return Trip(
        organization=OrganizationId("acme"),
        callback=CALLBACK,
        metadata="https://app.example/sso/metadata",
        state=Secret(state),
        now=now,
    )


@attrs.frozen
class Way:
    """A kind of provider with canonical settings, and the fake that it meets."""

    kind: Kind
    settings: Document
    fake: FakeOpenId

    def there(self) -> Departure:
        departed = self.kind.depart(self.settings, trip(self.fake.clock.now()))
        assert isinstance(departed, Departure), departed
        return departed

    def back(self, departed: Departure, fields: dict[str, tuple[str, ...]]) -> Assertion | Rejected:
        now = self.fake.clock.now()
        return self.kind.arrive(self.settings, trip(now), departed.request, Callback(fields=fields))

    def sign_in(self, subject: str = "alice") -> Assertion | Rejected:
        departed = self.there()
        return self.back(departed, self.fake.approve(departed.url, subject))
