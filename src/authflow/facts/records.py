"""What a fact can leave behind: an audit entry, an outbox message, a mail. Numbers and names here are permanent."""

from __future__ import annotations

from enum import IntEnum, StrEnum, unique
from typing import TYPE_CHECKING, Final

import attrs

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from authflow.values import Address, OrganizationId, SessionId, UserId

Scalar = str | int | bool | None
"""What a message or an audit entry may hold: never a secret, a code, or a nested document."""

PAYLOAD_MAX: Final = 4096
"""Bytes of JSON in one message (outbox 2.1)."""


@unique
class Audit(StrEnum):
    """What an audit entry says happened (mfa 18.4, sso 16)."""

    MFA_ADDED = "mfa_added"
    MFA_ROTATED = "mfa_rotated"
    MFA_REMOVED = "mfa_removed"
    MFA_RENAMED = "mfa_renamed"
    MFA_FAILED = "mfa_failed"
    MFA_ENROLLMENT_ENDED = "mfa_enrollment_ended"
    MFA_RATE_LIMITED = "mfa_rate_limited"
    MFA_LOCKED = "mfa_locked"
    MFA_RESET = "mfa_reset"
    MFA_RESET_LINK_USED = "mfa_reset_link_used"
    MFA_ENROLLMENT_DEMANDED = "mfa_enrollment_demanded"
    OTP_REPLAYED = "otp_replayed"
    RECOVERY_CODES_ADDED = "recovery_codes_added"
    RECOVERY_CODES_REGENERATED = "recovery_codes_regenerated"
    RECOVERY_CODE_USED = "recovery_code_used"
    LOGIN_SUCCEEDED = "login_succeeded"
    LOGIN_PENDING = "login_pending"
    LOGIN_REFUSED = "login_refused"
    REAUTHENTICATED = "reauthenticated"
    SESSIONS_ENDED = "sessions_ended"
    SIGNED_OUT = "signed_out"
    ADDRESS_VERIFIED = "address_verified"
    ADDRESS_CONFIRMATION_SENT = "address_confirmation_sent"
    ADDRESS_LOST = "address_lost"
    USER_DELETED = "user_deleted"
    USERS_MERGED = "users_merged"
    USER_EXPORTED = "user_exported"
    MEMBER_INVITE = "member_invite"
    MEMBER_INVITE_RESENT = "member_invite_resent"
    MEMBER_ACCEPT = "member_accept"
    MEMBER_ADD = "member_add"
    MEMBER_PENDING = "member_pending"
    MEMBER_REMOVE = "member_remove"
    MEMBER_EDIT = "member_edit"
    MEMBER_JOIN_REFUSED = "member_join_refused"
    INVITE_REQUEST_ADD = "invite_request_add"
    INVITE_REQUEST_REMOVE = "invite_request_remove"
    INVITE_REMOVE = "invite_remove"
    SSO_IDENTITY_LINK = "sso_identity_link"
    SSO_IDENTITY_MOVED = "sso_identity_moved"
    SSO_IDENTITY_RENUMBERED = "sso_identity_renumbered"
    SSO_IDENTITY_MIGRATED = "sso_identity_migrated"
    SSO_IDENTITY_RELEASED = "sso_identity_released"
    SSO_SIGN_ON_REFUSED = "sso_sign_on_refused"
    SSO_PROOF_SENT = "sso_proof_sent"
    ORG_EDIT = "org_edit"
    SSO_ENABLE = "sso_enable"
    SSO_EDIT = "sso_edit"
    SSO_DISABLE = "sso_disable"
    SSO_BREAK_GLASS = "sso_break_glass"
    SSO_SIGNED_OUT = "sso_signed_out"
    SSO_ANSWERS_WITHDRAWN = "sso_answers_withdrawn"
    USER_SIGNED_UP = "user_signed_up"


@attrs.frozen(kw_only=True)
class AuditEntry:
    """One line of a log: an organization's, or the person's own where *organization* is none (decision 40).

    Args:
        id: Opaque, unique, minted in the command.
        at: When.
        event: What.
        actor: Who did it, or none for the system; *actor_label* is what they were called then.
        target_user: About whom.
        target: The object: an authenticator, member or invitation id.
        session: In which session.
        ip, user_agent, request_id: Where it came from.
        data: Further fields, allow-listed by the table of facts.
    """

    id: str
    at: datetime
    event: Audit
    actor: UserId | None = None
    actor_label: str = ""
    organization: OrganizationId | None = None
    target_user: UserId | None = None
    target: str | None = None
    session: SessionId | None = None
    ip: str | None = None
    user_agent: str | None = None
    request_id: str | None = None
    data: Mapping[str, Scalar] = attrs.field(factory=dict[str, Scalar])


