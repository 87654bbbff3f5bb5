"""The one table that says what each fact records. Whoever reads a row knows what a fact leaves behind.

A fact that stands here with nothing is stated to leave nothing; a fact that does not stand here is a bug, and a test
finds it. `authflow.recording` turns rows into audit entries and outbox messages in the commit of the command.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from authflow.facts import accounts, events, membership, mfa, sessions
from authflow.facts.records import Audit, Category, MailKind, Scope, Signal
from authflow.facts.row import NOTHING, About, Records
from authflow.facts.sso_table import SSO

if TYPE_CHECKING:
    from authflow.machine import Fact

__all__ = ["NOTHING", "RECORDS", "SCOPES", "About", "Records"]


_ADDRESS = ("address",)
_FACTOR = ("kind",)
_INVITE = ("email", "role", "teams", "status")

RECORDS: Final[dict[type[Fact], Records]] = {
    # second factors
    mfa.EnrollmentBegun: NOTHING,
    mfa.FactorEnrolled: Records(
        about=About.PERSON,
        audit=Audit.MFA_ADDED,
        fields=_FACTOR,
        target="authenticator",
        message=Category.FACTOR_ENROLLED,
        mail=MailKind.MFA_ADDED,
    ),
    mfa.FactorRotated: Records(
        about=About.PERSON,
        audit=Audit.MFA_ROTATED,
        fields=_FACTOR,
        target="authenticator",
        message=Category.FACTOR_ENROLLED,
        mail=MailKind.MFA_ADDED,
    ),
    mfa.EnrollmentProofRejected: Records(about=About.PERSON, audit=Audit.MFA_FAILED, fields=("kind", "attempts")),
    mfa.EnrollmentEnded: Records(about=About.PERSON, audit=Audit.MFA_ENROLLMENT_ENDED, fields=("kind", "reason")),
    mfa.EnrollmentLimitReached: Records(about=About.PERSON, audit=Audit.MFA_RATE_LIMITED, fields=_FACTOR),
    mfa.FactorRenamed: Records(about=About.PERSON, audit=Audit.MFA_RENAMED, fields=_FACTOR, target="authenticator"),
    mfa.FactorRemoved: Records(
        about=About.PERSON,
        audit=Audit.MFA_REMOVED,
        fields=("kind", "actor_role"),
        target="authenticator",
        message=Category.FACTOR_REMOVED,
        mail=MailKind.MFA_REMOVED,
    ),
    mfa.BackupFactorRemoved: Records(
        about=About.PERSON,
        audit=Audit.MFA_REMOVED,
        fields=("kind", "cascade"),
        target="authenticator",
        message=Category.FACTOR_REMOVED,
    ),
    mfa.RecoveryCodesAdded: Records(
        about=About.PERSON, audit=Audit.RECOVERY_CODES_ADDED, fields=("count",), target="authenticator"
    ),
    mfa.RecoveryCodesRegenerated: Records(
        about=About.PERSON,
        audit=Audit.RECOVERY_CODES_REGENERATED,
        fields=("count",),
        target="authenticator",
        message=Category.RECOVERY_CODES_REGENERATED,
        mail=MailKind.RECOVERY_CODES_REGENERATED,
    ),
    mfa.RecoveryCodeUsed: Records(
        about=About.PERSON,
        audit=Audit.RECOVERY_CODE_USED,
        fields=("remaining",),
        target="authenticator",
        mail=MailKind.RECOVERY_CODE_USED,
    ),
    mfa.SecondFactorVerified: NOTHING,
    mfa.SecondFactorFailed: Records(about=About.PERSON, audit=Audit.MFA_FAILED, fields=_FACTOR),
    mfa.CodeReplayed: Records(about=About.PERSON, audit=Audit.OTP_REPLAYED, fields=_FACTOR, target="authenticator"),
    mfa.SecondFactorLimited: Records(about=About.PERSON, audit=Audit.MFA_RATE_LIMITED, fields=_FACTOR),
    mfa.TooManyAttemptsTold: Records(about=About.PERSON, fields=_FACTOR, mail=MailKind.MFA_TOO_MANY_ATTEMPTS),
    mfa.SecondFactorLocked: Records(about=About.PERSON, audit=Audit.MFA_LOCKED, fields=("failures",)),
    mfa.SignInAfterFailures: Records(about=About.PERSON, fields=("failures",), mail=MailKind.SIGN_IN_AFTER_FAILURES),
    mfa.FactorsReset: Records(
        about=About.PERSON,
        audit=Audit.MFA_RESET,
        fields=("reason", "removed"),
        message=Category.FACTOR_REMOVED,
        mail=MailKind.MFA_RESET,
        secret="token",
    ),
    mfa.EnrollmentDemanded: Records(
        about=About.PERSON,
        audit=Audit.MFA_ENROLLMENT_DEMANDED,
        fields=("reason",),
        mail=MailKind.MFA_ENROLLMENT_DEMANDED,
        secret="token",
    ),
    mfa.ResetLinkUsed: Records(about=About.PERSON, audit=Audit.MFA_RESET_LINK_USED),
    # sessions
    sessions.SignedIn: Records(about=About.PERSON, audit=Audit.LOGIN_SUCCEEDED, fields=("methods",)),
    sessions.SignInPending: Records(about=About.PERSON, audit=Audit.LOGIN_PENDING, fields=("owed",)),
    sessions.SignInRefused: Records(about=About.PERSON, audit=Audit.LOGIN_REFUSED, fields=("code",)),
    sessions.PendingSignInEnded: Records(about=About.PERSON, audit=Audit.LOGIN_REFUSED, fields=("reason",)),
    sessions.Reauthenticated: Records(about=About.PERSON, audit=Audit.REAUTHENTICATED, fields=("method",)),
    sessions.OtherSessionsEnded: Records(about=About.PERSON, audit=Audit.SESSIONS_ENDED, fields=("count", "reason")),
    sessions.SignedOut: Records(about=About.PERSON, audit=Audit.SIGNED_OUT),
    # membership
    membership.MemberInvited: Records(
        about=About.ORGANIZATION,
        audit=Audit.MEMBER_INVITE,
        fields=(*_INVITE, "invitation"),
        target="invitation",
        signal=Signal.MEMBER_INVITED,
        args={"invitation_id": "invitation"},
        mail=MailKind.INVITATION,
        secret="token",
    ),
    membership.InvitationResent: Records(
        about=About.ORGANIZATION,
        audit=Audit.MEMBER_INVITE_RESENT,
        fields=(*_INVITE, "invitation"),
        target="invitation",
        mail=MailKind.INVITATION,
        secret="token",
    ),
    membership.InvitationRequested: Records(
        about=About.ORGANIZATION,
        audit=Audit.INVITE_REQUEST_ADD,
        fields=("email", "role", "status"),
        target="invitation",
    ),
    membership.InvitationRequestRemoved: Records(
        about=About.ORGANIZATION,
        audit=Audit.INVITE_REQUEST_REMOVE,
        fields=("email", "role", "status"),
        target="invitation",
    ),
    membership.InvitationRemoved: Records(
        about=About.ORGANIZATION, audit=Audit.INVITE_REMOVE, fields=("email", "reason"), target="invitation"
    ),
    membership.InvitationDiscarded: NOTHING,
    membership.InvitationAccepted: Records(
        about=About.ORGANIZATION,
        audit=Audit.MEMBER_ACCEPT,
        fields=(*_INVITE, "user", "invitation"),
        target="member",
        signal=Signal.MEMBER_JOINED,
        args={"user_id": "user", "organization_member_id": "member"},
    ),
    membership.MemberAdded: Records(
        about=About.ORGANIZATION,
        audit=Audit.MEMBER_ADD,
        fields=(*_INVITE, "user"),
        target="member",
        signal=Signal.MEMBER_JOINED,
        args={"user_id": "user", "organization_member_id": "member"},
    ),
    membership.MemberChanged: Records(
        about=About.ORGANIZATION, audit=Audit.MEMBER_EDIT, fields=("role", "teams", "changed"), target="member"
    ),
    membership.MemberRemoved: Records(
        about=About.ORGANIZATION,
        audit=Audit.MEMBER_REMOVE,
        fields=("role",),
        target="member",
        signal=Signal.MEMBER_REMOVED,
        args={"user_id": "user", "organization_member_id": "member"},
    ),
    membership.MemberDemoted: Records(
        about=About.ORGANIZATION,
        audit=Audit.MEMBER_PENDING,
        fields=(*_INVITE, "user", "invitation"),
        target="member",
        mail=MailKind.SETUP_SECOND_FACTOR,
        secret="token",
    ),
    membership.JoinRefused: Records(
        about=About.ORGANIZATION, audit=Audit.MEMBER_JOIN_REFUSED, fields=("code",), target="invitation"
    ),
    # accounts
    accounts.AddressVerified: Records(
        about=About.PERSON, audit=Audit.ADDRESS_VERIFIED, fields=_ADDRESS, message=Category.EMAIL_VERIFIED
    ),
    accounts.ConfirmationSent: Records(
        about=About.PERSON,
        audit=Audit.ADDRESS_CONFIRMATION_SENT,
        fields=_ADDRESS,
        mail=MailKind.ADDRESS_CONFIRMATION,
        secret="token",
    ),
    accounts.ConfirmationWithheld: Records(about=About.PERSON, audit=Audit.ADDRESS_CONFIRMATION_SENT, fields=_ADDRESS),
    accounts.AddressClaimed: Records(about=About.PERSON, fields=_ADDRESS, mail=MailKind.ADDRESS_CLAIMED),
    accounts.AddressLost: Records(about=About.PERSON, audit=Audit.ADDRESS_LOST, fields=_ADDRESS),
    accounts.UserDeleted: Records(about=About.PERSON, audit=Audit.USER_DELETED),
    accounts.UsersMerged: Records(
        about=About.PERSON, audit=Audit.USERS_MERGED, fields=("merged", "dropped"), target="merged"
    ),
    accounts.UserExported: Records(about=About.PERSON, audit=Audit.USER_EXPORTED),
    # single sign-on
    **SSO,
    # events
    events.EventStored: Records(
        about=About.PROJECT,
        fields=(
            *("organization", "event", "day", "kind", "outcome", "sequence", "platform", "timestamp", "received"),
            *("skip_consume", "start_time", "cache_key", "skip_first_transaction", "has_attachments"),
        ),
        target="event",
        message=Category.EVENT_STORED,
        object="key",
    ),
}

SCOPES: Final[dict[Category, frozenset[Scope]]] = {
    Category.SIGNAL: frozenset({Scope.ORGANIZATION}),
    Category.FACTOR_ENROLLED: frozenset({Scope.USER}),
    Category.FACTOR_REMOVED: frozenset({Scope.USER}),
    Category.RECOVERY_CODES_REGENERATED: frozenset({Scope.USER}),
    Category.EMAIL_VERIFIED: frozenset({Scope.USER}),
    Category.USER_SIGNED_UP: frozenset({Scope.USER}),
    Category.MEMBER_MAILS: frozenset({Scope.ORGANIZATION}),
    Category.MAIL: frozenset({Scope.USER, Scope.ORGANIZATION}),
    Category.SECURITY_EVENT: frozenset({Scope.PROJECT}),
    Category.EVENT_STORED: frozenset({Scope.PROJECT}),
}
"""Which scopes a category may be written in; a message outside them is refused before anything is written."""
