"""Every trick with a signed token, after the shapes of Wycheproof and of published flaws: none is accepted."""

from __future__ import annotations

import base64
import json
import math
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization

from authflow.adapters.providers.claims import HALVES, LEEWAY, ExpectedClaims, VerifiedClaims, WrongClaim, check_claims
from authflow.adapters.providers.documents import parse
from authflow.adapters.providers.signatures import (
    HEADER_MAX,
    MEMBER_MAX,
    TYPES,
    PublicKey,
    RefusedToken,
    VerifiedToken,
    read_keys,
    verify,
)
from authflow.sso.identity import FRESH
from authflow.testing.openid import SigningKey
from authflow.testing.openid.keys import encode, segment, sign_with_secret, unsigned
from tests.providers.peers import rsa_key

ALL = frozenset(TYPES)
CLAIMS = {"sub": "alice", "iss": "https://provider.example"}
NOW = datetime(2026, 1, 1, tzinfo=UTC)


@cache
def key(algorithm: Any = "ES256", kid: str = "key-1") -> SigningKey:
    if algorithm in {"RS256", "PS256"}:
        return SigningKey(kid=kid, algorithm=algorithm, key=rsa_key().key)
    return SigningKey.generate(algorithm, kid=kid)


def published(*keys: SigningKey, **changes: Any) -> tuple[PublicKey, ...]:
    return read_keys({"keys": [{**each.jwk, **changes} for each in keys]})


def raw(header: bytes, payload: bytes = b'{"sub":"alice"}', *, by: SigningKey | None = None) -> str:
    """Return a token whose header is exactly *header*, honestly signed."""
    signing = f"{encode(header)}.{encode(payload)}"
    return f"{signing}.{encode((by or key()).signature(signing.encode()))}"


# --- what is accepted -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("algorithm", sorted(ALL))
def test_a_token_of_the_providers_key_is_accepted(algorithm: Any):
    signed = verify(key(algorithm).sign(CLAIMS), published(key(algorithm)), ALL)
    assert signed == VerifiedToken(claims=CLAIMS, algorithm=algorithm)


def test_a_header_with_a_chain_of_certificates_is_not_too_long():
    """Real providers send 1.2 kB of ``x5c`` (security 1.5); it is carried and chooses nothing."""
    token = key().sign(CLAIMS, {"x5c": [base64.b64encode(b"x" * 900).decode()] * 4})
    assert isinstance(verify(token, published(key()), ALL), VerifiedToken)


def test_one_key_need_not_be_named_and_several_must():
    nameless = raw(b'{"alg":"ES256"}')
    assert isinstance(verify(nameless, published(key()), ALL), VerifiedToken)
    assert isinstance(verify(nameless, published(key(), key("RS256")), ALL), VerifiedToken)  # of its type there is one
    two = verify(nameless, published(key(), key(kid="key-2")), ALL)
    assert two == RefusedToken(problem="several keys could have signed it")


# --- what is not ------------------------------------------------------------------------------------------------------

GOOD = key().sign(CLAIMS)
HEAD, BODY, SIGNATURE = GOOD.split(".")
OTHER = key(kid="other")


def certificate() -> str:
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "attacker")])
    made = x509.CertificateBuilder(name, name, OTHER.key.public_key(), 1, NOW, NOW + timedelta(days=1)).sign(
        OTHER.key, hashes.SHA256()
    )
    return base64.b64encode(made.public_bytes(serialization.Encoding.DER)).decode()


def own(**header: Any) -> str:
    """Return a token of an attacker's own key, whose header says more than the kid of the provider's."""
    return OTHER.sign(CLAIMS, {"kid": "key-1", **header})


