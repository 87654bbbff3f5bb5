"""Every way in which authflow says no: the stable codes, what each means, and the exceptions.

Whose fault it is decides the form. What a person outside can cause is an *answer* that carries a `Code`.
An exception means that the host or the installation has to do something: a bug of the caller, a database that is
gone, a key that is missing. Every exception is an `AuthflowError` and has a code too; a driver's error never gets out.
"""

from __future__ import annotations

from enum import StrEnum, unique
from typing import ClassVar, Final, NamedTuple


@unique
class Code(StrEnum):
    """Stable dotted codes. They are never renamed; `CATALOGUE` says what each means."""

    # sessions
    SESSION_REQUIRED = "session.required"
    SESSION_SUPERSEDED = "session.superseded"
    SESSION_ENDED = "session.ended"
    SESSION_ELEVATION_REQUIRED = "session.elevation_required"
    SESSION_SECOND_FACTOR_OWED = "session.second_factor_owed"
    SESSION_NO_PENDING_LOGIN = "session.no_pending_login"
    SESSION_USER_INACTIVE = "session.user_inactive"
    SESSION_PROOF_INVALID = "session.proof_invalid"
    SESSION_ENROLLMENT_OWED = "session.enrollment_owed"
    # second factors
    MFA_ADDRESS_UNVERIFIED = "mfa.address_unverified"
    MFA_RATE_LIMITED = "mfa.rate_limited"
    MFA_LOCKED = "mfa.locked"
    MFA_NOT_SELF = "mfa.not_self"
    MFA_KIND_UNKNOWN = "mfa.kind_unknown"
    MFA_KIND_UNAVAILABLE = "mfa.kind_unavailable"
    MFA_INPUT_INVALID = "mfa.input_invalid"
    MFA_ENROLLMENT_CLOSED = "mfa.enrollment_closed"
    MFA_ALREADY_ENROLLED = "mfa.already_enrolled"
    MFA_ENROLLMENT_STATE_CHANGED = "mfa.enrollment_state_changed"
    MFA_ENROLLMENT_EXPIRED = "mfa.enrollment_expired"
    MFA_ENROLLMENT_ENDED = "mfa.enrollment_ended"
    MFA_CODE_REJECTED = "mfa.code_rejected"
    MFA_NOT_ENROLLED = "mfa.not_enrolled"
    MFA_NOT_FOUND = "mfa.not_found"
    MFA_REQUIRED_BY_ORGANIZATION = "mfa.required_by_organization"
    MFA_FORBIDDEN = "mfa.forbidden"
    MFA_SECRET_UNAVAILABLE = "mfa.secret_unavailable"
    MFA_RESET_LINK_INVALID = "mfa.reset_link_invalid"
    # membership
    INVITATION_INVALID = "invitation.invalid"
    INVITATION_EXPIRED = "invitation.expired"
    INVITATION_USED = "invitation.used"
    INVITATION_REJECTED = "invitation.rejected"
    INVITATION_NOT_APPROVED = "invitation.not_approved"
    INVITATION_SIGN_IN_REQUIRED = "invitation.sign_in_required"
    INVITATION_REQUIREMENTS_OPEN = "invitation.requirements_open"
    INVITATION_WRONG_USER = "invitation.wrong_user"
    INVITATION_ALREADY_MEMBER = "invitation.already_member"
    INVITATION_ALREADY_INVITED = "invitation.already_invited"
    INVITATION_INVITER_NOT_ENTITLED = "invitation.inviter_not_entitled"
    INVITATION_MEMBER_REMOVED = "invitation.member_removed"
    INVITATION_CONSENT_VOID = "invitation.consent_void"
    INVITATION_CONFIRMATION_OWED = "invitation.confirmation_owed"
    INVITATION_INPUT_INVALID = "invitation.input_invalid"
    INVITATION_CANNOT_INVITE = "invitation.cannot_invite"
    INVITATION_JOIN_REQUESTS_DISABLED = "invitation.join_requests_disabled"
    INVITATION_NOT_FOUND = "invitation.not_found"
    INVITATION_RATE_LIMITED = "invitation.rate_limited"
    ROLE_NOT_ALLOWED = "membership.role_not_allowed"
    MEMBERSHIP_FORBIDDEN = "membership.forbidden"
    MEMBERSHIP_NOT_MEMBER = "membership.not_member"
    MEMBERSHIP_LAST_OWNER = "membership.last_owner"
    MEMBERSHIP_INPUT_INVALID = "membership.input_invalid"
    MEMBERSHIP_RESTRICTED = "membership.restricted"
    ORGANIZATION_UNKNOWN = "organization.unknown"
    ORGANIZATION_SSO_REQUIRED = "organization.sso_required"
    ORGANIZATION_SECOND_FACTOR_REQUIRED = "organization.second_factor_required"
    ORGANIZATION_ADDRESS_UNVERIFIED = "organization.address_unverified"
    # single sign-on
    SSO_PIPELINE_INVALID = "sso.pipeline_invalid"
    SSO_PIPELINE_EXPIRED = "sso.pipeline_expired"
    SSO_PROVIDER_CHANGED = "sso.provider_changed"
    SSO_PROVIDER_EXISTS = "sso.provider_exists"
    SSO_PROVIDER_UNTRIED = "sso.provider_untried"
    SSO_PARTNER_LOCKED = "sso.partner_locked"
    SSO_FEATURE_MISSING = "sso.feature_missing"
    SSO_SCIM_UNAVAILABLE = "sso.scim_unavailable"
    SSO_NO_PROVIDER = "sso.no_provider"
    SSO_STATE_INVALID = "sso.state_invalid"
    SSO_PROOF_INVALID = "sso.proof_invalid"
    SSO_PROOF_EXPIRED = "sso.proof_expired"
    SSO_RATE_LIMITED = "sso.rate_limited"
    SSO_IDENTITY_EXPIRED = "sso.identity_expired"
    SSO_IDENTITY_MISMATCH = "sso.identity_mismatch"
    SSO_IDENTITY_DISABLED = "sso.identity_disabled"
    SSO_IDENTITY_CONFLICT = "sso.identity_conflict"
    SSO_IDENTITY_INCOMPLETE = "sso.identity_incomplete"
    SSO_LINK_UNPROVEN = "sso.link_unproven"
    SSO_LINK_UNKNOWN = "sso.link_unknown"
    SSO_MIGRATION_CLOSED = "sso.migration_closed"
    SSO_MEMBER_REMOVED = "sso.member_removed"
    SSO_JOIN_CLOSED = "sso.join_closed"
    SSO_SIGN_UP_CLOSED = "sso.sign_up_closed"
    SSO_KIND_UNKNOWN = "sso.kind_unknown"
    SSO_KIND_UNABLE = "sso.kind_unable"
    SSO_UNASKED_CLOSED = "sso.unasked_closed"
    SSO_UNASKED_UNLINKED = "sso.unasked_unlinked"
    SSO_INPUT_INVALID = "sso.input_invalid"
    SSO_REQUIREMENT_FIXED = "sso.requirement_fixed"
    SSO_PROVIDER_REFUSED = "sso.provider_refused"
    SSO_PROVIDER_UNREACHABLE = "sso.provider_unreachable"
    SSO_RESPONSE_INVALID = "sso.response_invalid"
    SSO_RESPONSE_REPLAYED = "sso.response_replayed"
    SSO_DOMAIN_NOT_ALLOWED = "sso.domain_not_allowed"
    SSO_ACCESS_DENIED = "sso.access_denied"
    SSO_ADDRESS_MISSING = "sso.address_missing"
    SSO_ADDRESS_AMBIGUOUS = "sso.address_ambiguous"
    SSO_ADDRESS_UNVERIFIED = "sso.address_unverified"
    # people
    ACCOUNT_UNKNOWN = "account.unknown"
    ACCOUNT_INPUT_INVALID = "account.input_invalid"
    ACCOUNT_SAME = "account.same"
    ACCOUNT_FORBIDDEN = "account.forbidden"
    ACCOUNT_ADDRESS_UNKNOWN = "account.address_unknown"
    ACCOUNT_ADDRESS_VERIFIED = "account.address_verified"
    ACCOUNT_ADDRESS_TAKEN = "account.address_taken"
    ACCOUNT_CONFIRMATION_INVALID = "account.confirmation_invalid"
    ACCOUNT_CONFIRMATION_EXPIRED = "account.confirmation_expired"
    ACCOUNT_RATE_LIMITED = "account.rate_limited"
    # events
    EVENT_UNKNOWN_PROJECT = "event.unknown_project"
    EVENT_NORMALIZED_TWICE = "event.normalized_twice"
    EVENT_INVALID = "event.invalid"
    EVENT_TOO_LARGE = "event.too_large"
    EVENT_KIND_UNSUPPORTED = "event.kind_unsupported"
    EVENT_INSERT_ONLY = "event.insert_only"
    EVENT_PROJECT_CLOSED = "event.project_closed"
    # outbox
    OUTBOX_CATEGORY_UNKNOWN = "outbox.category_unknown"
    OUTBOX_MESSAGE_INVALID = "outbox.message_invalid"
    OUTBOX_UNKNOWN_ORGANIZATION = "outbox.unknown_organization"
    # repeated commands
    IDEMPOTENCY_CONFLICT = "idempotency.conflict"
    IDEMPOTENCY_KEY_INVALID = "idempotency.key_invalid"
    IDEMPOTENCY_TOO_LARGE = "idempotency.too_large"
    IDEMPOTENCY_REPLY_UNREADABLE = "idempotency.reply_unreadable"
    # installation
    CONFIG_INVALID = "config.invalid"
    INPUT_INVALID = "input.invalid"
    CLOCK_NAIVE = "clock.naive"
    KEYS_MISSING = "keys.missing"
    KEYS_INVALID = "keys.invalid"
    KEYS_UNKNOWN = "keys.unknown"
    SEAL_BROKEN = "keys.seal_broken"
    DATABASE_UNAVAILABLE = "database.unavailable"
    DATABASE_COMMIT_UNKNOWN = "database.commit_unknown"
    DATABASE_BUSY = "database.busy"
    DATABASE_READ_ONLY = "database.read_only"
    DATABASE_REFUSED = "database.refused"
    SCHEMA_MISSING = "schema.missing"
    SCHEMA_TOO_OLD = "schema.too_old"
    SCHEMA_TOO_NEW = "schema.too_new"
    EXTRA_MISSING = "extra.missing"
    UNIT_OF_WORK_NOT_OPEN = "unit_of_work.not_open"
    UNIT_OF_WORK_OPEN = "unit_of_work.open"
    UNIT_OF_WORK_NOT_OWNED = "unit_of_work.not_owned"
    UNIT_OF_WORK_NO_TRANSACTION = "unit_of_work.no_transaction"
    UNIT_OF_WORK_ELSEWHERE = "unit_of_work.elsewhere"
    STALE_VERSION = "unit_of_work.stale_version"
    UNIQUE_VIOLATED = "unit_of_work.unique_violated"
    # bugs
    MACHINE_ILLEGAL_COMMAND = "machine.illegal_command"
    MACHINE_UNDECLARED_EDGE = "machine.undeclared_edge"
    MACHINE_BROKEN_PROMISE = "machine.broken_promise"


