"""Recovery codes: how they look, what a person may type, and that only a keyed digest is stored."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authflow.adapters.keys import HmacPepper, KeyRing
from authflow.errors import InputInvalid, NaiveDatetime
from authflow.mfa import codes
from authflow.mfa.codes import RecoveryCode
from authflow.testing import ManualClock, SeededEntropy
from authflow.values import UTC, AuthenticatorId, Secret

NOW = ManualClock().now()
RING = KeyRing.generate(SeededEntropy("ring"), NOW)
PEPPER = HmacPepper(RING)
ME, OTHER = AuthenticatorId("authenticator-1"), AuthenticatorId("authenticator-2")
RANDOM = SeededEntropy("codes").random_bytes(100)

CROCKFORD_VALUES = {letter: value for value, letter in enumerate("0123456789ABCDEFGHJKMNPQRSTVWXYZ")}


def parsed(code: Secret) -> RecoveryCode:
    known = codes.parse_recovery_code(code.reveal())
    assert known is not None
    return known


# --- making ---------------------------------------------------------------------------------------------------------


@given(random=st.binary(min_size=30, max_size=30).filter(lambda b: len({b[:10], b[10:20], b[20:]}) == 3))
def test_codes_are_the_random_bits_and_nothing_less(random: bytes) -> None:
    made = [parsed(code) for code in codes.new_codes(random, 3)]
    values = [
        sum(CROCKFORD_VALUES[letter] << 5 * place for place, letter in enumerate(reversed(code))) for code in made
    ]
    assert b"".join(value.to_bytes(10, "big") for value in values) == random


def test_a_literal_code() -> None:
    # 5-bit groups 0..15 and 16..31.
    random = bytes.fromhex("00443214c74254b635cf84653a56d7c675be77df")
    assert [code.reveal() for code in codes.new_codes(random, 2)] == ["0123-4567-89AB-CDEF", "GHJK-MNPQ-RSTV-WXYZ"]


def test_a_set_is_ten_codes_in_groups_of_four() -> None:
    made = codes.new_codes(RANDOM)
    assert len(made) == len({code.reveal() for code in made}) == codes.RECOVERY_CODE_COUNT == 10
    for code in made:
        assert [len(group) for group in code.reveal().split("-")] == [4, 4, 4, 4]


def test_codes_do_not_show_themselves() -> None:
    assert not any(code.reveal() in repr(codes.new_codes(RANDOM)) for code in codes.new_codes(RANDOM))


@pytest.mark.parametrize(
    ("random", "count"), [(b"", 0), (b"", 1), (RANDOM, 9), (RANDOM[:99], 10), (b"", -1), (RANDOM, 11)]
)
def test_every_code_needs_its_ten_bytes(random: bytes, count: int) -> None:
    with pytest.raises(InputInvalid, match="10 bytes"):
        codes.new_codes(random, count)


@pytest.mark.parametrize("random", [bytes(100), RANDOM[:90] + RANDOM[:10]])
def test_two_codes_of_a_set_are_never_the_same(random: bytes) -> None:
    with pytest.raises(InputInvalid, match="repeat"):
        codes.new_codes(random)


# --- typing ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "0123-4567-89AB-CDEF",
        "0123456789ABCDEF",
        "0123456789abcdef",
        " 0123 4567 89ab cdef\r\n",
        "oi23-4567-89ab-cdef",
        "Ol23-4567-89ab-cdef",
        "oL23 4567\t89ab--cdef",
        "-".join("0123456789ABCDEF"),
        "0123456789ABCDEF" + " " * 48,
    ],
)
def test_a_code_is_read_however_it_is_typed(text: str) -> None:
    assert codes.parse_recovery_code(text) == "0123456789ABCDEF"


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "-",
        None,
        123,
        b"0123456789ABCDEF",
        ["0123456789ABCDEF"],
        "0123456789ABCDE",
        "0123456789ABCDEFG",
        "0123456789ABCDEU",
        "0123456789ABCDE*",
        "0123456789ABCDE\x00",
        "0123456789ABCDE\u0131",  # upper-cased an I, and so a 1
        "0123456789ABCDE\u017f",  # upper-cased an S
        "\uff10" * 16,
        "0123\u20134567\u201389AB\u2013CDEF",
        "0123456789ABCDEF\u00a0",
        "\ud800" * 16,
        "0123456789ABCDEF" + " " * 49,
        "A" * 1_000_000,
    ],
)
def test_what_cannot_be_a_code_is_none(text: object) -> None:
    assert codes.parse_recovery_code(text) is None


@given(random=st.binary(min_size=10, max_size=10), style=st.sampled_from([str.lower, str.upper, str.swapcase]))
def test_every_shown_code_is_read_back(random: bytes, style: type[str]) -> None:
    (code,) = codes.new_codes(random, 1)
    assert codes.parse_recovery_code(style(code.reveal())) == code.reveal().replace("-", "")


@given(text=st.text(max_size=70) | st.text("0123456789abcILOUu- ", min_size=16, max_size=24))
def test_what_is_read_is_16_letters_of_the_alphabet_and_reads_as_itself(text: str) -> None:
    code = codes.parse_recovery_code(text)
    if code is not None:
        assert len(code) == 16
        assert set(code) <= CROCKFORD_VALUES.keys()
        assert codes.parse_recovery_code(code) == code


# --- storing --------------------------------------------------------------------------------------------------------


def test_what_is_stored_is_found_by_what_is_typed() -> None:
    made = codes.new_codes(RANDOM)
    stored = codes.digests_to_store(PEPPER, ME, made)
    assert len(set(stored)) == len(made)
    for code, digest in zip(made, stored, strict=True):
        assert codes.digest(PEPPER, ME, parsed(code)) == (digest,)
        assert digest.key_id == RING.active.id


def test_a_code_is_worth_nothing_at_another_authenticator() -> None:
    code = parsed(codes.new_codes(RANDOM)[0])
    assert codes.digest(PEPPER, ME, code) != codes.digest(PEPPER, OTHER, code)


def test_the_digest_is_over_authenticator_and_code() -> None:
    assert codes.digest(PEPPER, ME, RecoveryCode("0123456789ABCDEF")) == PEPPER.digests(ME, "0123456789ABCDEF")


def test_a_code_from_before_a_rotation_is_found_and_a_new_one_is_stored_under_the_new_key() -> None:
    made = codes.new_codes(RANDOM)
    stored = codes.digests_to_store(PEPPER, ME, made)
    rotated = RING.rotate(SeededEntropy("rotation"), NOW)
    assert stored[0] in codes.digest(HmacPepper(rotated), ME, parsed(made[0]))
    assert {digest.key_id for digest in codes.digests_to_store(HmacPepper(rotated), ME, made)} == {rotated.active.id}


def test_nothing_of_a_code_is_in_what_is_stored() -> None:
    made = codes.new_codes(RANDOM)
    stored = codes.digests_to_store(PEPPER, ME, made)
    shown = repr(stored) + str([digest.value for digest in stored])
    assert not any(group in shown for code in made for group in code.reveal().split("-"))


# --- the file -------------------------------------------------------------------------------------------------------


def test_the_file_names_all_codes_whose_they_are_and_when_they_were_made() -> None:
    made = codes.new_codes(RANDOM)
    vienna = timezone(timedelta(hours=2))
    text = codes.render_text(made, "Example", "ada@example.org", datetime(2026, 7, 1, 1, 30, tzinfo=vienna))
    assert "ada@example.org at Example" in text
    assert "2026-06-30 23:30 UTC" in text
    assert [line.split(". ")[1] for line in text.splitlines() if ". " in line[:5]] == [code.reveal() for code in made]
    assert text.endswith("\n")


@pytest.mark.parametrize("break_", ["\n", "\r\n", "\x0b", "\x85", "\u2028"])
def test_a_label_writes_no_line_of_its_own(break_: str) -> None:
    evil = f"ada{break_}  1. AAAA-AAAA-AAAA-AAAA"
    plain = codes.render_text(codes.new_codes(RANDOM), "x", "y", NOW).splitlines()
    forged = codes.render_text(codes.new_codes(RANDOM), evil, evil, NOW).splitlines()
    assert forged[1:] == plain[1:]


def test_the_file_needs_an_aware_time() -> None:
    with pytest.raises(NaiveDatetime):
        codes.render_text((), "x", "y", datetime.now(UTC).replace(tzinfo=None))
