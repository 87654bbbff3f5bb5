"""Who meets an organization's single sign-on: every combination of what the decision reads, against its laws."""

from __future__ import annotations

from datetime import timedelta
from itertools import product
from typing import TYPE_CHECKING

import attrs
import pytest

from authflow.sso.access import AHEAD, CONFIRMED_WITHIN, MARK_LIFE, Access, Door, Entrant, Why, access
from authflow.testing.samples.links import ACME, ACME_IDP, ADA, GLOBEX, HOSTILE_IDP, NOW, TICK, link
from authflow.values import Level, LinkId, Mark, OrganizationId

if TYPE_CHECKING:
    from collections.abc import Iterator

DOOR = Door(organization=ACME, provider=ACME_IDP, required=True, confirms=True)
LINK = attrs.evolve(link(ADA), verified_at=NOW)
MARK = Mark(organization=ACME, provider=ACME_IDP, link=LINK.id, at=NOW)
INSIDE = Entrant(level=Level.ONE, link=LINK, linked=True, mark=MARK)

LINKS = [
    None,
    LINK,
    attrs.evolve(LINK, verified_at=NOW - CONFIRMED_WITHIN),
    attrs.evolve(LINK, provider=HOSTILE_IDP),
    attrs.evolve(LINK, organization=GLOBEX),
    attrs.evolve(LINK, organization=OrganizationId("0")),
]
MARKS = [
    None,
    MARK,
    attrs.evolve(MARK, at=NOW - MARK_LIFE),
    attrs.evolve(MARK, organization=GLOBEX),
    attrs.evolve(MARK, provider=HOSTILE_IDP),
    attrs.evolve(MARK, link=LinkId("former")),
]


def entrants() -> Iterator[Entrant]:
    for level, stands, mark in product(Level, LINKS, MARKS):
        for owner, other, linked, invalid in product((True, False), repeat=4):
            yield Entrant(
                level=level,
                owner=owner,
                another_way_in=other,
                link=stands,
                linked=linked,
                invalid=invalid,
                mark=mark,
            )


@pytest.mark.parametrize("confirms", [True, False])
def test_only_this_organizations_link_and_a_recent_sign_in_by_it_count(*, confirms: bool):
    """Decisions 1 and 2; invariants 14 and 15: no level of one's own proofs stands in for it."""
    door = attrs.evolve(DOOR, confirms=confirms)
    for entrant in entrants():
        good_link = entrant.link == LINK or (not confirms and entrant.link == LINKS[2])
        good = good_link and entrant.linked and not entrant.invalid and entrant.mark == MARK
        assert (access(door, entrant, NOW).why_not is None) == good


def test_glass_is_broken_by_the_owner_whom_nobody_could_let_in_and_by_nobody_else():
    """Decision 6, section 14.3: it strands nobody, and does not fail open."""
    for entrant in entrants():
        found = access(DOOR, entrant, NOW)
        alone = entrant.owner and not entrant.another_way_in and entrant.level is Level.TWO
        useless = found.why_not in {Why.NOT_LINKED, Why.LINK_INVALID, Why.LINK_UNCONFIRMED}
        assert found.broken_glass == (alone and useless)
        assert found.met == (found.why_not is None or (alone and useless))


@pytest.mark.parametrize("door", [None, attrs.evolve(DOOR, required=False)])
def test_where_it_is_not_required_nothing_is_asked(door: Door | None):
    assert {access(door, entrant, NOW) for entrant in entrants()} == {Access(why_not=None, broken_glass=False)}


@pytest.mark.parametrize(
    ("entrant", "why"),
    [
        (INSIDE, None),
        (attrs.evolve(INSIDE, link=None), Why.NOT_LINKED),
        (attrs.evolve(INSIDE, invalid=True), Why.LINK_INVALID),
        (attrs.evolve(INSIDE, linked=False), Why.LINK_INVALID),
        (attrs.evolve(INSIDE, link=LINKS[2]), Why.LINK_UNCONFIRMED),
        (attrs.evolve(INSIDE, mark=None), Why.NOT_SIGNED_IN),
        (attrs.evolve(INSIDE, mark=MARKS[2]), Why.SIGN_IN_TOO_OLD),
    ],
)
def test_what_is_missing_is_named(entrant: Entrant, why: Why | None):
    assert access(DOOR, entrant, NOW).why_not is why


def test_what_a_clock_wrote_that_was_ahead_counts_for_an_hour_and_not_for_years():
    """Two nodes differ by minutes; a clock that was years ahead would let its links and sign-ons stand for as long."""
    for ahead, met in ((AHEAD, True), (AHEAD + TICK, False), (timedelta(days=3653), False)):
        confirmed = attrs.evolve(INSIDE, link=attrs.evolve(LINK, verified_at=NOW + ahead))
        signed_on = attrs.evolve(INSIDE, mark=attrs.evolve(MARK, at=NOW + ahead))
        assert [access(DOOR, entrant, NOW).met for entrant in (confirmed, signed_on)] == [met, met]


def test_a_sign_in_that_was_seen_to_be_too_old_stays_so():
    """Decision 35: whatever the clock says by now."""
    aged = attrs.evolve(INSIDE, mark=attrs.evolve(MARK, aged=True))
    assert access(DOOR, aged, NOW).why_not is Why.SIGN_IN_TOO_OLD


def test_times_hold_to_the_microsecond():
    assert access(DOOR, INSIDE, NOW + MARK_LIFE - TICK).met
    assert access(DOOR, INSIDE, NOW + MARK_LIFE).why_not is Why.LINK_UNCONFIRMED
    shorter = access(DOOR, INSIDE, NOW + timedelta(hours=1), mark_life=timedelta(hours=1))
    assert shorter.why_not is Why.SIGN_IN_TOO_OLD
