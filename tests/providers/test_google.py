"""Google: people of the organization's own domains, by what Google alone can say of them."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from authflow.adapters.providers.google import PUBLIC_DOMAINS, GoogleKind
from authflow.errors import Code, InputInvalid
from authflow.sso.kinds import Assertion, Rechecked, Rejected
from authflow.sso.recheck import Said
from authflow.testing.openid import Fault, InProcess
from tests.providers.peers import ALICE, Way, provider, rsa_key

GOOD = {"client_id": "client", "client_secret": "a secret", "domains": ["acme.example"]}


def way(person: dict[str, Any], **settings: Any) -> Way:
    fake = provider(keys=[rsa_key()], people={"alice": {**ALICE, **person}})
    kind = GoogleKind(InProcess(fake), issuer=fake.issuer)
    return Way(kind, kind.read({**GOOD, **settings}), fake)


def test_whoever_is_of_the_domain_signs_in():
    found = way({"hd": "acme.example"})
    answer = found.sign_in()
    assert isinstance(answer, Assertion)
    assert (answer.subject, answer.legacy, answer.email_verified) == ("alice", "alice@acme.example", True)
    again = found.kind.recheck(found.settings, answer.memory, found.fake.clock.now())
    assert again.said is Said.CONFIRMED
    found.fake.revoke("alice")
    assert found.kind.recheck(found.settings, again.memory, found.fake.clock.now()).said is Said.REVOKED


def test_what_the_token_does_not_say_is_asked_nowhere_else():
    """Of whose domain somebody is stands in the ID token, which is signed: UserInfo is not asked."""
    found = way({"hd": "acme.example"})
    found.fake.faults.add(Fault.TERSE)
    answer = found.sign_in()
    assert isinstance(answer, Rejected)
    assert "/userinfo" not in found.fake.calls


@pytest.mark.parametrize(
    "person",
    [
        {},
        {"hd": ""},
        {"hd": None},
        {"hd": "evil.example"},
        {"hd": "ACME.example"},
        {"hd": "acme.example "},
        {"hd": "sub.acme.example"},
        {"hd": ["acme.example"]},
        {"hd": {"acme.example": 1}},
        {"hd": "gmail.com"},
        {"email": "mallory@acme.example"},  # the address of a domain is no membership of it
    ],
)
def test_nobody_else_does(person: dict[str, Any]):
    answer = way(person).sign_in()
    assert isinstance(answer, Rejected)
    assert answer.code is Code.SSO_DOMAIN_NOT_ALLOWED


@pytest.mark.parametrize("hd", [None, "", "evil.example", "gmail.com", ["acme.example"]])
def test_whoever_is_of_the_domain_no_more_is_found_out_when_google_is_asked_again(hd: Any):
    found = way({"hd": "acme.example"})
    answer = found.sign_in()
    assert isinstance(answer, Assertion)
    found.fake.people["alice"]["hd"] = hd
    now = found.fake.clock.now()
    assert found.kind.recheck(found.settings, answer.memory, now) == Rechecked(said=Said.REVOKED)


def test_a_domain_that_is_taken_out_of_the_settings_ends_there_too():
    found = way({"hd": "acme.example"})
    answer = found.sign_in()
    assert isinstance(answer, Assertion)
    other = {**found.settings, "domains": ["other.example"]}
    assert found.kind.recheck(other, answer.memory, found.fake.clock.now()).said is Said.REVOKED


def test_without_an_id_token_nobody_knows_the_domain():
    found = way({"hd": "acme.example"})
    answer = found.sign_in()
    assert isinstance(answer, Assertion)
    found.fake.faults.add(Fault.NO_ID_TOKEN)
    assert found.kind.recheck(found.settings, answer.memory, found.fake.clock.now()).said is Said.FAILED


@pytest.mark.parametrize("verified", [False, None, "true", 1, ["true"]])
def test_an_address_that_is_not_verified_is_nobodys_former_identifier(verified: Any):
    """Decision 24: the former identifier was the address, so that whoever claims one would become its owner."""
    answer = way({"hd": "acme.example", "email_verified": verified}).sign_in()
    assert isinstance(answer, Assertion)
    assert answer.legacy is None


def test_google_is_asked_for_its_domains_and_for_a_token_to_ask_again():
    def asked(**settings: Any) -> dict[str, list[str]]:
        return parse_qs(urlsplit(way({}, **settings).there().url).query)

    assert {name: asked()[name] for name in ("access_type", "prompt", "hd")} == {
        "access_type": ["offline"],
        "prompt": ["consent"],
        "hd": ["acme.example"],
    }
    assert asked(domains=["acme.example", "acme.test"])["hd"] == ["*"]


@pytest.mark.parametrize("fault", [Fault.ALGORITHM_NONE, Fault.PUBLIC_KEY_AS_SECRET, Fault.WRONG_NONCE])
def test_the_id_token_is_verified_though_it_came_from_google(fault: Fault):
    found = way({"hd": "acme.example"})
    found.fake.faults.add(fault)
    answer = found.sign_in()
    assert isinstance(answer, Rejected)
    assert answer.code is Code.SSO_RESPONSE_INVALID


def test_settings_of_both_ages_are_read_to_the_same():
    kind = GoogleKind(InProcess(provider()))
    read = kind.read({**GOOD, "domains": ["B.example", "acme.example.", "b.example"]})
    assert read == {**GOOD, "domains": ["acme.example", "b.example"]}
    assert kind.read(read) == read
    assert kind.read({**GOOD, "domains": ["b.example"], "domain": "acme.example"}) == read
    assert kind.can_confirm(read)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("client_id", None),
        ("client_secret", None),
        ("domains", None),
        ("domains", []),
        ("domains", "acme.example"),
        ("domains", ["acme"]),
        ("domains", ["*.example"]),
        ("domains", ["acme.example/"]),
        ("domains", ["https://acme.example"]),
        ("domains", ["a" * 64 + ".example"]),
        ("domains", ["acmé.example"]),
        *(("domains", ["acme.example", domain]) for domain in sorted(PUBLIC_DOMAINS)),
        ("domains", ["GMAIL.com."]),
        ("issuer", "https://evil.example"),
    ],
)
def test_a_setting_that_makes_no_sense_is_named(field: str, value: Any):
    with pytest.raises(InputInvalid) as raised:
        GoogleKind(InProcess(provider())).read({**GOOD, field: value})
    assert raised.value.field == field