TRICKS = {
    # no signature, or none that counts
    "none": unsigned(CLAIMS, {}),
    "none with the kid": unsigned(CLAIMS, {"kid": "key-1"}),
    "None": f"{segment({'alg': 'None'})}.{BODY}.",
    "nOnE with a signature": f"{segment({'alg': 'nOnE'})}.{BODY}.{SIGNATURE}",
    "no algorithm": raw(b'{"kid":"key-1"}'),
    "an algorithm that is null": raw(b'{"alg":null}'),
    "an algorithm that is a list": raw(b'{"alg":["ES256"]}'),
    "an empty algorithm": raw(b'{"alg":""}'),
    "the signature left out": f"{HEAD}.{BODY}.",
    "the signature cut": GOOD[:-8],
    "the signature longer": f"{GOOD}AAAA",
    "a signature of zeros": f"{HEAD}.{BODY}.{encode(bytes(64))}",
    "a signature in DER": f"{HEAD}.{BODY}.{encode(bytes.fromhex('3006020100020100'))}",
    "an empty signature of zero length": f"{HEAD}.{BODY}.{encode(b'')}",
    "the signature of another token": f"{HEAD}.{BODY}.{key().sign({'sub': 'bob'}).rpartition('.')[2]}",
    "the payload changed": f"{HEAD}.{segment({**CLAIMS, 'sub': 'mallory'})}.{SIGNATURE}",
    "the header changed": f"{segment({'alg': 'ES256', 'kid': 'key-1', 'x': 1})}.{BODY}.{SIGNATURE}",
    # another algorithm
    "a public key as secret": sign_with_secret(CLAIMS, key().public_pem, {"kid": "key-1"}),
    "a public RSA key as secret": sign_with_secret(CLAIMS, key("RS256").public_pem, {"kid": "key-1"}),
    "an empty secret": sign_with_secret(CLAIMS, b"", {"kid": "key-1"}),
    "RS256 that is not allowed here": key("RS256").sign(CLAIMS),
    "RS512": key().sign(CLAIMS, {"alg": "RS512"}),
    "ES384 of a P-256 key": key().sign(CLAIMS, {"alg": "ES384"}),
    "ES256K": key().sign(CLAIMS, {"alg": "ES256K"}),
    "EdDSA of an EC key": key().sign(CLAIMS, {"alg": "EdDSA"}),
    # a key that the token brings along
    "an attacker's key": own(),
    "jwk": own(jwk=OTHER.jwk),
    "jwk and its kid": OTHER.sign(CLAIMS, {"kid": OTHER.kid, "jwk": OTHER.jwk}),
    "jwk without kid": raw(json.dumps({"alg": "ES256", "jwk": OTHER.jwk}).encode(), by=OTHER),
    "jku": own(jku="https://attacker.example/keys"),
    "x5u": own(x5u="https://attacker.example/chain"),
    "x5c": own(x5c=[certificate()]),
    "x5t": own(x5t="AAAA", **{"x5t#S256": "AAAA"}),
    "kid that is a path": OTHER.sign(CLAIMS, {"kid": "../../dev/null"}),
    "kid that is SQL": OTHER.sign(CLAIMS, {"kid": "key-1' OR '1'='1"}),
    "kid that is a list": OTHER.sign(CLAIMS, {"kid": ["key-1"]}),
    "kid that is an object": OTHER.sign(CLAIMS, {"kid": {"key-1": 1}}),
    "kid that is null": key().sign(CLAIMS, {"kid": None}),
    "kid in other letters": key().sign(CLAIMS, {"kid": "KEY-1"}),
    # extensions, types and forms
    "an unknown extension": key().sign(CLAIMS, {"crit": ["exp"], "exp": 1}),
    "an empty list of extensions": key().sign(CLAIMS, {"crit": []}),
    "a payload that is not encoded": key().sign(CLAIMS, {"b64": False, "crit": ["b64"]}),
    "b64 alone": key().sign(CLAIMS, {"b64": True}),
    "an access token": key().sign(CLAIMS, {"typ": "at+jwt"}),
    "a logout token": key().sign(CLAIMS, {"typ": "logout+jwt"}),
    "a type that is a number": key().sign(CLAIMS, {"typ": 1}),
    "an encrypted token": f"{segment({'alg': 'RSA1_5', 'enc': 'A128CBC-HS256'})}.AA.AA.AA.AA",
    "an encrypted token of direct use": f"{segment({'alg': 'dir', 'enc': 'A256GCM'})}..AA.AA.AA",
    "a nested token": key().sign({"jwt": GOOD}, {"cty": "JWT", "typ": "JWE"}),
    "two parts": f"{HEAD}.{BODY}",
    "four parts": f"{GOOD}.AA",
    "JSON serialization": json.dumps({"protected": HEAD, "payload": BODY, "signature": SIGNATURE}),
    "detached": f"{HEAD}..{SIGNATURE}",
    "blanks around it": f" {GOOD}\n",
    "a line break inside": f"{HEAD}.\n{BODY}.{SIGNATURE}",
    "padding": f"{HEAD}==.{BODY}.{SIGNATURE}",
    "the other alphabet": GOOD.replace("-", "+").replace("_", "/") + "+",
    "letters that are no ASCII": GOOD.replace(".", "\u2024"),
    "nothing": "",
    "dots": "..",
    # JSON that two parsers read in two ways
    "alg twice": raw(b'{"alg":"none","alg":"ES256","kid":"key-1"}'),
    "kid twice": raw(b'{"alg":"ES256","kid":"key-2","kid":"key-1"}'),
    "sub twice": raw(b'{"alg":"ES256","kid":"key-1"}', b'{"sub":"bob","sub":"alice"}'),
    "a header with a BOM": raw(b'\xef\xbb\xbf{"alg":"ES256","kid":"key-1"}'),
    "a header in UTF-16": raw('{"alg":"ES256","kid":"key-1"}'.encode("utf-16")),
    "a header that is a list": raw(b'["ES256"]'),
    "a header and more": raw(b'{"alg":"ES256","kid":"key-1"}{}'),
    "a payload that is a list": raw(b'{"alg":"ES256","kid":"key-1"}', b'["alice"]'),
    "a payload that is a text": raw(b'{"alg":"ES256","kid":"key-1"}', b'"alice"'),
    "a payload that is no JSON": raw(b'{"alg":"ES256","kid":"key-1"}', b"alice"),
    "a payload with NaN": raw(b'{"alg":"ES256","kid":"key-1"}', b'{"sub":"alice","exp":NaN}'),
    "a payload of 10,000 levels": raw(b'{"alg":"ES256","kid":"key-1"}', b'{"a":' * 10_000 + b"1" + b"}" * 10_000),
    "a number of 5,000 digits": raw(b'{"alg":"ES256","kid":"key-1"}', b'{"exp":' + b"9" * 5_000 + b"}"),
    # sizes
    "a header of 20 kB": key().sign(CLAIMS, {"x": "x" * 20_000}),
    "a payload of 200 kB": key().sign({**CLAIMS, "x": "x" * 200_000}),
    "20 MB": "A" * 20_000_000,
    "20 MB in three parts": f"{HEAD}.{'A' * 20_000_000}.{SIGNATURE}",
}


