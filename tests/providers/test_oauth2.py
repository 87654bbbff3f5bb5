"""Generic OAuth 2: whoever the token belongs to, where the settings say that the document says it."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from authflow.adapters.providers.oauth2 import Oauth2Kind
from authflow.errors import Code, InputInvalid
from authflow.sso.kinds import Assertion, Rejected
from authflow.sso.recheck import Said
from authflow.testing.openid import Fault, InProcess, Reply
from tests.providers.peers import Way, provider

GOOD = {
    "authorization_url": "https://provider.example/authorize",
    "token_url": "https://provider.example/token",
    "userinfo_url": "https://provider.example/me",
    "client_id": "client",
    "client_secret": "a secret",
    "subject": "id",
}
ME = {"id": 42, "mail": "alice@acme.example", "data": {"user": [{"name": "Alice", "a/b~c": "odd"}]}}


def way(me: Any = ME, *, form_encoded: bool = False, client_secret: str | None = "a secret", **settings: Any) -> Way:
    fake = provider(form_encoded=form_encoded, client_secret=client_secret)
    fake.documents["/me"] = me
    kind = Oauth2Kind(InProcess(fake))
    return Way(kind, kind.read({**GOOD, "client_secret": client_secret, **settings}), fake)


@pytest.mark.parametrize("form_encoded", [False, True])
@pytest.mark.parametrize("client_auth", ["basic", "post"])
def test_who_signed_in_is_asserted(form_encoded: Any, client_auth: str):
    found = way(form_encoded=form_encoded, client_auth=client_auth, email="mail", name="/data/user/0/name")
    answer = found.sign_in()
    assert isinstance(answer, Assertion)
    assert (answer.subject, answer.email, answer.email_verified, answer.name) == (
        "42",
        "alice@acme.example",
        None,
        "Alice",
    )


def test_a_member_without_a_name_means_nothing_that_is_not_set():
    answer = way({**ME, "": "mallory@acme.example"}).sign_in()
    assert isinstance(answer, Assertion)
    assert (answer.email, answer.name) == (None, "")


def test_a_secret_with_every_sign_reaches_the_provider():
    secret = "a+b/c=d&e:f%20 ~!"
    assert isinstance(way(client_secret=secret).sign_in(), Assertion)
    assert isinstance(way(client_secret=secret, client_auth="post").sign_in(), Assertion)
    assert isinstance(way(client_secret=None).sign_in(), Assertion)


@pytest.mark.parametrize(
    ("where", "subject"),
    [
        ("id", "42"),
        ("/id", "42"),
        ("mail", "alice@acme.example"),
        ("/data/user/0/name", "Alice"),
        ("/data/user/0/a~1b~0c", "odd"),
        ("missing", None),
        ("/missing/x", None),
        ("data", None),
        ("/data/user", None),
        ("/data/user/1/name", None),
        ("/data/user/-1/name", None),
        ("/data/user//name", None),
        ("/id/0", None),
        ("/", None),
    ],
)
def test_where_an_identifier_is(where: str, subject: Any):
    answer = way(subject=where).sign_in()
    if subject is None:
        assert isinstance(answer, Rejected)
        assert answer.code is Code.SSO_IDENTITY_INCOMPLETE
    else:
        assert isinstance(answer, Assertion)
        assert answer.subject == subject


@pytest.mark.parametrize("value", [None, "", True, False, 1.5, -1, 2**63, [], ["42"], {"id": 1}, "x" * 256, "a\0b"])
def test_what_is_no_identifier_is_nobodys(value: Any):
    answer = way({"id": value}).sign_in()
    assert isinstance(answer, Rejected)
    assert answer.code is Code.SSO_IDENTITY_INCOMPLETE


@pytest.mark.parametrize("body", [b"", b"[]", b'{"id":1,"id":2}', b'{"id":', b"\xff", b"[" * 100_000])
def test_a_document_that_is_none_refuses(body: bytes):
    answer = way(Reply(body=body)).sign_in()
    assert isinstance(answer, Rejected)
    assert answer.code is Code.SSO_RESPONSE_INVALID


@pytest.mark.parametrize(
    ("status", "media_type", "body", "code"),
    [
        (200, "application/json", b'{"access_token":"t"}', Code.SSO_RESPONSE_INVALID),
        (200, "application/json", b'{"access_token":"t","token_type":"mac"}', Code.SSO_RESPONSE_INVALID),
        (200, "application/json", b'{"access_token":"t","token_type":"basic"}', Code.SSO_RESPONSE_INVALID),
        (200, "application/json", b'{"access_token":"","token_type":"bearer"}', Code.SSO_RESPONSE_INVALID),
        (200, "application/json", b'{"access_token":7,"token_type":"bearer"}', Code.SSO_RESPONSE_INVALID),
        (200, "application/json", b'{"access_token":"a\\nb","token_type":"bearer"}', Code.SSO_RESPONSE_INVALID),
        (200, "application/json", b'{"access_token":"\\u00e9","token_type":"bearer"}', Code.SSO_RESPONSE_INVALID),
        (201, "application/json", b'{"access_token":"t","token_type":"bearer"}', Code.SSO_RESPONSE_INVALID),
        (200, "application/json", b'{"error":"bad_verification_code"}', Code.SSO_PROVIDER_REFUSED),
        (200, "text/html", b"<html>", Code.SSO_RESPONSE_INVALID),
        (200, "application/x-www-form-urlencoded", b"error=x", Code.SSO_PROVIDER_REFUSED),
        (200, "application/x-www-form-urlencoded", b"", Code.SSO_RESPONSE_INVALID),
        (
            200,
            "application/x-www-form-urlencoded",
            b"access_token=a&access_token=b&token_type=bearer",
            Code.SSO_RESPONSE_INVALID,
        ),
        (200, "application/x-www-form-urlencoded", b"a=b&" * 5000 + b"a=b", Code.SSO_RESPONSE_INVALID),
        (400, "application/json", b'{"error":"invalid_grant"}', Code.SSO_PROVIDER_REFUSED),
        (400, "text/html", b"<html>", Code.SSO_PROVIDER_REFUSED),
        (401, "application/json", b'{"error":"invalid_client"}', Code.SSO_PROVIDER_REFUSED),
        (500, "application/json", b'{"access_token":"t","token_type":"bearer"}', Code.SSO_PROVIDER_UNREACHABLE),
        (429, "application/json", b'{"error":"slow_down"}', Code.SSO_PROVIDER_UNREACHABLE),
        (503, "text/html", b"", Code.SSO_PROVIDER_UNREACHABLE),
    ],
)
def test_what_a_token_endpoint_may_say(status: int, media_type: str, body: bytes, code: Code):
    found = way()
    departed = found.there()
    fields = found.fake.approve(departed.url, "alice")
    found.fake.token_reply = Reply(status=status, media_type=media_type, body=body)
    answer = found.back(departed, fields)
    assert isinstance(answer, Rejected)
    assert answer.code is code
    assert "/me" not in found.fake.calls  # refused for what it says, and not because its token opens nothing


def test_the_request_proves_itself_by_pkce():
    asked = parse_qs(urlsplit(way(scopes=["read"]).there().url).query)
    assert (asked["code_challenge_method"], asked["scope"]) == (["S256"], ["read"])
    found = way()
    mine, theirs = found.there(), found.there()
    answer = found.back(mine, found.fake.approve(theirs.url, "alice"))
    assert isinstance(answer, Rejected)


def test_people_are_asked_about_again_where_the_owner_says_so():
    found = way(recheck=True)
    assert found.kind.can_confirm(found.settings)
    assert not found.kind.can_confirm(way().settings)
    answer = found.sign_in()
    assert isinstance(answer, Assertion)

    def again(memory: Any) -> Any:
        return found.kind.recheck(found.settings, memory, found.fake.clock.now())

    confirmed = again(answer.memory)
    assert confirmed.said is Said.CONFIRMED
    found.fake.documents["/me"] = {"id": 43}
    other = again(confirmed.memory)
    assert other.said is Said.FAILED
    assert other.memory["refresh_token"] != confirmed.memory["refresh_token"]  # the old one is used up
    found.fake.revoke("alice")
    assert again(other.memory).said is Said.REVOKED
    assert again({}).said is Said.UNASKED


@pytest.mark.parametrize("fault", [Fault.BROKEN, Fault.SLOW, Fault.HUGE, Fault.REDIRECTING, Fault.NO_JSON])
def test_what_the_provider_does_wrong_raises_nothing(fault: Fault):
    found = way()
    departed = found.there()
    fields = found.fake.approve(departed.url, "alice")
    found.fake.faults.add(fault)
    assert isinstance(found.back(departed, fields), Rejected)


def test_settings_are_completed():
    kind = Oauth2Kind(InProcess(provider()))
    read = kind.read(GOOD)
    assert read == {**GOOD, "client_auth": "basic", "scopes": [], "email": None, "name": None, "recheck": False}
    assert kind.read(read) == read
    assert kind.trust == set(read)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *((field, "http://provider.example") for field in ("authorization_url", "token_url", "userinfo_url")),
        *((field, None) for field in ("authorization_url", "token_url", "userinfo_url", "client_id", "subject")),
        ("subject", ""),
        ("subject", "/a~2b"),
        ("subject", 7),
        ("email", ["mail"]),
        ("name", "x" * 256),
        ("client_auth", "private_key_jwt"),
        ("scopes", "read"),
        ("recheck", "true"),
        ("issuer", "https://provider.example"),
    ],
)
def test_a_setting_that_makes_no_sense_is_named(field: str, value: Any):
    with pytest.raises(InputInvalid) as raised:
        Oauth2Kind(InProcess(provider())).read({**GOOD, field: value})
    assert raised.value.field == field
