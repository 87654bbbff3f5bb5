from __future__ import annotations

import copy
import hashlib
import json
import logging
import pickle
import re
import traceback
from datetime import datetime, timedelta, timezone, tzinfo
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from authflow.errors import InputInvalid, NaiveDatetime
from authflow.values import (
    ADDRESS_MAX,
    IDENTIFIER_MAX,
    NOBODY,
    UTC,
    Answer,
    BrowserSession,
    Refused,
    Sealed,
    Secret,
    SessionId,
    UserId,
    fold_address,
    identifier,
    new_identifier,
    require_aware,
    same_address,
    token_digest,
)

HIDDEN = "correct horse battery staple"

any_text = st.text(st.characters(exclude_categories=()))
"""Lone surrogates and NUL included: JSON can carry both."""


# --- identifiers ----------------------------------------------------------------------------------------------------


@given(any_text | st.text(st.characters(min_codepoint=30, max_codepoint=130), max_size=70))
def test_an_identifier_is_visible_ascii_of_bounded_length(text: str):
    """And comes back as it is, or not at all."""
    if re.fullmatch(rf"[!-~]{{1,{IDENTIFIER_MAX}}}", text):
        assert identifier(text, field="user") is text
        return
    with pytest.raises(InputInvalid) as raised:
        identifier(text, field="user")
    assert raised.value.field == "user"


@pytest.mark.parametrize("length", [1, IDENTIFIER_MAX])
def test_the_bounds_of_an_identifier_belong_to_it(length: int):
    assert identifier("x" * length, field="user") == "x" * length


@pytest.mark.parametrize(
    "text", ["", "x" * (IDENTIFIER_MAX + 1), "a b", "a\x00", "a\n", "a\x7f", "\u00e9", "\u212a", " a", "a "]
)
def test_what_databases_compare_differently_is_no_identifier(text: str):
    with pytest.raises(InputInvalid):
        identifier(text, field="user")


