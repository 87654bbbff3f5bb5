"""GitHub: members of one organization, known by numbers, and what counts of their addresses."""

from __future__ import annotations

from typing import Any

import pytest

from authflow.adapters.providers.github import GithubKind
from authflow.errors import Code, InputInvalid
from authflow.sso.kinds import Assertion, Rechecked, Rejected
from authflow.sso.recheck import Said
from authflow.testing.openid import Fault, InProcess, Reply
from tests.providers.peers import Way, provider

GOOD = {"client_id": "client", "client_secret": "a secret", "organization": "acme", "organization_id": 77}
MEMBERSHIP = "/user/memberships/orgs/acme"


def entry(email: Any, *, primary: Any = True, verified: Any = True) -> dict[str, Any]:
    return {"email": email, "primary": primary, "verified": verified, "visibility": None}


ONE = [entry("alice@acme.example"), entry("alice@home.example", primary=False)]


def way(*, emails: Any = ONE, person: dict[str, Any] | None = None, membership: Any = None, **settings: Any) -> Way:
    fake = provider(form_encoded=True)
    standing = {"state": "active", "organization": {"login": "acme", "id": 77}, "user": {"login": "al", "id": 12345}}
    fake.documents = {
        "/user": {"id": 12345, "login": "al", "name": "Alice", "email": None, **(person or {})},
        "/user/emails": emails,
        MEMBERSHIP: standing | membership if isinstance(membership, dict) else membership or standing,
    }
    kind = GithubKind(InProcess(fake), web=fake.issuer, api=fake.issuer)
    return Way(kind, kind.read({**GOOD, **settings}), fake)


def test_a_member_signs_in_by_their_number():
    answer = way().sign_in()
    assert isinstance(answer, Assertion)
    assert (answer.subject, answer.email, answer.email_verified, answer.name, answer.legacy) == (
        "12345",
        "alice@acme.example",
        True,
        "Alice",
        None,
    )
    assert len(answer.once) == 1


# --- the organization -------------------------------------------------------------------------------------------------

OUTSIDERS = [
    {"state": "pending"},
    {"state": None},
    {"organization": {"login": "acme", "id": 78}},  # the name was given up, and taken by somebody else
    {"organization": {"login": "acme", "id": "77"}},
    {"organization": None},
    {"user": {"login": "al", "id": 99999}},
    {"user": None},
    Reply(status=404, body=b"{}"),
    Reply(status=401, body=b"{}"),
]


@pytest.mark.parametrize("membership", OUTSIDERS)
def test_whoever_is_no_member_does_not(membership: Any):
    found = way(membership=membership)
    answer = found.sign_in()
    assert isinstance(answer, Rejected)
    assert answer.code is Code.SSO_ACCESS_DENIED
    assert "/user/emails" not in found.fake.calls


def test_an_organization_that_does_not_let_us_ask_lets_nobody_in():
    answer = way(membership=Reply(status=403, body=b"{}")).sign_in()
    assert isinstance(answer, Rejected)
    assert answer.code is Code.SSO_ACCESS_DENIED


def test_membership_is_asked_about_again():
    found = way()
    answer = found.sign_in()
    assert isinstance(answer, Assertion)

    def again(membership: Any) -> Rechecked:
        found.fake.documents[MEMBERSHIP] = membership
        return found.kind.recheck(found.settings, answer.memory, found.fake.clock.now())

    member = found.fake.documents[MEMBERSHIP]
    assert again(member) == Rechecked(said=Said.CONFIRMED, memory=answer.memory)
    for gone in (Reply(status=404), Reply(status=401), {**member, "state": "pending"}, {**member, "user": {"id": 1}}):
        assert again(gone).said is Said.REVOKED
    for broken in (Reply(status=403), Reply(status=429), Reply(status=500), Reply(body=b"<html>")):
        assert again(broken) == Rechecked(said=Said.FAILED, memory=answer.memory)
    asked = dict(found.fake.calls)
    for torn in ({}, {"access_token": "t"}, {"subject": "12345"}):
        assert found.kind.recheck(found.settings, torn, found.fake.clock.now()).said is Said.UNASKED
    assert found.fake.calls == asked, "nobody is asked with half of what was kept"
    assert found.kind.can_confirm(found.settings)


# --- addresses --------------------------------------------------------------------------------------------------------

TWO = [entry("a@acme.example"), entry("b@acme.example")]
UNVERIFIED = [entry("alice@acme.example", verified=False)]
BROKEN = Reply(status=502)
SLOW = Reply(seconds=3600)


