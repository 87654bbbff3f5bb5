"""The settings of a SAML provider: read from what an administrator gave, and loaded from what was kept."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeVar

import attrs

from authflow.adapters.providers.saml.answer import EITHER, SIGNED
from authflow.adapters.providers.saml.certificates import (
    CERTIFICATES_MAX,
    OwnKeys,
    certificate,
    read_certificate,
    rsa_key,
)
from authflow.adapters.providers.saml.metadata import BINDINGS, ENTITY_ID_MAX, REDIRECT, Peer, read_metadata
from authflow.adapters.providers.saml.rules import read_instant, write_instant
from authflow.adapters.providers.saml.subject import Attributes
from authflow.adapters.providers.saml.xml import Unacceptable
from authflow.adapters.providers.settings import MISSING, UNSAFE_URL, reading
from authflow.sso.capabilities import Setting, Shape
from authflow.values import Secret

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from authflow.adapters.providers.saml.presets import Preset
    from authflow.adapters.providers.settings import Fields
    from authflow.sso.fetching import Fetcher
    from authflow.sso.kinds import Document, Json

T = TypeVar("T")

PEER: Final = ("entity_id", "sso_url", "sso_binding", "slo_url", "certificates", "valid_until")
MAPPING: Final = ("identifier", "email", "first_name", "last_name")
OWN: Final = ("private_key", "certificate")
KEPT: Final = frozenset(
    {"metadata_url", *PEER, *MAPPING, "signed", "encrypted", "sign_requests", "idp_initiated", *OWN}
)
GIVEN: Final = KEPT | {"metadata"}
"""``metadata`` is the XML itself: what it says is kept, the document is not."""


@attrs.frozen(kw_only=True)
class Settings:
    """A provider's settings. *peer* is what its metadata said when they were set."""

    peer: Peer
    metadata_url: str
    attributes: Attributes
    signed: str
    encrypted: bool
    sign_requests: bool
    idp_initiated: bool
    own: OwnKeys | None


def listed_settings(preset: Preset) -> tuple[Setting, ...]:
    """Return what there is to set at a provider of *preset*. Metadata, its URL and `PEER` stand in for each other."""
    mapped = preset.attributes is not None
    return (
        Setting(name="metadata_url"),
        Setting(name="metadata"),
        Setting(name="entity_id"),
        Setting(name="sso_url"),
        Setting(name="sso_binding", choices=tuple(BINDINGS.values())),
        Setting(name="slo_url"),
        Setting(name="certificates", shape=Shape.LIST),
        Setting(name="valid_until"),
        *(Setting(name=name, required=name in MAPPING[:2] and not mapped) for name in MAPPING),
        Setting(name="signed", choices=SIGNED),
        Setting(name="encrypted", shape=Shape.FLAG),
        Setting(name="sign_requests", shape=Shape.FLAG),
        Setting(name="idp_initiated", shape=Shape.FLAG),
        Setting(name="private_key", secret=True),
        Setting(name="certificate"),
    )


# --- reading --------------------------------------------------------------------------------------------------------


def read_settings(given: Document, preset: Preset, fetcher: Fetcher, fetch: Callable[[str], bytes]) -> Document:
    """Return *given* complete and in its canonical form; *fetch* gets the metadata, where an URL is set.

    Raises:
        InputInvalid: Settings are missing, unknown or unusable; *problems* names each.
    """
    with reading(given, GIVEN) as fields:
        peer = _peer(given, fields, fetcher, fetch)
        signs, encrypted = fields.flag("sign_requests", default=False), fields.flag("encrypted", default=False)
        own = _own(given, fields, needed=signs or encrypted)
        return {
            "metadata_url": fields.url("metadata_url", fetcher, default=""),
            **({} if peer is None else _kept_peer(peer)),
            **_mapping(fields, preset),
            "signed": fields.choice("signed", SIGNED, default=EITHER),
            "encrypted": encrypted,
            "sign_requests": signs,
            "idp_initiated": fields.flag("idp_initiated", default=False),
            "private_key": own.private_key.reveal() if own else "",
            "certificate": own.certificate if own else "",
        }


def _peer(given: Document, fields: Fields, fetcher: Fetcher, fetch: Callable[[str], bytes]) -> Peer | None:
    """Return the provider that its metadata describes, or that was typed; none if it is wrong."""
    if not given.get("metadata_url") and not given.get("metadata"):
        return _by_hand(given, fields, fetcher)
    url, said = fields.url("metadata_url", fetcher, default=""), given.get("entity_id")
    wanted = said if isinstance(said, str) else ""
    if given.get("metadata_url"):
        peer = _accepted(fields, "metadata_url", lambda: read_metadata(fetch(url), entity_id=wanted)) if url else None
    else:
        peer = _accepted(fields, "metadata", lambda: read_metadata(_markup(given), entity_id=wanted))
    for field, found in (("sso_url", peer.sso_url), ("slo_url", peer.slo_url)) if peer else ():
        if found and not fetcher.permits(found):  # what metadata names is as free as what is typed
            fields.wrong(field, UNSAFE_URL)
    return peer