@given(st.binary(min_size=16, max_size=40))
def test_a_new_identifier_keeps_every_bit(random: bytes):
    made = new_identifier(random)
    assert identifier(made, field="id") == made.lower()
    assert len(made) == -(-len(random) * 8 // 5)
    assert new_identifier(random[:-1] + bytes([random[-1] ^ 1])) != made


# --- addresses ------------------------------------------------------------------------------------------------------

ANNE = "Anne.Kiss@Example.org"

CONFUSABLES = [
    "Anne.K\u0131ss@Example.org",  # dotless i: what capitals make of it is an I
    "Anne.K\u0130ss@Example.org",  # dotted capital I
    "Anne.\u212aiss@Example.org",  # Kelvin sign: its small letter is k
    "Anne.Ki\u017fs@Example.org",  # long s: its capital is S
    "Anne.Ki\u00df@Example.org",  # sharp s: its capital is SS
    "Anne.Ki\u1e9e@Example.org",
    "\uff21nne.Kiss@Example.org",  # full width
    "Anne.Kis\uff53@Example.org",
    "Anne\uff0eKiss@Example.org",
    "Anne\u3002Kiss@Example.org",  # ideographic full stop, a dot to IDNA
    "Anne.Kiss\uff20Example.org",
    "Anne.Kiss\ufe6bExample.org",
    "Anne.Kiss@Example\uff0eorg",
    "Anne.Kiss@Example\uff61org",
    "\u0410nne.Kiss@Example.org",  # Cyrillic
    "Ann\u0435.Kiss@Example.org",
    "Anne.\u041aiss@Example.org",
    "Anne.K\u0456ss@Example.org",
    "Anne.Ki\u0455\u0455@Example.org",
    "Anne.Kiss@Ex\u0430mple.org",
    "Anne.Kiss@Exam\u0440le.org",
    "Anne.Kiss@Example.\u043erg",
    "\u0391nne.Kiss@Example.org",  # Greek
    "Anne.Kiss@Example.\u03bfrg",
    "An\u0578e.Kiss@Example.org",  # Armenian
    "\U0001d400nne.Kiss@Example.org",  # mathematical bold
    "\u1d2cnne.Kiss@Example.org",  # modifier letter
    "Anne.K\u2071ss@Example.org",  # superscript
    "\u00c5nne.Kiss@Example.org",
    "A\u030anne.Kiss@Example.org",  # a combining ring
    "Anne.Kiss\u200b@Example.org",  # zero width
    "Anne.Kiss\u200d@Example.org",
    "Anne.Ki\u00adss@Example.org",  # soft hyphen
    "\ufeffAnne.Kiss@Example.org",
    "Anne.Kiss@Example.org\u202e",  # right-to-left override
    "Anne.Kiss@Example.org ",
    " Anne.Kiss@Example.org",
    "Anne.Kiss@Example.org\x00",
    "Anne.Kiss@Example.org\r\n",
    "Anne.Kiss@Example.org.",
    "AnneKiss@Example.org",
    "Anne.Kiss+tag@Example.org",
    '"Anne.Kiss"@Example.org',
    "Anne.Kiss@xn--exmple-cua.org",
]


@pytest.mark.parametrize("other", CONFUSABLES, ids=ascii)
def test_a_look_alike_is_another_mailbox(other: str):
    """Accounts were taken over by such (CVE-2019-19844)."""
    assert not same_address(ANNE, other)
    assert not same_address(other, ANNE)
    assert fold_address(other) != fold_address(ANNE)


def test_there_are_forty_look_alikes():
    assert len(set(CONFUSABLES)) >= 40


@pytest.mark.parametrize("same", [ANNE, ANNE.lower(), ANNE.upper(), "aNNE.kISS@eXAMPLE.ORG"])
def test_ascii_case_does_not_tell_mailboxes_apart(same: str):
    assert same_address(ANNE, same)


@given(any_text)
def test_folding_changes_ascii_capitals_only(text: str):
    folded = fold_address(text)
    assert len(folded) == len(text)
    assert fold_address(folded) == folded
    assert all(
        after == (before.lower() if before.isascii() else before) for before, after in zip(text, folded, strict=True)
    )


@given(any_text, any_text)
def test_being_the_same_is_folding_to_the_same(one: str, other: str):
    assert same_address(one, other) == same_address(other, one) == (fold_address(one) == fold_address(other))


def test_the_longest_address_is_that_of_the_rfc():
    assert 256 - len("<>") == ADDRESS_MAX


# --- secrets --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "shown",
    [
        repr,
        str,
        ascii,
        "{}".format,
        "{!r}".format,
        lambda secret: f"{secret}",
        lambda secret: f"{secret!r:>40}",
        lambda secret: "%s %r" % (secret, secret),  # noqa: UP031  # also what logging does
        lambda secret: str([secret, {secret: secret}, (secret,)]),
        lambda secret: repr(attrs.evolve(NOBODY, secret=secret)),
        lambda secret: repr(Answer(session=attrs.evolve(NOBODY, secret=secret))),
        lambda secret: str(dir(secret)),
    ],
)
def test_a_secret_never_shows_itself(shown: Any):
    text = shown(Secret(HIDDEN))
    assert "horse" not in text


def test_a_secret_stays_out_of_logs_and_tracebacks(caplog: pytest.LogCaptureFixture):
    secret = Secret(HIDDEN)
    with pytest.raises(ValueError, match="Secret") as raised:
        raise ValueError(secret)
    logging.getLogger("authflow").warning("a %s and %r", secret, {"of": secret}, exc_info=raised.value)
    captured = traceback.TracebackException.from_exception(raised.value, capture_locals=True)
    assert "horse" not in caplog.text + "".join(captured.format())


@pytest.mark.parametrize(
    "written",
    [
        pickle.dumps,
        lambda secret: pickle.dumps(secret, protocol=0),
        lambda secret: pickle.dumps({"session": attrs.evolve(NOBODY, secret=secret)}),
        copy.copy,
        copy.deepcopy,
        json.dumps,
        bytes,
        iter,
        "{:>40}".format,
        vars,
    ],
)
def test_a_secret_is_not_written_by_accident(written: Any):
    with pytest.raises(TypeError) as raised:
        written(Secret(HIDDEN))
    assert "horse" not in str(raised.value)


@given(any_text, any_text)
def test_secrets_compare_by_their_text(one: str, other: str):
    assert (Secret(one) == Secret(other)) == (one == other)
    assert Secret(one) == Secret(one)
    assert hash(Secret(one)) == hash(Secret(one))


def test_a_secret_is_not_its_text():
    assert Secret("x") != "x"
    assert Secret("x").reveal() == "x"
    assert hash(Secret("x")) != hash("x")


def test_a_sealed_secret_does_not_show_its_ciphertext():
    assert "staple" not in repr(Sealed(key_id="k", ciphertext=HIDDEN.encode()))


def test_a_token_is_stored_as_its_digest():
    """FIPS 180-4, the example "abc"."""
    assert token_digest(Secret("abc")).hex() == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