@pytest.mark.parametrize("trick", TRICKS)
def test_no_trick_is_accepted(trick: str):
    keys = published(key(), key("EdDSA", "ed-1"))
    assert isinstance(verify(TRICKS[trick], keys, {"ES256", "EdDSA"}), RefusedToken)


def test_the_longest_header_that_is_read_and_the_next_one():
    def of(size: int) -> str:
        frame = len(b'{"alg":"ES256","kid":"key-1","x":""}')
        return raw(b'{"alg":"ES256","kid":"key-1","x":"' + b"x" * (size - frame) + b'"}')

    assert isinstance(verify(of(HEADER_MAX - 1), published(key()), ALL), VerifiedToken)
    assert isinstance(verify(of(HEADER_MAX + 4), published(key()), ALL), RefusedToken)


def test_only_an_unknown_key_is_worth_asking_for_again():
    assert verify(own(kid="key-9"), published(key()), ALL) == RefusedToken(
        problem="the provider has no such key", unknown_key=True
    )
    for trick in ("an attacker's key", "none with the kid", "a public key as secret", "a header of 20 kB"):
        refused = verify(TRICKS[trick], published(key()), {"ES256"})
        assert isinstance(refused, RefusedToken)
        assert not refused.unknown_key


def test_no_algorithm_is_allowed_that_nothing_is_known_of():
    assert isinstance(verify(sign_with_secret(CLAIMS, b"secret", {}), published(key()), {"HS256"}), RefusedToken)
    assert isinstance(verify(unsigned(CLAIMS, {}), published(key()), {"none"}), RefusedToken)
    assert isinstance(verify(key().sign(CLAIMS), published(key()), frozenset()), RefusedToken)