class Meaning(NamedTuple):
    """What a code says to a person, and the HTTP status a host may give it."""

    sentence: str
    http: int


CATALOGUE: Final[dict[Code, Meaning]] = {
    Code.SESSION_REQUIRED: Meaning("Sign in first.", 401),
    Code.SESSION_SUPERSEDED: Meaning("This session value was replaced by a newer one. Reload the page.", 401),
    Code.SESSION_ENDED: Meaning("This session was ended. Sign in again.", 401),
    Code.SESSION_ELEVATION_REQUIRED: Meaning("Prove once more who you are.", 401),
    Code.SESSION_SECOND_FACTOR_OWED: Meaning("Enter a code of your second factor first.", 401),
    Code.SESSION_NO_PENDING_LOGIN: Meaning("No sign-in waits for a second factor here. Start again.", 401),
    Code.SESSION_USER_INACTIVE: Meaning("This account cannot sign in.", 403),
    Code.SESSION_PROOF_INVALID: Meaning("This is not a proof of a first factor, or it is too old.", 400),
    Code.SESSION_ENROLLMENT_OWED: Meaning("First set up a second factor with the link you were mailed.", 403),
    Code.MFA_ADDRESS_UNVERIFIED: Meaning("Verify your primary e-mail address first.", 403),
    Code.MFA_RATE_LIMITED: Meaning("Too many tries. Wait and try again.", 429),
    Code.MFA_LOCKED: Meaning("Codes are locked for this account. Use another way, or ask an administrator.", 429),
    Code.MFA_NOT_SELF: Meaning("A second factor can only be set up for your own account.", 403),
    Code.MFA_KIND_UNKNOWN: Meaning("There is no such kind of second factor.", 404),
    Code.MFA_KIND_UNAVAILABLE: Meaning("This kind of second factor is not available here.", 404),
    Code.MFA_INPUT_INVALID: Meaning("A field is missing or malformed.", 400),
    Code.MFA_ENROLLMENT_CLOSED: Meaning("An administrator has closed the enrollment of this kind.", 403),
    Code.MFA_ALREADY_ENROLLED: Meaning("This second factor is set up already.", 409),
    Code.MFA_ENROLLMENT_STATE_CHANGED: Meaning("This enrollment is no longer the current one. Begin again.", 409),
    Code.MFA_ENROLLMENT_EXPIRED: Meaning("This enrollment took too long. Begin again.", 400),
    Code.MFA_ENROLLMENT_ENDED: Meaning("Too many wrong codes ended this enrollment. Begin again.", 400),
    Code.MFA_CODE_REJECTED: Meaning("This code is not accepted.", 400),
    Code.MFA_NOT_ENROLLED: Meaning("This second factor is not set up.", 400),
    Code.MFA_NOT_FOUND: Meaning("There is no such second factor on this account.", 404),
    Code.MFA_REQUIRED_BY_ORGANIZATION: Meaning("An organization requires a second factor: the last one stays.", 403),
    Code.MFA_FORBIDDEN: Meaning("You may not change the second factors of this account.", 403),
    Code.MFA_SECRET_UNAVAILABLE: Meaning("This second factor cannot be checked right now. Use another one.", 503),
    Code.MFA_RESET_LINK_INVALID: Meaning("This link is not valid, or no longer.", 400),
    Code.INVITATION_INVALID: Meaning("This invitation is not valid.", 400),
    Code.INVITATION_EXPIRED: Meaning("This invitation has expired. Ask for a new one.", 400),
    Code.INVITATION_USED: Meaning("This invitation was used already.", 400),
    Code.INVITATION_REJECTED: Meaning("This invitation was withdrawn.", 400),
    Code.INVITATION_NOT_APPROVED: Meaning("This invitation has not been approved yet.", 400),
    Code.INVITATION_SIGN_IN_REQUIRED: Meaning("Sign in or register to accept this invitation.", 401),
    Code.INVITATION_REQUIREMENTS_OPEN: Meaning("The organization asks for something else first.", 403),
    Code.INVITATION_WRONG_USER: Meaning("This invitation was sent to another address. Switch accounts.", 403),
    Code.INVITATION_ALREADY_MEMBER: Meaning("You are a member of this organization already.", 409),
    Code.INVITATION_ALREADY_INVITED: Meaning("This address is invited already.", 409),
    Code.INVITATION_INVITER_NOT_ENTITLED: Meaning("Whoever sent this invitation may no longer give this role.", 400),
    Code.INVITATION_MEMBER_REMOVED: Meaning("You were removed from this organization. Ask for a new invitation.", 403),
    Code.INVITATION_CONSENT_VOID: Meaning("The invitation changed in the meantime. Open its newest link.", 400),
    Code.INVITATION_CONFIRMATION_OWED: Meaning("Say whether it was you who accepted this invitation.", 409),
    Code.INVITATION_INPUT_INVALID: Meaning("A field is missing or malformed.", 400),
    Code.INVITATION_CANNOT_INVITE: Meaning("This organization cannot invite people.", 403),
    Code.INVITATION_JOIN_REQUESTS_DISABLED: Meaning("This organization does not take requests to join.", 403),
    Code.INVITATION_NOT_FOUND: Meaning("There is no such invitation in this organization.", 404),
    Code.INVITATION_RATE_LIMITED: Meaning("Too many invitations. Wait and try again.", 429),
    Code.ROLE_NOT_ALLOWED: Meaning("You may not give this role.", 403),
    Code.MEMBERSHIP_FORBIDDEN: Meaning("You may not manage the members of this organization.", 403),
    Code.MEMBERSHIP_NOT_MEMBER: Meaning("There is no such member in this organization.", 404),
    Code.MEMBERSHIP_LAST_OWNER: Meaning("An organization keeps at least one active owner.", 409),
    Code.MEMBERSHIP_INPUT_INVALID: Meaning("A field is missing or malformed.", 400),
    Code.MEMBERSHIP_RESTRICTED: Meaning("Your membership is restricted: the organization has reached its limit.", 403),
    Code.ORGANIZATION_UNKNOWN: Meaning("There is no such organization.", 404),
    Code.ORGANIZATION_SSO_REQUIRED: Meaning("Sign in through the organization's provider first.", 403),
    Code.ORGANIZATION_SECOND_FACTOR_REQUIRED: Meaning("This organization requires a second factor. Set one up.", 403),
    Code.ORGANIZATION_ADDRESS_UNVERIFIED: Meaning("Verify your primary e-mail address first.", 403),
    Code.SSO_PIPELINE_INVALID: Meaning("No sign-in through this provider was begun in this browser.", 400),
    Code.SSO_PIPELINE_EXPIRED: Meaning("This sign-in took too long, or is over. Begin again.", 410),
    Code.SSO_PROVIDER_CHANGED: Meaning("The organization's provider was changed meanwhile. Begin again.", 409),
    Code.SSO_PROVIDER_EXISTS: Meaning("The organization has a provider already.", 409),
    Code.SSO_PROVIDER_UNTRIED: Meaning("Sign in through the provider first.", 409),
    Code.SSO_PARTNER_LOCKED: Meaning("This provider is managed by a partner and cannot be changed here.", 405),
    Code.SSO_FEATURE_MISSING: Meaning("The organization's plan does not include this kind of provider.", 403),
    Code.SSO_SCIM_UNAVAILABLE: Meaning("This provider cannot make and remove members by itself here.", 409),
    Code.SSO_NO_PROVIDER: Meaning("The organization has no provider.", 404),
    Code.SSO_STATE_INVALID: Meaning("This answer of the provider was not asked for, or was used before.", 400),
    Code.SSO_PROOF_INVALID: Meaning("This link is not for this sign-in, or was used before.", 400),
    Code.SSO_PROOF_EXPIRED: Meaning("This link is too old. Ask for another one.", 410),
    Code.SSO_RATE_LIMITED: Meaning("Too many mails. Try again later.", 429),
    Code.SSO_IDENTITY_EXPIRED: Meaning("The provider's answer is too old. Sign in there again.", 401),
    Code.SSO_IDENTITY_MISMATCH: Meaning("The provider's answer is for another person or another sign-in.", 403),
    Code.SSO_IDENTITY_DISABLED: Meaning("The account behind this identity cannot sign in.", 403),
    Code.SSO_IDENTITY_CONFLICT: Meaning("This identity, or its address, belongs to another account.", 409),
    Code.SSO_IDENTITY_INCOMPLETE: Meaning("The provider sent no identifier, or no e-mail address.", 422),
    Code.SSO_LINK_UNPROVEN: Meaning("Sign in, or prove that the mailbox is yours, before you link this identity.", 401),
    Code.SSO_LINK_UNKNOWN: Meaning("There is no such link.", 404),
    Code.SSO_MIGRATION_CLOSED: Meaning("The provider's former identifier is not taken over any more.", 409),
    Code.SSO_MEMBER_REMOVED: Meaning("You were removed from this organization; ask for a new invitation.", 403),
    Code.SSO_JOIN_CLOSED: Meaning("This organization takes in only people who were invited.", 403),
    Code.SSO_SIGN_UP_CLOSED: Meaning("No accounts are made here. Sign in to the one you have, and link it.", 403),
    Code.SSO_KIND_UNKNOWN: Meaning("This kind of provider is not available here.", 400),
    Code.SSO_KIND_UNABLE: Meaning("This kind of provider cannot do that.", 400),
    Code.SSO_UNASKED_CLOSED: Meaning("Begin your sign-in here, and not at the provider.", 403),
    Code.SSO_UNASKED_UNLINKED: Meaning("Begin your sign-in here: what the provider sent is linked to no account.", 403),
    Code.SSO_INPUT_INVALID: Meaning("Some settings of the provider are missing or cannot be right.", 422),
    Code.SSO_REQUIREMENT_FIXED: Meaning("Switch the organization's required second factor off first.", 409),
    Code.SSO_PROVIDER_REFUSED: Meaning("The provider did not sign you in.", 403),
    Code.SSO_PROVIDER_UNREACHABLE: Meaning("The provider could not be reached. Try again later.", 503),
    Code.SSO_RESPONSE_INVALID: Meaning("The provider's answer could not be accepted.", 400),
    Code.SSO_RESPONSE_REPLAYED: Meaning("The provider's answer was used before. Begin again.", 409),
    Code.SSO_DOMAIN_NOT_ALLOWED: Meaning("The provider's account belongs to another domain.", 403),
    Code.SSO_ACCESS_DENIED: Meaning("The provider's account has no access to this organization there.", 403),
    Code.SSO_ADDRESS_MISSING: Meaning("The provider's account has no primary e-mail address.", 422),
    Code.SSO_ADDRESS_AMBIGUOUS: Meaning("The provider's account has several primary e-mail addresses.", 422),
    Code.SSO_ADDRESS_UNVERIFIED: Meaning("The provider's account has no verified primary e-mail address.", 422),
    Code.ACCOUNT_UNKNOWN: Meaning("There is no such account.", 404),
    Code.ACCOUNT_INPUT_INVALID: Meaning("A field is missing or malformed.", 400),
    Code.ACCOUNT_SAME: Meaning("An account cannot be merged into itself.", 400),
    Code.ACCOUNT_FORBIDDEN: Meaning("You may not act on this account.", 403),
    Code.ACCOUNT_ADDRESS_UNKNOWN: Meaning("This is no address of your account.", 400),
    Code.ACCOUNT_ADDRESS_VERIFIED: Meaning("This address is confirmed already.", 400),
    Code.ACCOUNT_ADDRESS_TAKEN: Meaning("This address is confirmed for another account.", 409),
    Code.ACCOUNT_CONFIRMATION_INVALID: Meaning("This link is not valid for your account, or no longer.", 400),
    Code.ACCOUNT_CONFIRMATION_EXPIRED: Meaning("This link has expired. Ask for a new one.", 400),
    Code.ACCOUNT_RATE_LIMITED: Meaning("Too many mails. Wait and try again.", 429),
    Code.EVENT_UNKNOWN_PROJECT: Meaning("There is no such project.", 404),
    Code.EVENT_NORMALIZED_TWICE: Meaning("This event was normalized already, or for another project.", 500),
    Code.EVENT_INVALID: Meaning("This is not an event.", 400),
    Code.EVENT_TOO_LARGE: Meaning("This event is too large.", 413),
    Code.EVENT_KIND_UNSUPPORTED: Meaning("Events of this type cannot be saved here.", 400),
    Code.EVENT_INSERT_ONLY: Meaning("Events of this project are never replaced.", 409),
    Code.EVENT_PROJECT_CLOSED: Meaning("This project takes no events from outside.", 403),
    Code.OUTBOX_CATEGORY_UNKNOWN: Meaning("No such message category, or not in this scope.", 500),
    Code.OUTBOX_MESSAGE_INVALID: Meaning("A message to the outbox is malformed.", 500),
    Code.OUTBOX_UNKNOWN_ORGANIZATION: Meaning("A signal names an organization without any region.", 500),
    Code.IDEMPOTENCY_CONFLICT: Meaning("This key was used for another request. Send it with a new one.", 422),
    Code.IDEMPOTENCY_KEY_INVALID: Meaning("An idempotency key is 1 to 64 printable ASCII characters.", 400),
    Code.IDEMPOTENCY_TOO_LARGE: Meaning("This request is too large for an idempotency key.", 413),
    Code.IDEMPOTENCY_REPLY_UNREADABLE: Meaning("Another version stored the answer. Try again.", 503),
    Code.CONFIG_INVALID: Meaning("A setting makes no sense.", 500),
    Code.INPUT_INVALID: Meaning("An argument is malformed.", 400),
    Code.CLOCK_NAIVE: Meaning("A time without a time zone was given.", 500),
    Code.KEYS_MISSING: Meaning("No key ring was given. Make one with `authflow keys new`.", 500),
    Code.KEYS_INVALID: Meaning("The key ring cannot be read or written.", 500),
    Code.KEYS_UNKNOWN: Meaning("A secret is sealed under a key that the ring does not hold.", 503),
    Code.SEAL_BROKEN: Meaning("A sealed secret was altered, or belongs to another row.", 503),
    Code.DATABASE_UNAVAILABLE: Meaning("The database cannot be reached.", 503),
    Code.DATABASE_COMMIT_UNKNOWN: Meaning("It may be done or not. Retry with the same idempotency key.", 503),
    Code.DATABASE_BUSY: Meaning("The database is busy. Try again.", 503),
    Code.DATABASE_READ_ONLY: Meaning("The database cannot be written.", 503),
    Code.DATABASE_REFUSED: Meaning("The database refused a statement.", 500),
    Code.SCHEMA_MISSING: Meaning("The database has no authflow tables. Run `authflow schema upgrade`.", 500),
    Code.SCHEMA_TOO_OLD: Meaning("The tables are older than this library. Run `authflow schema upgrade`.", 500),
    Code.SCHEMA_TOO_NEW: Meaning("The database tables are newer than this library. Upgrade authflow.", 500),
    Code.EXTRA_MISSING: Meaning("An optional dependency is not installed.", 500),
    Code.UNIT_OF_WORK_NOT_OPEN: Meaning("This needs an open unit of work.", 500),
    Code.UNIT_OF_WORK_OPEN: Meaning("This cannot run inside a unit of work.", 500),
    Code.UNIT_OF_WORK_NOT_OWNED: Meaning("A guess is only checked where its count cannot be undone.", 500),
    Code.UNIT_OF_WORK_NO_TRANSACTION: Meaning("The connection given has no transaction, and begins none.", 500),
    Code.UNIT_OF_WORK_ELSEWHERE: Meaning("The transaction given is shared in another thread or task.", 500),
    Code.STALE_VERSION: Meaning("Somebody else changed this at the same moment.", 409),
    Code.UNIQUE_VIOLATED: Meaning("Such a row stands already.", 409),
    Code.MACHINE_ILLEGAL_COMMAND: Meaning("A bug: this command cannot arrive in this state.", 500),
    Code.MACHINE_UNDECLARED_EDGE: Meaning("A bug: a rule led to a state that its row does not name.", 500),
    Code.MACHINE_BROKEN_PROMISE: Meaning("A bug: a service answered what it never promised.", 500),
}


