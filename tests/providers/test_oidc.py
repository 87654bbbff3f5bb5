"""OpenID Connect: one good way through, and every other one refused."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import pytest

from authflow.adapters.providers.code_flow import challenge
from authflow.adapters.providers.discovery import Discovery, Metadata
from authflow.adapters.providers.oidc import OidcKind
from authflow.errors import Code, InputInvalid
from authflow.sso.kinds import Assertion, Callback, Departure, Rechecked, Rejected
from authflow.sso.recheck import Said
from authflow.testing.openid import Fault, InProcess, Reply, SigningKey
from tests.providers.peers import CALLBACK, Way, provider, trip

if TYPE_CHECKING:
    from authflow.sso.fetching import Request, Response, Unfetched
    from authflow.testing.openid import FakeOpenId


def way(fake: FakeOpenId | None = None, **settings: Any) -> Way:
    fake = fake or provider()
    kind = OidcKind(InProcess(fake))
    given = {
        "issuer": fake.issuer,
        "client_id": fake.client_id,
        "client_secret": fake.client_secret,
        "algorithms": [fake.keys[0].algorithm],
    }
    return Way(kind, kind.read({**given, **settings}), fake)


def code_of(answer: object) -> Code:
    assert isinstance(answer, Rejected), answer
    return answer.code


# --- the way there ----------------------------------------------------------------------------------------------------


def test_rfc_7636_appendix_b():
    assert challenge("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk") == "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"


def test_the_request_names_everything_that_the_answer_must_match():
    found = way(max_age=600)
    departed = found.there()
    asked = {name: values[0] for name, values in parse_qs(urlsplit(departed.url).query).items()}
    assert asked == {
        "response_type": "code",
        "client_id": "client",
        "redirect_uri": CALLBACK,
        "state": "the state",
        "scope": "openid profile email",
        "nonce": departed.request["nonce"],
        "code_challenge": challenge(str(departed.request["verifier"])),
        "code_challenge_method": "S256",
        "max_age": "600",
    }
    assert found.there().request != departed.request  # nothing of a request is kept with the kind


def test_an_endpoint_keeps_its_own_query():
    from authflow.adapters.providers.code_flow import authorization

    now = provider().clock.now()
    url = authorization("https://provider.example/authorize?tenant=1", "client", "v" * 43, trip(now), {})
    assert url.startswith("https://provider.example/authorize?tenant=1&response_type=code&")


def test_a_provider_that_does_not_say_it_checks_pkce_is_refused_unless_the_owner_said_so():
    fake = provider(faults={Fault.NO_PKCE})
    refused = way(fake).kind.depart(way(fake).settings, trip(fake.clock.now()))
    assert isinstance(refused, Rejected)
    assert refused.code is Code.SSO_RESPONSE_INVALID
    lenient = way(fake, require_pkce=False)
    assert "code_challenge_method=S256" in lenient.there().url
    assert isinstance(lenient.sign_in(), Assertion)


def test_of_a_long_document_only_known_words_are_kept():
    many = [f"word-{number}" for number in range(1000)]
    words = {
        "token_endpoint_auth_methods_supported": [*many, "client_secret_post"],
        "code_challenge_methods_supported": [*many, "S256"],
    }
    fake = provider(metadata=words)
    fetcher = InProcess(fake)
    read = Discovery(fetcher).metadata(fake.issuer, fetcher, fake.clock.now())
    assert isinstance(read, Metadata)
    assert (read.client_auth, read.checks_pkce) == ({"client_secret_post"}, True)


@pytest.mark.parametrize("endpoint", ["authorization_endpoint", "token_endpoint", "jwks_uri", "userinfo_endpoint"])
@pytest.mark.parametrize(
    "url", ["http://provider.example/x", "https://user@provider.example/x", "file:///etc/passwd", "//provider.example"]
)
def test_an_endpoint_that_may_not_be_fetched_is_never_asked(endpoint: str, url: str):
    """CVE-2026-53513: the document is the provider's to write, and what it points at is checked like a setting."""
    cold = way(provider(metadata={endpoint: url}))
    assert code_of(cold.kind.depart(cold.settings, trip(cold.fake.clock.now()))) is Code.SSO_RESPONSE_INVALID


@pytest.mark.parametrize("endpoint", ["authorization_endpoint", "token_endpoint", "jwks_uri"])
@pytest.mark.parametrize("said", [None, "", 7, ["https://provider.example/x"]])
def test_an_endpoint_that_is_missing_refuses_the_provider(endpoint: str, said: Any):
    cold = way(provider(metadata={endpoint: said}))
    assert code_of(cold.kind.depart(cold.settings, trip(cold.fake.clock.now()))) is Code.SSO_RESPONSE_INVALID


