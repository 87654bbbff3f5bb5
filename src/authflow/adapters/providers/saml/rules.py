"""What an answer must say to be the answer to our request, in time, for us, from the provider that was asked.

None of it is left to the verifier of signatures. Every rule reads only what was signed, but for the attributes of a
response that nobody signed: those can only add a refusal (SAML profiles 4.1.4.3).
"""

from __future__ import annotations

import hashlib
import re
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final, NoReturn

import attrs

from authflow.adapters.providers.saml.xml import Unacceptable, children, name, only, shown, text
from authflow.errors import Code
from authflow.sso.kinds import Single
from authflow.values import UTC

if TYPE_CHECKING:
    from authflow.adapters.providers.saml.xml import Element
SKEW: Final = timedelta(seconds=180)
"""How far the clocks of two installations may be apart (security 4)."""

ASSERTION_AGE: Final = timedelta(minutes=60)
"""How old an assertion may be: as a pipeline, which it cannot be older than (decision 25)."""

BEARER: Final = "urn:oasis:names:tc:SAML:2.0:cm:bearer"

_INSTANT: Final = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?Z", re.ASCII)
_CONDITIONS: Final = frozenset(
    name("saml", local) for local in ("AudienceRestriction", "OneTimeUse", "ProxyRestriction")
)


@attrs.frozen(kw_only=True)
class Expected:
    """What the answer must say.

    Args:
        issuer: The provider's entity id.
        audience: Our own.
        recipient: Where it must have been sent.
        request: The id of the request that it answers; none for an answer that nobody asked for.
        now: When it came.
    """

    issuer: str
    audience: str
    recipient: str
    request: str | None
    now: datetime


@attrs.frozen(kw_only=True)
class VerifiedAssertion:
    """An assertion that was signed, and the response it came in, which was signed if *whole*."""

    response: Element
    assertion: Element
    whole: bool


def check_assertion(verified: VerifiedAssertion, expected: Expected) -> Single:
    """Return what makes the assertion single use, after every rule.

    Raises:
        Unacceptable: It is not the answer that is *expected*.
    """
    _require_response(verified, expected)
    assertion = verified.assertion
    _require_version(assertion)
    _require_issuer(only(assertion, "saml", "Issuer"), expected)
    _require_issued(assertion, expected.now)
    _require_conditions(only(assertion, "saml", "Conditions"), expected)
    _require_statements(assertion, expected.now)
    _require_confirmed(only(assertion, "saml", "Subject"), expected)
    return single_use(assertion, expected)


def require_message(message: Element, expected: Expected, ends: str = "") -> None:
    """Return if a message of single logout, whose signature is good, is the one that is *expected*.

    Raises:
        Unacceptable: It is not. *ends* names the attribute after which it is too late, if it may have one.
    """
    _require_version(message)
    _require_issuer(only(message, "saml", "Issuer"), expected)
    if message.get("Destination") != expected.recipient:
        msg = f"Destination: it is {shown(message.get('Destination'))}, not {shown(expected.recipient)}"
        raise Unacceptable(msg)
    _require_request(message, expected)
    _require_issued(message, expected.now)
    if ends:
        _require_window(message, expected.now, ends)


def single_use(element: Element, expected: Expected) -> Single:
    """Return what makes *element* single use: its id, for as long as it can be taken by any of its other dates.

    With whom it is from and whom it is for: another organization is free to name the same issuer, and any id.
    """
    named = "".join(f"{len(party)}:{party}" for party in (expected.issuer, expected.audience))
    digest = hashlib.sha256(f"{named}{element.get('ID', '')}".encode()).hexdigest()
    return Single(key=f"saml:{digest}", expires_at=_instant(element, "IssueInstant") + ASSERTION_AGE + SKEW)


# --- the response ---------------------------------------------------------------------------------------------------


def _require_response(verified: VerifiedAssertion, expected: Expected) -> None:
    response = verified.response
    _require_version(response)
    issuers = children(response, "saml", "Issuer")
    if len(issuers) > 1 or (verified.whole and not issuers):
        msg = f"Response: {len(issuers)} issuers, not one"
        raise Unacceptable(msg)
    for issuer in issuers:
        _require_issuer(issuer, expected)
    destination = response.get("Destination")
    if destination != expected.recipient and (verified.whole or destination is not None):  # bindings 3.5.5.2
        msg = f"Response: its Destination is {shown(destination)}, not {shown(expected.recipient)}"
        raise Unacceptable(msg)
    _require_request(response, expected)
    _instant(response, "IssueInstant")


def _require_version(element: Element) -> None:
    if element.get("Version") != "2.0" or not element.get("ID"):
        msg = "Version: not SAML 2.0, or without an ID"
        raise Unacceptable(msg)


