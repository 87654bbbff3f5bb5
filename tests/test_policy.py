from __future__ import annotations

from datetime import datetime, timedelta
from itertools import product
from typing import Any

import attrs
import pytest

from authflow.bounds import LIFETIME_MAX
from authflow.errors import ConfigInvalid
from authflow.mfa.kinds import KINDS as ALL_KINDS
from authflow.policy import (
    ADMIN,
    KINDS,
    MANAGER,
    MEMBER,
    OWNER,
    AccountsPolicy,
    EventPolicy,
    MembershipPolicy,
    MfaPolicy,
    OutboxPolicy,
    Policy,
    SessionPolicy,
    SsoPolicy,
)
from authflow.values import Budget

POLICIES = [AccountsPolicy, EventPolicy, MembershipPolicy, MfaPolicy, OutboxPolicy, Policy, SessionPolicy, SsoPolicy]

SECOND, TICK = timedelta(seconds=1), timedelta(microseconds=1)
GOOD = Budget(name="x", limit=1, window=SECOND)

BAD_NAMES: list[Any] = ["", " ", "x" * 65, 5, None, b"x"]
BAD_COUNTS: list[Any] = [-1, 10**9, True, 5.0, "5", None]
BAD_LIFETIMES: list[Any] = [
    timedelta(),
    -SECOND,
    SECOND - TICK,
    LIFETIME_MAX + TICK,
    timedelta.max,
    600,
    "600",
    True,
    None,
]

BAD: dict[str, list[Any]] = {
    "timedelta": BAD_LIFETIMES,
    "int": BAD_COUNTS,
    "bool": [0, 1, "", "yes", None],
    "str": [*BAD_NAMES, "a:b"],
    "ProjectId | None": [name for name in BAD_NAMES if name is not None],
    "frozenset[str]": ["", "totp", ["totp"], {"totp"}, None, *(frozenset({name}) for name in BAD_NAMES)],
    "tuple[Role, ...]": [(), ("a", "a"), ["a"], "a", None, ("a", ["b"]), *((name,) for name in BAD_NAMES)],
    "Budget": [
        None,
        ("x", 1, SECOND),
        *(attrs.evolve(GOOD, name=name) for name in BAD_NAMES),
        *(attrs.evolve(GOOD, limit=limit) for limit in (0, 1001, *BAD_COUNTS)),
        *(attrs.evolve(GOOD, window=window) for window in BAD_LIFETIMES),
    ],
}
BAD["datetime | None"] = ["2026-01-01", 0, False, timedelta(days=1), datetime(2026, 1, 1)]  # noqa: DTZ001  # that is what is wrong with it
BAD["frozenset[Role]"] = BAD["frozenset[str]"]
BAD |= {policy.__name__: [None, {}, policy, Policy()] for policy in POLICIES}

FIELDS = [(policy, field) for policy in POLICIES for field in attrs.fields(policy)]

BOUNDS = {
    "MfaPolicy.totp_window": (0, 2),
    "MfaPolicy.enrollment_proofs": (1, 10),
    "MfaPolicy.recovery_codes": (1, 50),
    "MfaPolicy.lock_after": (5, 100),
    "MfaPolicy.known_browsers": (0, 20),
    "MfaPolicy.mail_after_failures": (1, 10),
    "SessionPolicy.pending_login_failures": (1, 20),
    "OutboxPolicy.attempts": (1, 1000),
    "OutboxPolicy.batch": (1, 1000),
    "EventPolicy.max_bytes": (1000, 20_000_000),
}


def fields_of(kind: str) -> list[Any]:
    return [pytest.param(p, f, id=f"{p.__name__}.{f.name}") for p, f in FIELDS if kind in {"", str(f.type)}]


@pytest.mark.parametrize(("policy", "field"), fields_of(""))
def test_an_absurd_setting_is_refused_by_name(policy: Any, field: Any):
    """Every field of every policy, with everything that its type must not be; also when it is changed later."""
    for bad in [object(), *BAD[str(field.type)]]:
        for make in (policy, lambda **change: attrs.evolve(policy(), **change)):
            with pytest.raises(ConfigInvalid) as raised:
                make(**{field.name: bad})
            assert raised.value.setting == f"{policy.__name__}.{field.name}", bad


