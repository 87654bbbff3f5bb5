"""Who may act on whose factors, and which one must stay: against a reference, for every combination of facts."""

from __future__ import annotations

from itertools import combinations, product
from typing import TYPE_CHECKING, Any

import pytest

from authflow.errors import Code
from authflow.mfa import gates, removal
from authflow.mfa.kinds import KINDS, RECOVERY, SECURITY_KEY, TOTP, UNKNOWN
from authflow.mfa.removal import ActingAs, Change
from authflow.testing.samples.mfa import ADA, EVE, STRANGER, change, person
from authflow.values import OrganizationId, Refused

if TYPE_CHECKING:
    from collections.abc import Callable

ACME = OrganizationId("acme")
GLOBEX = OrganizationId("globex")
NONE: frozenset[OrganizationId] = frozenset()

FAILING: dict[Callable[..., Any], tuple[Code, dict[str, Any]]] = {
    gates.authenticated: (Code.SESSION_ENDED, {"asker": STRANGER}),
    gates.elevated: (Code.SESSION_ELEVATION_REQUIRED, {"asker": person(elevated=False)}),
    removal.permitted: (Code.MFA_FORBIDDEN, {"subject": EVE}),
    removal.known: (Code.ACCOUNT_UNKNOWN, {"known": False}),
    removal.own: (Code.MFA_FORBIDDEN, {"subject": EVE}),
    removal.found: (Code.MFA_NOT_FOUND, {"target": UNKNOWN}),
    removal.well_formed: (Code.MFA_INPUT_INVALID, {"problems": {"name": "is empty"}}),
    removal.not_required: (Code.MFA_REQUIRED_BY_ORGANIZATION, {"required": True}),
}
"""For every gate what it answers, and the one fact that makes it refuse."""

TUPLES = {
    "listing": removal.LISTING,
    "looking": removal.LOOKING,
    "renaming": removal.RENAMING,
    "regenerating": removal.REGENERATING,
    "removing": removal.REMOVING,
}


@pytest.mark.parametrize("order", TUPLES.values(), ids=TUPLES)
def test_of_two_refusals_the_earlier_one_answers(order: tuple[Any, ...]):
    assert gates.refusal(order, change()) is None
    for first, second in combinations(order, 2):
        facts = {**FAILING[second][1], **FAILING[first][1]}
        answer = gates.refusal(order, change(**facts))
        assert answer is not None
        assert answer.code is FAILING[first][0], (first.__name__, second.__name__)


def everything() -> list[Change]:
    """Return every combination of facts about another person and about oneself."""
    return [
        change(
            subject=subject,
            administrator=administrator,
            managed_by=managed_by,
            manager_of=manager_of,
            memberships=memberships,
            required=required,
            usable_left=left,
            target=target,
        )
        for subject, administrator, managed_by, manager_of, memberships, required, left, target in product(
            (ADA, EVE),
            (False, True),
            (None, ACME, GLOBEX),
            (NONE, frozenset({ACME})),
            (NONE, frozenset({ACME}), frozenset({ACME, GLOBEX})),
            (False, True),
            (0, 1),
            (TOTP, RECOVERY),
        )
    ]


EVERYTHING = everything()


def test_a_manager_acts_only_on_accounts_that_their_organization_manages_alone():
    """Decision 18: created by its provider or in its verified domain, and a member nowhere else."""
    managers = [one for one in EVERYTHING if one.role() is ActingAs.MANAGER]
    assert managers
    for one in managers:
        assert one.subject == EVE
        assert not one.administrator
        assert one.managed_by == ACME
        assert one.manager_of == one.memberships == frozenset({ACME})


def test_nobody_manages_the_account_of_somebody_who_owns_themselves():
    """No account is managed in this version: nothing says so yet."""
    unmanaged = [one for one in EVERYTHING if one.managed_by is None and one.subject == EVE]
    assert {one.role() for one in unmanaged} == {ActingAs.ADMINISTRATOR, ActingAs.STRANGER}


def test_everybody_acts_on_their_own_factors_as_themselves():
    assert {one.role() for one in EVERYTHING if one.subject == ADA} == {ActingAs.SELF}


def test_the_last_usable_factor_stays_while_an_organization_requires_one():
    """Section 14.4: for its owner and for a manager; an administrator answers for the rest."""
    for one in EVERYTHING:
        refused = removal.not_required(one) is not None
        last = one.required and one.usable_left == 0 and one.target is TOTP
        assert refused == (last and one.role() is not ActingAs.ADMINISTRATOR)


def test_recovery_codes_may_go_while_a_factor_is_required():
    """Section 23, 12: they never met the requirement."""
    assert gates.refusal(removal.REMOVING, change(target=RECOVERY, required=True, usable_left=0)) is None


@pytest.mark.parametrize("order", TUPLES.values(), ids=TUPLES)
def test_a_stranger_is_refused_whatever_exists(order: tuple[Any, ...]):
    """Whether a factor exists is not told to somebody who may not act on it."""
    for target in (*KINDS, UNKNOWN):
        assert gates.refusal(order, change(subject=EVE, target=target)) == Refused(code=Code.MFA_FORBIDDEN)


def test_nobody_renames_or_regenerates_for_another_person():
    for order in (removal.RENAMING, removal.REGENERATING):
        answer = gates.refusal(order, change(subject=EVE, administrator=True))
        assert answer is not None
        assert answer.code is Code.MFA_FORBIDDEN


def test_an_administrator_removes_what_another_person_must_keep():
    asked = change(subject=EVE, administrator=True, required=True, target=SECURITY_KEY)
    assert gates.refusal(removal.REMOVING, asked) is None


def test_a_listing_needs_no_elevation_and_everything_else_does():
    lazy = {"asker": person(elevated=False)}
    without = [name for name, order in TUPLES.items() if gates.refusal(order, change(**lazy)) is None]
    assert without == ["listing"]


def test_a_change_of_which_nothing_else_is_said_is_refused():
    """No factor is found, none is left, and nobody manages anything."""
    mine = Change(asker=person(), subject=ADA, required=True)
    assert removal.not_required(mine) == Refused(code=Code.MFA_REQUIRED_BY_ORGANIZATION)
    assert removal.found(mine) == Refused(code=Code.MFA_NOT_FOUND)
    assert Change(asker=person(), subject=EVE).role() is ActingAs.STRANGER
