"""Removing a factor: what falls with it, decided from what is left after the removal (mfa 14.4).

No state is stored: each is made of facts that were read after the factor was deleted, in the same transaction.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from authflow.machine import Machine, Step, on

if TYPE_CHECKING:
    from datetime import datetime


@attrs.frozen(kw_only=True)
class PrimaryRemoved:
    """A primary factor was deleted; *primaries* and *backups* are the kinds that are left."""

    primaries: tuple[str, ...]
    backups: tuple[str, ...]


@attrs.frozen
class BackupRemoved:
    """A backup factor was deleted; the primary ones stand."""


@attrs.frozen
class Settled:
    """What had to fall has fallen."""


Removal = PrimaryRemoved | BackupRemoved | Settled


@attrs.frozen
class Cascade:
    """Say what falls with it."""


@attrs.frozen(kw_only=True)
class Falls:
    """The backup kinds that fall, in their order; *unprotected*: the person has no second factor any more."""

    kinds: tuple[str, ...]
    unprotected: bool


def cascade(state: PrimaryRemoved, _command: Cascade, _now: datetime) -> Step[Removal, Falls]:
    """Backup kinds never stand alone: without a primary factor all of them fall."""
    alone = not state.primaries
    return Step(Settled(), Falls(kinds=state.backups if alone else (), unprotected=alone))


def spare(_state: BackupRemoved, _command: Cascade, _now: datetime) -> Step[Removal, Falls]:
    """Nothing hangs on a backup factor."""
    return Step(Settled(), Falls(kinds=(), unprotected=False))


MACHINE = Machine[Removal, Cascade, Falls](
    "journey.removal",
    rows=(
        # state         command          rule     next
        on(PrimaryRemoved, Cascade).to(cascade, Settled),
        on(BackupRemoved, Cascade).to(spare, Settled),
    ),
)
