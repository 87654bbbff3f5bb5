"""What authflow's program measures of single sign-on: sign-ins against a database, and what providers' answers cost."""

from __future__ import annotations

import itertools
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from authflow import NOBODY, AccountLinked, Choice, Context, Method, Proof, SignedOn
from authflow.adapters.providers import claims, signatures
from authflow.adapters.providers.saml import Saml2
from authflow.adapters.system import SystemEntropy
from authflow.sso.identity import Subject
from authflow.sso.kinds import Assertion, Departure, Trip
from authflow.sso.links import Link
from authflow.testing import ManualClock, add_organization, add_user
from authflow.testing.openid import SigningKey
from authflow.testing.providers import FakeProvider, connect
from authflow.testing.saml import FakeSamlProvider, SamlPerson
from authflow.values import LinkId, OrganizationId, Secret

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from authflow.wiring import Authflow
    from benchmarks.protocol import Watch, Work

CONTEXT: Final = Context(ip="192.0.2.7", user_agent="Firefox", request_id="r-1")
ISSUER: Final = "https://idp.example"
CLIENT: Final = "client"
NONCE: Final = "n" * 43


# --- what an answer costs ---------------------------------------------------------------------------------------------


def answers() -> Mapping[str, Callable[[], object]]:
    """Return one check of each kind of answer: a signed token with its claims, and a whole SAML response."""
    return {"id_token_rs256": _token("RS256"), "id_token_es256": _token("ES256"), "saml_response": _response()}


def _token(algorithm: Any) -> Callable[[], object]:  # noqa: ANN401  # one of a literal's names
    now, key = ManualClock().now(), SigningKey.generate(algorithm)
    at = int(now.timestamp())
    said = {"iss": ISSUER, "aud": CLIENT, "sub": "alice", "nonce": NONCE, "iat": at, "exp": at + 300}
    published: Any = {"keys": [key.jwk]}
    token, keys = key.sign(said), signatures.read_keys(published)
    expected = claims.ExpectedClaims(issuer=ISSUER, audience=CLIENT, nonce=NONCE, access_token="")

    def checked() -> None:
        signed = signatures.verify(token, keys, {algorithm})
        if not isinstance(signed, signatures.VerifiedToken):
            raise TypeError(signed)
        found = claims.check_claims(signed.claims, algorithm, expected, now)
        if not isinstance(found, claims.VerifiedClaims):
            raise TypeError(found)

    return checked


class _Nowhere:
    """A fetcher whose errands never fetch anything."""

    def permits(self, url: str) -> bool:
        return url.startswith("https://")

    def errand(self) -> Any:  # noqa: ANN401  # as above
        return self


def _response() -> Callable[[], object]:
    clock = ManualClock()
    idp, kind = FakeSamlProvider(clock), Saml2(fetcher=_Nowhere(), entropy=SystemEntropy())
    trip = Trip(
        organization=OrganizationId("acme"),
        callback="https://sp.example/acs",
        metadata="https://sp.example/metadata",
        state=Secret("a-state-that-nobody-guesses"),
        now=clock.now(),
    )
    settings = kind.read(idp.settings())
    departure = kind.depart(settings, trip)
    if not isinstance(departure, Departure):
        raise TypeError(departure)
    brought = idp.answer(departure, SamlPerson(subject="alice", email="alice@example.com"))

    def checked() -> None:
        answer = kind.arrive(settings, trip, departure.request, brought)
        if not isinstance(answer, Assertion):
            raise TypeError(answer)

    return checked


# --- what a sign-in costs ---------------------------------------------------------------------------------------------


class SignOns:
    """One organization with a provider that is trusted with addresses, and people who come through it."""

    def __init__(self, flows: Authflow, clock: ManualClock, idp: FakeProvider, cipher: Any) -> None:  # noqa: ANN401  # whatever seals here
        self._flows, self._clock, self._idp, self._numbers = flows, clock, idp, itertools.count()
        self._place = add_organization(flows, "acme")
        self._provider = connect(flows, self._place, idp, cipher=cipher)

    def rows(self) -> Mapping[str, Work]:
        """Return the three rows."""
        return {"sso_known": self.known, "sso_new": self.new, "sso_attach": self.attach}

    def known(self, operations: int, watch: Watch) -> None:
        """Take the provider's answer about somebody who is linked, and sign them in."""
        subject = self._member()
        self._link(subject)
        self._came(subject)
        for _ in range(operations):
            away = self._flows.sso.start(NOBODY, CONTEXT, organization=self._place)
            callback = self._idp.answer(away.url, subject)  # type: ignore[union-attr]  # it is never refused here
            with watch:
                came = self._flows.sso.resume(away.session, CONTEXT, pipeline=away.pipeline, callback=callback)  # type: ignore[union-attr]  # as above
            _expect(SignedOn, came)

    def new(self, operations: int, watch: Watch) -> None:
        """Take the answer about a stranger whose address is vouched for, and make the account that they choose."""
        for _ in range(operations):
            subject = f"new-{next(self._numbers)}@example.com"
            self._idp.person(subject, email=subject, email_verified=True)
            away: Any = self._flows.sso.start(NOBODY, CONTEXT, organization=self._place)
            callback = self._idp.answer(away.url, subject)
            with watch:
                asked = self._flows.sso.resume(away.session, CONTEXT, pipeline=away.pipeline, callback=callback)
                came = self._flows.sso.choose(asked.session, CONTEXT, pipeline=away.pipeline, choice=Choice.NEW_ACCOUNT)
            _expect(SignedOn, came)

    def attach(self, operations: int, watch: Watch) -> None:
        """Take the answer about an identity for whoever is signed in, and link it as they choose."""
        for _ in range(operations):
            subject = self._member()
            proof = Proof(method=Method.PASSWORD, at=self._clock.now())
            here: Any = self._flows.sessions.establish(NOBODY, CONTEXT, user=subject, proof=proof)  # type: ignore[arg-type]  # its id is its address
            away: Any = self._flows.sso.start_link(here.session, CONTEXT, organization=self._place)
            callback = self._idp.answer(away.url, subject)
            with watch:
                asked = self._flows.sso.resume(away.session, CONTEXT, pipeline=away.pipeline, callback=callback)
                linked = self._flows.sso.choose(asked.session, CONTEXT, pipeline=away.pipeline, choice=Choice.LINK)
            _expect(AccountLinked, linked)

    # --- people ---------------------------------------------------------------------------------------------------

    def _member(self) -> str:
        """Return somebody who is a member; their id, address and subject are one text."""
        user = add_user(self._flows, f"member-{next(self._numbers)}@example.com")
        self._flows.members.add(CONTEXT, organization=self._place, user=user, role="member")
        self._idp.person(user, email=user)
        return user

    def _link(self, subject: str) -> None:
        now = self._clock.now() - timedelta(days=1)
        link = Link(
            id=LinkId(f"link-{next(self._numbers)}"),
            organization=self._place,
            provider=self._provider,
            subject=Subject(subject),
            user=subject,  # type: ignore[arg-type]  # as above
            linked_at=now,
            verified_at=now,
            synced_at=now,
        )
        with self._flows.uow.begin() as tx:
            tx.links.add(link)

    def _came(self, subject: str) -> None:
        """Let them come once, so that the membership says that the link stands."""
        away: Any = self._flows.sso.start(NOBODY, CONTEXT, organization=self._place)
        callback = self._idp.answer(away.url, subject)
        self._flows.sso.resume(away.session, CONTEXT, pipeline=away.pipeline, callback=callback)


def _expect(wanted: type[object], came: object) -> None:
    if not isinstance(came, wanted):
        raise TypeError(came)
