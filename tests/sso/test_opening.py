"""The table that says whether a setup may begin: held against its laws over everything that can be known."""

from __future__ import annotations

from itertools import product

import attrs
import pytest

from authflow.errors import Code
from authflow.sso.authority import may_change_trust
from authflow.sso.opening import TABLE, Opening, refusal
from authflow.testing.samples.pipelines import AUTHORITIES, OWNER, openings
from authflow.values import Refused
from authflow.witness import Refusal, listen, unlisten

FREE = Opening(authority=OWNER, connected=False, kind_known=True, kind_included=True, role_known=True)


def test_it_begins_where_nothing_stands_against_it_and_nowhere_else():
    begins = [one for one in openings() if refusal(one) is None]
    assert begins
    assert all(may_change_trust(one.authority) is None for one in begins)
    assert {attrs.evolve(one, authority=OWNER) for one in begins} == {FREE}


def test_whoever_may_not_learns_nothing_of_the_organization_or_the_installation():
    """The answer is the same, whatever is true of them."""
    barred = [authority for authority in AUTHORITIES if may_change_trust(authority) is not None]
    assert len(barred) == 3
    for authority in barred:
        said = {str(refusal(one)) for one in openings() if one.authority == authority}
        assert said == {str(Refused(code=may_change_trust(authority)))}  # type: ignore[arg-type]  # it is a code


@pytest.mark.parametrize(("connected", "known", "included", "role"), list(product((True, False), repeat=4)))
def test_an_owner_is_told_the_first_thing_that_they_would_have_to_change(
    *, connected: bool, known: bool, included: bool, role: bool
):
    """Section 8: what stands before the kind, whether there is the kind before the plan, and all before the rest."""
    opening = attrs.evolve(FREE, connected=connected, kind_known=known, kind_included=included, role_known=role)
    standing = Code.SSO_PROVIDER_EXISTS if connected else None
    unfit = None if known and included else (Code.SSO_FEATURE_MISSING if known else Code.SSO_KIND_UNKNOWN)
    expected = standing or unfit or (None if role else Code.SSO_INPUT_INVALID)
    answer = refusal(opening)
    assert (None if answer is None else answer.code) == expected
    named = {} if answer is None else dict(answer.problems)
    assert list(named) == (["default_role"] if expected is Code.SSO_INPUT_INVALID else [])


def test_every_row_refuses_something_and_says_that_it_did():
    named = set()
    for one in openings():
        token = listen(heard := [])
        answer = refusal(one)
        unlisten(token)
        said = [entry for entry in heard if isinstance(entry, Refusal) and entry.gate in TABLE]
        assert [entry.answer for entry in said] == ([] if answer is None else [answer])
        named |= {entry.gate for entry in said}
    assert named == set(TABLE)
