"""What happens to the links between people and the identities that an organization's provider asserts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from authflow.machine import Fact

if TYPE_CHECKING:
    from datetime import datetime

    from authflow.values import Address, OrganizationId, ProviderId, Role, Secret, UserId


@attrs.frozen(kw_only=True)
class IdentityLinked(Fact):
    """An identity became a person's. They are told at every verified address (decision 5)."""

    organization: OrganizationId
    provider: ProviderId
    link: str
    user: UserId
    ground: str
    recipients: tuple[Address, ...]


@attrs.frozen(kw_only=True)
class IdentityMoved(Fact):
    """An identity that was *former_user*'s became *user*'s: the old link is gone, and a new one stands.

    *recipients* are the verified addresses of both.
    """

    organization: OrganizationId
    provider: ProviderId
    link: str
    user: UserId
    former_link: str
    former_user: UserId
    recipients: tuple[Address, ...]


@attrs.frozen(kw_only=True)
class IdentityRenumbered(Fact):
    """The provider calls a person by another subject than before, and the person said so themselves."""

    organization: OrganizationId
    provider: ProviderId
    link: str
    user: UserId
    recipients: tuple[Address, ...]


@attrs.frozen(kw_only=True)
class IdentityMigrated(Fact):
    """The provider changed its identifiers, and a link went over to the new one by itself (decision 24)."""

    organization: OrganizationId
    provider: ProviderId
    link: str
    user: UserId


@attrs.frozen(kw_only=True)
class IdentityReleased(Fact):
    """A link is gone; *reason* says why: ``member_removed``, ``unlinked``, ``administrator``, ``account_merged``."""

    organization: OrganizationId
    provider: ProviderId
    link: str
    user: UserId
    reason: str


@attrs.frozen(kw_only=True)
class ProviderConnected(Fact):
    """*user* connected a provider. *lifted*: the organization's required second factor was switched off by it."""

    organization: OrganizationId
    provider: ProviderId
    kind: str
    user: UserId
    lifted: bool
    recipients: tuple[Address, ...]


@attrs.frozen(kw_only=True)
class ProviderEdited(Fact):
    """Settings of a provider changed; *changed* names them, and what it means for members is said as it is now.

    *recipients* are told where trust changed.
    """

    organization: OrganizationId
    provider: ProviderId
    changed: str
    required: bool
    newcomers: bool
    scim: bool
    default_role: Role | None
    recipients: tuple[Address, ...]


@attrs.frozen(kw_only=True)
class ProviderDisabled(Fact):
    """An organization's provider is gone, and every link with it."""

    organization: OrganizationId
    provider: ProviderId
    kind: str
    recipients: tuple[Address, ...]


@attrs.frozen(kw_only=True)
class SignOnRefused(Fact):
    """Somebody came through a provider, or said so, and was refused: *code* says why."""

    organization: OrganizationId
    provider: ProviderId
    code: str


@attrs.frozen(kw_only=True)
class ProofMailed(Fact):
    """A link was mailed to *user*, who proves their mailbox by it where an identity wants to be theirs (decision 20).

    *recipients* is the one stored address that the provider asserts.
    """

    organization: OrganizationId
    provider: ProviderId
    pipeline: str
    user: UserId
    token: Secret
    expires_at: datetime
    recipients: tuple[Address, ...]


@attrs.frozen(kw_only=True)
class AddressProofMailed(Fact):
    """A link was mailed to the address of somebody who has no account yet (sso 6.7)."""

    organization: OrganizationId
    provider: ProviderId
    pipeline: str
    token: Secret
    expires_at: datetime
    recipients: tuple[Address, ...]


@attrs.frozen(kw_only=True)
class AddressHeld(Fact):
    """Somebody wanted an account with an address that *user* has verified; they are told, and nobody else (22)."""

    organization: OrganizationId
    provider: ProviderId
    user: UserId
    recipients: tuple[Address, ...]


@attrs.frozen(kw_only=True)
class SignedUp(Fact):
    """An account was made at the first sign-in through a provider (sso 16)."""

    organization: OrganizationId
    provider: ProviderId
    kind: str
    user: UserId


@attrs.frozen(kw_only=True)
class RequirementChanged(Fact):
    """Connecting or disabling a provider changed whether members need a second factor; *reason* says which it was."""

    organization: OrganizationId
    require_second_factor: bool
    reason: str


@attrs.frozen(kw_only=True)
class GlassBroken(Fact):
    """An owner came in without the provider, because nobody could have let them in through it (decision 6)."""

    organization: OrganizationId
    provider: ProviderId
    user: UserId
    reason: str


@attrs.frozen(kw_only=True)
class SignedOutByProvider(Fact):
    """A provider ended *count* sessions of *user* that had come by it."""

    organization: OrganizationId
    provider: ProviderId
    user: UserId
    count: int


@attrs.frozen(kw_only=True)
class AnswersWithdrawn(Fact):
    """A provider took back *count* answers that waited on a page: it ended the sessions of which they spoke."""

    organization: OrganizationId
    provider: ProviderId
    count: int


@attrs.frozen(kw_only=True)
class MembersToMail(Fact):
    """Members have to be mailed, from the one behind *after* on; *actor* is what whoever caused it is called.

    One message, however many members there are: whoever delivers it writes the mails.
    """

    organization: OrganizationId
    provider: ProviderId
    mail: str
    after: str
    actor: str


@attrs.frozen(kw_only=True)
class LinkingAsked(Fact):
    """A member without a link was asked to sign in through the organization's provider, of this *kind*."""

    organization: OrganizationId
    user: UserId
    kind: str
    recipients: tuple[Address, ...]


@attrs.frozen(kw_only=True)
class MemberToldOfEnd(Fact):
    """A member was told that the organization has no provider any more."""

    organization: OrganizationId
    user: UserId
    recipients: tuple[Address, ...]
