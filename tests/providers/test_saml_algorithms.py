"""An algorithm that is not listed is not believed, though the right key used it and every number is right (row 17)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import attrs
import pytest
import xmlsec
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from lxml import etree
from xmlsec import constants as c

from authflow.adapters.providers.saml.certificates import pem
from authflow.adapters.providers.saml.signature import DIGESTS, SIGNATURES, covered, read_signature
from authflow.adapters.providers.saml.xml import Unacceptable, name
from authflow.testing.saml_markup import response
from tests.providers.saml.stage import CLOCK, GENUINE, arrive, keys, said, who

if TYPE_CHECKING:
    from collections.abc import Sequence

RIGHT: Final = (c.TransformEnveloped, c.TransformExclC14N)


@attrs.frozen(kw_only=True)
class How:
    """How an assertion is signed; whatever is not said is as we believe it."""

    method: Any = c.TransformRsaSha256
    digest: Any = c.TransformSha256
    canonical: Any = c.TransformExclC14N
    transforms: Sequence[Any] = RIGHT
    of: str = "Assertion"
    uri: str | None = None
    key: Any = attrs.field(
        factory=lambda: xmlsec.Key.from_memory(keys("idp").private_key.reveal(), c.KeyDataFormatPem, None)
    )


def signed(how: How) -> bytes:
    """Return the right answer, rightly signed in the place and the way that *how* says."""
    root = response(said(response_id="_response"))
    part = next(root.iter(f"{{*}}{how.of}"))
    signature = xmlsec.template.create(part, how.canonical, how.method, ns="ds")
    part.insert(1, signature)
    signature.tail = "\n  "  # signed, like all white space
    uri = f"#{part.get('ID')}" if how.uri is None else how.uri
    reference = xmlsec.template.add_reference(signature, how.digest, uri=uri)
    for transform in how.transforms:
        xmlsec.template.add_transform(reference, transform)
    xmlsec.tree.add_ids(root, ["ID"])
    context = xmlsec.SignatureContext()
    context.key = how.key
    context.sign(signature)
    return etree.tostring(root)


def public_key_as_secret() -> Any:
    """Return what everybody knows of the provider as the key of an HMAC (CVE-2024-37568, of another format)."""
    return xmlsec.Key.from_binary_data(c.KeyDataHmac, pem(keys("idp").certificate).encode())


REFUSED: Final = {
    "RSA with SHA-1": How(method=c.TransformRsaSha1),
    "RSA with SHA-224": How(method=c.TransformRsaSha224),
    "HMAC with SHA-1": How(method=c.TransformHmacSha1, key=public_key_as_secret()),
    "HMAC with SHA-256": How(method=c.TransformHmacSha256, key=public_key_as_secret()),
    "a digest of SHA-1": How(digest=c.TransformSha1),
    "a digest of SHA-224": How(digest=c.TransformSha224),
    "inclusive canonicalization": How(canonical=c.TransformInclC14N),
    "canonicalization 1.1": How(canonical=c.TransformInclC14N11),
    "comments": How(canonical=c.TransformExclC14NWithComments),
    "a transform with comments": How(transforms=(c.TransformEnveloped, c.TransformExclC14NWithComments)),
    "an inclusive transform": How(transforms=(c.TransformEnveloped, c.TransformInclC14N)),
    "a reference to all of the document": How(of="Response", uri=""),
    "a reference to something else": How(of="Assertion", uri="#_response"),
    "one transform": How(transforms=(c.TransformEnveloped,)),
    "three transforms": How(transforms=(*RIGHT, c.TransformExclC14N)),
    "the enveloped signature twice": How(transforms=(c.TransformEnveloped, *RIGHT)),
}


@pytest.mark.parametrize("how", REFUSED.values(), ids=REFUSED)
def test_what_is_not_listed_is_refused(how: How):
    assert who(arrive(signed(how))) is None


def test_a_response_is_read_as_well():
    assert who(arrive(signed(How(of="Response")))) == GENUINE


@pytest.mark.parametrize("method", [c.TransformRsaSha256, c.TransformRsaSha384, c.TransformRsaSha512])
@pytest.mark.parametrize("digest", [c.TransformSha256, c.TransformSha384, c.TransformSha512])
def test_what_is_listed_is_read(method: Any, digest: Any):
    assert {method.href, digest.href} <= {*SIGNATURES, *DIGESTS}
    assert who(arrive(signed(How(method=method, digest=digest)))) == GENUINE


@pytest.mark.parametrize("method", [c.TransformEcdsaSha256, c.TransformEcdsaSha384, c.TransformEcdsaSha512])
def test_a_curve_signs_as_well(method: Any):
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "idp")])
    made = (
        x509.CertificateBuilder(issuer_name=subject, subject_name=subject, public_key=key.public_key())
        .serial_number(1)
        .not_valid_before(CLOCK.now())
        .not_valid_after(CLOCK.now())
        .sign(key, hashes.SHA256())
    )
    markup = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    document = signed(How(method=method, key=xmlsec.Key.from_memory(markup, c.KeyDataFormatPem, None)))
    body = "".join(made.public_bytes(Encoding.PEM).decode().splitlines()[1:-1])
    assert who(arrive(document, certificates=[body])) == GENUINE
    assert who(arrive(document)) is None


def test_what_is_read_is_what_was_digested_whoever_says_that_it_was_signed():
    """A verifier that looked at another element would not be noticed otherwise."""
    found = etree.fromstring(signed(How())).find(f"{name('saml', 'Assertion')}/{name('ds', 'Signature')}")
    assert found is not None
    claimed = read_signature(found)
    with pytest.raises(Unacceptable, match="digest is of something else"):
        covered(attrs.evolve(claimed, value=bytes(32)))


def test_what_is_read_is_a_document_of_its_own_without_the_signature():
    document = etree.fromstring(signed(How()))
    found = document.find(f"{name('saml', 'Assertion')}/{name('ds', 'Signature')}")
    assert found is not None
    read = covered(read_signature(found))
    assert read.getparent() is None
    assert read.getroottree().getroot() is not document
    assert [child for child in read if child.tag == found.tag] == []
