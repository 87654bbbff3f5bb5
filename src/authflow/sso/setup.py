"""Connecting a provider: an admin proposes one, signs in through it, and only then does it stand (sso 8).

Nothing is stored of the proposal but in the pipeline. Whoever finishes is the person who began, in the same browser,
and it is their identity that is linked, whatever address the provider asserts (CVE-2026-42354).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from authflow.errors import Code
from authflow.machine import Machine, Step, on
from authflow.sso.authority import may_change_trust
from authflow.sso.linking import stale
from authflow.sso.pipeline_rules import abandon, asserted, failed, live, repeat, too_late
from authflow.sso.progress import Abandon, Abandoned, Over, Received, Return, Why
from authflow.values import Answer, Refused
from authflow.witness import gate

if TYPE_CHECKING:
    from datetime import datetime

    from authflow.sso.authority import Authority
    from authflow.sso.identity import Identity
    from authflow.sso.pipeline import Handle, Present
    from authflow.values import Sealed, UserId


# --- states -----------------------------------------------------------------------------------------------------------


@attrs.frozen(kw_only=True)
class Proposed:
    """The browser was sent to the proposed provider. *state*, *request* as in `authflow.sso.progress.Away`.

    *proposal* is the provider's settings, sealed for this pipeline.
    """

    handle: Handle
    state: bytes = attrs.field(repr=False)
    request: Sealed
    proposal: Sealed


@attrs.frozen(kw_only=True)
class Tried:
    """The admin signed in through it: it works."""

    handle: Handle
    identity: Identity
    proposal: Sealed


Setup = Proposed | Tried | Over


# --- commands ---------------------------------------------------------------------------------------------------------


@attrs.frozen(kw_only=True)
class Confirm:
    """Let it stand. *visitor* is who is signed in here, or none; *exists*: the organization has a provider by now."""

    present: Present
    visitor: UserId | None
    authority: Authority
    exists: bool


Command = Return | Confirm | Abandon


# --- answers ----------------------------------------------------------------------------------------------------------


@attrs.frozen(kw_only=True)
class Stands(Answer):
    """Connect the proposed provider, and link *identity* to *user*."""

    identity: Identity
    proposal: Sealed
    user: UserId


SetupAnswer = Received | Stands | Abandoned | Refused
SetupStep = Step[Setup, SetupAnswer]


# --- rules ------------------------------------------------------------------------------------------------------------


@live
def receive(state: Proposed, command: Return, _now: datetime) -> SetupStep:
    """The answer that was asked for is taken once, and ends the pipeline if it names nobody; any other changes nothing.

    Anybody can send this browser back with a state of their own, and so does an older tab of it.
    """
    said = asserted(state, command)
    if isinstance(said, Step):
        return said
    return Step(Tried(handle=state.handle, identity=said, proposal=state.proposal), Received())


@live
def confirm(state: Tried, command: Confirm, now: datetime) -> SetupStep:
    """In the order of section 8: signed in, the same person, an owner still, and no other provider meanwhile."""
    if stale(state.identity, now) is not None:
        return failed(state, Code.SSO_IDENTITY_EXPIRED)
    code = not_the_beginner(state.handle, command) or may_change_trust(command.authority)
    if code is not None:
        return Step(state, Refused(code=code))
    if command.exists:
        return failed(state, Code.SSO_PROVIDER_EXISTS)
    answer = Stands(identity=state.identity, proposal=state.proposal, user=command.authority.user)
    return Step(Over(handle=state.handle, why=Why.FINISHED), answer)


@live
def too_early(state: Proposed, _command: Confirm, _now: datetime) -> SetupStep:
    """Nobody has signed in through it yet."""
    return Step(state, Refused(code=Code.SSO_PROVIDER_UNTRIED))


MACHINE = Machine[Setup, Command, SetupAnswer](
    "sso.setup",
    rows=(
        # state          command          rule       next
        on(Proposed, Return).to(receive, Proposed, Tried, Over),
        on(Proposed, Confirm).to(too_early, Proposed, Over),
        on(Proposed, Abandon).to(abandon, Proposed, Over),
        on(Tried, Return).to(repeat, Tried, Over),
        on(Tried, Confirm).to(confirm, Tried, Over),
        on(Tried, Abandon).to(abandon, Tried, Over),
        on(Over, Return).to(too_late, Over),
        on(Over, Confirm).to(too_late, Over),
        on(Over, Abandon).to(too_late, Over),
    ),
)


# --- pieces -----------------------------------------------------------------------------------------------------------


@gate
def not_the_beginner(handle: Handle, command: Confirm) -> Code | None:
    """Whoever finishes is signed in, and is the person who began (CVE-2026-42354)."""
    if command.visitor is None:
        return Code.SESSION_REQUIRED
    same = command.visitor == handle.started_by == command.authority.user
    return None if same else Code.SSO_IDENTITY_MISMATCH
