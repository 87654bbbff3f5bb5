"""What happens to sessions."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from authflow.machine import Fact

if TYPE_CHECKING:
    from authflow.values import UserId


@attrs.frozen(kw_only=True)
class SignedIn(Fact):
    """A person is signed in; *methods* are the proofs, joined by a comma."""

    user: UserId
    methods: str


@attrs.frozen(kw_only=True)
class SignInPending(Fact):
    """A first factor passed; a second factor, or an enrollment, is owed."""

    user: UserId
    owed: str


@attrs.frozen(kw_only=True)
class SignInRefused(Fact):
    """A first factor passed, but the person may not sign in."""

    user: UserId
    code: str


@attrs.frozen(kw_only=True)
class PendingSignInEnded(Fact):
    """A pending sign-in is over.

    *reason* is ``expired``, ``too_many_attempts``, ``cancelled``, ``inactive``, or ``ended_elsewhere`` when the
    person's epoch has changed since.
    """

    user: UserId
    reason: str


@attrs.frozen(kw_only=True)
class Reauthenticated(Fact):
    """A signed-in person proved once more who they are."""

    user: UserId
    method: str


@attrs.frozen(kw_only=True)
class OtherSessionsEnded(Fact):
    """Every session of *user* but the present one ended."""

    user: UserId
    count: int
    reason: str


@attrs.frozen(kw_only=True)
class SignedOut(Fact):
    """The person ended the session."""

    user: UserId
