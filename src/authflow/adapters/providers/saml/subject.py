"""Who a verified assertion speaks of: the attributes, and which of them mean what."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NoReturn

import attrs

from authflow.adapters.providers.saml.xml import Unacceptable, children, only, shown, text
from authflow.errors import Code
from authflow.mailbox import read_address
from authflow.sso.identity import NAME_MAX, read_subject

if TYPE_CHECKING:
    from collections.abc import Collection

    from authflow.adapters.providers.saml.rules import Expected
    from authflow.adapters.providers.saml.xml import Element
    from authflow.sso.identity import Subject
    from authflow.sso.kinds import Document
    from authflow.values import Address

NAME_ID: Final = "@NameID"
"""In the place of an attribute's name: the ``NameID`` of the subject."""

TRANSIENT: Final = "urn:oasis:names:tc:SAML:2.0:nameid-format:transient"
"""It means somebody else next time (core 8.3.8)."""

UNSPECIFIED: Final = "urn:oasis:names:tc:SAML:1.1:nameid-format:unspecified"
"""What a ``NameID`` without a ``Format`` has (core 2.2.2): nothing is said of how it is meant."""

QUALIFIERS: Final = {"NameQualifier": "name_qualifier", "SPNameQualifier": "sp_name_qualifier"}
"""Attributes of a ``NameID``, and under which names they are remembered."""

ARRIVED_MAX: Final = 20
"""Names of attributes that a log gets."""


@attrs.frozen(kw_only=True)
class Attributes:
    """Which attribute says what; `NAME_ID` means the ``NameID``, an empty name means none.

    Of several values the first counts, but not of *identifier*: nobody can say which of them is meant.
    """

    identifier: str
    email: str
    first_name: str = ""
    last_name: str = ""


@attrs.frozen(kw_only=True)
class Person:
    """Who the assertion means, and what their single logout needs."""

    subject: Subject
    email: Address
    name: str
    logout: Document


def read_person(assertion: Element, attributes: Attributes, expected: Expected) -> Person:
    """Return whom *assertion*, verified, means.

    Raises:
        Unacceptable: ``sso.identity_incomplete``: no identifier or no address; the problem names what did arrive.
    """
    found, name_id = _values(assertion), _name_id(assertion, expected)
    said = {**found, NAME_ID: [name_id.get("value", "")]}
    values = {key: listed[0] for key, listed in said.items() if listed}
    subject = read_subject(values.get(attributes.identifier))
    several = len(set(said.get(attributes.identifier, ()))) > 1
    if subject is None or several or (attributes.identifier == NAME_ID and name_id.get("format") == TRANSIENT):
        _refuse("identifier", attributes.identifier, found)
    email = read_address(values.get(attributes.email))
    if email is None:
        _refuse("email", attributes.email, found)
    names = (values.get(attributes.first_name, ""), values.get(attributes.last_name, ""))
    logout = {**name_id, "session_index": _session_index(assertion)} if name_id else {}
    return Person(subject=subject, email=email, name=" ".join(filter(None, names))[:NAME_MAX], logout=dict(logout))


def _refuse(meaning: str, attribute: str, arrived: Collection[str]) -> NoReturn:
    keys = ", ".join(shown(key) for key in sorted(arrived)[:ARRIVED_MAX]) or "no attributes"
    more = f" and {len(arrived) - ARRIVED_MAX} more" if len(arrived) > ARRIVED_MAX else ""
    problem = f"{meaning}: {shown(attribute)} is missing, ambiguous or unusable; arrived: {keys}{more}"
    raise Unacceptable(problem, code=Code.SSO_IDENTITY_INCOMPLETE)


def _values(assertion: Element) -> dict[str, list[str]]:
    """Return the values of every attribute, those of two attributes of one name together."""
    found: dict[str, list[str]] = {}
    for statement in children(assertion, "saml", "AttributeStatement"):
        for attribute in children(statement, "saml", "Attribute"):
            values = children(attribute, "saml", "AttributeValue")
            said = found.setdefault(attribute.get("Name", ""), [])
            said.extend("" if len(value) else text(value) for value in values)
    return found


def _name_id(assertion: Element, expected: Expected) -> dict[str, str]:
    """Return the ``NameID`` and its format, or nothing where there is none.

    Raises:
        Unacceptable: There are several, or it is qualified by other parties than the provider and us (core 8.3.7).
    """
    found = children(only(assertion, "saml", "Subject"), "saml", "NameID")
    if not found:
        return {}
    if len(found) > 1:
        msg = "NameID: several"
        raise Unacceptable(msg)
    element = found[0]
    require_unqualified(element, expected)
    qualified = {kept: element.get(attribute, "") for attribute, kept in QUALIFIERS.items()}
    return {"value": text(element), "format": element.get("Format", ""), **{k: v for k, v in qualified.items() if v}}


def specified(said: object) -> str:
    """Return the format of a ``NameID`` as far as it means anything: that nothing is specified is said in two ways."""
    return said if isinstance(said, str) and said != UNSPECIFIED else ""


def require_unqualified(name_id: Element, expected: Expected) -> None:
    """Return if *name_id* is of nobody but the provider, for nobody but us.

    Raises:
        Unacceptable: It is qualified by other parties (core 8.3.7).
    """
    qualified = name_id.get("NameQualifier", expected.issuer), name_id.get("SPNameQualifier", expected.audience)
    if qualified != (expected.issuer, expected.audience):
        msg = f"NameID: of {shown(qualified[0])} for {shown(qualified[1])}"
        raise Unacceptable(msg)


def _session_index(assertion: Element) -> str:
    statements = children(assertion, "saml", "AuthnStatement")
    return next((index for s in statements if (index := s.get("SessionIndex"))), "")
