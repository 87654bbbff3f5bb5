"""The post flow: a factor was proven; what had waited for it now happens, and every combination has an outcome.

::

    factor proven ──► recovery codes settled ──► pending invitation settled ──► finished

A sign-in enters the same table behind the codes, protected by a factor or not, so that *invitation x second factor* is
decided here and nowhere else. No state is stored: each is made of facts that were read in this transaction.
"""

from __future__ import annotations

from enum import StrEnum, unique
from typing import TYPE_CHECKING

import attrs

from authflow.errors import Code
from authflow.machine import Machine, Step, on
from authflow.membership.admission import Requirement

if TYPE_CHECKING:
    from datetime import datetime

    from authflow.values import MemberId, OrganizationId


# --- states ---------------------------------------------------------------------------------------------------------


@attrs.frozen
class FactorProven:
    """A primary factor was just enrolled, or rotated; it is stored."""


@attrs.frozen
class Protected:
    """The person has a second factor."""


@attrs.frozen
class Unprotected:
    """The person has no second factor."""


@attrs.frozen
class Finished:
    """Everything that waited has its outcome."""


PostFlow = FactorProven | Protected | Unprotected | Finished


# --- commands -------------------------------------------------------------------------------------------------------


@attrs.frozen(kw_only=True)
class SettleCodes:
    """Say whether recovery codes are made. *closed*: an administrator closed their enrollment."""

    has_backup: bool
    closed: bool


@attrs.frozen
class MeetNoInvitation:
    """No consent waits in this browser session."""


@attrs.frozen(kw_only=True)
class MeetAccepted:
    """The waiting invitation was accepted: its one conditional write took place."""

    organization: OrganizationId
    member: MemberId


@attrs.frozen(kw_only=True)
class MeetOpenRequirements:
    """The organization still asks for something. *requirements* names it: a second factor, an address, an SSO link."""

    organization: OrganizationId
    requirements: frozenset[Requirement]


@attrs.frozen(kw_only=True)
class MeetRefusal:
    """The waiting invitation was not accepted, for the reason *code*. *waits*: the same click may still succeed."""

    organization: OrganizationId
    code: Code
    waits: bool


@attrs.frozen(kw_only=True)
class MeetConfirmation:
    """Somebody clicked here before anybody was signed in; this person has not said yet whether it was them."""

    organization: OrganizationId


Command = SettleCodes | MeetNoInvitation | MeetAccepted | MeetOpenRequirements | MeetRefusal | MeetConfirmation


# --- answers --------------------------------------------------------------------------------------------------------


@attrs.frozen(kw_only=True)
class CodesSettled:
    """Whether recovery codes are made in this transaction."""

    add: bool


@unique
class InvitationFate(StrEnum):
    """What became of the invitation that had waited.

    Attributes:
        NONE: None had waited.
        JOINED: It was accepted: the person is a member.
        KEPT: It goes on waiting here: for what is open, or for a "yes".
        CLEARED: It cannot be accepted any more, and waits no longer.
    """

    NONE = "none"
    JOINED = "joined"
    KEPT = "kept"
    CLEARED = "cleared"


@unique
class Detour(StrEnum):
    """Where a person goes next so that the invitation can be accepted.

    Attributes:
        SIGN_IN: Sign in, with a proof of one's own.
        VERIFY_ADDRESS: Confirm the address: ``accounts.record_verified_address`` tells of it.
        ENROLL_FACTOR: Enroll a second factor: ``mfa.begin_totp``.
        PROVE_FACTOR: Prove the one that is enrolled: ``mfa.verify``.
        SIGN_IN_THROUGH_SSO: Sign in through the organization's provider.
        CONFIRM: Say whether the click was one's own: ``invitations.resume(..., confirmed=True)``.
    """

    SIGN_IN = "sign_in"
    VERIFY_ADDRESS = "verify_address"
    ENROLL_FACTOR = "enroll_factor"
    PROVE_FACTOR = "prove_factor"
    SIGN_IN_THROUGH_SSO = "sign_in_through_sso"
    CONFIRM = "confirm"


@attrs.frozen(kw_only=True)
class InvitationOutcome:
    """What became of the pending invitation.

    Args:
        fate: ``kept`` leaves the consent for the next detour; ``joined`` and ``cleared`` end it.
        organization: Whose invitation, or none.
        member: The membership, where it was accepted.
        code: Why it was kept or cleared.
        requirements: What is still open, where it was kept for that.
        detour: What the person does next, where something is open.
    """

    fate: InvitationFate
    organization: OrganizationId | None = None
    member: MemberId | None = None
    code: Code | None = None
    requirements: frozenset[Requirement] = frozenset()
    detour: Detour | None = None