class AuthflowError(Exception):
    """The root of every exception this library raises. ``code`` is stable; fields are attributes."""

    code: ClassVar[Code]

    def __init__(self, detail: str = "") -> None:
        super().__init__(f"{self.code}: {CATALOGUE[self.code].sentence} {detail}".rstrip())

    def __reduce__(self) -> tuple[object, ...]:
        """Return how it is made again in another process, as it is: its text is written once."""
        return Exception.__new__, (type(self), *self.args), self.__dict__


# --- bugs of the caller ---------------------------------------------------------------------------------------------


class IllegalCommand(AuthflowError):
    """The table has no row for this command in this state: no step was taken."""

    code = Code.MACHINE_ILLEGAL_COMMAND

    def __init__(self, *, machine: str, state: str, command: str) -> None:
        self.machine, self.state, self.command = machine, state, command
        super().__init__(f"[{machine}: {command} in {state}]")


class UndeclaredEdge(AuthflowError):
    """A rule returned a state that its row does not name."""

    code = Code.MACHINE_UNDECLARED_EDGE

    def __init__(self, *, machine: str, rule: str, state: str, target: str) -> None:
        self.machine, self.rule, self.state, self.target = machine, rule, state, target
        super().__init__(f"[{machine}: {rule} went from {state} to {target}]")