def _require_issuer(issuer: Element, expected: Expected) -> None:
    if text(issuer) != expected.issuer:
        msg = f"Issuer: it is {shown(text(issuer))}, not {shown(expected.issuer)}"
        raise Unacceptable(msg)


def _require_request(element: Element, expected: Expected) -> None:
    """The answer is to this very request; an answer to none is another thing, and never both (security 1.2)."""
    answered = element.get("InResponseTo")
    if answered != expected.request:
        msg = f"InResponseTo: it is {shown(answered)}, not {shown(expected.request)}"
        asked_elsewhere = expected.request is None
        raise Unacceptable(msg, code=Code.SSO_STATE_INVALID if asked_elsewhere else Code.SSO_RESPONSE_INVALID)


# --- times ----------------------------------------------------------------------------------------------------------


def read_instant(value: str) -> datetime | None:
    """Return an instant of SAML, which is always in UTC (core 1.3.3); none if it is another text."""
    found = _INSTANT.fullmatch(value)
    if found is None:
        return None
    try:
        whole = datetime.fromisoformat(found[1]).replace(tzinfo=UTC)
    except ValueError:  # the 30th of February
        return None
    return whole.replace(microsecond=int((found[2] or "0").ljust(6, "0")[:6]))


def write_instant(instant: datetime) -> str:
    """Return *instant* as SAML writes it, to the second; its year has four digits, whatever it is.

    >>> write_instant(datetime(900, 1, 31, tzinfo=UTC))
    '0900-01-31T00:00:00Z'
    """
    return instant.astimezone(UTC).replace(microsecond=0, tzinfo=None).isoformat() + "Z"


def _instant(element: Element, attribute: str) -> datetime:
    value = element.get(attribute)
    instant = None if value is None else read_instant(value)
    if instant is None:
        msg = f"{attribute}: {shown(value)} is no instant in UTC"
        raise Unacceptable(msg)
    return instant


def _require_issued(element: Element, now: datetime) -> None:
    issued = _instant(element, "IssueInstant")
    if not -SKEW <= now - issued < ASSERTION_AGE + SKEW:
        _refuse("IssueInstant", issued, now)


def _require_window(element: Element, now: datetime, ends: str = "NotOnOrAfter") -> None:
    if "NotBefore" in element.attrib and _instant(element, "NotBefore") > now + SKEW:
        _refuse("NotBefore", _instant(element, "NotBefore"), now)
    if ends in element.attrib and _instant(element, ends) <= now - SKEW:
        _refuse(ends, _instant(element, ends), now)


def _refuse(attribute: str, instant: datetime, now: datetime) -> NoReturn:
    problem = f"{attribute}: {instant.isoformat()} does not fit {now.isoformat()}; compare the clocks"
    raise Unacceptable(problem, code=Code.SSO_IDENTITY_EXPIRED)


# --- the assertion --------------------------------------------------------------------------------------------------


def _require_conditions(conditions: Element, expected: Expected) -> None:
    if any(condition.tag not in _CONDITIONS for condition in conditions):
        msg = "Conditions: there is one that is not understood"
        raise Unacceptable(msg)
    restrictions = children(conditions, "saml", "AudienceRestriction")
    for restriction in restrictions or [conditions]:  # every one must name us (core 2.5.1.4), and one must be there
        named = [text(audience) for audience in children(restriction, "saml", "Audience")]
        if expected.audience not in named:
            msg = f"Audience: {shown(' '.join(named))} is not {shown(expected.audience)}"
            raise Unacceptable(msg)
    _require_window(conditions, expected.now)


def _require_statements(assertion: Element, now: datetime) -> None:
    statements = children(assertion, "saml", "AuthnStatement")
    if not statements:
        msg = "AuthnStatement: there is none"
        raise Unacceptable(msg)
    for statement in statements:
        _require_window(statement, now, "SessionNotOnOrAfter")


def _require_confirmed(subject: Element, expected: Expected) -> None:
    """Return if one confirmation holds; if none does, refuse for the reason of the last."""
    refused = Unacceptable("SubjectConfirmation: there is none for a bearer")
    for confirmation in children(subject, "saml", "SubjectConfirmation"):
        if confirmation.get("Method") != BEARER:
            continue
        try:
            _require_bearer(only(confirmation, "saml", "SubjectConfirmationData"), expected)
        except Unacceptable as reason:
            refused = reason
        else:
            return
    raise refused


def _require_bearer(confirmation: Element, expected: Expected) -> None:
    recipient = confirmation.get("Recipient")
    if recipient != expected.recipient:
        msg = f"Recipient: it is {shown(recipient)}, not {shown(expected.recipient)}"
        raise Unacceptable(msg)
    _require_request(confirmation, expected)
    _instant(confirmation, "NotOnOrAfter")  # it must have one (profiles 4.1.4.2)
    _require_window(confirmation, expected.now)
