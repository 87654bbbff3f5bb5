"""What a person has: who is protected, what can be used, and what a page shows."""

from __future__ import annotations

import attrs
import pytest

from authflow.mfa.answers import Held, Status
from authflow.mfa.factor import Enrolled, Factor, Unenrolled
from authflow.mfa.holdings import NO_ID, Holdings
from authflow.mfa.kinds import KINDS, RECOVERY, SECURITY_KEY, SMS, TOTP, UNKNOWN
from authflow.mfa.recovery import NoCodes, Ready, Recovery
from authflow.policy import MfaPolicy
from authflow.ports import Stored
from authflow.testing.samples.mfa import CODES, ENROLLED, PHONE, POLICY, PROPOSED, READY, ROTATING, authenticator
from authflow.values import AuthenticatorId

NO_TOTP = MfaPolicy(unavailable_kinds=frozenset({"totp"}))
KEY = Enrolled(authenticator=authenticator(id=AuthenticatorId("key-1")))


def holdings(recovery: Recovery | None = None, **factors: Factor) -> Holdings:
    return Holdings(
        factors={kind: Stored(state, 3) for kind, state in factors.items()},
        recovery=Stored(recovery or NoCodes(), 5),
    )


BOTH = holdings(READY, totp=ENROLLED)


@pytest.mark.parametrize(
    ("held", "protected"),
    [
        (Holdings(), False),
        (holdings(totp=Unenrolled()), False),
        (holdings(totp=PROPOSED), False),
        (holdings(READY), False),
        (holdings(READY, totp=PROPOSED), False),
        (holdings(totp=ENROLLED), True),
        (holdings(totp=ROTATING), True),
        (holdings(sms=KEY), True),
        (holdings(READY, security_key=KEY), True),
    ],
)
def test_exactly_an_enrolled_primary_factor_protects(held: Holdings, *, protected: bool):
    """Section 3.6."""
    assert bool(held.primaries()) == protected
    assert held.listing(POLICY).protected == protected


def test_what_the_deployment_cannot_offer_still_protects():
    """Section 3.4: switching a kind off never makes a person one without a second factor."""
    assert BOTH.primaries() == ("totp",)
    assert BOTH.listing(NO_TOTP).protected
    assert BOTH.usable(NO_TOTP) == (RECOVERY,)
    assert holdings(totp=ENROLLED).usable(NO_TOTP) == ()


def test_used_up_codes_are_no_way_in():
    empty = attrs.evolve(READY, left=0)
    assert holdings(empty, totp=ENROLLED).usable(POLICY) == (TOTP,)
    assert holdings(attrs.evolve(READY, left=1)).usable(POLICY) == (RECOVERY,)
    assert holdings(empty).backups() == ("recovery",)


def test_how_many_usable_factors_stay_without_one():
    """Backup kinds are none, neither are unavailable ones."""
    assert BOTH.usable_without(TOTP, POLICY) == 0
    assert BOTH.usable_without(RECOVERY, POLICY) == 1
    assert BOTH.usable_without(UNKNOWN, POLICY) == 1
    assert holdings(READY, totp=ENROLLED, sms=KEY).usable_without(TOTP, POLICY) == 0
    assert BOTH.usable_without(RECOVERY, NO_TOTP) == 0


def test_a_factor_is_found_by_its_own_id_only():
    assert BOTH.kind_of(PHONE) is TOTP
    assert BOTH.kind_of(CODES) is RECOVERY
    for foreign in ("", "authenticator-2", PHONE.upper(), None, 0, b"authenticator-1", "\ud800", "x" * 1000):
        assert BOTH.kind_of(foreign) is UNKNOWN
    assert holdings(totp=PROPOSED).kind_of(PHONE) is UNKNOWN


def test_the_id_of_what_is_not_enrolled_is_empty():
    assert [BOTH.id_of(kind) for kind in (*KINDS, UNKNOWN)] == [PHONE, NO_ID, NO_ID, CODES, NO_ID]
    assert NO_ID == ""


def test_a_page_shows_what_is_available_or_enrolled_in_the_order_of_kinds():
    """Section 13.1."""
    assert [entry.kind for entry in Holdings().listing(POLICY).entries] == [TOTP, RECOVERY]
    assert [entry.kind for entry in holdings(security_key=KEY).listing(NO_TOTP).entries] == [SECURITY_KEY, RECOVERY]
    shown = holdings(sms=KEY).listing(POLICY).entries
    assert [(entry.kind, entry.available, entry.held is not None) for entry in shown] == [
        (TOTP, True, False),
        (SMS, False, True),
        (RECOVERY, True, False),
    ]


def test_a_page_says_which_kinds_are_closed():
    closed = MfaPolicy(closed_kinds=frozenset({"recovery"}))
    assert [(e.kind.id, e.closed) for e in BOTH.listing(closed).entries] == [("totp", False), ("recovery", True)]


def test_where_a_kind_stands():
    """Section 3.2."""
    assert Holdings().entry(TOTP, POLICY).status is Status.NEW
    assert holdings(totp=PROPOSED).entry(TOTP, POLICY).status is Status.NEW
    assert holdings(totp=ROTATING).entry(TOTP, POLICY).status is Status.EXISTING
    assert holdings(security_key=KEY).entry(SECURITY_KEY, POLICY).status is Status.MULTI


def test_an_entry_holds_dates_and_numbers_and_never_a_secret():
    standing = authenticator()
    assert BOTH.held() == (
        Held(
            kind=TOTP,
            id=PHONE,
            name="My phone",
            created_at=standing.created_at,
            last_used_at=standing.last_used_at,
        ),
        Held(
            kind=RECOVERY,
            id=CODES,
            name="Recovery codes",
            created_at=READY.created_at,
            last_used_at=None,
            remaining=10,
        ),
    )
    assert repr(standing.secret.ciphertext) not in repr(BOTH.listing(POLICY))


def test_versions_belong_to_the_rows():
    assert BOTH.factor(TOTP) == Stored(ENROLLED, 3)
    assert BOTH.factor(SMS) == Stored(Unenrolled(), 0)
    assert BOTH.recovery == Stored(READY, 5)
    assert isinstance(BOTH.recovery.state, Ready)