class BrokenPromise(AuthflowError):
    """A service answered with something that its caller was promised never to get."""

    code = Code.MACHINE_BROKEN_PROMISE

    def __init__(self, *, answer: str) -> None:
        self.answer = answer
        super().__init__(f"[{answer}]")


class NaiveDatetime(AuthflowError):
    """A datetime without a time zone was given."""

    code = Code.CLOCK_NAIVE


class InputInvalid(AuthflowError):
    """An argument that the host itself makes is malformed. ``field`` names it.

    Where several are, such as settings of a provider, ``problems`` has each with what is wrong with it, this one first.
    """

    code = Code.INPUT_INVALID

    def __init__(self, *, field: str, problem: str, others: tuple[tuple[str, str], ...] = ()) -> None:
        self.field, self.problem = field, problem
        self.problems = ((field, problem), *others)
        super().__init__("[" + "; ".join(f"{name} {wrong}" for name, wrong in self.problems) + "]")


class ConfigInvalid(AuthflowError):
    """A policy or setting makes no sense. ``setting`` names it."""

    code = Code.CONFIG_INVALID

    def __init__(self, *, setting: str, problem: str) -> None:
        self.setting, self.problem = setting, problem
        super().__init__(f"[{setting} {problem}]")


class ExtraMissing(AuthflowError):
    """An optional dependency is missing. ``extra`` is the one of this package to install."""

    code = Code.EXTRA_MISSING

    def __init__(self, *, extra: str) -> None:
        self.extra = extra
        super().__init__(f"[pip install '.[{extra}]' in a clone of this package]")