# --- key sets ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "change",
    [
        {"use": "enc"},
        {"key_ops": ["sign"]},
        {"key_ops": "verify"},
        {"alg": "ES384"},
        {"alg": 7},
        {"kid": 7},
        {"kty": "oct", "k": "c2VjcmV0"},
        {"kty": "RSA"},
        {"kty": ["EC"]},
        {"crv": "P-384"},
        {"crv": None},
        {"x": "AAAA"},
        {"x": 7},
        {"x": "!"},
        {"y": ""},
    ],
)
def test_a_key_that_is_none_of_ours_signs_nothing(change: dict[str, Any]):
    assert isinstance(verify(GOOD, published(key(), **change), ALL), RefusedToken)


@pytest.mark.parametrize("change", [{"kid": "k" * 256}, {"alg": "x" * 300}])
def test_a_key_that_is_longer_than_any_real_one_is_not_kept(change: dict[str, Any]):
    assert published(key(), **change) == ()
    assert len(published(key(), kid="k" * 255)) == 1


def test_a_number_that_is_padded_is_no_number_of_a_key():
    number = key("RS256").jwk["n"]
    assert len(published(key("RS256"), n=f"{'A' * 4}{number}")) == 1
    assert published(key("RS256"), n=f"{'A' * MEMBER_MAX}{number}") == ()


def test_a_weak_key_signs_nothing():
    weak = SigningKey.generate("RS256", bits=1024)
    assert published(weak) == ()


@pytest.mark.parametrize("key_set", [{}, {"keys": None}, {"keys": {}}, {"keys": [None, 7, "key", [], {}]}])
def test_a_key_set_that_is_none_has_no_keys(key_set: Any):
    assert read_keys(key_set) == ()


def test_a_private_key_in_a_key_set_is_read_as_the_public_one():
    private = base64.urlsafe_b64encode(key().key.private_numbers().private_value.to_bytes(32, "big")).decode()
    assert isinstance(verify(GOOD, published(key(), d=private.rstrip("=")), ALL), VerifiedToken)


# --- claims -----------------------------------------------------------------------------------------------------------

EXPECTED = ExpectedClaims(
    issuer="https://provider.example",
    audience="client",
    nonce="the nonce",
    max_age=timedelta(minutes=10),
    access_token="token",
)
AT = int(NOW.timestamp())
SAID = {
    "iss": "https://provider.example",
    "sub": "alice",
    "aud": "client",
    "nonce": "the nonce",
    "exp": AT + 300,
    "iat": AT,
    "auth_time": AT - 60,
}
SECOND = int(LEEWAY.total_seconds())
OLD = int(FRESH.total_seconds()) + SECOND


