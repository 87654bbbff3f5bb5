"""An answer is ours, to this request, and now: each rule at its edge, signed by the right key every time."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import attrs
import pytest
from lxml import etree

from authflow.adapters.providers.saml.rules import (
    ASSERTION_AGE,
    SKEW,
    Expected,
    VerifiedAssertion,
    check_assertion,
    read_instant,
    single_use,
    write_instant,
)
from authflow.adapters.providers.saml.xml import Unacceptable
from authflow.errors import Code
from authflow.sso.kinds import Assertion, Rejected, Single
from authflow.testing.saml import callback
from authflow.testing.saml_markup import response, sign
from authflow.values import UTC
from tests.providers.saml.stage import CLOCK, GENUINE, TRIP, arrive, keys, kind, provider, said, settings, who

if TYPE_CHECKING:
    from collections.abc import Callable

    from authflow.adapters.providers.saml.xml import Element

NOW = CLOCK.now()
SECOND = timedelta(seconds=1)
FIRST, LAST = datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)
INVALID, LATE, ASKED = Code.SSO_RESPONSE_INVALID, Code.SSO_IDENTITY_EXPIRED, Code.SSO_STATE_INVALID


def code(outcome: Assertion | Rejected) -> Code | None:
    return outcome.code if isinstance(outcome, Rejected) else None


def answered(**changes: Any) -> Code | None:
    return code(arrive(provider().write(said(**changes))))


def edited(edit: Callable[[Element], object]) -> Code | None:
    """Return what comes of an answer that was signed after *edit*."""
    root = response(said())
    edit(root)
    sign(first(root, "Assertion"), keys("idp"))
    return code(arrive(etree.tostring(root)))


def first(root: Element, local: str) -> Element:
    return next(root.iter(f"{{*}}{local}"))


# --- times ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"not_on_or_after": NOW - SKEW + SECOND}, None),
        ({"not_on_or_after": NOW - SKEW}, LATE),
        ({"not_on_or_after": LAST}, None),  # what some providers send for never
        ({"session_ends": LAST}, None),
        ({"not_before": FIRST}, None),
        ({"issued": LAST}, LATE),
        ({"issued": FIRST}, LATE),
        ({"not_before": NOW + SKEW}, None),
        ({"not_before": NOW + SKEW + SECOND}, LATE),
        ({"session_ends": NOW - SKEW + SECOND}, None),
        ({"session_ends": NOW - SKEW}, LATE),
        ({"issued": NOW + SKEW}, None),
        ({"issued": NOW + SKEW + SECOND}, LATE),
        ({"issued": NOW - ASSERTION_AGE - SKEW + SECOND}, None),
        ({"issued": NOW - ASSERTION_AGE - SKEW}, LATE),
    ],
)
def test_times_hold_to_the_second_with_the_skew(changes: dict[str, Any], expected: Code | None):
    assert answered(**changes) is expected


@pytest.mark.parametrize("place", ["Conditions", "SubjectConfirmationData"])
@pytest.mark.parametrize(
    ("attribute", "instant", "expected"),
    [
        ("NotOnOrAfter", NOW - SKEW + SECOND, None),
        ("NotOnOrAfter", NOW - SKEW, LATE),
        ("NotBefore", NOW + SKEW, None),
        ("NotBefore", NOW + SKEW + SECOND, LATE),
    ],
)
def test_each_of_the_two_lives_ends_it_by_itself(place: str, attribute: str, instant: datetime, expected: Code | None):
    assert edited(lambda root: first(root, place).set(attribute, write_instant(instant))) is expected


def test_an_assertion_is_single_use_for_as_long_as_it_is_taken():
    """By any of its confirmations, of which another may end later than the one that was looked at."""
    longest = NOW + ASSERTION_AGE + SKEW
    for ends in (NOW + timedelta(days=3650), NOW + timedelta(minutes=5)):
        taken = arrive(provider().write(said(not_on_or_after=ends)))
        assert isinstance(taken, Assertion)
        assert [single.expires_at for single in taken.once] == [longest]


def test_the_same_id_for_another_of_us_or_from_another_provider_is_another_single():
    one = Expected(issuer="https://i", audience="https://a", recipient=ACS, request=None, now=NOW)
    parties = (one, attrs.evolve(one, audience="https://b"), attrs.evolve(one, issuer="https://b"))
    root = response(said())
    assert len({single_use(root, expected).key for expected in parties}) == 3


def test_the_same_assertion_is_the_same_single_whatever_is_around_it():
    one, other = (
        arrive(provider().write(said(assertion_id="_a"))),
        arrive(provider().write(said(assertion_id="_a", response_id="_another"))),
    )
    third = arrive(provider().write(said(assertion_id="_b")))
    assert isinstance(one, Assertion)
    assert isinstance(other, Assertion)
    assert isinstance(third, Assertion)
    assert one.once == other.once != third.once


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("2026-01-31T23:59:59Z", "2026-01-31T23:59:59+00:00"),
        ("2026-01-31T23:59:59.123456789Z", "2026-01-31T23:59:59.123456+00:00"),
        ("2026-01-31T23:59:59.5Z", "2026-01-31T23:59:59.500000+00:00"),
        ("2026-02-30T00:00:00Z", None),
        ("2026-01-31T23:59:59", None),
        ("2026-01-31T23:59:59+02:00", None),
        ("2026-01-31 23:59:59Z", None),
        ("٢٠٢٦-01-31T23:59:59Z", None),
        ("2026-01-31T23:59:59Z\n", None),
        ("", None),
    ],
)
def test_instants_are_in_utc(text: str, instant: str | None):
    read = read_instant(text)
    assert (read.isoformat() if read else None) == instant


# --- for us, from them, to this request -----------------------------------------------------------------------------

SP, ACS, IDP = TRIP.metadata, TRIP.callback, provider().entity_id


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        *(({"audience": each}, INVALID) for each in ("", f"{SP}/", SP.upper(), f"{SP}x", SP[:-1])),
        *(({"recipient": each}, INVALID) for each in ("", f"{ACS}/", f"{ACS}?a=b", f"https://evil.example/?{ACS}")),
        *(({"destination": each}, INVALID) for each in ("", f"{ACS}/", f"{ACS}evil", f"https://evil.example/?{ACS}")),
        ({"destination": None}, None),  # of a response that is not signed (bindings 3.5.5.2)
        *(({"issuer": each}, INVALID) for each in ("", f"{IDP}/", IDP.upper(), "https://evil.example")),
        *(({"request": each}, INVALID) for each in (None, "_another")),
        ({"request": ""}, INVALID),
        ({"version": "1.1"}, INVALID),
        ({"status": "urn:oasis:names:tc:SAML:2.0:status:Requester"}, Code.SSO_PROVIDER_REFUSED),
        ({"status": ""}, Code.SSO_PROVIDER_REFUSED),
    ],
)
def test_every_name_is_compared_whole(changes: dict[str, Any], expected: Code | None):
    assert answered(**changes) is expected


def _drop(local: str) -> Callable[[Element], object]:
    return lambda root: first(root, local).getparent().remove(first(root, local))


def _unset(local: str, attribute: str) -> Callable[[Element], object]:
    return lambda root: first(root, local).attrib.pop(attribute)


def _twice(local: str) -> Callable[[Element], object]:
    def edit(root: Element) -> None:
        element = first(root, local)
        element.addnext(etree.fromstring(etree.tostring(element)))

    return edit


def _inside(parent: str, markup: str) -> Callable[[Element], object]:
    return lambda root: first(root, parent).append(etree.fromstring(markup))


NS = 'xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion"'
OTHER_AUDIENCE = (
    f"<saml:AudienceRestriction {NS}><saml:Audience>https://other</saml:Audience></saml:AudienceRestriction>"
)


@pytest.mark.parametrize(
    ("edit", "expected"),
    [
        (_drop("Conditions"), INVALID),
        (_drop("AudienceRestriction"), INVALID),
        (_drop("AuthnStatement"), INVALID),
        (_drop("SubjectConfirmation"), INVALID),
        (_drop("SubjectConfirmationData"), INVALID),
        (_drop("Subject"), INVALID),
        (_unset("SubjectConfirmationData", "InResponseTo"), INVALID),
        (_unset("SubjectConfirmationData", "Recipient"), INVALID),
        (_unset("SubjectConfirmationData", "NotOnOrAfter"), INVALID),
        (_unset("Response", "InResponseTo"), INVALID),
        (_unset("Assertion", "IssueInstant"), INVALID),
        (_inside("Conditions", OTHER_AUDIENCE), INVALID),
        (_inside("Conditions", f"<saml:OneTimeUse {NS}/>"), None),
        (_inside("AudienceRestriction", f"<saml:Audience {NS}>https://other</saml:Audience>"), None),
        (
            lambda root: first(root, "SubjectConfirmation").set(
                "Method", "urn:oasis:names:tc:SAML:2.0:cm:sender-vouches"
            ),
            INVALID,
        ),
        (lambda root: first(root, "SubjectConfirmationData").set("NotBefore", "2027-01-01T00:00:00Z"), LATE),
        (lambda root: first(root, "Conditions").set("NotOnOrAfter", "tomorrow"), INVALID),
        (lambda root: first(root, "NameID").set("SPNameQualifier", "https://other"), INVALID),
        (lambda root: first(root, "NameID").set("NameQualifier", "https://other"), INVALID),
        (lambda root: first(root, "NameID").set("NameQualifier", IDP), None),
    ],
)
def test_every_part_that_a_rule_reads_is_demanded(edit: Callable[[Element], object], expected: Code | None):
    assert edited(edit) is expected


def judged(root: Element, *, whole: bool = False) -> Single:
    """Return what the rules alone say, whoever looked at signature and schema."""
    expected = Expected(issuer=IDP, audience=SP, recipient=ACS, request=said().request, now=NOW)
    return check_assertion(VerifiedAssertion(response=root, assertion=first(root, "Assertion"), whole=whole), expected)


@pytest.mark.parametrize(
    ("edit", "problem"),
    [(_unset("Response", "Destination"), "Destination is None"), (lambda root: root.remove(root[0]), "0 issuers")],
)
def test_a_signed_response_says_where_it_goes_and_who_says_so(edit: Callable[[Element], object], problem: str):
    """Bindings 3.5.5.2, profiles 4.1.4.2: what may be missing from a response that nobody signed."""
    root = response(said())
    edit(root)
    assert judged(root)
    with pytest.raises(Unacceptable, match=problem):
        judged(root, whole=True)


@pytest.mark.parametrize("local", ["Response", "Assertion"])
@pytest.mark.parametrize(("attribute", "value"), [("Version", "1.1"), ("ID", "")])
def test_every_part_is_of_our_version_and_has_an_id_whoever_looked_at_the_schema(
    local: str, attribute: str, value: str
):
    root = response(said())
    first(root, local).set(attribute, value)
    with pytest.raises(Unacceptable, match="Version"):
        judged(root)


@pytest.mark.parametrize("local", ["Status", "StatusCode", "Conditions", "AudienceRestriction"])
def test_what_belongs_once_does_not_come_twice(local: str):
    expected = None if local == "AudienceRestriction" else INVALID
    assert edited(_twice(local)) is expected


def test_the_second_confirmation_counts_if_the_first_does_not():
    def edit(root: Element) -> None:
        confirmation = first(root, "SubjectConfirmation")
        other = etree.fromstring(etree.tostring(confirmation))
        first(other, "SubjectConfirmationData").set("Recipient", "https://other")
        confirmation.addprevious(other)

    assert edited(edit) is None


def test_a_condition_that_is_not_understood_is_not_met_whoever_looked_at_the_schema():
    root = response(said())
    etree.SubElement(first(root, "Conditions"), "{urn:odd}Only", {"on": "Sundays"})
    with pytest.raises(Unacceptable, match="not understood"):
        judged(root)


# --- an answer that nobody asked for ---------------------------------------------------------------------------------


def test_an_answer_to_no_request_is_another_thing_than_one_to_ours():
    unasked, asked = (callback(provider().write(said(request=r)), "") for r in (None, said().request))
    assert answered(request=None) is INVALID
    assert who(kind().arrive_unasked(settings(), TRIP, unasked)) == GENUINE
    assert code(kind().arrive_unasked(settings(), TRIP, asked)) is ASKED


@pytest.mark.parametrize("request_kept", [{}, {"id": ""}, {"id": None}, {"id": 1}])
def test_without_an_id_of_a_request_nothing_answers_it(request_kept: dict[str, Any]):

    posted = callback(provider().write(said(request=None)), "")
    assert code(kind().arrive(settings(), TRIP, request_kept, posted)) is INVALID
