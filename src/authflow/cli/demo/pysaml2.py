"""A SAML identity provider that this project did not write, where it is there: pysaml2, which signs by xmlsec1."""

from __future__ import annotations

import shutil
import warnings
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qs, urlsplit

import attrs

from authflow.cli.demo.phone import Unfinished

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping

    from authflow.adapters.providers.saml import Saml2
    from authflow.adapters.providers.saml.certificates import OwnKeys
    from authflow.journey.sso.answers import SentAway
    from authflow.sso.endpoints import Endpoints
    from authflow.sso.kinds import Callback, Document

REDIRECT: Final = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect"
CLASS: Final = "urn:oasis:names:tc:SAML:2.0:ac:classes:Password"

MAPPING: Final = {
    "identifier": "urn:oid:0.9.2342.19200300.100.1.1",
    "email": "urn:oid:0.9.2342.19200300.100.1.3",
    "first_name": "urn:oid:2.5.4.42",
    "last_name": "urn:oid:2.5.4.4",
}
"""What it calls the attributes ``uid``, ``mail``, ``givenName`` and ``sn`` in an answer (RFC 4519)."""

SHA256: Final = {
    "signing_algorithm": "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256",
    "digest_algorithm": "http://www.w3.org/2001/04/xmlenc#sha256",
}
"""Unless it is told so, it signs by SHA-1, which is not believed here."""


@attrs.frozen(kw_only=True)
class Pysaml2:
    """The provider, in this process: the browser carries what both sides say.

    Args:
        server: pysaml2's own object: it checks what we sign, and signs what it says.
        settings: What an owner types to connect it: its metadata, and a key of ours.
        here: Where it sends people back to.
        people: Their attributes, by their subject.
    """

    server: Any
    settings: Document
    here: Endpoints
    people: dict[str, Mapping[str, list[str]]] = attrs.field(factory=dict[str, "Mapping[str, list[str]]"])

    @property
    def where(self) -> str:
        """What it calls itself."""
        return str(self.server.config.entityid)

    def knows(self, subject: str, email: str, name: str) -> None:
        """Put somebody into its attributes."""
        first, _, last = name.partition(" ")
        self.people[subject] = {"uid": [subject], "mail": [email], "givenName": [first], "sn": [last]}

    def sign_in(self, away: SentAway, subject: str) -> Callback:
        """Let it read and check the request, and sign an answer to it."""
        from authflow.testing.saml import callback

        asked = self.server.response_args(self.asked(away.url))
        return callback(self.says(subject, asked, sign_assertion=True), _fields(away.url)["RelayState"])

    def asked(self, url: str) -> Any:  # noqa: ANN401  # a message of pysaml2, which has no types
        """Return the request to sign in that is in *url*; it demands that we signed that."""
        return _read(self.server.parse_authn_request, url)

    def says(self, subject: str, to: Mapping[str, Any], **how: Any) -> bytes:  # noqa: ANN401  # passed on to it
        """Return what it writes about *subject*, for whom *to* says, signed as *how* says."""
        authn = {"class_ref": CLASS, "authn_auth": self.where}
        said = self.server.create_authn_response(self.people[subject], userid=subject, authn=authn, **to, **how)
        return str(said).encode()

    # --- single logout ----------------------------------------------------------------------------------------------

    def signs_out(self, url: str, back: str) -> str:
        """End the session there that *url* asks to end; return the query that the browser brings to *back*."""
        request = _read(self.server.parse_logout_request, url)
        self.server.clean_out_user(request.name_id)
        done = self.server.create_logout_response(request, [REDIRECT], sign=False)
        return self._query(done, back, relay_state=_fields(url)["RelayState"], response=True)

    def ends(self, subject: str, there: str, state: str = "") -> str:
        """Return the query by which it asks, at *there*, to end the session of its last answer about *subject*."""
        person = self.server.ident.find_nameid(subject)[-1]
        sessions = [said[-1].session_index for said in self.server.session_db.get_authn_statements(person)]
        us = self.here.metadata
        _, request = self.server.create_logout_request(there, us, name_id=person, session_indexes=sessions, sign=False)
        return self._query(request, there, relay_state=state)

    def _query(self, message: object, there: str, **how: Any) -> str:  # noqa: ANN401  # as above
        """Return the query that carries *message* and a signature over the text of both (SAML bindings 3.4.4.1)."""
        sent = self.server.apply_binding(REDIRECT, str(message), there, sign=True, **how)
        location: str = dict(sent["headers"])["Location"]
        return urlsplit(location).query