@pytest.mark.parametrize("good", [SECOND, LIFETIME_MAX])
@pytest.mark.parametrize("policy", POLICIES)
def test_the_bounds_of_a_lifetime_belong_to_it(policy: Any, good: timedelta):
    names = [field.name for field in attrs.fields(policy) if field.type == "timedelta"]
    made = policy(**dict.fromkeys(names, good))
    assert [getattr(made, name) for name in names] == [good] * len(names)


@pytest.mark.parametrize(("policy", "field"), fields_of("int"))
def test_the_bounds_of_a_count_belong_to_it(policy: Any, field: Any):
    low, high = BOUNDS[f"{policy.__name__}.{field.name}"]
    for good in (low, high):
        assert getattr(policy(**{field.name: good}), field.name) == good
    for bad in (low - 1, high + 1):
        with pytest.raises(ConfigInvalid):
            policy(**{field.name: bad})


@pytest.mark.parametrize(("policy", "field"), fields_of("Budget"))
def test_the_bounds_of_a_budget_belong_to_it(policy: Any, field: Any):
    for good in (GOOD, Budget(name="x" * 64, limit=1000, window=LIFETIME_MAX)):
        assert getattr(policy(**{field.name: good}), field.name) == good


def test_every_budget_has_a_name_of_its_own():
    """Calls are counted under the name: two budgets of one name would count each other's."""
    policy = Policy()
    budgets = [
        value
        for part in attrs.fields(Policy)
        for value in attrs.asdict(getattr(policy, part.name), recurse=False).values()
        if isinstance(value, Budget)
    ]
    assert len({budget.name for budget in budgets}) == len(budgets) >= 7


@pytest.mark.parametrize("policy", POLICIES)
def test_a_policy_cannot_be_changed(policy: Any):
    made = policy()
    for field in attrs.fields(policy):
        with pytest.raises(attrs.exceptions.FrozenInstanceError):
            setattr(made, field.name, getattr(made, field.name))
    assert made == policy()


@pytest.mark.parametrize("policy", POLICIES)
def test_settings_have_names(policy: Any):
    with pytest.raises(TypeError):
        policy(Policy())


def test_the_presets_differ_in_what_they_say_and_in_nothing_else():
    """Decision 26: the strict one is what an installation has that says nothing."""
    assert Policy.strict() == Policy()
    assert Policy.reference_2024() == attrs.evolve(Policy(), sso=SsoPolicy(exclusive_second_factor=True))


def test_a_delay_that_grows_does_not_shrink():
    with pytest.raises(ConfigInvalid) as raised:
        OutboxPolicy(first_delay=2 * SECOND, longest_delay=SECOND)
    assert raised.value.setting == "OutboxPolicy.longest_delay"


def test_who_manages_is_somebody():
    with pytest.raises(ConfigInvalid) as raised:
        MembershipPolicy(managing_roles=frozenset({OWNER, "guest"}))
    assert raised.value.setting == "MembershipPolicy.managing_roles"


# --- roles ----------------------------------------------------------------------------------------------------------

RANKS = {MEMBER: 0, ADMIN: 1, MANAGER: 2, OWNER: 3}


@pytest.mark.parametrize(("own", "given"), list(product([*RANKS, "guest", "", "Owner"], repeat=2)))
def test_nobody_grants_more_than_their_own(own: str, given: str):
    """Decision 36, and only who manages grants at all."""
    known = own in RANKS and given in RANKS
    assert MembershipPolicy().may_grant(own, given) == (
        known and own in {MANAGER, OWNER} and RANKS[given] <= RANKS[own]
    )


def test_a_role_ranks_by_its_place():
    policy = MembershipPolicy(roles=("a", "b"), managing_roles=frozenset({"b"}))
    assert [policy.rank(role) for role in ("a", "b", "c", "A")] == [0, 1, None, None]


def test_nobody_manages_when_nobody_is_said_to():
    """Empty is never "default"."""
    policy = MembershipPolicy(managing_roles=frozenset())
    assert not any(policy.may_grant(own, given) for own, given in product(RANKS, repeat=2))


def test_a_policy_names_the_kinds_that_there_are():
    """A misspelt kind would close nothing: it is refused, and the two lists agree."""
    assert {kind.id for kind in ALL_KINDS} == KINDS
    for setting in ("closed_kinds", "unavailable_kinds"):
        with pytest.raises(ConfigInvalid, match=setting):
            MfaPolicy(**{setting: frozenset({"toptp"})})
