"""What each kind can do, word for word, and that what is declared is what is built."""

from __future__ import annotations

import attrs
import pytest

from authflow.mfa import kinds
from authflow.mfa.kinds import KINDS, RECOVERY, SECURITY_KEY, SMS, TOTP, UNKNOWN
from authflow.policy import MfaPolicy
from authflow.values import Method

POLICY = MfaPolicy()

# kind: code, id, backup, multi, rotation, activation, typed code, self-enrollable, enroll, configure, remove
TABLE = {
    TOTP: (1, "totp", False, False, True, False, True, True, "Enroll", "Info", "Remove"),
    SMS: (2, "sms", False, False, False, True, True, True, "Enroll", "Info", "Remove"),
    SECURITY_KEY: (3, "security_key", False, True, False, True, False, True, "Enroll", "Configure", "Remove"),
    RECOVERY: (0, "recovery", True, False, False, False, True, False, "Activate", "View Codes", None),
}


@pytest.mark.parametrize(("kind", "row"), TABLE.items(), ids=[kind.id for kind in TABLE])
def test_a_kind_can_do_what_the_specification_says(kind: kinds.Kind, row: tuple[object, ...]):
    """Section 3.1."""
    named = ("code", "id", "backup", "multi", "rotation", "needs_activation", "typed_code", "self_enrollable")
    labels = ("enroll_label", "configure_label", "remove_label")
    assert tuple(getattr(kind, name) for name in (*named, *labels)) == row


def test_only_a_kind_that_rotates_warns_of_it():
    assert [kind for kind in KINDS if (kind.rotation_warning is not None) != kind.rotation] == []


def test_kinds_come_by_code_and_backup_kinds_last():
    """Section 3.5."""
    assert KINDS == (TOTP, SMS, SECURITY_KEY, RECOVERY)
    assert sorted(KINDS, key=lambda kind: (kind.backup, kind.code)) == list(KINDS)
    assert sorted(kinds.PRIMARY) == ["security_key", "sms", "totp"]


def test_codes_and_ids_are_unique():
    every = (*KINDS, UNKNOWN)
    assert len({kind.code for kind in every}) == len({kind.id for kind in every}) == len(every)


def test_every_method_of_a_second_factor_belongs_to_one_kind():
    """What is declared as built is what a session can record."""
    built = [kind.method for kind in KINDS if kind.method is not None]
    assert sorted(built, key=lambda method: method.value) == [Method.TOTP, Method.RECOVERY_CODE]
    assert all(kind.typed_code for kind in KINDS if kind.method is not None)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.id)
def test_a_request_names_a_kind_by_its_id(kind: kinds.Kind):
    assert kinds.named(kind.id) is kind


@pytest.mark.parametrize(
    "text",
    ["", "TOTP", "totp ", "u2f", "unknown", "t\u043etp", "\ud800", "\x00", "x" * 10_000, None, 1, b"totp", ["totp"]],
)
def test_any_other_name_is_the_same_unknown_kind(text: object):
    assert kinds.named(text) is UNKNOWN


def test_the_unknown_kind_can_do_nothing():
    assert UNKNOWN not in KINDS
    assert not UNKNOWN.self_enrollable
    assert not UNKNOWN.typed_code
    assert not kinds.available(UNKNOWN, POLICY)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.id)
def test_a_kind_is_available_where_it_is_built_and_not_switched_off(kind: kinds.Kind):
    off = attrs.evolve(POLICY, unavailable_kinds=frozenset({kind.id}))
    assert kinds.available(kind, POLICY) == (kind in {TOTP, RECOVERY})
    assert not kinds.available(kind, off)
    assert all(kinds.available(other, off) == kinds.available(other, POLICY) for other in KINDS if other is not kind)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.id)
def test_closing_a_kind_leaves_it_available(kind: kinds.Kind):
    """Section 3.3: what is enrolled goes on working."""
    closed = attrs.evolve(POLICY, closed_kinds=frozenset({kind.id}))
    assert [k for k in KINDS if kinds.closed(k, closed)] == [kind]
    assert not any(kinds.closed(k, POLICY) for k in KINDS)
    assert kinds.available(kind, closed) == kinds.available(kind, POLICY)
