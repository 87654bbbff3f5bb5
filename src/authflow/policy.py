"""The decisions an installation may tune, as frozen objects. Empty is never "default"; absurd values are refused.

Every figure names its source. A lifetime is a `datetime.timedelta`, a budget a `Budget`.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final, Self

import attrs

from authflow import bounds
from authflow.errors import ConfigInvalid
from authflow.values import Budget, ProjectId, Role

KINDS: Final = frozenset({"totp", "sms", "security_key", "recovery"})
"""Every kind of second factor (mfa 3.1): a misspelt one would close nothing."""

_kinds = bounds.checked(
    lambda value: isinstance(value, frozenset) and value <= KINDS,
    f"must be a frozenset among {', '.join(sorted(KINDS))}",
)


@attrs.frozen(kw_only=True)
class MfaPolicy:
    """Second factors (mfa 22).

    Args:
        issuer: What an authenticator app shows beside the account; make it name this deployment (mfa 7.1).
        totp_window: Time steps accepted on either side of now; 1 is a 90-second life (ASVS 6.5.5, mfa 6).
        pending_enrollment_ttl: How long a proposed secret waits for its proof.
        enrollment_proofs: Wrong proofs that end a pending enrollment.
        enrollments: Completions a day, per actor and kind, good or bad (mfa 12.1 G4).
        proposals: Begins an hour per actor (mfa 11).
        require_verified_address: Whoever completes an enrollment has a verified primary address (gate G3, mfa 12.1),
            else it is ``mfa.address_unverified``; an installation without working mail may relax it.
        closed_kinds: Kinds of which nobody may enroll a new one (mfa 3.3).
        unavailable_kinds: Kinds the deployment cannot offer now; they still count as "has a second factor" (mfa 3.4).
        recovery_codes: How many recovery codes are made.
        guesses_short, guesses_long: Evaluated guesses per user and kind, and of each known browser (decision 9).
        recovery_guesses: The budget of recovery codes, which never lock.
        lock_after: Failures in a row that lock out unknown browsers (NIST 800-63B-4 3.2.2: at most 100).
        known_browsers: Browsers per user that keep budgets of their own (decision 9).
        told_of_guesses: How often the owner is mailed about too many guesses (mfa 16.2).
        mail_after_failures: Failures before a success that the owner is mailed about (ASVS 6.3.4).
        reset_link_ttl: Life of the mailed link after an administrator's reset (mfa 20.6).
    """

    issuer: str = attrs.field(default="authflow", validator=bounds.issuer)
    totp_window: int = attrs.field(default=1, validator=bounds.count(0, 2))
    pending_enrollment_ttl: timedelta = attrs.field(default=timedelta(minutes=10), validator=bounds.lifetime)
    enrollment_proofs: int = attrs.field(default=5, validator=bounds.count(1, 10))
    enrollments: Budget = attrs.field(
        default=Budget(name="mfa.enrollments", limit=10, window=timedelta(days=1)), validator=bounds.budget
    )
    proposals: Budget = attrs.field(
        default=Budget(name="mfa.proposals", limit=30, window=timedelta(hours=1)), validator=bounds.budget
    )
    require_verified_address: bool = attrs.field(default=True, validator=bounds.flag)
    closed_kinds: frozenset[str] = attrs.field(default=frozenset[str](), validator=_kinds)
    unavailable_kinds: frozenset[str] = attrs.field(default=frozenset[str](), validator=_kinds)
    recovery_codes: int = attrs.field(default=10, validator=bounds.count(1, 50))
    guesses_short: Budget = attrs.field(
        default=Budget(name="mfa.guesses_short", limit=5, window=timedelta(seconds=20)), validator=bounds.budget
    )
    guesses_long: Budget = attrs.field(
        default=Budget(name="mfa.guesses_long", limit=10, window=timedelta(hours=1)), validator=bounds.budget
    )
    recovery_guesses: Budget = attrs.field(
        default=Budget(name="mfa.recovery_guesses", limit=10, window=timedelta(hours=1)), validator=bounds.budget
    )
    lock_after: int = attrs.field(default=50, validator=bounds.count(5, 100))
    known_browsers: int = attrs.field(default=5, validator=bounds.count(0, 20))
    told_of_guesses: Budget = attrs.field(
        default=Budget(name="mfa.told_of_guesses", limit=1, window=timedelta(minutes=30)), validator=bounds.budget
    )
    mail_after_failures: int = attrs.field(default=3, validator=bounds.count(1, 10))
    reset_link_ttl: timedelta = attrs.field(default=timedelta(hours=24), validator=bounds.lifetime)


@attrs.frozen(kw_only=True)
class SessionPolicy:
    """Sessions (mfa 15, 18.1, 22; NIST 800-63B-4 2.2.3).

    Args:
        lifetime: Absolute life of a signed-in session, from its sign-in; nothing prolongs it.
        elevation_age: How long a proof elevates: 15 minutes for changes of factors.
        pending_login_ttl: How long a second factor may be owed; attempts never extend it (mfa 2.3).
        pending_login_failures: Wrong second factors that end a pending sign-in (mfa 15.5).
        enrollment_owed_ttl: How long a sign-in waits for the forced enrollment after a reset.
        anonymous_ttl: Life of the row of a browser that has not signed in.
        proof_age: How old a first factor's proof may be when the session is established.
    """

    lifetime: timedelta = attrs.field(default=timedelta(days=14), validator=bounds.lifetime)
    elevation_age: timedelta = attrs.field(default=timedelta(minutes=15), validator=bounds.lifetime)
    pending_login_ttl: timedelta = attrs.field(default=timedelta(seconds=300), validator=bounds.lifetime)
    pending_login_failures: int = attrs.field(default=10, validator=bounds.count(1, 20))
    enrollment_owed_ttl: timedelta = attrs.field(default=timedelta(hours=1), validator=bounds.lifetime)
    anonymous_ttl: timedelta = attrs.field(default=timedelta(hours=2), validator=bounds.lifetime)
    proof_age: timedelta = attrs.field(default=timedelta(minutes=5), validator=bounds.lifetime)


MEMBER: Final = Role("member")
ADMIN: Final = Role("admin")
MANAGER: Final = Role("manager")
OWNER: Final = Role("owner")


@attrs.frozen(kw_only=True)
class MembershipPolicy:
    """Members and invitations.

    Args:
        roles: From least to most; nobody grants more than their own (decision 36). The last one is the owner.
        managing_roles: Who may invite, approve, reject, change and remove members.
        invitation_ttl: Life of an invitation's token (mfa 22).
        consent_ttl: How long a click on "accept" waits for a detour (decision 13).
        ended_kept: How long a used, withdrawn or expired invitation stays, so that its holder is told so.
        rejoin: A removed member may come back without a newer invitation (decision 15). The risk: a removal does
            not last where an older invitation or the organization's provider still lets them in.
        invitations: How many invitations, requests and resends one person may make.
    """

    roles: tuple[Role, ...] = attrs.field(default=(MEMBER, ADMIN, MANAGER, OWNER), validator=bounds.ordered)
    managing_roles: frozenset[Role] = attrs.field(default=frozenset({MANAGER, OWNER}), validator=bounds.names)
    invitation_ttl: timedelta = attrs.field(default=timedelta(days=30), validator=bounds.lifetime)
    consent_ttl: timedelta = attrs.field(default=timedelta(minutes=60), validator=bounds.lifetime)
    ended_kept: timedelta = attrs.field(default=timedelta(days=30), validator=bounds.lifetime)
    rejoin: bool = attrs.field(default=False, validator=bounds.flag)
    invitations: Budget = attrs.field(
        default=Budget(name="membership.invitations", limit=100, window=timedelta(hours=1)), validator=bounds.budget
    )

    def __attrs_post_init__(self) -> None:
        if not self.managing_roles <= set(self.roles):
            raise ConfigInvalid(setting="MembershipPolicy.managing_roles", problem="must be among the roles")

    def rank(self, role: str) -> int | None:
        """Return where *role* stands, 0 being the least; none for a role the policy does not know."""
        return self.roles.index(Role(role)) if role in self.roles else None

    def may_grant(self, own: str, role: str) -> bool:
        """Tell whether somebody whose role is *own* may give *role* (decision 36)."""
        mine, given = self.rank(own), self.rank(role)
        return mine is not None and given is not None and own in self.managing_roles and given <= mine


@attrs.frozen(kw_only=True)
class AccountsPolicy:
    """Addresses and their confirmation (sso 6.7, 11).

    Args:
        confirmation_ttl: Life of a mailed link (sso 11: 48 hours).
        confirmations: How often one person may ask for links (sso 11: 10 in 60 s).
        mails: How many mails one address gets, whoever asks for them (decision 22: 5 in 300 s).
        ended_kept: How long an expired link is remembered, so that its person is told so.
    """

    confirmation_ttl: timedelta = attrs.field(default=timedelta(hours=48), validator=bounds.lifetime)
    confirmations: Budget = attrs.field(
        default=Budget(name="accounts.confirmations", limit=10, window=timedelta(seconds=60)), validator=bounds.budget
    )
    mails: Budget = attrs.field(
        default=Budget(name="accounts.mails", limit=5, window=timedelta(seconds=300)), validator=bounds.budget
    )
    ended_kept: timedelta = attrs.field(default=timedelta(days=30), validator=bounds.lifetime)


@attrs.frozen(kw_only=True)
class SsoPolicy:
    """Single sign-on (sso 2.8, 4, 6, 8).

    Args:
        verify_first: A newcomer whose address nobody vouches for proves it by a mailed link before there is an account
            (sso 6.7). The risk of turning it off: a stranger can tell by the answer who has an account (decision 22).
        second_accounts: A sign-up with an address that is verified for somebody else makes a second account, which
            holds it unverified (decision 26). The risk: one person with two accounts, and no way to tell which.
        migrate_until: Until when a link under the former identifier of a trusted provider goes over to the new one by
            itself, or none (decision 24). The risk: a former identifier is an address, and may have been given anew.
        idp_initiated: A provider whose settings say so may send somebody whom nobody asked about: to a page that they
            confirm, and to nothing but a link that stands (decision 25). The risk: anybody can make a browser bring
            their own account's answer, and whoever confirms without reading works in somebody else's account.
        mark_life: How long a session may act in an organization after it signed in through its provider (sso 2.8). The
            risk of a longer one: whoever was taken out at a provider that cannot be asked acts here for so long.
        exclusive_second_factor: Connecting a provider switches the organization's required second factor off, and
            disabling it restores that (decision 26). The risk: whoever takes over an account at the provider is in.
        reminders: How often all unlinked members of one organization may be mailed again.
    """

    verify_first: bool = attrs.field(default=True, validator=bounds.flag)
    second_accounts: bool = attrs.field(default=False, validator=bounds.flag)
    migrate_until: datetime | None = attrs.field(default=None, validator=bounds.instant)
    idp_initiated: bool = attrs.field(default=False, validator=bounds.flag)
    mark_life: timedelta = attrs.field(default=timedelta(days=7), validator=bounds.lifetime)
    exclusive_second_factor: bool = attrs.field(default=False, validator=bounds.flag)
    reminders: Budget = attrs.field(
        default=Budget(name="sso.reminders", limit=3, window=timedelta(days=1)), validator=bounds.budget
    )


@attrs.frozen(kw_only=True)
class OutboxPolicy:
    """Delivery (outbox 1.9, 1.14, decision 35).

    Args:
        lease: How long one relay may work on a lane before another may take it over.
        first_delay, longest_delay: Back-off doubles from the one to the other.
        attempts: Tries after which a message is parked.
        batch: Messages a relay takes from one lane at a time.
    """

    lease: timedelta = attrs.field(default=timedelta(seconds=60), validator=bounds.lifetime)
    first_delay: timedelta = attrs.field(default=timedelta(seconds=2), validator=bounds.lifetime)
    longest_delay: timedelta = attrs.field(default=timedelta(hours=1), validator=bounds.lifetime)
    attempts: int = attrs.field(default=10, validator=bounds.count(1, 1000))
    batch: int = attrs.field(default=100, validator=bounds.count(1, 1000))

    def __attrs_post_init__(self) -> None:
        if self.longest_delay < self.first_delay:
            raise ConfigInvalid(setting="OutboxPolicy.longest_delay", problem="must not be below the first delay")


@attrs.frozen(kw_only=True)
class EventPolicy:
    """Saved events.

    Args:
        security_project: Where facts about a person are saved (decision 38), or none to save none.
        oldest, future: How far an event's clock may be behind or ahead before it is corrected (outbox 3.3).
        max_bytes: The largest event, as JSON (outbox 3.4: 1 MB decompressed).
    """

    security_project: ProjectId | None = attrs.field(default=None, validator=bounds.project)
    oldest: timedelta = attrs.field(default=timedelta(days=30), validator=bounds.lifetime)
    future: timedelta = attrs.field(default=timedelta(seconds=60), validator=bounds.lifetime)
    max_bytes: int = attrs.field(default=1_000_000, validator=bounds.count(1000, 20_000_000))


@attrs.frozen(kw_only=True)
class Policy:
    """Every tunable decision of one installation."""

    mfa: MfaPolicy = attrs.field(default=MfaPolicy(), validator=bounds.part(MfaPolicy))
    sessions: SessionPolicy = attrs.field(default=SessionPolicy(), validator=bounds.part(SessionPolicy))
    membership: MembershipPolicy = attrs.field(default=MembershipPolicy(), validator=bounds.part(MembershipPolicy))
    accounts: AccountsPolicy = attrs.field(default=AccountsPolicy(), validator=bounds.part(AccountsPolicy))
    sso: SsoPolicy = attrs.field(default=SsoPolicy(), validator=bounds.part(SsoPolicy))
    outbox: OutboxPolicy = attrs.field(default=OutboxPolicy(), validator=bounds.part(OutboxPolicy))
    events: EventPolicy = attrs.field(default=EventPolicy(), validator=bounds.part(EventPolicy))

    @classmethod
    def strict(cls) -> Self:
        """Return the defaults: where a choice has a risk, the other one was made."""
        return cls()

    @classmethod
    def reference_2024(cls) -> Self:
        """Return what large installations did in 2024, where it is still a choice and no hole (decision 26)."""
        return cls(sso=SsoPolicy(exclusive_second_factor=True))
