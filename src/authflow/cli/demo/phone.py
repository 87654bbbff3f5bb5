"""The phone of the demo: the code that an authenticator app shows, computed or typed."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Final

from authflow.mfa import totp

if TYPE_CHECKING:
    from authflow.ports import Clock
    from authflow.values import Secret

NEAR_STEPS: Final = range(-3, 4)
"""Time steps around now whose codes a wrong code must not be: the server accepts one on either side."""


class Unfinished(Exception):
    """The story cannot go on, and why."""


class ComputedPhone:
    """An authenticator app that has taken in *secret*; it shows what every app would show."""

    def __init__(self, secret: Secret, clock: Clock) -> None:
        self._secret = secret
        self._clock = clock

    def code(self) -> str:
        """Return the code of this very moment."""
        return self._shown(0)

    def wrong_code(self) -> str:
        """Return six digits that are the code of no moment near this one."""
        near = set(map(self._shown, NEAR_STEPS))
        return next(code for code in map("{:06}".format, range(len(near) + 1)) if code not in near)

    def _shown(self, steps: int) -> str:
        """Return the code that is shown so many *steps* from now."""
        return totp.code_at(self._secret, totp.step_at(self._clock.now()) + steps)


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
