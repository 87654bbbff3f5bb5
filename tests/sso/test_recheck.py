"""Asking again: every answer of a provider, upon every state of a link's flags."""

from __future__ import annotations

from datetime import timedelta
from itertools import product

import attrs
import pytest

from authflow.sso.recheck import BATCH, GRACE, INTERVAL, SKEW, Flags, Said, check, due
from authflow.testing.samples.links import EARLIER, NOW, link

EVERY = [Flags(linked=linked, invalid=invalid) for linked, invalid in product((True, False), repeat=2)]
LINK = link()


def test_the_figures_are_those_of_the_specification():
    """Sso 14.1: once a day and up to two hours earlier, a hundred in one job, and three failures in a row."""
    assert timedelta(days=1) == INTERVAL
    assert timedelta(hours=2) == SKEW
    assert (BATCH, GRACE) == (100, 3)


@pytest.mark.parametrize("flags", EVERY)
@pytest.mark.parametrize("failures", range(GRACE + 2))
def test_a_confirmation_mends_everything(flags: Flags, failures: int):
    """The reference wrote nothing when only ``invalid`` differed, and left recovered people outside (sso 14.1)."""
    checked = check(LINK, flags, failures, Said.CONFIRMED, NOW)
    assert checked.link == attrs.evolve(LINK, verified_at=NOW, synced_at=NOW)
    assert (checked.flags, checked.failures) == (Flags(linked=True, invalid=False), 0)
    assert checked.changed == (flags != checked.flags)


@pytest.mark.parametrize("flags", EVERY)
def test_a_revocation_ends_it_at_once(flags: Flags):
    checked = check(LINK, flags, 2, Said.REVOKED, NOW)
    assert (checked.flags, checked.failures) == (Flags(linked=False, invalid=True), 0)
    assert checked.link == attrs.evolve(LINK, synced_at=NOW)
    assert checked.changed == (flags != checked.flags)


@pytest.mark.parametrize("flags", EVERY)
@pytest.mark.parametrize("failures", range(GRACE + 2))
def test_a_failure_is_held_against_nobody_until_it_lasts(flags: Flags, failures: int):
    checked = check(LINK, flags, failures, Said.FAILED, NOW)
    assert checked.failures == failures + 1
    assert checked.flags == attrs.evolve(flags, invalid=flags.invalid or failures + 1 >= GRACE)
    assert checked.link.verified_at == EARLIER, "nothing was confirmed"
    assert checked.changed == (flags != checked.flags)


@pytest.mark.parametrize("flags", EVERY)
@pytest.mark.parametrize("failures", range(GRACE + 2))
def test_who_cannot_be_asked_about_stays_as_they_are(flags: Flags, failures: int):
    checked = check(LINK, flags, failures, Said.UNASKED, NOW)
    assert (checked.flags, checked.failures, checked.changed) == (flags, failures, False)
    assert checked.link == attrs.evolve(LINK, synced_at=NOW), "asked about again tomorrow, and nothing was confirmed"


@pytest.mark.parametrize(
    ("skew", "before"),
    [
        (timedelta(0), INTERVAL),
        (SKEW, INTERVAL - SKEW),
        (timedelta(minutes=30), INTERVAL - timedelta(minutes=30)),
        (timedelta(days=9), INTERVAL - SKEW),
        (timedelta(days=-9), INTERVAL),
    ],
)
def test_links_are_due_after_a_day_or_a_little_earlier(skew: timedelta, before: timedelta):
    assert due(NOW, skew) == NOW - before