@unique
class Scope(IntEnum):
    """What kind of thing a message's shard names. Retired numbers are never reused."""

    ORGANIZATION = 0
    USER = 1
    PROJECT = 2


@unique
class Category(IntEnum):
    """What a message announces; selects the handler. Retired numbers are never reused."""

    SIGNAL = 1
    FACTOR_ENROLLED = 2
    FACTOR_REMOVED = 3
    RECOVERY_CODES_REGENERATED = 4
    MAIL = 5
    SECURITY_EVENT = 6
    EVENT_STORED = 7
    EMAIL_VERIFIED = 8
    USER_SIGNED_UP = 9
    MEMBER_MAILS = 10


@unique
class Signal(IntEnum):
    """What a message of `Category.SIGNAL` tells an organization's receivers. Numbers are permanent."""

    MEMBER_JOINED = 2
    SSO_ENABLED = 3
    MEMBER_INVITED = 4
    MEMBER_REMOVED = 5
    SSO_DISABLED = 6
    IDENTITY_MOVED = 7


@unique
class MailKind(StrEnum):
    """Every mail the library sends."""

    MFA_ADDED = "mfa_added"
    MFA_REMOVED = "mfa_removed"
    MFA_TOO_MANY_ATTEMPTS = "mfa_too_many_attempts"
    MFA_RESET = "mfa_reset"
    MFA_ENROLLMENT_DEMANDED = "mfa_enrollment_demanded"
    RECOVERY_CODES_REGENERATED = "recovery_codes_regenerated"
    RECOVERY_CODE_USED = "recovery_code_used"
    SIGN_IN_AFTER_FAILURES = "sign_in_after_failures"
    INVITATION = "invitation"
    SETUP_SECOND_FACTOR = "setup_2fa"
    ADDRESS_CONFIRMATION = "address_confirmation"
    ADDRESS_CLAIMED = "address_claimed"
    SSO_PROOF = "sso_proof"
    SSO_ADDRESS_PROOF = "sso_address_proof"
    SSO_ADDRESS_HELD = "sso_address_held"
    SSO_LINKED = "sso_linked"
    SSO_MOVED = "sso_moved"
    SSO_ENABLED = "sso_enabled"
    SSO_TRUST_CHANGED = "sso_trust_changed"
    SSO_DISABLED = "sso_disabled"
    SSO_LINK_ACCOUNT = "sso_link_account"
    SSO_ENDED = "sso_ended"


@attrs.frozen(kw_only=True)
class Message:
    """One row of the outbox (outbox 1.2).

    Its lane is *(destination, scope, shard)*: what waits there is delivered one by one. Messages of one lane that share
    *category* and *object* form a group, of which only the newest is delivered; a fresh *object* never coalesces
    (outbox 1.3).

    Args:
        id: Opaque, unique, minted in the command; receivers de-duplicate by it.
        scope, shard: Whose lane: an organization, a user, a project, and its id.
        category: Selects the handler; written in the scopes that `authflow.facts.table.SCOPES` names.
        object: Which object changed, or a fresh identifier.
        destination: The region that must receive it, or none for local receivers.
        payload: Allow-listed scalars, at most 4 KiB of JSON.
        at: When the change happened.
        due_at: Not before; the same as *at* unless delayed.
        expires_at: A message that carries a sealed secret is worthless, and dropped, after this.
    """

    id: str
    scope: Scope
    shard: str
    category: Category
    object: str
    destination: str | None = None
    payload: Mapping[str, Scalar] = attrs.field(factory=dict[str, Scalar])
    at: datetime
    due_at: datetime
    expires_at: datetime | None = None


@attrs.frozen(kw_only=True)
class Mail:
    """One mail to one stored, verified address (or the one that an invitation names, or that is to be confirmed).

    *context* holds what a template needs, secrets such as an invitation's token included: never log it.
    """

    id: str
    kind: MailKind
    to: Address
    context: Mapping[str, Scalar] = attrs.field(repr=False)