@given(any_text)
def test_any_text_has_a_digest(text: str):
    """What a browser sends is digested before anybody looks whether it can be a token."""
    assert token_digest(Secret(text)) == hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()


# --- times ----------------------------------------------------------------------------------------------------------


class Undecided(tzinfo):
    """A time zone that does not say its offset."""

    def utcoffset(self, _moment: datetime | None, /) -> timedelta | None:
        return None


@pytest.mark.parametrize("zone", [None, Undecided()])
def test_a_time_without_a_zone_is_refused(zone: tzinfo | None):
    with pytest.raises(NaiveDatetime):
        require_aware(datetime(2026, 1, 1, tzinfo=zone))


@pytest.mark.parametrize("zone", [UTC, timezone(timedelta(hours=-7, minutes=-30))])
def test_a_time_with_a_zone_is_taken(zone: tzinfo):
    moment = datetime(2026, 1, 1, tzinfo=zone)
    assert require_aware(moment) is moment


# --- the session as a value -----------------------------------------------------------------------------------------

sessions = st.builds(
    BrowserSession,
    id=any_text.map(SessionId),
    secret=any_text.map(Secret),
    generation=st.integers(min_value=0),
    renew=st.booleans(),
    user=st.none() | any_text.map(UserId),
)

scalars = st.none() | st.booleans() | st.integers() | st.floats() | any_text | st.binary()
anything = st.recursive(scalars, lambda inner: st.lists(inner) | st.dictionaries(scalars, inner), max_leaves=10)
near_sessions = st.fixed_dictionaries(
    {}, optional=dict.fromkeys(("id", "secret", "generation", "user", "renew"), anything)
)


@given(sessions)
def test_a_session_survives_the_host(session: BrowserSession):
    """As JSON, wherever it is kept; only ``renew`` is done with."""
    stored = json.loads(json.dumps(session.to_json()))
    assert BrowserSession.from_json(stored) == attrs.evolve(session, renew=False)


@given(sessions)
def test_a_session_is_read_from_its_text_too(session: BrowserSession):
    """A host that forgets to parse its cookie signs nobody out."""
    text = json.dumps(session.to_json())
    assert BrowserSession.from_json(text) == attrs.evolve(session, renew=False)
    assert BrowserSession.from_json(text.encode()) == attrs.evolve(session, renew=False)


@given(st.text() | st.binary() | st.sampled_from(["[" * 100_000, '"x"', "null", "1e999", b"\xff", '{"id": "a"}']))
def test_text_that_is_no_session_is_a_stranger(text: str | bytes):
    assert BrowserSession.from_json(text) is NOBODY


@given(anything | near_sessions)
def test_no_stored_value_is_an_error(stored: Any):
    """Whatever a cookie held, it is a session or a stranger."""
    read = BrowserSession.from_json(stored)
    assert read is NOBODY or read.to_json() == {name: stored[name] for name in ("id", "secret", "generation", "user")}
    assert type(read.generation) is int
    assert not read.renew


GOOD = {"id": "s", "secret": "x", "generation": 1, "user": None}


@pytest.mark.parametrize(
    "change",
    [
        {"generation": True},
        {"generation": False},
        {"generation": 1.0},
        {"generation": "1"},
        {"generation": -1},
        {"generation": None},
        {"id": None},
        {"id": b"s"},
        {"id": ["s"]},
        {"secret": 1},
        {"secret": None},
        {"user": 1},
        {"user": ["anne"]},
        {"user": True},
    ],
)
def test_what_to_json_never_wrote_is_a_stranger(change: dict[str, Any]):
    assert BrowserSession.from_json(GOOD) != NOBODY
    assert BrowserSession.from_json(GOOD | change) is NOBODY


@pytest.mark.parametrize("missing", GOOD)
def test_a_session_with_a_part_missing_is_a_stranger(missing: str):
    assert BrowserSession.from_json({name: value for name, value in GOOD.items() if name != missing}) is NOBODY


def test_nobody_has_no_row_and_no_secret():
    assert (NOBODY.id, NOBODY.secret, NOBODY.generation, NOBODY.user) == ("", Secret(""), 0, None)


def test_a_refusal_begins_with_nothing_but_its_code():
    fields = {a.name: a.default for a in attrs.fields(Refused)}
    assert fields["code"] is attrs.NOTHING
    assert (fields["attempts_left"], fields["retry_after"]) == (None, None)
