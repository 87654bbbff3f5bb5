"""Invitation, single sign-on, second factor and policy together: the laws that hold in every cell of the matrix."""

from __future__ import annotations

from functools import cache

from authflow.errors import Code
from authflow.membership.admission import Requirement
from authflow.sso.case import Challenge, Deny, Enter, LinkTo, Register
from authflow.testing.composition import (
    Coming,
    Factor,
    Place,
    Provider,
    Result,
    SecondFactor,
    Settings,
    Way,
    comings,
    compose,
    settings,
)

Cell = tuple[Settings, Coming, Result]

AT_HOME = {Place.MEMBER, Place.ONLY_OWNER}


@cache
def cells() -> list[Cell]:
    found = [(given, coming, compose(given, coming)) for given in settings() for coming in comings()]
    return [(given, coming, result) for given, coming, result in found if result is not None]


def required(given: Settings) -> bool:
    """Tell whether the organization asks for a second factor: it does, unless its provider takes the place of it."""
    exclusive = given.second_factor is SecondFactor.EXCLUSIVE and given.provider is not Provider.NONE
    return given.second_factor is not SecondFactor.NOT_REQUIRED and not exclusive


def test_every_cell_has_an_outcome():
    assert len(cells()) > 700
    assert {type(result.decision) for _, _, result in cells()} == {type(None), Challenge, Deny, Enter, LinkTo, Register}


def test_a_password_never_meets_required_single_sign_on():
    """Decision 2, invariant 15; but for the owner whom nobody else could let in, with two proofs of their own."""
    glass = list[Coming]()
    for given, coming, result in cells():
        if given.provider is Provider.REQUIRED and coming.way is Way.PASSWORD:
            if result.code is None:
                glass.append(coming)
            assert not result.joined
    assert {(coming.place, coming.factor) for coming in glass} == {(Place.ONLY_OWNER, Factor.PROVEN)}


def test_nothing_skips_a_second_factor_that_somebody_has():
    """Invariant 6: no invitation, no provider and no policy leads past it."""
    for _, coming, result in cells():
        if coming.factor is Factor.UNPROVEN:
            assert isinstance(result.decision, Challenge | Deny | None)
            assert result.code is not None
            assert not result.joined


def test_nobody_without_a_second_factor_acts_where_one_is_required():
    for given, coming, result in cells():
        if required(given) and coming.factor is Factor.NONE:
            assert result.code is not None
            assert not (result.joined and coming.place is Place.INVITED)


def test_whoever_proved_a_second_factor_is_never_asked_for_one():
    """Otherwise a person whom the provider sends, and who has no password, could never accept an invitation."""
    for _, coming, result in cells():
        if coming.factor is Factor.PROVEN:
            assert Requirement.SECOND_FACTOR not in result.open
            assert result.code is not Code.ORGANIZATION_SECOND_FACTOR_REQUIRED


def test_an_exclusive_provider_replaces_the_requirement_and_nothing_else():
    """Decision 26: what it changes is what an organization that requires none has, and no factor is skipped by it."""
    by_setting = {(given, coming): result for given, coming, result in cells()}
    for (given, coming), result in by_setting.items():
        if given.second_factor is SecondFactor.EXCLUSIVE and given.provider is not Provider.NONE:
            free = Settings(provider=given.provider, second_factor=SecondFactor.NOT_REQUIRED, newcomers=given.newcomers)
            assert result == by_setting[free, coming]


def test_nobody_joins_unless_they_are_invited_or_the_provider_may_send_newcomers():
    """Invariant 13, decisions 12 and 15: an expired invitation is none, nor is another person's."""
    for given, coming, result in cells():
        assert not (result.joined and coming.place in AT_HOME | {Place.REMOVED})
        if result.joined and coming.place is not Place.INVITED:
            assert coming.way is not Way.PASSWORD
            assert given.newcomers


def test_whoever_acts_is_a_member():
    for _, coming, result in cells():
        if result.code is None:
            assert result.joined or coming.place in AT_HOME


def test_whoever_is_stopped_can_go_on_somewhere():
    """Nobody invited, and no member, is told "no" by a provider that knows them: something they can do is named."""
    told = {
        result.code
        for _, coming, result in cells()
        if coming.place in AT_HOME | {Place.INVITED} and result.code is not None
    }
    assert told == {
        Code.SESSION_SECOND_FACTOR_OWED,
        Code.ORGANIZATION_SSO_REQUIRED,
        Code.ORGANIZATION_SECOND_FACTOR_REQUIRED,
        Code.INVITATION_REQUIREMENTS_OPEN,
    }
