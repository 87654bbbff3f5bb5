"""A second opinion: python3-saml's own judgement of whole answers, in its strict mode, beside ours.

It is not asked in production (`authflow.adapters.providers.saml.verifier` says why). Whatever we take it takes too, and
reads the same person; what it takes and we do not is written down here.
"""

from __future__ import annotations

import base64
import random
from collections import Counter
from functools import cache
from typing import TYPE_CHECKING, Any

import attrs
import pytest
from lxml import etree
from onelogin.saml2.errors import OneLogin_Saml2_Error
from onelogin.saml2.response import OneLogin_Saml2_Response
from onelogin.saml2.settings import OneLogin_Saml2_Settings

from authflow.adapters.system import SystemClock
from authflow.sso.kinds import Assertion, Departure
from authflow.testing.saml import SSO_URL, FakeSamlProvider, SamlFault, callback
from tests.nightly import often
from tests.providers.saml.mutating import mutated
from tests.providers.saml.stage import ADA, GENUINE, TRIP, keys, kind, settings, who

if TYPE_CHECKING:
    from authflow.adapters.providers.saml.certificates import OwnKeys
    from authflow.sso.kinds import Callback, Rejected

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # it asks for the time as Python once did

TAKEN_BY_IT_ALONE = {SamlFault.UNASKED, SamlFault.WEAK, SamlFault.NO_ADDRESS, SamlFault.NO_IDENTIFIER, SamlFault.REUSED}
"""An answer to no request, SHA-1, and what it leaves to others."""


@cache
def their_settings() -> Any:
    ours = keys("sp")
    service = {"url": TRIP.callback, "binding": "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST"}
    return OneLogin_Saml2_Settings(
        {
            "strict": True,
            "security": {"allowRepeatAttributeName": True},  # we take one that says the same twice
            "sp": {
                "entityId": TRIP.metadata,
                "assertionConsumerService": service,
                "x509cert": ours.certificate,
                "privateKey": ours.private_key.reveal(),
            },
            "idp": {
                "entityId": "https://idp.example/metadata",
                "singleSignOnService": {"url": SSO_URL},
                "x509cert": keys("idp").certificate,
            },
        }
    )


def opinions(
    signs: str, fault: SamlFault | None = None, reader: OwnKeys | None = None
) -> tuple[Assertion | Rejected, dict[str, list[str]] | None]:
    """Return ours, and the attributes that python3-saml reads, or none if it refuses."""
    now = SystemClock().now()  # it knows no other
    trip = attrs.evolve(TRIP, now=now)
    provider = FakeSamlProvider(SystemClock(), keys=keys("idp"), signs=signs)
    left = kind().depart(settings(), trip)
    assert isinstance(left, Departure)
    if fault is SamlFault.REUSED:
        provider.answer(left, ADA)
    brought = provider.answer(left, ADA, fault, reader=reader)
    return kind().arrive(settings(), trip, left.request, brought), theirs(brought, str(left.request["id"]))


def theirs(brought: Callback, asked: str) -> dict[str, list[str]] | None:
    document = brought.one("SAMLResponse") or ""
    assert base64.b64decode(document)
    host, _, path = TRIP.callback.removeprefix("https://").partition("/")
    where = {"https": "on", "http_host": host, "script_name": f"/{path}"}
    try:
        read = OneLogin_Saml2_Response(their_settings(), document)
        return dict(read.get_attributes()) if read.is_valid(where, asked) else None
    except (OneLogin_Saml2_Error, ValueError, TypeError, etree.LxmlError):  # it raises where it cannot read
        return None


@pytest.mark.parametrize("signs", ["assertion", "response", "both"])
@pytest.mark.parametrize("encrypted", [False, True])
def test_what_we_take_it_takes_and_reads_alike(signs: str, *, encrypted: bool):
    ours, other = opinions(signs, reader=keys("sp") if encrypted else None)
    assert who(ours) == GENUINE
    assert other is not None
    assert (other["identifier"], other["email"]) == ([GENUINE[0]], [GENUINE[1]])


@pytest.mark.parametrize("fault", SamlFault)
def test_what_it_refuses_we_refuse(fault: SamlFault):
    ours, other = opinions("assertion", fault)
    assert isinstance(ours, Assertion) is (fault in {SamlFault.CHANGED_SUBJECT, SamlFault.REUSED})
    assert (other is not None) is (fault in TAKEN_BY_IT_ALONE | {SamlFault.CHANGED_SUBJECT})


def test_of_mutated_answers_it_takes_whatever_we_take_and_reads_the_same_person():
    """19,000 of them every night (security 4): no document means somebody to us whom it does not mean to it."""
    chance = random.Random(0)  # noqa: S311  # it draws mistakes, not secrets
    verdicts = Counter[tuple[bool, bool]]()
    for number in range(often(400, 19_000)):
        if number % 1000 == 0:  # an answer is good for five minutes
            trip = attrs.evolve(TRIP, now=SystemClock().now())
            left = kind().depart(settings(), trip)
            assert isinstance(left, Departure)
            provider = FakeSamlProvider(SystemClock(), keys=keys("idp"))
            said = provider.say(provider.read(left), ADA)
        document = mutated(said, keys("idp"), chance)
        brought = callback(document, TRIP.state.reveal())
        ours = kind().arrive(settings(), trip, left.request, brought)
        other = theirs(brought, str(left.request["id"]))
        verdicts[who(ours) is not None, other is not None] += 1
        several = document.count(b"<saml:AuthnStatement") > 1  # core 2.3.3 allows them, and it takes one alone
        if isinstance(ours, Assertion) and not several:
            assert other is not None, brought
            assert set(other["identifier"]) == {ours.subject.strip()}, brought  # it strips what it reads
            assert ours.email in other.get("email", [None]), brought  # beside one that is no address
    assert verdicts[True, True] > 0
    assert verdicts[False, False] > verdicts[True, True]
