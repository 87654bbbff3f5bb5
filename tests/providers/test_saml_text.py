"""Every character of an answer, one at a time: it means the genuine person, or nobody (security rows 6, 8, 12)."""

from __future__ import annotations

import base64
import re
from typing import TYPE_CHECKING, Final

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lxml import etree

from authflow.adapters.providers.saml.xml import name
from authflow.sso.kinds import Callback
from tests.providers.saml.stage import GENUINE, TRIP, arrive, departure, kind, signed, who
from tests.providers.saml.stage import settings as kept

if TYPE_CHECKING:
    from collections.abc import Iterator

VALUES: Final = ("Issuer", "NameID", "Audience", "AttributeValue", "AuthnContextClassRef", "DigestValue")
LEAF: Final = re.compile(rb"<(?:\w+:)?(" + "|".join(VALUES).encode() + rb")\b[^>]*>([^<]+)</")
SIGNED: Final = ("assertion", "response", "both")


def inserted(document: bytes, what: bytes) -> Iterator[bytes]:
    """Yield *document* with *what* at every boundary of characters in every text that matters."""
    for leaf in LEAF.finditer(document):
        for at in range(leaf.start(2), leaf.end(2) + 1):
            yield document[:at] + what + document[at:]


def test_there_are_texts_to_insert_into():
    assert {leaf[1].decode() for leaf in LEAF.finditer(signed("both"))} == set(VALUES)


@pytest.mark.parametrize("what", [b"<!---->", b"<?x?>", b"<?x-y z?>", b"<!--x-->"])
@pytest.mark.parametrize("signs", SIGNED)
def test_a_comment_or_an_instruction_is_refused_wherever_it_stands(what: bytes, signs: str):
    """CVE-2017-11427: a parser gives the text before it, and the signature does not cover it."""
    assert {who(arrive(document)) for document in inserted(signed(signs), what)} == {None}


@pytest.mark.parametrize("what", [b"<!---->", b"<?x?>"])
@pytest.mark.parametrize("place", ["before", "behind"])
def test_beside_the_root_as_well(what: bytes, place: str):
    document = signed()
    assert who(arrive(what + document if place == "before" else document + what)) is None


def test_a_section_of_characters_is_its_characters():
    outcomes = [who(arrive(document)) for document in inserted(signed(), b"<![CDATA[]]>")]
    assert set(outcomes) == {GENUINE}
    assert {who(arrive(document)) for document in inserted(signed(), b"<![CDATA[x]]>")} <= {None, GENUINE}


def test_no_byte_that_nobody_signed_changes_who_it_is():
    """CVE-2025-54369: values that were read from beside what was signed."""
    document = signed()
    begins, ends = document.index(b"<saml:Assertion"), document.index(b"</saml:Assertion>")
    outside = [at for at in range(len(document)) if not begins <= at < ends]
    changed = (document[:at] + bytes([document[at] ^ 1]) + document[at + 1 :] for at in outside)
    outcomes = {who(arrive(each)) for each in changed}
    assert outcomes == {None, GENUINE}


def test_no_byte_of_an_assertion_can_change():
    document = signed()
    assertion = etree.fromstring(document).find(name("saml", "Assertion"))
    assert assertion is not None
    begins, ends = document.index(b"<saml:Assertion"), document.index(b"</saml:Assertion>")
    changed = (document[:at] + bytes([document[at] ^ 1]) + document[at + 1 :] for at in range(begins, ends, 5))
    assert {who(arrive(each)) for each in changed} <= {None, GENUINE}


PIECES: Final = st.sampled_from(
    [
        b"<saml:Assertion>",
        b"</saml:Assertion>",
        b"<ds:Signature>",
        b"<!DOCTYPE a>",
        b"&amp;",
        b"&#0;",
        b"&x;",
        b"\x00",
        b"\xff",
        b'xmlns=""',
        b'ID="x"',
        b"mallory",
        b"]]>",
        b"<",
    ]
)


@given(
    cuts=st.lists(st.tuples(st.floats(0, 1), st.integers(0, 40), st.one_of(PIECES, st.binary(max_size=8))), max_size=4),
    signs=st.sampled_from(SIGNED),
)
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_whatever_is_done_to_an_answer_it_means_the_same_person_or_nobody(
    cuts: list[tuple[float, int, bytes]], signs: str
):
    document = signed(signs)
    for where, length, piece in cuts:
        at = int(where * len(document))
        document = document[:at] + piece + document[at + length :]
    assert who(arrive(document)) in {None, GENUINE}


@given(
    fields=st.dictionaries(st.sampled_from(["SAMLResponse", "RelayState"]), st.lists(st.text(), max_size=2).map(tuple))
)
@settings(max_examples=100, deadline=None)
def test_whatever_a_browser_brings_nobody_comes_in(fields: dict[str, tuple[str, ...]]):
    assert who(kind().arrive(kept(), TRIP, departure().request, Callback(fields=fields))) is None


@given(text=st.text(max_size=400), data=st.binary(max_size=400))
@settings(max_examples=100, deadline=None)
def test_whatever_is_in_it_nobody_comes_in(text: str, data: bytes):
    for document in (text.encode(errors="surrogatepass"), data, base64.b64encode(data)):
        assert who(arrive(document)) is None