@pytest.mark.parametrize(
    ("methods", "good"),
    [
        (None, True),  # Discovery 3: unsaid is client_secret_basic
        (["client_secret_post"], True),
        (["private_key_jwt", "client_secret_basic"], True),
        (["private_key_jwt", "tls_client_auth"], False),
    ],
)
def test_how_the_provider_is_told_who_asks(methods: Any, good: Any):
    found = way(provider(metadata={"token_endpoint_auth_methods_supported": methods}))
    departed = found.kind.depart(found.settings, trip(found.fake.clock.now()))
    assert isinstance(departed, Departure) is good
    if good:
        assert isinstance(found.sign_in(), Assertion)


@pytest.mark.parametrize(
    ("wanted", "published", "asked"),
    [
        ({}, ["client_secret_post", "client_secret_basic"], "basic"),
        ({"client_auth": ""}, ["client_secret_post"], "post"),
        ({"client_auth": "post"}, ["client_secret_post", "client_secret_basic"], "post"),
        ({"client_auth": "basic"}, ["client_secret_post", "client_secret_basic"], "basic"),
        ({"client_auth": "post"}, None, "post"),
        ({"client_auth": "basic"}, ["private_key_jwt"], "basic"),
    ],
)
def test_the_owner_may_say_how_the_secret_is_sent(wanted: dict[str, Any], published: Any, asked: str):
    """Where an application takes one way alone, the document of all of them does not say which."""
    ways: list[str] = []

    class Watching(InProcess):
        def fetch(self, request: Request) -> Response | Unfetched:
            if request.form is not None:
                ways.append("basic" if "authorization" in request.headers else "post")
            return super().fetch(request)

    found = way(provider(metadata={"token_endpoint_auth_methods_supported": published}), **wanted)
    kind = OidcKind(Watching(found.fake))
    assert isinstance(Way(kind, found.settings, found.fake).sign_in(), Assertion)
    assert ways == [asked]


# --- the way back -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("algorithm", ["RS256", "PS256", "ES256", "EdDSA"])
def test_who_signed_in_is_asserted(algorithm: Any):
    answer = way(provider(keys=[SigningKey.generate(algorithm)])).sign_in()
    assert isinstance(answer, Assertion)
    assert (answer.subject, answer.email, answer.email_verified, answer.name, answer.legacy) == (
        "alice",
        "alice@acme.example",
        True,
        "Alice",
        None,
    )
    assert answer.memory["subject"] == "alice"


@pytest.mark.parametrize(
    "fault",
    sorted(
        {
            Fault.WRONG_ISSUER,
            Fault.WRONG_AUDIENCE,
            Fault.SECOND_AUDIENCE,
            Fault.WRONG_NONCE,
            Fault.NO_NONCE,
            Fault.EXPIRED,
            Fault.FROM_THE_FUTURE,
            Fault.WRONG_HASH,
            Fault.UNKNOWN_KEY,
            Fault.KEY_IN_HEADER,
            Fault.ALGORITHM_NONE,
            Fault.PUBLIC_KEY_AS_SECRET,
            Fault.NO_ID_TOKEN,
            Fault.NO_ANSWERING_ISSUER,
            Fault.FOREIGN_ANSWERING_ISSUER,
            Fault.HUGE,
            Fault.REDIRECTING,
            Fault.NO_JSON,
        }
    ),
)
def test_what_is_wrong_with_an_answer_refuses_it(fault: Fault):
    found = way()
    departed = found.there()
    found.fake.faults.add(fault)
    assert code_of(found.back(departed, found.fake.approve(departed.url, "alice"))) is Code.SSO_RESPONSE_INVALID
    found.fake.faults.clear()
    assert isinstance(found.sign_in(), Assertion)


@pytest.mark.parametrize("fault", [Fault.SLOW, Fault.BROKEN])
def test_a_provider_that_cannot_be_asked_is_no_answer(fault: Fault):
    found = way()
    departed = found.there()
    found.fake.faults.add(fault)
    assert code_of(found.back(departed, found.fake.approve(departed.url, "alice"))) is Code.SSO_PROVIDER_UNREACHABLE
    cold = way(provider(faults={fault}))
    refused = cold.kind.depart(cold.settings, trip(cold.fake.clock.now()))
    assert isinstance(refused, Rejected)
    assert refused.code is Code.SSO_PROVIDER_UNREACHABLE


