"""The SAML providers that are known by name, as data: what their attributes are called, and what they need to be told.

A preset decides nothing: it fills in the mapping that an administrator would type, and names the fields to ask for.
"""

from __future__ import annotations

from typing import Final

import attrs

from authflow.adapters.providers.saml.subject import NAME_ID, Attributes

CLAIMS: Final = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/"
"""The claim types of WS-Federation, which Entra ID and Auth0 call their attributes by."""

METADATA_URL: Final = ("metadata_url",)
METADATA: Final = ("metadata",)
BY_HAND: Final = ("entity_id", "sso_url", "certificates")


@attrs.frozen(kw_only=True)
class Preset:
    """One kind of SAML provider.

    Args:
        key: Its stable name in the registry.
        name: What people call it.
        attributes: What its attributes are called unless the settings say otherwise; none for the generic kind.
        ways: The fields that are enough to connect it, alternatives in the order in which they are offered.
        menu: Where its console has what is asked for.
    """

    key: str
    name: str
    attributes: Attributes | None = None
    ways: tuple[tuple[str, ...], ...] = (METADATA_URL, METADATA, BY_HAND)
    menu: str = ""


GENERIC: Final = Preset(key="saml2", name="SAML 2.0")

OKTA: Final = Preset(
    key="okta",
    name="Okta",
    attributes=Attributes(identifier=NAME_ID, email="email", first_name="firstName", last_name="lastName"),
    menu="Applications > your app > Sign On > SAML 2.0 > Metadata details",
)
ONELOGIN: Final = Preset(
    key="onelogin",
    name="OneLogin",
    attributes=Attributes(
        identifier="PersonImmutableID", email="User.email", first_name="User.FirstName", last_name="User.LastName"
    ),
    menu="Applications > your app > SSO > Issuer URL",
)
ENTRA: Final = Preset(
    key="entra",
    name="Microsoft Entra ID",
    attributes=Attributes(
        identifier="http://schemas.microsoft.com/identity/claims/objectidentifier",
        email=f"{CLAIMS}emailaddress",
        first_name=f"{CLAIMS}givenname",
        last_name=f"{CLAIMS}surname",
    ),
    menu="Enterprise applications > your app > Single sign-on > App Federation Metadata Url",
)
AUTH0: Final = Preset(
    key="auth0",
    name="Auth0",
    attributes=Attributes(
        identifier=f"{CLAIMS}nameidentifier",
        email=f"{CLAIMS}emailaddress",
        first_name=f"{CLAIMS}givenname",
        last_name=f"{CLAIMS}surname",
    ),
    menu="Applications > your app > Addons > SAML2 Web App > Usage > Identity Provider Metadata",
)
JUMPCLOUD: Final = Preset(
    key="jumpcloud",
    name="JumpCloud",
    attributes=Attributes(identifier=NAME_ID, email="email", first_name="firstname", last_name="lastname"),
    ways=(METADATA, BY_HAND),
    menu="SSO Applications > your app > SSO > Export Metadata",
)
RIPPLING: Final = Preset(
    key="rippling",
    name="Rippling",
    attributes=Attributes(identifier=NAME_ID, email="email", first_name="first_name", last_name="last_name"),
    ways=(METADATA, BY_HAND),
    menu="Your custom app > Settings > SSO setup instructions",
)

PRESETS: Final = (GENERIC, OKTA, ONELOGIN, ENTRA, AUTH0, JUMPCLOUD, RIPPLING)