def half(algorithm: str, token: str) -> str:
    digest = HALVES[algorithm](token.encode()).digest()
    return encode(digest[: len(digest) // 2])


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"aud": ["client"]},
        {"aud": ["client", "another"], "azp": "client"},
        {"azp": "client"},
        {"exp": AT - SECOND + 1},
        {"exp": AT + 0.5},
        {"iat": AT + SECOND},
        {"iat": AT - OLD + 1},
        {"nbf": AT + SECOND},
        {"auth_time": AT - 600 - SECOND},
        {"at_hash": half("ES256", "token")},
        {"email": ["whatever"]},
    ],
)
def test_claims_that_hold(change: dict[str, Any]):
    verified = check_claims(SAID | change, "ES256", EXPECTED, NOW)
    assert isinstance(verified, VerifiedClaims)
    assert verified.subject == "alice"


@pytest.mark.parametrize(
    ("claim", "value"),
    [
        *(("iss", value) for value in (None, "", "https://provider.example/", "https://PROVIDER.example", ["x"], 7)),
        *(("sub", value) for value in (None, "", "x" * 256, "a\0b", "\ud800", 7, ["alice"], {"a": 1})),
        *(("aud", value) for value in (None, "", "Client", "clien", [], ["another"], {"client": 1}, 7, True)),
        *(("aud", value) for value in (["client", "another"], ["client", "client"], ["client", 7])),
        *(("azp", value) for value in ("another", None, "", 7, ["client"])),
        *(("nonce", value) for value in (None, "", "the Nonce", "the nonce ", 7, ["the nonce"], True)),
        *(("exp", value) for value in (None, AT - SECOND, str(AT + 300), True, [AT], math.inf, -1, 10**18, 2**33)),
        *(("iat", value) for value in (None, AT + SECOND + 1, AT - OLD - 1, str(AT), False, 10**18, -(10**18))),
        *(("nbf", value) for value in (AT + SECOND + 1, None, str(AT), True, 10**18)),
        *(("auth_time", value) for value in (None, AT - 600 - SECOND - 1, AT + SECOND + 1, str(AT), True)),
        *(("at_hash", value) for value in (None, "", half("ES256", "another"), half("EdDSA", "token"), 7, ["x"])),
    ],
)
def test_claims_that_do_not_hold(claim: str, value: Any):
    assert check_claims(SAID | {claim: value}, "ES256", EXPECTED, NOW) == WrongClaim(claim=claim)


@pytest.mark.parametrize("claim", ["exp", "iat", "nbf", "auth_time"])
def test_a_number_that_no_float_holds_is_no_instant(claim: str):
    assert [check_claims(SAID | {claim: number}, "ES256", EXPECTED, NOW) for number in (10**400, math.nan)] == [
        WrongClaim(claim=claim)
    ] * 2


@pytest.mark.parametrize("claim", sorted(SAID))
def test_claims_that_are_missing(claim: str):
    missing = {name: value for name, value in SAID.items() if name != claim}
    assert check_claims(missing, "ES256", EXPECTED, NOW) == WrongClaim(claim=claim)


@pytest.mark.parametrize("algorithm", ["", "none", "HS256", "ES512", "rs256"])
def test_a_hash_under_an_unknown_algorithm_refuses(algorithm: str):
    """CVE-2026-28498: what cannot be compared is not equal."""
    assert check_claims(SAID | {"at_hash": half("ES256", "token")}, algorithm, EXPECTED, NOW) == WrongClaim(
        claim="at_hash"
    )


def test_every_algorithm_has_a_hash():
    assert set(HALVES) == ALL


@pytest.mark.parametrize(
    "text", [b"", b"[]", b"null", b"{", b'{"a":1,"a":1}', b'{"a":Infinity}', b"\xff{}", b"[" * 100_000]
)
def test_json_that_is_no_object_is_not_read(text: bytes):
    assert parse(text) is None


def test_what_is_expected_and_what_was_proven_say_no_secret():
    verified = check_claims(SAID, "ES256", EXPECTED, NOW)
    assert "the nonce" not in f"{EXPECTED!r}{verified!r}"
    assert "token=" not in repr(EXPECTED)
