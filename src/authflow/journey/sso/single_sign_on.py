"""``flows.sso``: single sign-on as a host sees it, and what the relay does when a link moved."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from authflow.journey.sso.accessing import Accessing
from authflow.journey.sso.arriving import ArrivingUnasked
from authflow.journey.sso.departing import Departing
from authflow.journey.sso.own_links import OwnLinks
from authflow.journey.sso.signing_on import SigningOn
from authflow.membership.standing import MemberFlag
from authflow.nobody import SYSTEM
from authflow.sso.provider import Connected
from authflow.values import Context, OrganizationId, UserId

if TYPE_CHECKING:
    from authflow.journey.ports import JourneyTransaction
    from authflow.membership.service import Membership
    from authflow.outbox.signals import Notice
    from authflow.ports import UnitOfWork


@attrs.frozen(kw_only=True)
class SingleSignOn(SigningOn, ArrivingUnasked, Departing, OwnLinks, Accessing):
    """``flows.sso``: signing in through organizations' providers, and the links by which people do."""


@attrs.frozen(kw_only=True)
class MovedLinks:
    """Hears that a link moved to somebody else: whoever had it is marked invalid, unless they have another by now."""

    uow: UnitOfWork[JourneyTransaction]
    membership: Membership

    def __call__(self, notice: Notice) -> None:
        """Read again, and mark. Told twice, or once per region, it does the same (decision 27)."""
        organization, user = OrganizationId(str(notice.subject)), UserId(str(notice.args["user_id"]))
        with self.uow.begin() as tx:
            tx.accounts.lock(user)
            provider = tx.providers.load(organization).state
            if isinstance(provider, Connected) and tx.links.of_user(provider.id, user) is not None:
                return
            self.membership.mark_unlinked(
                SYSTEM, Context(), organization=organization, user=user, flags=MemberFlag.SSO_INVALID
            )