class NotInUnitOfWork(AuthflowError):
    """A savepoint was asked for, or something was to be written, while no unit of work is open."""

    code = Code.UNIT_OF_WORK_NOT_OPEN


class InUnitOfWork(AuthflowError):
    """Something was asked for inside a unit of work that runs outside only: draining the outbox, sharing a host's."""

    code = Code.UNIT_OF_WORK_OPEN


class NotOwned(AuthflowError):
    """A command that compares guesses was called where the host could roll their count back. Nothing happened.

    Call it outside of the host's transaction (SQLite), or share no transaction with it.
    """

    code = Code.UNIT_OF_WORK_NOT_OWNED


class NoTransaction(AuthflowError):
    """A host shared a connection that commits every statement by itself, and has no transaction open."""

    code = Code.UNIT_OF_WORK_NO_TRANSACTION


class SharedElsewhere(AuthflowError):
    """A command cannot be a part of the host's transaction: another thread or task shares it.

    Raised by a command that runs in a copy of the context (``asyncio.gather``, ``to_thread``): it would commit by
    itself. Raised at the end of a block of ``within`` whose beginning ran in another context, as a web framework
    runs a synchronous dependency in a thread of its pool: no command in between was part of the transaction.
    """

    code = Code.UNIT_OF_WORK_ELSEWHERE


