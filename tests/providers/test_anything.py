"""Whatever a browser or a provider sends: an assertion or a refusal, and never an exception."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from authflow.adapters.providers.fetcher import HttpFetcher
from authflow.adapters.providers.github import GithubKind
from authflow.adapters.providers.oauth2 import Oauth2Kind
from authflow.adapters.providers.oidc import OidcKind
from authflow.adapters.providers.signatures import TYPES, VerifiedToken, read_keys, verify
from authflow.errors import InputInvalid
from authflow.sso.kinds import Assertion, Callback, Rechecked, Rejected
from authflow.testing import ManualClock
from authflow.testing.openid import InProcess, Reply, SigningKey
from authflow.testing.openid.keys import encode
from tests.nightly import often
from tests.providers.peers import Way, provider, rsa_key, trip

KEY = SigningKey.generate()

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)


def claims() -> st.SearchStrategy[dict[str, Any]]:
    """Claims that are nearly right: each of the known ones left alone, left out, or anything."""
    now = int(ManualClock().now().timestamp())
    good = {
        "iss": "https://provider.example",
        "sub": "alice",
        "aud": "client",
        "exp": now + 60,
        "iat": now,
        "email": "a@b.c",
        "email_verified": True,
        "name": "Alice",
        "azp": "client",
        "nbf": now,
        "at_hash": "x",
        "nonce": "n",
    }
    return st.dictionaries(st.sampled_from(sorted(good)), JSON, max_size=4).map(lambda change: {**good, **change})


def header() -> st.SearchStrategy[dict[str, Any]]:
    names = st.sampled_from(
        ["alg", "kid", "typ", "crit", "b64", "jwk", "jku", "x5u", "x5c", "cty", "zip", "enc", "p2c"]
    )
    return st.dictionaries(names, JSON | st.sampled_from([*TYPES, "none", "HS256", "key-1", "JWT"]), max_size=4)


FIELDS = st.dictionaries(
    st.sampled_from(["code", "state", "iss", "error", "error_description", "x"]),
    st.lists(st.text(), max_size=3).map(tuple),
)


def ways() -> list[Way]:
    fake = provider(keys=[KEY])
    oidc, oauth2 = OidcKind(InProcess(fake)), Oauth2Kind(InProcess(fake))
    github = GithubKind(InProcess(fake), web=fake.issuer, api=fake.issuer)
    client = {"client_id": "client", "client_secret": "a secret"}
    urls = {name: f"{fake.issuer}/{path}" for name, path in PATHS.items()}
    return [
        Way(oidc, oidc.read({**client, "issuer": fake.issuer, "algorithms": ["ES256"], "max_age": 600}), fake),
        Way(oauth2, oauth2.read({**client, **urls, "subject": "/sub", "email": "email", "recheck": True}), fake),
        Way(github, github.read({**client, "organization": "acme", "organization_id": 77}), fake),
    ]


PATHS = {"authorization_url": "authorize", "token_url": "token", "userinfo_url": "userinfo"}
WAYS = ways()


@settings(max_examples=often(50, 20_000))
@given(way=st.sampled_from(WAYS), fields=FIELDS, request=st.dictionaries(st.sampled_from(["nonce", "verifier"]), JSON))
def test_any_answer_of_a_browser(way: Way, fields: Any, request: Any):
    answer = way.kind.arrive(way.settings, trip(way.fake.clock.now()), request, Callback(fields=fields))
    assert isinstance(answer, Rejected)


def tokens(id_token: Any, kept: Any) -> bytes:
    said = {"access_token": "t", "token_type": "bearer", "id_token": id_token, "refresh_token": kept}
    return json.dumps(said).encode()


@settings(max_examples=often(50, 20_000))
@given(
    way=st.sampled_from(WAYS),
    status=st.sampled_from([200, 200, 200, 201, 400, 401, 403, 404, 500]),
    media_type=st.sampled_from(["application/json", "application/x-www-form-urlencoded", "", "text/html"]),
    said=st.binary(max_size=40)
    | JSON.map(lambda said: json.dumps(said).encode())
    | st.builds(
        tokens,
        st.builds(KEY.sign, claims(), header()) | JSON,
        JSON,
    ),
    document=JSON | claims(),
)
def test_any_answer_of_a_provider(way: Way, status: int, media_type: str, said: bytes, document: Any):
    departed = way.there()
    fields = way.fake.approve(departed.url, "alice")
    way.fake.token_reply = Reply(status=status, media_type=media_type, body=said)
    way.fake.people["alice"] = document if isinstance(document, dict) else {}
    way.fake.documents = dict.fromkeys(("/user", "/user/emails", "/user/memberships/orgs/acme"), document)
    try:
        assert isinstance(way.back(departed, fields), Assertion | Rejected)
        again = way.kind.recheck(way.settings, {"refresh_token": "t", "access_token": "t"}, way.fake.clock.now())
        assert isinstance(again, Rechecked)
    finally:
        way.fake.token_reply = None


@settings(max_examples=often(50, 20_000))
@given(more=header(), said=claims(), damage=st.integers(0, 400), octet=st.characters(max_codepoint=127))
def test_any_token_that_was_altered_is_refused(more: Any, said: Any, damage: int, octet: str):
    """Whatever the header says, what is accepted is what the key signed, and says so itself."""
    token = KEY.sign(said, more)
    keys = read_keys({"keys": [KEY.jwk, rsa_key().jwk]})
    whole = verify(token, keys, TYPES)
    if isinstance(whole, VerifiedToken):
        assert (whole.claims, whole.algorithm, more.get("kid", "key-1")) == (said, "ES256", "key-1")
    place = damage % len(token)
    altered = token[:place] + octet + token[place + 1 :]
    refused = verify(altered, keys, TYPES)
    if isinstance(refused, VerifiedToken):  # the last letters of a base64 text have bits that mean nothing
        assert refused.claims == said


@settings(max_examples=often(40, 20_000))
@given(text=st.text() | st.binary().map(encode) | st.lists(st.binary().map(encode)).map(".".join))
def test_any_text_is_no_token(text: str):
    assert not isinstance(verify(text, read_keys({"keys": [KEY.jwk]}), TYPES), VerifiedToken)


@settings(max_examples=often(40, 20_000))
@given(
    key_set=JSON
    | st.lists(st.dictionaries(st.sampled_from(sorted({*KEY.jwk, "n", "e"})), JSON)).map(lambda keys: {"keys": keys})
    | st.dictionaries(st.sampled_from(sorted(KEY.jwk)), JSON).map(lambda change: {"keys": [KEY.jwk | change]})
)
def test_any_key_set_can_be_read(key_set: Any):
    if isinstance(key_set, dict):
        assert len(read_keys(key_set)) <= 1


@settings(max_examples=often(50, 20_000))
@given(way=st.sampled_from(WAYS), data=st.data())
def test_any_settings_are_read_to_what_is_read_again_or_refused_by_name(way: Way, data: Any):
    change = data.draw(st.dictionaries(st.sampled_from([*sorted(way.settings), "another"]), JSON, max_size=3))
    try:
        read = way.kind.read({**way.settings, **change})
    except InputInvalid as refused:
        named = refused.field
    else:
        named = None
    assert named is None or named in change
    if named is None:
        assert way.kind.read(read) == read
        assert json.loads(json.dumps(read)) == read


FETCHER = HttpFetcher(loopback=["http://127.0.0.1:9"])


@settings(max_examples=often(50, 20_000))
@given(url=st.text() | st.text(alphabet="htps:/@#?[]\\%.1a ").map(lambda text: f"https://{text}"))
def test_any_url_is_permitted_or_not(url: str):
    assert FETCHER.permits(url) in {True, False}


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.kind.key)
def test_the_ways_are_good_ones(way: Way):
    """Or the tests above would refuse everything for a reason of their own."""
    way.fake.people["alice"] = {"email": "alice@acme.example"}
    way.fake.documents = {
        "/user": {"id": 12345},
        "/user/emails": [],
        "/user/memberships/orgs/acme": {"state": "active", "organization": {"id": 77}, "user": {"id": 12345}},
    }
    answer = way.sign_in()
    assert isinstance(answer, Assertion) or (way.kind.key == "github" and answer.code.endswith("address_missing"))
