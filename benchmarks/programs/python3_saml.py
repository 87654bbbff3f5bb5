"""The peer ``python3-saml``: a whole response with a signed assertion, validated against the request it answers."""

from __future__ import annotations

import base64
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any, Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from onelogin.saml2.response import OneLogin_Saml2_Response
from onelogin.saml2.settings import OneLogin_Saml2_Settings
from onelogin.saml2.utils import OneLogin_Saml2_Utils

from benchmarks.protocol import serve

if TYPE_CHECKING:
    from collections.abc import Mapping

    from benchmarks.protocol import Watch, Work, World

UTC: Final = timezone.utc  # noqa: UP017  # the name that every supported Python has
IDP, SP, ACS = "https://idp.example", "https://sp.example/metadata", "https://sp.example/acs"
REQUEST: Final = "_request-1"

ASSERTION: Final = """\
<saml:Assertion xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion" ID="_assertion-1" Version="2.0" \
IssueInstant="{now}"><saml:Issuer>{idp}</saml:Issuer><saml:Subject><saml:NameID>alice</saml:NameID>\
<saml:SubjectConfirmation Method="urn:oasis:names:tc:SAML:2.0:cm:bearer">\
<saml:SubjectConfirmationData InResponseTo="{request}" NotOnOrAfter="{end}" Recipient="{acs}"/>\
</saml:SubjectConfirmation></saml:Subject><saml:Conditions NotBefore="{now}" NotOnOrAfter="{end}">\
<saml:AudienceRestriction><saml:Audience>{sp}</saml:Audience></saml:AudienceRestriction></saml:Conditions>\
<saml:AuthnStatement AuthnInstant="{now}" SessionIndex="_session-1"><saml:AuthnContext>\
<saml:AuthnContextClassRef>urn:oasis:names:tc:SAML:2.0:ac:classes:Password</saml:AuthnContextClassRef>\
</saml:AuthnContext></saml:AuthnStatement><saml:AttributeStatement><saml:Attribute Name="email">\
<saml:AttributeValue>alice@example.com</saml:AttributeValue></saml:Attribute></saml:AttributeStatement></saml:Assertion>"""

RESPONSE: Final = """\
<samlp:Response xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol" ID="_response-1" Version="2.0" IssueInstant="{now}" \
Destination="{acs}" InResponseTo="{request}"><saml:Issuer xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion">{idp}\
</saml:Issuer><samlp:Status><samlp:StatusCode Value="urn:oasis:names:tc:SAML:2.0:status:Success"/></samlp:Status>\
{assertion}</samlp:Response>"""


def rows(_world: World) -> Mapping[str, Work]:
    """Offer one response."""
    key, certificate = _pair()
    settings = OneLogin_Saml2_Settings(_settings(certificate), sp_validation_only=False)
    message = base64.b64encode(_signed(key, certificate))
    request: dict[str, Any] = {
        "https": "on",
        "http_host": "sp.example",
        "script_name": "/acs",
        "get_data": {},
        "post_data": {},
    }

    def validated(operations: int, watch: Watch) -> None:
        with watch:
            for _ in range(operations):
                response = OneLogin_Saml2_Response(settings, message)
                if not response.is_valid(request, REQUEST):
                    raise AssertionError(response.get_error())
                response.get_attributes()

    return {"saml_response": validated}


def _pair() -> tuple[str, str]:
    """Return a key and its certificate, as PEM."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name, now = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "idp.example")]), datetime.now(UTC)
    made = x509.CertificateBuilder(name, name, key.public_key(), 1, now, now + timedelta(days=1))
    pem = made.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    )
    return private.decode(), pem.decode()


def _settings(certificate: str) -> dict[str, Any]:
    post = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST"
    redirect = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect"
    return {
        "strict": True,
        "sp": {"entityId": SP, "assertionConsumerService": {"url": ACS, "binding": post}},
        "idp": {
            "entityId": IDP,
            "singleSignOnService": {"url": f"{IDP}/sso", "binding": redirect},
            "x509cert": certificate,
        },
        "security": {"wantAssertionsSigned": True, "wantNameId": False, "rejectDeprecatedAlgorithm": True},
    }


def _signed(key: str, certificate: str) -> bytes:
    now = datetime.now(UTC)
    when = {"now": f"{now:%Y-%m-%dT%H:%M:%SZ}", "end": f"{now + timedelta(hours=2):%Y-%m-%dT%H:%M:%SZ}"}
    who = {"idp": IDP, "sp": SP, "acs": ACS, "request": REQUEST}
    rsa_sha256, sha256 = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256", "http://www.w3.org/2001/04/xmlenc#sha256"
    signed = OneLogin_Saml2_Utils.add_sign(
        ASSERTION.format(**who, **when), key, certificate, sign_algorithm=rsa_sha256, digest_algorithm=sha256
    )
    text = signed.decode() if isinstance(signed, bytes) else signed
    return RESPONSE.format(**who, **when, assertion=text.partition("?>\n")[2] or text).encode()


if __name__ == "__main__":
    serve(rows, versions=("python3-saml", "lxml", "xmlsec"))
