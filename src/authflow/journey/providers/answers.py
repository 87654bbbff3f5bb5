"""What connecting and keeping an organization's provider answers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from authflow.values import Answer

if TYPE_CHECKING:
    from datetime import datetime

    from authflow.sso.capabilities import Setting
    from authflow.sso.kinds import Document
    from authflow.values import Address, LinkId, OrganizationId, ProviderId, Role, UserId


@attrs.frozen(kw_only=True)
class KindView:
    """A kind of provider that this installation knows.

    Args:
        key: For ``providers.start_setup``.
        name: What people call it.
        trust: Settings that say whom to believe: owners alone change them.
        secrets: Settings that nobody is shown again.
        naming: Settings that are not edited: with another value it is another provider.
        settings: What a form asks for, in its order; empty for a kind of the host's own that does not say.
    """

    key: str
    name: str
    trust: frozenset[str]
    secrets: frozenset[str]
    naming: frozenset[str]
    settings: tuple[Setting, ...] = ()


@attrs.frozen(kw_only=True)
class MetadataShown(Answer):
    """What a provider has to be told of this app: for an administrator to hand over, or for the provider to fetch.

    Args:
        document: The whole of it; XML.
        media_type: What it is served as.
        entity_id: What the app calls itself; the address at which the document is served.
        callback: Where the provider's answers go.
        logout: Where single logout goes; empty where there is none.
    """

    document: str
    media_type: str
    entity_id: str
    callback: str
    logout: str


@attrs.frozen(kw_only=True)
class ProviderView(Answer):
    """The provider of an organization, for whoever manages that.

    Args:
        provider: Its id.
        kind: Its kind.
        name: What it is called.
        settings: What was set, without what is secret.
        secrets: Which secret settings are set.
        required: Members must sign in through it.
        scim: It makes and removes members by itself.
        newcomers: Whoever signs in for the first time becomes a member.
        default_role: For members who come without an invitation's role; none for the organization's own.
        confirms: It can be asked again about people who are linked.
        partner: It was provisioned by a partner, and is theirs to change.
        lifted: Disabling it makes the organization require a second factor again.
        connected_at: When it was connected.
    """

    provider: ProviderId
    kind: str
    name: str
    settings: Document
    secrets: frozenset[str]
    required: bool
    scim: bool
    newcomers: bool
    default_role: Role | None
    confirms: bool
    partner: bool
    lifted: bool
    connected_at: datetime


@attrs.frozen(kw_only=True)
class ProviderTried(Answer):
    """The proposed provider works: it said who came. Nothing stands yet: show this, and ask for ``providers.confirm``.

    Args:
        organization: Whose provider it would be.
        kind: Its kind.
        user: Whose identity it would become: whoever is signed in here, whatever the provider asserts.
        subject: Whom the provider means.
        email: What it says their address is, or none.
        name: What it calls them.
        confirms: It can be asked again about people who are linked: it gave something to ask with. Where the settings
            want that and it is false, say so: a scope is missing there, or the application may not have it.
        expires_at: When the setup is over.
    """

    organization: OrganizationId
    kind: str
    user: UserId
    subject: str
    email: Address | None
    name: str
    confirms: bool
    expires_at: datetime


@attrs.frozen(kw_only=True)
class ProviderAdded(Answer):
    """The provider stands, and whoever connected it is linked to it and signed in through it.

    Args:
        organization: Whose it is.
        provider: Its id.
        link: The link of whoever connected it; none for one that was provisioned.
        lifted: The organization's required second factor was switched off by it (decision 26).
    """

    organization: OrganizationId
    provider: ProviderId
    link: LinkId | None
    lifted: bool


@attrs.frozen(kw_only=True)
class ProviderSaved(Answer):
    """The settings stand.

    Args:
        provider: Whose.
        changed: The names of those that are different now.
        forgotten: How many links forgot what the provider was asked by about them, since it would go elsewhere now.
    """

    provider: ProviderId
    changed: tuple[str, ...]
    forgotten: int = 0


@attrs.frozen(kw_only=True)
class ProviderRemoved(Answer):
    """The organization has no provider any more.

    Args:
        provider: Which one it had.
        links: How many links ended with it.
        restored: The organization requires a second factor again.
    """

    provider: ProviderId
    links: int
    restored: bool


@attrs.frozen(kw_only=True)
class MembersReminded(Answer):
    """Every member without a link is going to be mailed.

    Args:
        left: How often that may be done again, for now.
    """

    left: int