def test_a_provider_whose_document_names_another_one_is_refused():
    cold = way(provider(faults={Fault.FOREIGN_METADATA}))
    refused = cold.kind.depart(cold.settings, trip(cold.fake.clock.now()))
    assert isinstance(refused, Rejected)
    assert refused.code is Code.SSO_RESPONSE_INVALID


@pytest.mark.parametrize(
    ("error", "code"),
    [
        ("access_denied", Code.SSO_PROVIDER_REFUSED),
        ("login_required", Code.SSO_PROVIDER_REFUSED),
        ("server_error", Code.SSO_PROVIDER_UNREACHABLE),
        ("temporarily_unavailable", Code.SSO_PROVIDER_UNREACHABLE),
    ],
)
def test_an_error_of_the_provider_is_the_answer(error: str, code: Code):
    found = way()
    departed = found.there()
    assert code_of(found.back(departed, found.fake.deny(departed.url, error))) is code


def test_an_error_of_another_provider_is_none():
    """RFC 9207 2.4: a mixed-up answer is not believed in anything, its error included."""
    found = way()
    departed = found.there()
    found.fake.faults.add(Fault.FOREIGN_ANSWERING_ISSUER)
    assert code_of(found.back(departed, found.fake.deny(departed.url))) is Code.SSO_RESPONSE_INVALID


@pytest.mark.parametrize("name", ["code", "iss", "state", "error"])
def test_a_field_that_is_there_twice_refuses_the_answer(name: str):
    found = way()
    departed = found.there()
    fields = found.fake.approve(departed.url, "alice")
    fields[name] = (*fields.get(name, ("access_denied",)), "another")
    assert code_of(found.back(departed, fields)) is Code.SSO_RESPONSE_INVALID
    assert found.fake.calls.get("/token", 0) == 0


@pytest.mark.parametrize("change", [{"code": ("",)}, {"code": ("caf\xe9",)}, {"code": ("x" * 9000,)}, {"code": ()}])
def test_a_code_that_cannot_be_one_is_never_sent(change: dict[str, tuple[str, ...]]):
    found = way()
    departed = found.there()
    fields = {**found.fake.approve(departed.url, "alice"), **change}
    assert code_of(found.back(departed, fields)) is Code.SSO_RESPONSE_INVALID
    assert found.fake.calls.get("/token", 0) == 0


def test_a_code_is_taken_once_and_where_it_is_taken_twice_the_answer_is_the_same_single():
    found = way()
    departed = found.there()
    fields = found.fake.approve(departed.url, "alice")
    first = found.back(departed, fields)
    assert code_of(found.back(departed, fields)) is Code.SSO_PROVIDER_REFUSED

    found.fake.faults.add(Fault.REUSABLE_CODE)
    again = found.fake.approve(departed.url, "alice")
    one, two = found.back(departed, again), found.back(departed, again)
    assert isinstance(first, Assertion)
    assert isinstance(one, Assertion)
    assert isinstance(two, Assertion)
    assert first.once == one.once == two.once  # so the store refuses all but one of them
    assert first.once[0].expires_at > found.fake.clock.now() + timedelta(minutes=11)
    other = found.sign_in()
    assert isinstance(other, Assertion)
    assert other.once[0].key != first.once[0].key


def test_the_answer_to_another_request_is_refused():
    """An attacker's own answer in a victim's browser: the verifier and the nonce are another request's."""
    found = way()
    mine, theirs = found.there(), found.there()
    answered = found.fake.approve(theirs.url, "alice")
    assert code_of(found.back(mine, answered)) is Code.SSO_PROVIDER_REFUSED
    found.fake.faults.add(Fault.IGNORED_PKCE)  # a provider that never checks: the nonce is left
    assert code_of(found.back(mine, found.fake.approve(theirs.url, "alice"))) is Code.SSO_RESPONSE_INVALID
    assert code_of(found.back(mine, found.fake.approve(theirs.url, "alice"))) is Code.SSO_RESPONSE_INVALID


def test_without_what_was_asked_nothing_is_answered():
    found = way()
    departed = found.there()
    fields = found.fake.approve(departed.url, "alice")
    for request in ({}, {"nonce": "n"}, {"verifier": "v"}, {"nonce": "", "verifier": ""}):
        answer = found.kind.arrive(found.settings, trip(found.fake.clock.now()), request, Callback(fields=fields))
        assert code_of(answer) is Code.SSO_RESPONSE_INVALID


# --- UserInfo ---------------------------------------------------------------------------------------------------------


def test_what_the_id_token_does_not_say_is_asked_for():
    answer = way(provider(faults={Fault.TERSE})).sign_in()
    assert isinstance(answer, Assertion)
    assert (answer.email, answer.name) == ("alice@acme.example", "Alice")
    silent = way(provider(faults={Fault.TERSE}), userinfo=False).sign_in()
    assert isinstance(silent, Assertion)
    assert (silent.email, silent.name) == (None, "")