Answer = CodesSettled | InvitationOutcome

# --- rules ----------------------------------------------------------------------------------------------------------


def settle_codes(state: FactorProven, command: SettleCodes, _now: datetime) -> Step[PostFlow, Answer]:
    """Codes are made exactly when there is a primary factor and no backup one; closed means "do not add"."""
    add = not command.has_backup and not command.closed
    return Step(Protected(), CodesSettled(add=add))


def nothing_waited(_state: PostFlow, _command: MeetNoInvitation, _now: datetime) -> Step[PostFlow, Answer]:
    """No invitation, no outcome."""
    return Step(Finished(), InvitationOutcome(fate=InvitationFate.NONE))


def joined(_state: PostFlow, command: MeetAccepted, _now: datetime) -> Step[PostFlow, Answer]:
    """The person is a member now; the consent is used up."""
    outcome = InvitationOutcome(fate=InvitationFate.JOINED, organization=command.organization, member=command.member)
    return Step(Finished(), outcome)


def keep_while_protected(_state: Protected, command: MeetOpenRequirements, _now: datetime) -> Step[PostFlow, Answer]:
    """The consent waits; an open second factor means: prove in this session the one that is enrolled."""
    return Step(Finished(), _kept(command, second_factor=Detour.PROVE_FACTOR))


def keep_while_unprotected(
    _state: Unprotected, command: MeetOpenRequirements, _now: datetime
) -> Step[PostFlow, Answer]:
    """The consent waits; an open second factor means: enroll one."""
    return Step(Finished(), _kept(command, second_factor=Detour.ENROLL_FACTOR))


def keep_or_clear(_state: PostFlow, command: MeetRefusal, _now: datetime) -> Step[PostFlow, Answer]:
    """The invitation's own table said whether the same click may still succeed; the outcome tells the person."""
    fate = InvitationFate.KEPT if command.waits else InvitationFate.CLEARED
    return Step(Finished(), InvitationOutcome(fate=fate, organization=command.organization, code=command.code))


def ask_first(_state: PostFlow, command: MeetConfirmation, _now: datetime) -> Step[PostFlow, Answer]:
    """Nobody joins by a click that may have been somebody else's: ask."""
    outcome = InvitationOutcome(
        fate=InvitationFate.KEPT,
        organization=command.organization,
        code=Code.INVITATION_CONFIRMATION_OWED,
        detour=Detour.CONFIRM,
    )
    return Step(Finished(), outcome)


def _kept(command: MeetOpenRequirements, *, second_factor: Detour) -> InvitationOutcome:
    """The address comes first, because an enrollment asks for a verified one; SSO comes last."""
    order = {
        Requirement.SIGN_IN: Detour.SIGN_IN,
        Requirement.VERIFIED_ADDRESS: Detour.VERIFY_ADDRESS,
        Requirement.SECOND_FACTOR: second_factor,
        Requirement.SSO_LINK: Detour.SIGN_IN_THROUGH_SSO,
    }
    return InvitationOutcome(
        fate=InvitationFate.KEPT,
        organization=command.organization,
        code=Code.INVITATION_REQUIREMENTS_OPEN,
        requirements=command.requirements,
        detour=next(detour for open_one, detour in order.items() if open_one in command.requirements),
    )


MACHINE = Machine[PostFlow, Command, Answer](
    "journey.post_flow",
    rows=(
        # state           command                   rule              next
        on(FactorProven, SettleCodes).to(settle_codes, Protected),
        on(Protected, MeetNoInvitation).to(nothing_waited, Finished),
        on(Protected, MeetAccepted).to(joined, Finished),
        on(Protected, MeetOpenRequirements).to(keep_while_protected, Finished),
        on(Protected, MeetRefusal).to(keep_or_clear, Finished),
        on(Protected, MeetConfirmation).to(ask_first, Finished),
        on(Unprotected, MeetNoInvitation).to(nothing_waited, Finished),
        on(Unprotected, MeetAccepted).to(joined, Finished),
        on(Unprotected, MeetOpenRequirements).to(keep_while_unprotected, Finished),
        on(Unprotected, MeetRefusal).to(keep_or_clear, Finished),
        on(Unprotected, MeetConfirmation).to(ask_first, Finished),
    ),
)