# --- keys -----------------------------------------------------------------------------------------------------------


class KeysMissing(AuthflowError):
    """authflow was started without a key ring. ``source`` is where it was looked for."""

    code = Code.KEYS_MISSING

    def __init__(self, *, source: str = "") -> None:
        self.source = source
        super().__init__(f"[{source}]" if source else "")


class KeysInvalid(AuthflowError):
    """The key ring cannot be read or written. ``problem`` says why, and never shows key material."""

    code = Code.KEYS_INVALID

    def __init__(self, *, problem: str) -> None:
        self.problem = problem
        super().__init__(f"[{problem}]")


class SecretUnavailable(AuthflowError):
    """A sealed secret cannot be opened now. Never to be told to a person as a wrong code."""

    code = Code.KEYS_UNKNOWN

    def __init__(self, *, key_id: str) -> None:
        self.key_id = key_id
        super().__init__(f"[key {key_id}]")


class SealBroken(SecretUnavailable):
    """A sealed secret was altered, or moved to another owner or row."""

    code = Code.SEAL_BROKEN


# --- repeated commands ----------------------------------------------------------------------------------------------


class ReplyUnreadable(AuthflowError):
    """The stored reply to a repeated command was written by another version of the library. Nothing is done again.

    While a deployment is under way, the same request may reach a process that can read it. ``problem`` quotes nothing.
    """

    code = Code.IDEMPOTENCY_REPLY_UNREADABLE

    def __init__(self, *, problem: str) -> None:
        self.problem = problem
        super().__init__(f"[{problem}]")


