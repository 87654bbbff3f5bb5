"""The phone of the demo: the code that an authenticator app shows, computed or typed."""

from __future__ import annotations

import sys
from datetime import timedelta
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from authflow.ports import Clock
    from authflow.values import Secret

STEP: Final = timedelta(seconds=30)
NEAR_STEPS: Final = range(-3, 4)
"""Time steps around now whose codes a wrong code must not be: the server accepts one on either side."""


class Unfinished(Exception):
    """The story cannot go on, and why."""


class ComputedPhone:
    """An authenticator app that has taken in *secret*; it shows what every app would show."""

    def __init__(self, secret: Secret, clock: Clock) -> None:
        from pyotp.totp import TOTP

        self._app = TOTP(secret.reveal())
        self._clock = clock

    def code(self) -> str:
        """Return the code of this very moment."""
        return self._app.at(self._clock.now())

    def wrong_code(self) -> str:
        """Return six digits that are the code of no moment near this one."""
        near = {self._app.at(self._clock.now() + step * STEP) for step in NEAR_STEPS}
        return next(code for code in map("{:06}".format, range(len(near) + 1)) if code not in near)


class PersonsPhone:
    """A real phone in somebody's hand: they type what it shows."""

    def code(self) -> str:
        """Return what is typed.

        Raises:
            Unfinished: Nobody is there.
        """
        sys.stdout.write("\n    the code your phone shows: ")
        sys.stdout.flush()
        typed = sys.stdin.readline()
        if not typed:
            nobody = "nobody typed a code"
            raise Unfinished(nobody)
        return typed.strip()