def test_userinfo_about_somebody_else_refuses_the_answer():
    fake = provider(faults={Fault.TERSE, Fault.LYING_USERINFO})
    assert code_of(way(fake).sign_in()) is Code.SSO_RESPONSE_INVALID


@pytest.mark.parametrize(
    "email", [["alice@acme.example"], "", "x" * 5000, "a@b,c@d", "a@b\r\nBcc: c@d", 7, None, {"a": 1}, "\ud800@b.c"]
)
def test_an_address_that_is_none_is_none(email: Any):
    fake = provider()
    fake.people["alice"] = {"email": email, "name": ["Alice"]}
    answer = way(fake).sign_in()
    assert isinstance(answer, Assertion)
    assert (answer.email, answer.name) == (None, "")


# --- keys -------------------------------------------------------------------------------------------------------------


def test_keys_that_are_rolled_in_the_middle_of_a_sign_in_are_fetched_again():
    found = way()
    assert isinstance(found.sign_in(), Assertion)
    departed = found.there()
    found.fake.roll_keys()
    assert isinstance(found.back(departed, found.fake.approve(departed.url, "alice")), Assertion)
    assert found.fake.calls["/keys"] == 2


def test_a_flood_of_unknown_keys_fetches_once_a_minute():
    found = way()
    found.fake.faults.add(Fault.UNKNOWN_KEY)
    for _ in range(20):
        assert code_of(found.sign_in()) is Code.SSO_RESPONSE_INVALID
    assert found.fake.calls["/keys"] == 2  # the first, and once again
    found.fake.clock.advance(seconds=61)
    for _ in range(20):
        found.sign_in()
    assert found.fake.calls["/keys"] == 3


def test_what_is_published_is_asked_for_once_an_hour_and_once_a_day():
    found = way()
    for _ in range(5):
        found.sign_in()
    assert (found.fake.calls["/keys"], found.fake.calls["/.well-known/openid-configuration"]) == (1, 1)
    found.fake.clock.advance(timedelta(hours=1))
    found.sign_in()
    assert (found.fake.calls["/keys"], found.fake.calls["/.well-known/openid-configuration"]) == (2, 1)
    found.fake.clock.advance(timedelta(hours=23))
    found.sign_in()
    assert (found.fake.calls["/keys"], found.fake.calls["/.well-known/openid-configuration"]) == (3, 2)


def test_a_key_that_was_withdrawn_is_forgotten_within_the_hour():
    found = way()
    found.sign_in()
    found.fake.published = [SigningKey.generate(kid="another")]
    assert isinstance(found.sign_in(), Assertion)
    found.fake.clock.advance(timedelta(hours=1))
    assert code_of(found.sign_in()) is Code.SSO_RESPONSE_INVALID


# --- asking again -----------------------------------------------------------------------------------------------------


def memory_of(found: Way) -> Any:
    answer = found.sign_in()
    assert isinstance(answer, Assertion)
    return answer.memory


def again(found: Way, memory: Any) -> Rechecked:
    return found.kind.recheck(found.settings, memory, found.fake.clock.now())


def test_who_is_still_there_is_confirmed_with_a_token_that_replaces_the_last():
    found = way(scopes=["openid", "email", "offline_access"])
    assert found.kind.can_confirm(found.settings)
    first = again(found, memory_of(found))
    second = again(found, first.memory)
    assert (first.said, second.said) == (Said.CONFIRMED, Said.CONFIRMED)
    assert first.memory["refresh_token"] != second.memory["refresh_token"]


def test_who_was_taken_out_is_revoked():
    found = way()
    memory = memory_of(found)
    found.fake.revoke("alice")
    assert again(found, memory).said is Said.REVOKED


def test_who_cannot_be_asked_about_is_not_taken_out():
    """A provider that gave no token to ask with says nothing of anybody, whatever its settings promised."""
    found = way()
    assert again(found, {}) == Rechecked(said=Said.UNASKED)
    assert "/token" not in found.fake.calls


def test_a_client_that_is_not_known_any_more_revokes_nobody():
    """A secret expires for everybody at once: that is a failure, which the next one mends (RFC 6749 5.2)."""
    found = way()
    memory = memory_of(found)
    found.fake.client_secret = "another"
    assert again(found, memory) == Rechecked(said=Said.FAILED, memory=memory)


