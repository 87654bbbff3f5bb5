"""What can be asked of an organization's provider, and what comes of it: the words of `authflow.sso.provider`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from authflow.sso.difference import SAME
from authflow.values import Answer, Refused

if TYPE_CHECKING:
    from authflow.errors import Code
    from authflow.sso.authority import Authority
    from authflow.sso.connection import Connected, Settings
    from authflow.sso.difference import Difference
    from authflow.values import ProviderId


@attrs.frozen(kw_only=True)
class Connect:
    """Connect *provider*, through which *authority* just signed in."""

    authority: Authority
    provider: Connected


@attrs.frozen(kw_only=True)
class Provision:
    """Let the partner's *provider* stand, untried; where it stands, let it be set up as *provider* is.

    *difference*: of what its kind is set to from what stands; none where another kind stands, or nothing.
    """

    authority: Authority
    provider: Connected
    difference: Difference = SAME


@attrs.frozen(kw_only=True)
class Edit:
    """Let the kind be set to what *settings* seal; what the provider means for members stays.

    Args:
        authority: Who commands.
        settings: The ones that stand, with the kind's sealed anew where they differ.
        difference: From those that stood when the new ones were read.
        overtaken: Something else was stored since then: *difference* is from what does not stand any more.
    """

    authority: Authority
    settings: Settings
    difference: Difference
    overtaken: bool = False


@attrs.frozen(kw_only=True)
class Configure:
    """Change what the provider is called, and what it means for members.

    Args:
        authority: Who commands.
        name: What people call it.
        settings: The ones that stand, with what is decided about members.
        rank_before: How high the role ranks that members without an invitation's have so far.
        rank_after: How high it would rank.
        ungranted: Why *authority* may not give anybody the role that they would have, or none (decision 36).
        provisions: The host serves SCIM to this provider.
    """

    authority: Authority
    name: str
    settings: Settings
    rank_before: int = 0
    rank_after: int = 0
    ungranted: Code | None = None
    provisions: bool = False


@attrs.frozen(kw_only=True)
class Disable:
    """Take the provider away, and every link with it."""

    authority: Authority


Command = Connect | Provision | Edit | Configure | Disable


# --- answers ----------------------------------------------------------------------------------------------------------


@attrs.frozen(kw_only=True)
class ProviderConnected(Answer):
    """It stands."""

    provider: Connected


@attrs.frozen(kw_only=True)
class ProviderEdited(Answer):
    """*changed* names the settings that are different now; *forgets*: so that links remember nothing any more."""

    provider: Connected
    changed: tuple[str, ...]
    forgets: bool = False


@attrs.frozen(kw_only=True)
class ProviderDisabled(Answer):
    """It is gone; *restored*: the organization requires a second factor again."""

    provider: ProviderId
    restored: bool


ProviderAnswer = ProviderConnected | ProviderEdited | ProviderDisabled | Refused
