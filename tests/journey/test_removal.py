"""What falls with a removed factor."""

from __future__ import annotations

from authflow.journey import removal
from authflow.testing import assert_complete
from authflow.testing.clocks import START
from authflow.testing.samples.journey import REMOVAL


def test_every_edge_of_a_removal_is_taken():
    assert_complete(removal.MACHINE, REMOVAL.walk())


def test_backup_kinds_fall_exactly_when_no_primary_is_left():
    for primaries in ((), ("totp",), ("totp", "sms")):
        for backups in ((), ("recovery",)):
            state = removal.PrimaryRemoved(primaries=primaries, backups=backups)
            falls = removal.MACHINE.step(state, removal.Cascade(), START).answer
            assert falls.kinds == (() if primaries else backups)
            assert falls.unprotected == (not primaries)