def _fields(url: str) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}


def _read(parse: Callable[..., Any], url: str) -> Any:  # noqa: ANN401  # as above
    sent = _fields(url)
    signed = {"relay_state": sent["RelayState"], "sigalg": sent["SigAlg"], "signature": sent["Signature"]}
    return parse(sent["SAMLRequest"], REDIRECT, **signed).message


# --- starting it ----------------------------------------------------------------------------------------------------


@contextmanager
def pysaml2(entity_id: str, here: Endpoints, kind: Saml2) -> Generator[Pysaml2]:
    """Start one that calls itself *entity_id*, and tell it of us, who are *here*.

    Raises:
        Unfinished: It is not installed, or what it signs by is not.
    """
    program = shutil.which("xmlsec1")
    if program is None:
        unsigned = "there is no xmlsec1 on the PATH, by which pysaml2 signs: apt-get install xmlsec1"
        raise Unfinished(unsigned)
    with TemporaryDirectory(prefix="authflow-pysaml2-") as folder:
        with warnings.catch_warnings(action="ignore"):  # it uses what newer libraries deprecate
            provider = _started(entity_id, here, kind, Path(folder), program)
        yield provider


def _started(entity_id: str, here: Endpoints, kind: Saml2, folder: Path, program: str) -> Pysaml2:
    from authflow.adapters.providers.saml.certificates import new_keys
    from authflow.adapters.system import SystemClock
    from authflow.testing.saml import KEY_BITS

    try:  # by name, since it has no types
        configs, descriptors, servers = (import_module(f"saml2.{part}") for part in ("config", "metadata", "server"))
    except ModuleNotFoundError as error:
        missing = "pysaml2 is not installed: pip install pysaml2"
        raise Unfinished(missing) from error

    now = SystemClock().now()
    ours, theirs = new_keys("sp", now, bits=KEY_BITS), new_keys("idp", now, bits=KEY_BITS)
    config = configs.IdPConfig().load(_configured(entity_id, theirs, folder, program))
    own: Document = {"private_key": ours.private_key.reveal(), "certificate": ours.certificate, "sign_requests": True}
    settings: Document = {"metadata": str(descriptors.entity_descriptor(config)), **MAPPING, **own}
    described = kind.describe(kind.read(settings), endpoints=here)
    config.metadata = config.load_metadata({"inline": [described]})
    return Pysaml2(server=servers.Server(config=config), settings=settings, here=here)


def _configured(entity_id: str, keys: OwnKeys, folder: Path, program: str) -> dict[str, Any]:
    """Return what it is set to; its key and certificate are files in *folder*."""
    from authflow.adapters.providers.saml.certificates import pem

    files = {"key_file": keys.private_key.reveal(), "cert_file": pem(keys.certificate)}
    for name, text in files.items():
        (folder / name).write_text(text, encoding="ascii")
    endpoints = {
        "single_sign_on_service": [(f"{entity_id}/sso", REDIRECT)],
        "single_logout_service": [(f"{entity_id}/slo", REDIRECT)],
    }
    return {
        "entityid": entity_id,
        "service": {"idp": {"endpoints": endpoints, "want_authn_requests_signed": True, **SHA256}},
        "xmlsec_binary": program,
        **{name: str(folder / name) for name in files},
    }