def _accepted(fields: Fields, name: str, read: Callable[[], T]) -> T | None:
    """Return what a field is read to; none, and noted, if it cannot be accepted."""
    try:
        return read()
    except Unacceptable as refused:
        fields.wrong(name, refused.problem)
        return None


def _markup(given: Document) -> bytes:
    return str(given.get("metadata")).encode(errors="surrogatepass")


def _by_hand(given: Document, fields: Fields, fetcher: Fetcher) -> Peer:
    return Peer(
        entity_id=fields.text("entity_id", most=ENTITY_ID_MAX),
        sso_url=fields.url("sso_url", fetcher),
        sso_binding=fields.choice("sso_binding", tuple(BINDINGS.values()), default=BINDINGS[REDIRECT]),
        slo_url=fields.url("slo_url", fetcher, default=""),
        certificates=_certificates(given, fields),
        valid_until=_instant(given, fields),
    )


def _instant(given: Document, fields: Fields) -> datetime | None:
    typed = given.get("valid_until")
    instant = read_instant(typed) if isinstance(typed, str) else None
    if instant is None and typed:
        fields.wrong("valid_until", "is no instant in UTC, such as 2030-01-31T00:00:00Z")
    return instant


def _certificates(given: Document, fields: Fields) -> tuple[str, ...]:
    pasted = given.get("certificates")
    if pasted is None:
        fields.wrong("certificates", MISSING)
    if not isinstance(pasted, list) or not 1 <= len(pasted) <= CERTIFICATES_MAX:
        fields.wrong("certificates", f"is no list of 1 to {CERTIFICATES_MAX} certificates")
        return ()
    read = _accepted(fields, "certificates", lambda: tuple(dict.fromkeys(map(read_certificate, pasted))))
    return read or ()


def _mapping(fields: Fields, preset: Preset) -> dict[str, Json]:
    """Return what the attributes are called; the preset knows, or the first two are asked for."""
    nameless = {"first_name": "", "last_name": ""}
    usual: dict[str, str] = attrs.asdict(preset.attributes) if preset.attributes else nameless
    return {name: fields.text(name, default=usual.get(name)) for name in MAPPING}


def _own(given: Document, fields: Fields, *, needed: bool) -> OwnKeys | None:
    if not needed and not given.get("private_key"):
        return None
    key = _pasted(given, fields, "private_key", lambda pem: rsa_key(Secret(str(pem)), check=True))
    body = _pasted(given, fields, "certificate", read_certificate)
    if key is None or body is None:
        return None
    if key.public_key() != certificate(body).public_key():
        fields.wrong("private_key", "is not the key of the certificate")
    return OwnKeys(private_key=Secret(str(given.get("private_key"))), certificate=body)


def _pasted(given: Document, fields: Fields, name: str, read: Callable[[Json], T]) -> T | None:
    value = given.get(name)
    if not value:
        fields.wrong(name, MISSING)
        return None
    return _accepted(fields, name, lambda: read(value))


# --- keeping --------------------------------------------------------------------------------------------------------


def _kept_peer(peer: Peer) -> dict[str, Json]:
    until = peer.valid_until
    return {
        "entity_id": peer.entity_id,
        "sso_url": peer.sso_url,
        "sso_binding": peer.sso_binding,
        "slo_url": peer.slo_url,
        "certificates": [*peer.certificates],
        "valid_until": write_instant(until) if until else "",
    }


def load_settings(kept: Document) -> Settings:
    """Return what `read_settings` made, without looking at it again."""
    texts = {name: str(kept.get(name) or "") for name in KEPT}
    certificates = kept.get("certificates")
    own = OwnKeys(private_key=Secret(texts["private_key"]), certificate=texts["certificate"])
    return Settings(
        peer=Peer(
            entity_id=texts["entity_id"],
            sso_url=texts["sso_url"],
            sso_binding=texts["sso_binding"],
            slo_url=texts["slo_url"],
            certificates=tuple(str(c) for c in certificates) if isinstance(certificates, list) else (),
            valid_until=read_instant(texts["valid_until"]),
        ),
        metadata_url=texts["metadata_url"],
        attributes=Attributes(**{name: texts[name] for name in MAPPING}),
        signed=texts["signed"],
        encrypted=kept.get("encrypted") is True,
        sign_requests=kept.get("sign_requests") is True,
        idp_initiated=kept.get("idp_initiated") is True,
        own=own if texts["private_key"] else None,
    )
