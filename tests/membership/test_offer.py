"""What an invitation offers, and whom it is for."""

from __future__ import annotations

import pytest

from authflow.membership.offer import (
    Absent,
    InviteStatus,
    address_key,
    carries,
    expired,
    open_key,
    person_key,
    token_of,
)
from authflow.testing.samples.membership import (
    DIGEST,
    INVITED,
    NOW,
    POLICY,
    SECOND,
    TOKEN,
    accepted,
    pending,
    requested,
    stale,
    withdrawn,
)
from authflow.values import Address, Secret, UserId


def test_what_was_never_approved_has_no_token_and_what_is_over_keeps_it():
    assert [token_of(one) for one in (Absent(), requested())] == [None, None]
    assert {token_of(one) for one in (pending(), accepted(), withdrawn(), stale())} == {DIGEST}


def test_an_invitation_expires_at_its_end():
    end = NOW + POLICY.invitation_ttl
    assert [expired(pending(), at) for at in (NOW, end - SECOND, end, end + SECOND)] == [False, False, True, True]


def test_only_what_is_open_has_a_key():
    assert open_key(requested()) == open_key(pending()) == address_key(INVITED)
    assert open_key(pending(bound_to=UserId("ada"))) == person_key(UserId("ada"))
    assert [open_key(one) for one in (Absent(), accepted(), withdrawn(), stale())] == [None] * 4


def test_keys_fold_ascii_case_and_nothing_else():
    assert address_key(Address("ADA@EXAMPLE.ORG")) == address_key(INVITED)
    assert address_key(Address("ad\u0430@example.org")) != address_key(INVITED)
    assert address_key(Address("bill@\u212aings.example")) != address_key(Address("bill@kings.example"))
    assert person_key(UserId("Ada")) != person_key(UserId("ada"))
    assert address_key(Address("ada")) != person_key(UserId("ada"))


def test_a_mail_is_worth_sending_while_its_token_opens_the_invitation():
    """Decision 37."""
    assert carries(pending(), TOKEN, NOW)
    assert not any(carries(pending(), Secret(digit * 64), NOW) for digit in "012345689abcdef")
    assert not carries(pending(), TOKEN, NOW + POLICY.invitation_ttl)
    assert not any(carries(one, TOKEN, NOW) for one in (Absent(), requested(), accepted(), withdrawn(), stale()))


@pytest.mark.parametrize("status", InviteStatus)
def test_the_stored_numbers_are_those_of_the_specification(status: InviteStatus):
    numbers = {"approved": 0, "requested_to_be_invited": 1, "requested_to_join": 2}
    assert numbers[status.label] == status


def test_the_digest_of_a_token_is_not_printed():
    for one in (pending(), accepted(), withdrawn(), stale()):
        assert one.token == DIGEST
        assert repr(DIGEST) not in repr(one)