# --- the database ---------------------------------------------------------------------------------------------------


class StaleVersion(AuthflowError):
    """Somebody else saved this aggregate since it was loaded. This save wrote nothing."""

    code = Code.STALE_VERSION


class UniqueViolated(AuthflowError):
    """A uniqueness rule of the domain refused a row. ``rule`` is its stable name, never a driver's text."""

    code = Code.UNIQUE_VIOLATED

    def __init__(self, *, rule: str) -> None:
        self.rule = rule
        super().__init__(f"[{rule}]")


class DatabaseError(AuthflowError):
    """The database did not do what it was told. The driver's own error is the ``__cause__``."""

    code = Code.DATABASE_REFUSED


class DatabaseUnavailable(DatabaseError):
    """The database cannot be reached, or the connection was lost."""

    code = Code.DATABASE_UNAVAILABLE


class CommitUnknown(DatabaseUnavailable):
    """The connection was lost during COMMIT: everything was done, or nothing. Retry with the same idempotency key."""

    code = Code.DATABASE_COMMIT_UNKNOWN


class Retryable(DatabaseError):
    """Locked, deadlocked or not serializable. The command is undone, but what it counted of guesses and limits stays.

    The same command may be tried again; inside the host's own transaction all of that has to be done again.
    """

    code = Code.DATABASE_BUSY


