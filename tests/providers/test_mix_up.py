"""Two providers, one of them hostile: whatever its document points at, it learns no code and speaks for nobody else."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
import pytest

from authflow.adapters.providers.discovery import Discovery
from authflow.adapters.providers.oidc import OidcKind
from authflow.errors import Code
from authflow.sso.kinds import Assertion, Rejected
from authflow.testing.openid import FakeOpenId, InProcess, SigningKey
from tests.providers.peers import Way, provider, trip

if TYPE_CHECKING:
    from authflow.sso.fetching import Request, Response, Unfetched

ENDPOINTS = {
    "authorization_endpoint": "authorize",
    "token_endpoint": "token",
    "jwks_uri": "keys",
    "userinfo_endpoint": "userinfo",
}


@attrs.frozen
class Both(InProcess):
    """Reaches two providers."""

    other: FakeOpenId

    def fetch(self, request: Request) -> Response | Unfetched:
        theirs = request.url.startswith(f"{self.other.issuer}/")
        return InProcess(self.other).fetch(request) if theirs else super().fetch(request)


@pytest.fixture
def honest() -> FakeOpenId:
    return provider(issuer="https://honest.example", keys=[SigningKey.generate(kid="honest")])


@pytest.fixture
def hostile() -> FakeOpenId:
    """It knows everything about us: it is registered with the same client id and secret."""
    return provider(issuer="https://hostile.example", keys=[SigningKey.generate(kid="hostile")])


def ways(honest: FakeOpenId, hostile: FakeOpenId) -> tuple[Way, Way]:
    """Return the ways to both, of one installation, which remembers what providers publish."""
    fetcher = Both(honest, hostile)
    kind = OidcKind(fetcher, discovery=Discovery(fetcher))
    client = {"client_id": "client", "client_secret": "a secret", "algorithms": ["ES256"]}
    to = (Way(kind, kind.read({**client, "issuer": each.issuer}), each) for each in (honest, hostile))
    return next(to), next(to)


def test_a_person_who_is_sent_on_to_the_honest_provider_leaks_no_code(honest: FakeOpenId, hostile: FakeOpenId):
    """The mix-up of RFC 9207: the code is the honest provider's, and would be brought to the hostile one."""
    hostile.metadata = {"authorization_endpoint": f"{honest.issuer}/authorize"}
    _, way = ways(honest, hostile)
    departed = way.there()
    assert departed.url.startswith(honest.issuer)
    answer = way.back(departed, honest.approve(departed.url, "alice"))
    assert isinstance(answer, Rejected)
    assert answer.code is Code.SSO_RESPONSE_INVALID
    assert (hostile.calls.get("/token", 0), honest.calls.get("/token", 0)) == (0, 0)


@pytest.mark.parametrize(
    ("endpoint", "own"),
    [
        ("jwks_uri", Code.SSO_RESPONSE_INVALID),  # what the hostile one signs is not signed by the honest one's keys
        ("token_endpoint", Code.SSO_PROVIDER_REFUSED),  # the honest one knows no code of the hostile one
        ("userinfo_endpoint", Code.SSO_RESPONSE_INVALID),  # nor an access token
    ],
)
def test_what_the_honest_provider_says_is_not_said_by_the_hostile_one(
    endpoint: str, own: Code, honest: FakeOpenId, hostile: FakeOpenId
):
    """A code of the honest provider, with the nonce and the challenge of this request, is all the hostile one needs."""
    hostile.metadata = {endpoint: f"{honest.issuer}/{ENDPOINTS[endpoint]}"}
    _, way = ways(honest, hostile)
    departed = way.there()
    stolen = {**hostile.approve(departed.url, "mallory"), "code": honest.approve(departed.url, "alice")["code"]}
    for came, code in ((stolen, Code.SSO_RESPONSE_INVALID), (hostile.approve(departed.url, "mallory"), own)):
        answer = way.back(departed, came)
        assert isinstance(answer, Rejected)
        assert answer.code is code


def test_the_same_subject_of_another_issuer_is_another_answer(honest: FakeOpenId, hostile: FakeOpenId):
    """The hostile provider may call anybody alice; what it says is its own, and marked so where it is stored."""
    one, other = ways(honest, hostile)
    said, lied = one.sign_in(), other.sign_in()
    assert isinstance(said, Assertion)
    assert isinstance(lied, Assertion)
    assert said.once != lied.once


def test_the_keys_of_one_are_no_keys_of_the_other(honest: FakeOpenId, hostile: FakeOpenId):
    one, other = ways(honest, hostile)
    assert isinstance(other.sign_in(), Assertion)
    honest.published, honest.keys = honest.keys, hostile.keys  # signs with the hostile one's
    assert isinstance(one.sign_in(), Rejected)


def test_a_hostile_document_changes_nothing_that_is_known_of_the_honest_one(honest: FakeOpenId, hostile: FakeOpenId):
    one, other = ways(honest, hostile)
    assert isinstance(one.sign_in(), Assertion)
    hostile.metadata = {"issuer": honest.issuer, "jwks_uri": f"{hostile.issuer}/keys"}
    assert isinstance(other.kind.depart(other.settings, trip(other.fake.clock.now())), Rejected)
    assert isinstance(one.sign_in(), Assertion)


def test_a_hostile_provider_does_not_use_up_how_often_the_honest_ones_keys_are_fetched(
    honest: FakeOpenId, hostile: FakeOpenId
):
    one, other = ways(honest, hostile)
    assert isinstance(one.sign_in(), Assertion)
    hostile.metadata = {"jwks_uri": f"{honest.issuer}/keys"}
    assert isinstance(other.sign_in(), Rejected)
    honest.roll_keys()
    assert isinstance(one.sign_in(), Assertion)