@pytest.mark.parametrize(
    ("emails", "public", "demanded", "outcome"),
    [
        (ONE, None, True, ("alice@acme.example", True)),
        (ONE, "public@acme.example", False, ("alice@acme.example", True)),
        (UNVERIFIED, None, False, ("alice@acme.example", None)),
        (UNVERIFIED, "public@acme.example", False, ("public@acme.example", None)),
        (UNVERIFIED, "public@acme.example", True, Code.SSO_ADDRESS_UNVERIFIED),
        (UNVERIFIED, None, True, Code.SSO_ADDRESS_UNVERIFIED),
        ([entry("a@acme.example", verified="true")], None, False, ("a@acme.example", None)),
        ([entry("a@acme.example", verified=1)], None, True, Code.SSO_ADDRESS_UNVERIFIED),
        ([entry("a@acme.example", primary="true")], None, False, Code.SSO_ADDRESS_MISSING),
        (TWO, None, False, Code.SSO_ADDRESS_AMBIGUOUS),
        (TWO, None, True, Code.SSO_ADDRESS_UNVERIFIED),
        (TWO, "public@acme.example", False, ("public@acme.example", None)),
        ([*UNVERIFIED, *ONE], None, False, ("alice@acme.example", True)),
        ([], None, False, Code.SSO_ADDRESS_MISSING),
        ([entry(["a@acme.example"])], None, False, Code.SSO_ADDRESS_MISSING),
        ([entry("a@b\r\nBcc: c@d")], None, False, Code.SSO_ADDRESS_MISSING),
        ([None, 7, "a@acme.example", []], None, False, Code.SSO_ADDRESS_MISSING),
        ({"message": "no list"}, None, False, Code.SSO_ADDRESS_MISSING),
        (Reply(body=b'{"a":1}],"addresses":[1'), None, False, Code.SSO_ADDRESS_MISSING),
        (Reply(status=404), None, False, Code.SSO_ADDRESS_MISSING),
        (BROKEN, None, False, Code.SSO_PROVIDER_UNREACHABLE),
        (BROKEN, None, True, Code.SSO_ADDRESS_UNVERIFIED),
        (SLOW, None, False, Code.SSO_PROVIDER_UNREACHABLE),
        (SLOW, None, True, Code.SSO_ADDRESS_UNVERIFIED),
        (SLOW, "public@acme.example", False, ("public@acme.example", None)),
        (BROKEN, "public@acme.example", False, ("public@acme.example", None)),
    ],
)
def test_which_address_is_taken(emails: Any, public: Any, demanded: Any, outcome: Any):
    answer = way(emails=emails, person={"email": public}, verified_address=demanded).sign_in()
    if isinstance(outcome, Code):
        assert isinstance(answer, Rejected)
        assert answer.code is outcome
    else:
        assert isinstance(answer, Assertion)
        assert (answer.email, answer.email_verified) == outcome


# --- people -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "shown"), [("Alice", "Alice"), (None, "alice"), ("", "alice"), (["x"], "alice")])
def test_a_name_that_is_missing_is_that_of_the_address(name: Any, shown: str):
    answer = way(person={"name": name}).sign_in()
    assert isinstance(answer, Assertion)
    assert answer.name == shown


@pytest.mark.parametrize("number", [None, "12345", True, 12345.0, -1, 2**70, [12345]])
def test_an_account_without_a_number_is_nobody(number: Any):
    answer = way(person={"id": number}).sign_in()
    assert isinstance(answer, Rejected)
    assert answer.code is Code.SSO_IDENTITY_INCOMPLETE


@pytest.mark.parametrize("fault", [Fault.BROKEN, Fault.SLOW, Fault.HUGE, Fault.REDIRECTING, Fault.NO_JSON])
def test_what_github_does_wrong_raises_nothing(fault: Fault):
    found = way()
    departed = found.there()
    fields = found.fake.approve(departed.url, "alice")
    found.fake.faults.add(fault)
    assert isinstance(found.back(departed, fields), Rejected)


def test_a_code_is_taken_once():
    found = way()
    departed = found.there()
    fields = found.fake.approve(departed.url, "alice")
    assert isinstance(found.back(departed, fields), Assertion)
    assert isinstance(found.back(departed, fields), Rejected)


def test_settings_are_completed():
    kind = GithubKind(InProcess(provider()))
    assert kind.read(GOOD) == {**GOOD, "verified_address": False}
    assert kind.read(kind.read(GOOD)) == kind.read(GOOD)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("client_id", None),
        ("client_secret", ""),
        ("organization", None),
        ("organization", "../../user"),
        ("organization", "acme/../other"),
        ("organization", "acme?x"),
        ("organization", "-acme"),
        ("organization", "a" * 40),
        ("organization_id", None),
        ("organization_id", "77"),
        ("organization_id", 0),
        ("organization_id", 2**53 + 1),
        ("organization_id", True),
        ("verified_address", "yes"),
        ("api", "https://evil.example"),
    ],
)
def test_a_setting_that_makes_no_sense_is_named(field: str, value: Any):
    with pytest.raises(InputInvalid) as raised:
        GithubKind(InProcess(provider())).read({**GOOD, field: value})
    assert raised.value.field == field
