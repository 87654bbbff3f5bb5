"""Who may enter, manage and grant: every combination of facts, against a reference that was written apart."""

from __future__ import annotations

from itertools import product
from typing import Any

import attrs
import pytest

from authflow.errors import Code
from authflow.membership.standing import (
    MemberFlag,
    Sponsor,
    entitled,
    lacks,
    may_enter,
    may_grant,
    may_manage,
    may_return,
    nowhere,
    proved_twice,
    proves,
    role_in,
)
from authflow.policy import ADMIN, MANAGER, MEMBER, OWNER, MembershipPolicy
from authflow.ports import Sso
from authflow.testing.samples.membership import (
    ELSEWHERE,
    HOME,
    NOW,
    POLICY,
    SECOND,
    asker,
    authority,
    entered,
    manager,
    member,
    organization,
    person,
    removed,
    sponsor,
    standing,
)
from authflow.values import Level, Role, UserId

PEOPLE = {
    "nobody": None,
    "known": person(),
    "unverified": person(verified=False),
    "inactive": person(active=False),
    "administrator": person(administrator=True),
    "inactive administrator": person(administrator=True, active=False),
}
PLACES = {
    "plain": organization(),
    "strict": organization(require_second_factor=True, require_verified_address=True),
    "inactive": organization(active=False),
    "unknown": nowhere(HOME),
}
MEMBERSHIPS = {
    "outside": None,
    "member": member(),
    "restricted": member(flags=MemberFlag.MEMBER_LIMIT_RESTRICTED | MemberFlag.SSO_LINKED),
    "removed": removed(),
    "elsewhere": member(place=ELSEWHERE),
}
SESSIONS: dict[str, dict[str, Any]] = {
    "own proof": {},
    "this provider": {"level": Level.NONE, "marks": (entered(HOME),)},
    "another provider": {"level": Level.NONE, "marks": (entered(ELSEWHERE),)},
}
PROVIDERS = {
    "none": Sso(),
    "unlinked": Sso(required=True),
    "unmarked": Sso(required=True, linked=True),
    "marked only": Sso(required=True, marked=True),
    "met": Sso(required=True, linked=True, marked=True),
    "optional": Sso(linked=True, marked=True),
}
STANDS = Sso(linked=True, marked=True)
CASES = list(product(PEOPLE, PLACES, MEMBERSHIPS, SESSIONS, PROVIDERS, (False, True)))


def entering(who: str, place: str, stands: str, session: str, provider: str, *, factor: bool) -> Code | None:
    """Say what the specification says (mfa 17.3), by the names of the facts alone."""
    rules = [
        (who == "nobody", Code.SESSION_REQUIRED),
        (who.startswith("inactive"), Code.SESSION_USER_INACTIVE),
        (place in {"inactive", "unknown"}, Code.ORGANIZATION_UNKNOWN),
        (session == "another provider", Code.SESSION_ELEVATION_REQUIRED),
        (session == "this provider" and provider == "none", Code.SESSION_ELEVATION_REQUIRED),
        (session == "this provider" and provider not in {"met", "optional"}, Code.ORGANIZATION_SSO_REQUIRED),
        (who == "administrator", None),
        (stands not in {"member", "restricted"}, Code.MEMBERSHIP_FORBIDDEN),
        (provider in {"unlinked", "unmarked", "marked only"}, Code.ORGANIZATION_SSO_REQUIRED),
        (place == "strict" and not factor, Code.ORGANIZATION_SECOND_FACTOR_REQUIRED),
        (place == "strict" and who == "unverified", Code.ORGANIZATION_ADDRESS_UNVERIFIED),
        (stands == "restricted", Code.MEMBERSHIP_RESTRICTED),
    ]
    return next((code for applies, code in rules if applies), None)


def test_every_combination_of_facts_enters_as_specified():
    for who, place, stands, session, provider, factor in CASES:
        user = PEOPLE[who]
        there = standing(
            user,
            MEMBERSHIPS[stands],
            asker=asker(user, **SESSIONS[session]),
            sso=PROVIDERS[provider],
            has_factor=factor,
        )
        want = entering(who, place, stands, session, provider, factor=factor)
        assert may_enter(there, PLACES[place]) == want, (who, place, stands, session, provider, factor)


def test_a_stranger_is_told_why_nobody_is_signed_in_here():
    gone = standing(None, asker=asker(None, why_not=Code.SESSION_SUPERSEDED))
    assert may_enter(gone, organization()) is Code.SESSION_SUPERSEDED


@pytest.mark.parametrize("role", POLICY.roles)
def test_only_managing_roles_manage(role: Role):
    refusal = may_manage(authority(manager(role)))
    assert refusal is (None if role in {MANAGER, OWNER} else Code.MEMBERSHIP_FORBIDDEN)


