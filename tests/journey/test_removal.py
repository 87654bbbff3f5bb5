"""What falls with a removed factor."""

from __future__ import annotations

from itertools import product

from authflow.journey import removal
from authflow.testing import ManualClock, assert_complete, explore

NOW = ManualClock().now()


def test_every_edge_of_a_removal_is_taken():
    start = [removal.PrimaryRemoved(primaries=p, backups=b) for p, b in product(((), ("sms",)), ((), ("recovery",)))]
    found = explore(removal.MACHINE, [*start, removal.BackupRemoved()], lambda _state: [(removal.Cascade(), NOW)])
    assert_complete(removal.MACHINE, found)


def test_backup_kinds_fall_exactly_when_no_primary_is_left():
    for primaries in ((), ("totp",), ("totp", "sms")):
        for backups in ((), ("recovery",)):
            state = removal.PrimaryRemoved(primaries=primaries, backups=backups)
            falls = removal.MACHINE.step(state, removal.Cascade(), NOW).answer
            assert falls.kinds == (() if primaries else backups)
            assert falls.unprotected == (not primaries)
