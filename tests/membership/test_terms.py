"""What was typed into an invitation: one mailbox, a known role, some teams; nothing malformed gets further."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authflow.mailbox import read_address
from authflow.membership.terms import TEAMS_MAX, Malformed, Terms, read_teams, read_terms, well_formed
from authflow.testing.samples.membership import POLICY
from authflow.values import ADDRESS_MAX

GOOD = [
    "ada@example.org",
    "Ada.Lovelace+x@Example.ORG",
    "a@b",
    "o'hara@example.org",
    "ü@example.org",
    "a@bücher.example",
]

BAD: list[Any] = [
    "",
    "ada",
    "@example.org",
    "ada@",
    "ada@@example.org",
    "ada@eve@example.org",
    "ada@example.org,eve@example.net",
    "ada@example.org;eve@example.net",
    "ada@example.org eve@example.net",
    "ada@example.org\r\nBcc: eve@example.net",
    "ada@example.org\n",
    "ada\x00@example.org",
    "ada\u200b@example.org",
    "ada\u2028@example.org",
    "\ud800@example.org",
    '"ada eve"@example.org',
    '"ada@x"@example.org',
    "Ada <ada@example.org>",
    "ada(comment)@example.org",
    "ada@[127.0.0.1]",
    ".ada@example.org",
    "ada.@example.org",
    "a..da@example.org",
    "ada@.example.org",
    "ada@example.org.",
    "ada@example..org",
    "a" * 65 + "@example.org",
    "ü" * 33 + "@example.org",
    "ada@" + "e" * ADDRESS_MAX,
    None,
    7,
    b"ada@example.org",
    ["ada@example.org"],
    ("ada@example.org", "eve@example.net"),
    {"email": "ada@example.org"},
]


@pytest.mark.parametrize("typed", GOOD)
def test_an_address_stays_exactly_as_it_was_typed(typed: str):
    assert read_address(typed) == typed


@pytest.mark.parametrize("typed", BAD, ids=repr)
def test_what_is_not_one_mailbox_is_no_address(typed: Any):
    """A list of addresses is none (CVE-2023-7028); nothing smuggles a header or a second recipient."""
    assert read_address(typed) is None


@given(st.text(max_size=300))
def test_no_text_at_all_breaks_the_reader_and_what_it_takes_is_safe_to_mail_to(typed: str):
    address = read_address(typed)
    if address is not None:
        assert address == typed
        assert address.count("@") == 1
        assert address.isprintable()
        assert len(address.encode()) <= ADDRESS_MAX


def test_every_malformed_field_is_named():
    read = read_terms(email="ada", role="root", teams=[""], policy=POLICY)
    assert isinstance(read, Malformed)
    assert set(read.problems) == {"email", "role", "teams"}


def test_a_wrong_role_or_team_is_enough_to_be_malformed():
    by_role = read_terms(email="ada@example.org", role="root", teams=[], policy=POLICY)
    by_team = read_terms(email="ada@example.org", role="member", teams=["a b"], policy=POLICY)
    assert isinstance(by_role, Malformed)
    assert isinstance(by_team, Malformed)
    assert (set(by_role.problems), set(by_team.problems)) == ({"role"}, {"teams"})


def test_teams_come_once_and_in_order():
    read = read_terms(email="ada@example.org", role="member", teams=["red", "blue", "red"], policy=POLICY)
    assert read == Terms(email=read_address("ada@example.org") or "", role=POLICY.roles[0], teams=("blue", "red"))


@pytest.mark.parametrize(
    "teams", [["a,b"], ["x" * 65], "red", ["a\x00"], [str(n) for n in range(TEAMS_MAX + 1)]], ids=repr
)
def test_teams_that_would_not_fit_a_log_line_are_refused(teams: Any):
    assert read_teams(teams)[1]


def test_the_most_teams_with_the_longest_names_are_taken():
    longest = [f"{n:064}" for n in range(TEAMS_MAX)]
    assert read_teams(longest) == (tuple(longest), {})


@pytest.mark.parametrize("text", ["", "x" * 65, "a b", "a\x00", "ä", "a\n"])
def test_what_no_identifier_can_be_is_never_asked_of_a_database(text: str):
    assert not well_formed("fine", text)


def test_well_formed_identifiers_are():
    assert well_formed("a", "x" * 64, "a-b_c.d:e")