def test_an_administrator_manages_where_they_are_no_member():
    admin = standing(person("root", administrator=True))
    assert may_manage(authority(admin)) is None
    assert may_grant(authority(admin), OWNER) is None


GRANTS = {(MANAGER, MEMBER), (MANAGER, ADMIN), (MANAGER, MANAGER), *((OWNER, role) for role in POLICY.roles)}


@pytest.mark.parametrize(("own", "given"), list(product(POLICY.roles, POLICY.roles)))
def test_nobody_grants_more_than_their_own(own: Role, given: Role):
    """Decision 36."""
    manages = own in {MANAGER, OWNER}
    refusal = Code.ROLE_NOT_ALLOWED if manages else Code.MEMBERSHIP_FORBIDDEN
    assert may_grant(authority(manager(own)), given) is (None if (own, given) in GRANTS else refusal)


@pytest.mark.parametrize("unknown", ["", "Owner", "owner ", "root", "0wner"])
def test_nobody_grants_a_role_that_the_policy_does_not_name(unknown: str):
    admin = Sponsor(user=person("root", administrator=True), membership=member("root"))
    assert may_grant(authority(), Role(unknown)) is Code.ROLE_NOT_ALLOWED
    assert not entitled(admin, Role(unknown), organization(), POLICY)


def test_a_manager_of_one_organization_manages_no_other():
    foreign = standing(person("olga"), member("olga", OWNER, ELSEWHERE))
    assert may_manage(authority(foreign)) is Code.MEMBERSHIP_FORBIDDEN
    assert may_grant(authority(foreign), MEMBER) is Code.MEMBERSHIP_FORBIDDEN


@pytest.mark.parametrize("by", [sponsor(active=False), Sponsor(user=None, membership=member("olga", OWNER))])
def test_who_is_gone_or_inactive_stands_for_nothing(by: Sponsor):
    assert not entitled(by, MEMBER, organization(), POLICY)


def test_who_was_removed_comes_back_by_policy_or_by_a_newer_invitation():
    """Decision 15. An invitation of the same instant is not newer."""
    gone, again = removed(at=NOW), MembershipPolicy(rejoin=True)
    assert [may_return(gone, at, POLICY) for at in (None, NOW - SECOND, NOW, NOW + SECOND)] == [False] * 3 + [True]
    assert may_return(gone, None, again)
    assert may_return(member(), None, POLICY)


def test_the_second_factor_is_asked_before_the_address():
    strict = PLACES["strict"]
    assert lacks(None, strict, has_factor=False) is Code.ORGANIZATION_SECOND_FACTOR_REQUIRED
    assert lacks(None, strict, has_factor=True) is Code.ORGANIZATION_ADDRESS_UNVERIFIED
    assert lacks(person(), strict, has_factor=True) is None


def test_a_proof_reaches_what_it_was_given_for():
    """Decision 1."""
    assert proves(asker(person(), Level.TWO), HOME, Sso())
    assert not proves(asker(None), HOME, STANDS)
    assert not proves(asker(person(), Level.NONE, marks=(entered(ELSEWHERE),)), HOME, STANDS)


def test_a_sign_on_reaches_nothing_once_its_provider_its_link_or_its_time_is_over():
    """Decisions 1, 2: what is known of it now counts, whether it is required or not."""
    came = asker(person(), Level.NONE, marks=(entered(HOME),))
    for required, linked, marked in product((False, True), repeat=3):
        sso = Sso(required=required, linked=linked, marked=marked)
        assert proves(came, HOME, sso) == (linked and marked)


def test_a_role_counts_in_its_own_organization_only():
    assert role_in(HOME, member()) == MEMBER
    assert role_in(ELSEWHERE, member()) is None
    assert role_in(HOME, removed()) is None


def test_flags_name_themselves():
    assert (MemberFlag.SSO_LINKED | MemberFlag.IDP_PROVISIONED).names() == "sso_linked,idp_provisioned"
    assert MemberFlag.NONE.names() == ""
    assert [flag.value for flag in MemberFlag] == [1, 2, 4, 8, 16]


def test_nobody_has_no_id():
    assert standing(None).person == UserId("")
    assert standing(person()).person == UserId("ada")


def test_whoever_has_a_second_factor_must_have_passed_it_here():
    """Decision 12; and decision 1: another organization's provider is no first factor in front of it."""
    levels, doors, flags = list(Level), [(), (entered(HOME),), (entered(ELSEWHERE),)], (True, False)
    for level, marks, factor, enrolled, sso in product(levels, doors, flags, flags, (STANDS, Sso(linked=True))):
        asking = attrs.evolve(asker(person(), level=level, marks=marks), factor_proven=factor)
        both = level is Level.TWO or (factor and marks == (entered(HOME),) and sso == STANDS)
        there = standing(person(), asker=asking, has_factor=enrolled, sso=sso)
        assert proved_twice(there, HOME) == (enrolled and both)
