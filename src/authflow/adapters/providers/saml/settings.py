"""The settings of a SAML provider: read from what an administrator gave, and loaded from what was kept."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import attrs

from authflow.adapters.providers.saml.answer import EITHER, SIGNED
from authflow.adapters.providers.saml.certificates import CERTIFICATES_MAX, OwnKeys, read_certificate, read_own_keys
from authflow.adapters.providers.saml.metadata import BINDINGS, ENTITY_ID_MAX, REDIRECT, Peer, read_metadata
from authflow.adapters.providers.saml.rules import read_instant, write_instant
from authflow.adapters.providers.saml.subject import Attributes
from authflow.adapters.providers.saml.xml import Unacceptable
from authflow.adapters.providers.settings import Fields
from authflow.errors import InputInvalid
from authflow.sso.capabilities import Setting, Shape
from authflow.values import Secret

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from authflow.adapters.providers.saml.presets import Preset
    from authflow.sso.fetching import Fetcher
    from authflow.sso.kinds import Document, Json

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
        InputInvalid: A setting is missing, unknown or unusable; *field* names it.
    """
    fields = Fields(given, GIVEN)
    url = fields.url("metadata_url", fetcher) if given.get("metadata_url") else ""
    if url:
        peer = _described(given, "metadata_url", lambda: fetch(url))
    elif given.get("metadata"):
        peer = _described(given, "metadata", lambda: _markup(given))
    else:
        peer = _by_hand(given, fields, fetcher)
    _require_urls(peer, fetcher)
    signs, encrypted = fields.flag("sign_requests", default=False), fields.flag("encrypted", default=False)
    own = _own(given, needed=signs or encrypted)
    return {
        "metadata_url": url,
        **_kept_peer(peer),
        **_mapping(given, fields, preset),
        "signed": fields.choice("signed", SIGNED, default=EITHER),
        "encrypted": encrypted,
        "sign_requests": signs,
        "idp_initiated": fields.flag("idp_initiated", default=False),
        "private_key": own.private_key.reveal() if own else "",
        "certificate": own.certificate if own else "",
    }


def _described(given: Document, field: str, get: Callable[[], bytes]) -> Peer:
    entity_id = given.get("entity_id")
    try:
        return read_metadata(get(), entity_id=entity_id if isinstance(entity_id, str) else "")
    except Unacceptable as refused:
        raise InputInvalid(field=field, problem=refused.problem) from refused


def _markup(given: Document) -> bytes:
    return str(given.get("metadata")).encode(errors="surrogatepass")


def _by_hand(given: Document, fields: Fields, fetcher: Fetcher) -> Peer:
    valid_until = given.get("valid_until")
    return Peer(
        entity_id=fields.text("entity_id", most=ENTITY_ID_MAX),
        sso_url=fields.url("sso_url", fetcher),
        sso_binding=fields.choice("sso_binding", tuple(BINDINGS.values()), default=BINDINGS[REDIRECT]),
        slo_url=fields.url("slo_url", fetcher) if given.get("slo_url") else "",
        certificates=_certificates(given.get("certificates")),
        valid_until=_instant(valid_until) if valid_until else None,
    )


def _instant(given: Json) -> datetime:
    instant = read_instant(given) if isinstance(given, str) else None
    if instant is None:
        raise InputInvalid(field="valid_until", problem="is no instant in UTC, such as 2030-01-31T00:00:00Z")
    return instant


def _certificates(given: Json) -> tuple[str, ...]:
    if not isinstance(given, list) or not 1 <= len(given) <= CERTIFICATES_MAX:
        raise InputInvalid(field="certificates", problem=f"is no list of 1 to {CERTIFICATES_MAX}")
    try:
        return tuple(dict.fromkeys(read_certificate(pasted) for pasted in given))
    except Unacceptable as refused:
        raise InputInvalid(field="certificates", problem=refused.problem) from refused


def _require_urls(peer: Peer, fetcher: Fetcher) -> None:
    """Nobody is sent where nothing could be fetched from: what metadata names is as free as what is typed."""
    for field, url in (("sso_url", peer.sso_url), ("slo_url", peer.slo_url)):
        if url and not fetcher.permits(url):
            raise InputInvalid(field=field, problem="is not an https URL without credentials and fragment")


def _mapping(given: Document, fields: Fields, preset: Preset) -> dict[str, Json]:
    usual = attrs.asdict(preset.attributes) if preset.attributes else {}
    filled = {name: given.get(name) or usual.get(name, "") for name in MAPPING}
    reader = Fields({**given, **filled}, GIVEN)
    return {name: reader.text(name) if filled[name] or name in MAPPING[:2] else "" for name in MAPPING}


def _own(given: Document, *, needed: bool) -> OwnKeys | None:
    if not needed and not given.get("private_key"):
        return None
    try:
        return read_own_keys(given.get("private_key"), given.get("certificate"))
    except Unacceptable as refused:
        raise InputInvalid(field="private_key", problem=refused.problem) from refused


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