class DatabaseReadOnly(DatabaseError):
    """The database refuses writes: read-only file, standby, or a full disk."""

    code = Code.DATABASE_READ_ONLY


class SchemaMissing(DatabaseError):
    """The database holds no authflow tables."""

    code = Code.SCHEMA_MISSING


class SchemaTooOld(DatabaseError):
    """The tables are older than the library. ``missing`` names the revision to reach."""

    code = Code.SCHEMA_TOO_OLD

    def __init__(self, *, found: str, missing: str) -> None:
        self.found, self.missing = found, missing
        super().__init__(f"[found {found}, missing {missing}]")


class SchemaTooNew(DatabaseError):
    """The tables were written by a newer library. ``found`` is a revision this one does not know."""

    code = Code.SCHEMA_TOO_NEW

    def __init__(self, *, found: str) -> None:
        self.found = found
        super().__init__(f"[found {found}]")


# --- events and outbox ----------------------------------------------------------------------------------------------


class UnknownProject(AuthflowError):
    """There is no such project. Nothing was written."""

    code = Code.EVENT_UNKNOWN_PROJECT


class NormalizedTwice(AuthflowError):
    """An event was normalized a second time, or for another project than it was made for."""

    code = Code.EVENT_NORMALIZED_TWICE


class EventInvalid(AuthflowError):
    """What was given is not an event at all (not an object, not JSON)."""

    code = Code.EVENT_INVALID


class EventTooLarge(EventInvalid):
    """The event is larger than the limit."""

    code = Code.EVENT_TOO_LARGE


class EventKindUnsupported(EventInvalid):
    """Events of this type are not saved by this version."""

    code = Code.EVENT_KIND_UNSUPPORTED


class UnknownCategory(AuthflowError):
    """A message has no registered category, or one of another scope."""

    code = Code.OUTBOX_CATEGORY_UNKNOWN


class MessageInvalid(AuthflowError):
    """A message lacks a key field, or its payload is too large or not JSON."""

    code = Code.OUTBOX_MESSAGE_INVALID


class UnknownOrganization(AuthflowError):
    """A signal names an organization that has no region: it would reach nobody."""

    code = Code.OUTBOX_UNKNOWN_ORGANIZATION
