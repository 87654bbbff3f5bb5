"""What never gets as far as a signature (security rows 7 to 11, 14, 19)."""

from __future__ import annotations

import base64
import resource
import zlib
from typing import TYPE_CHECKING

import pytest
from lxml import etree

from authflow.adapters.providers.saml.gate import INFLATED_MAX, decode, inflate, read_assertion, read_response
from authflow.adapters.providers.saml.metadata import read_metadata
from authflow.adapters.providers.saml.xml import ATTRIBUTES_MAX, ELEMENTS_MAX, MESSAGE_MAX, Unacceptable, parse, text
from tests.providers.saml.stage import GENUINE, arrive, provider, signed, who

if TYPE_CHECKING:
    from collections.abc import Callable

LAUGHS = b"".join(b'<!ENTITY l%d "%s">' % (n, b"&l%d;" % (n - 1) * 10) for n in range(1, 12))
BOMBS = {
    "billion laughs": b'<!DOCTYPE r [<!ENTITY l0 "ha">' + LAUGHS + b"]><r>&l11;</r>",
    "quadratic blow-up": b'<!DOCTYPE r [<!ENTITY a "' + b"a" * 60_000 + b'">]><r>' + b"&a;" * 3000 + b"</r>",
    "a file": b'<!DOCTYPE r [<!ENTITY x SYSTEM "file:///etc/passwd">]><r>&x;</r>',
    "a file as parameter": b'<!DOCTYPE r [<!ENTITY % x SYSTEM "file:///etc/passwd">%x;]><r/>',
    "an address": b'<!DOCTYPE r SYSTEM "http://127.0.0.1:1/x.dtd"><r/>',
    "a document type alone": b"<!DOCTYPE r><r/>",
    "in UTF-16": '<?xml version="1.0" encoding="UTF-16"?><!DOCTYPE r><r/>'.encode("utf-16"),
    "in UTF-7": b'<?xml version="1.0" encoding="UTF-7"?>+ADw-r/+AD4-',
    "in Latin 1": b'<?xml version="1.0" encoding="ISO-8859-1"?><r/>',
    "XML 1.1": b'<?xml version="1.1"?><r/>',
    "an entity that nobody declared": b"<r>&x;</r>",
    "two roots": b"<r/><r/>",
    "no root": b"",
    "broken off": b"<r><a>",
    "too deep": b"<a>" * 5000 + b"</a>" * 5000,
    "too many": b"<r>" + b"<a/>" * ELEMENTS_MAX + b"</r>",
    "too large": b"<r>" + b"a" * MESSAGE_MAX + b"</r>",
    "too many attributes": b"<r " + b" ".join(b'a%d=""' % n for n in range(ATTRIBUTES_MAX + 1)) + b"/>",
    "an attribute twice": b'<r a="1" a="2"/>',
    "an ID twice": b'<r ID="a"><b Id="a"/></r>',
    "an ID that is empty": b'<r ID=""/>',
    "xml:id": b'<r xml:id="a"/>',
    "a relative namespace": b'<r xmlns:a="relative"><a:b/></r>',
    "an undeclared prefix": b"<a:r/>",
    "a comment": b"<r>a<!---->b</r>",
    "a comment beside the root": b"<!----><r/>",
    "an instruction": b"<r>a<?x?>b</r>",
    "an instruction beside the root": b"<r/><?x?>",
}
DECLARED = {
    "a document type alone": b"<!DOCTYPE r>",
    "an entity that is never used": b'<!DOCTYPE r [<!ENTITY e "ada-1">]>',
    "an address": b'<!DOCTYPE r SYSTEM "http://127.0.0.1:1/x.dtd">',
}


def read_opened(data: bytes) -> object:
    return read_assertion(data, etree.Element("place"))


@pytest.mark.parametrize("document", BOMBS.values(), ids=BOMBS)
@pytest.mark.parametrize("read", [parse, read_response, read_opened, read_metadata])
def test_documents_that_are_traps_are_not_read(read: Callable[[bytes], object], document: bytes):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(Unacceptable):
        read(document)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 32 * 1024


@pytest.mark.parametrize("declared", DECLARED.values(), ids=DECLARED)
def test_a_document_type_before_what_is_genuine_refuses_it(declared: bytes):
    """CVE-2026-41066: nothing else is wrong with these documents."""
    metadata = provider().metadata().encode()
    assert who(arrive(signed())) == GENUINE
    assert read_metadata(metadata).entity_id == provider().entity_id
    assert who(arrive(declared + signed())) is None
    with pytest.raises(Unacceptable):
        read_metadata(declared + metadata)


def test_a_text_with_elements_inside_is_no_text():
    assert text(etree.fromstring("<r>ab</r>")) == "ab"
    with pytest.raises(Unacceptable):
        text(etree.fromstring("<r>a<b/>b</r>"))


def test_a_message_as_large_as_may_be_is_read():
    assert len(parse(b"<r>" + b"a" * (MESSAGE_MAX - 7) + b"</r>").text or "") == MESSAGE_MAX - 7


def test_comments_of_an_administrator_are_left_out():
    metadata = provider().metadata().replace("<md:", "<!-- a comment --><?and an instruction?><md:", 1)
    assert read_metadata(metadata.encode()).entity_id == provider().entity_id


# --- base64 and DEFLATE ---------------------------------------------------------------------------------------------


def deflated(data: bytes) -> str:
    stream = zlib.compressobj(9, wbits=-zlib.MAX_WBITS)
    return base64.b64encode(stream.compress(data) + stream.flush()).decode()


def test_lines_of_base64_are_read():
    lines = base64.encodebytes(signed()).decode().replace("\n", "\r\n")
    assert decode(lines) == signed()


@pytest.mark.parametrize(
    "field",
    ["a", "ab=c", "*" * 8, "YWI= YWI=", "YWI=YWI=", "\uff1d" * 4, "\x00" * 4, "YW\tI=", "A" * (MESSAGE_MAX * 2)],
)
def test_what_is_no_strict_base64_is_not_read(field: str):
    with pytest.raises(Unacceptable):
        decode(field)


def test_a_message_in_an_url_is_inflated():
    assert inflate(deflated(b"a" * INFLATED_MAX)) == b"a" * INFLATED_MAX


@pytest.mark.parametrize(
    "field",
    [
        deflated(b"a" * (INFLATED_MAX + 1)),
        deflated(b"\0" * 10_000_000),  # 1000 times as large as it looks (CVE-2025-25293)
        deflated(b"<r/>")[:-4],
        base64.b64encode(base64.b64decode(deflated(b"<r/>")) + b"more").decode(),
        base64.b64encode(zlib.compress(b"<r/>")).decode(),
        base64.b64encode(b"<r/>").decode(),
        "",
    ],
)
def test_what_is_no_single_small_deflated_message_is_not_read(field: str):
    with pytest.raises(Unacceptable):
        inflate(field)


def test_white_space_around_elements_is_as_signed():
    assert who(arrive(signed().replace(b"<samlp:Status>", b"\n  <samlp:Status>"))) == GENUINE