@pytest.mark.parametrize(
    ("error", "bad_request", "unauthorized"),
    [
        ("invalid_grant", Said.REVOKED, Said.REVOKED),
        ("invalid_client", Said.FAILED, Said.FAILED),
        ("invalid_request", Said.FAILED, Said.FAILED),
        ("invalid_scope", Said.FAILED, Said.FAILED),
        ("unauthorized_client", Said.FAILED, Said.FAILED),
        ("unsupported_grant_type", Said.FAILED, Said.FAILED),
        ("server_error", Said.FAILED, Said.FAILED),
        ("temporarily_unavailable", Said.FAILED, Said.FAILED),
        ("access_denied", Said.FAILED, Said.REVOKED),
        ("INVALID_CLIENT", Said.FAILED, Said.REVOKED),
        (["invalid_client"], Said.FAILED, Said.REVOKED),
        (None, Said.FAILED, Said.REVOKED),
    ],
)
def test_only_a_refusal_of_the_persons_token_revokes(error: object, bad_request: Said, unauthorized: Said):
    """RFC 6749 5.2 answers 401 to a client that it does not know; sso 4.1 takes any other 401 as the person's."""
    found = way()
    memory = memory_of(found)
    for status, meant in ((400, bad_request), (401, unauthorized), (403, bad_request), (200, bad_request)):
        said = {} if error is None else {"error": error}
        found.fake.token_reply = Reply(status=status, body=json.dumps(said).encode())
        assert again(found, memory).said is meant, status


@pytest.mark.parametrize("fault", [Fault.BROKEN, Fault.SLOW, Fault.HUGE, Fault.NO_JSON, Fault.REDIRECTING])
def test_a_provider_that_cannot_be_asked_again_fails_and_forgets_nothing(fault: Fault):
    found = way()
    memory = memory_of(found)
    found.fake.faults.add(fault)
    assert again(found, memory) == Rechecked(said=Said.FAILED, memory=memory)


@pytest.mark.parametrize("fault", [Fault.CHANGED_SUBJECT, Fault.WRONG_AUDIENCE, Fault.ALGORITHM_NONE])
def test_a_token_about_somebody_else_confirms_nobody(fault: Fault):
    found = way()
    memory = memory_of(found)
    found.fake.faults.add(fault)
    assert again(found, memory).said is Said.FAILED


# --- settings ---------------------------------------------------------------------------------------------------------

GOOD = {"issuer": "https://provider.example", "client_id": "client", "client_secret": "a secret"}


def test_settings_are_completed_and_read_again_to_the_same():
    kind = OidcKind(InProcess(provider()))
    read = kind.read(GOOD)
    assert read == {
        **GOOD,
        "client_auth": "",
        "scopes": ["openid", "profile", "email"],
        "algorithms": ["RS256"],
        "prompt": "",
        "max_age": None,
        "require_pkce": True,
        "userinfo": True,
    }
    assert kind.read(read) == read
    assert not kind.can_confirm(read)
    assert kind.secrets < kind.trust == set(read)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("issuer", None),
        ("issuer", "http://provider.example"),
        ("issuer", "https://user:secret@provider.example"),
        ("issuer", "https://provider.example#x"),
        ("issuer", "https://provider.example?x=1"),
        ("issuer", ["https://provider.example"]),
        ("client_id", ""),
        ("client_id", "x" * 256),
        ("client_id", " client"),
        ("client_id", "cli\nent"),
        ("client_id", 7),
        ("client_secret", "sécret"),
        ("client_secret", []),
        ("client_auth", "private_key_jwt"),
        ("scopes", "openid"),
        ("scopes", ["two scopes"]),
        ("scopes", [1]),
        ("scopes", ["x"] * 101),
        ("algorithms", ["none"]),
        ("algorithms", ["HS256"]),
        ("algorithms", ["RS256", "RS1"]),
        ("prompt", "none"),
        ("prompt", 1),
        ("max_age", 0),
        ("max_age", True),
        ("max_age", "600"),
        ("require_pkce", "false"),
        ("userinfo", 1),
        ("jwks_uri", "https://provider.example/keys"),
    ],
)
def test_a_setting_that_makes_no_sense_is_named(field: str, value: Any):
    with pytest.raises(InputInvalid) as raised:
        OidcKind(InProcess(provider())).read({**GOOD, field: value})
    assert raised.value.field == field


def test_a_public_client_signs_in_by_pkce_alone():
    assert isinstance(way(provider(client_secret=None)).sign_in(), Assertion)


def test_asking_for_refresh_tokens_asks_people_to_agree():
    assert "prompt=consent" in way(scopes=["offline_access"]).there().url
    assert "prompt" not in way(scopes=["offline_access"], prompt="").there().url
