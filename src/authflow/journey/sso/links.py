"""The links of people: seeing and ending one's own, and letting go of somebody's whom an installation shut out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from authflow.errors import Code
from authflow.journey.door import carried, expect
from authflow.journey.gates import may_administer
from authflow.journey.sso.answers import LinkEnded, LinkList, LinkView
from authflow.membership.standing import MemberFlag
from authflow.sso.grounds import Reason, Released
from authflow.values import Level, Refused

if TYPE_CHECKING:
    from authflow.journey.door import Askers
    from authflow.journey.ports import JourneyTransaction
    from authflow.membership.service import Membership
    from authflow.ports import Clock, UnitOfWork
    from authflow.recording import Recorder
    from authflow.sso.links import Link
    from authflow.sso.service import Links
    from authflow.values import Asker, BrowserSession, Context, LinkId


@attrs.frozen(kw_only=True)
class LinkKeeping:
    """The commands about links beside signing in."""

    uow: UnitOfWork[JourneyTransaction]
    clock: Clock
    askers: Askers
    links: Links
    membership: Membership
    recorder: Recorder

    def listed(self, session: BrowserSession) -> LinkList | Refused:
        """List one's own, as far as the session may see them."""
        return self.askers.shown(session, _listed)

    def unlink(self, session: BrowserSession, context: Context, link: LinkId) -> LinkEnded | Refused:
        """End one's own."""

        def ended(tx: JourneyTransaction, asker: Asker) -> LinkEnded | Refused:
            found = tx.links.get(link)
            refusal = _not_own(asker, found)
            if refusal is not None or found is None:
                return Refused(code=refusal or Code.SSO_LINK_UNKNOWN)
            return self._end(tx, asker, context, found, Reason.UNLINKED)

        return self.askers.asked(session, ended)

    def release(self, session: BrowserSession, context: Context, link: LinkId) -> LinkEnded | Refused:
        """End anybody's, with their account held; it is read again, since the account may have been waited for."""
        with self.uow.begin() as tx:
            known = tx.links.get(link)
            asker = self.askers.held(tx, session, *(() if known is None else (known.user,)))
            found = tx.links.get(link)
            actor = None if asker.user is None else tx.users.get(asker.user)
            refusal = may_administer(asker, actor, actor)
            if refusal is not None or found is None:
                return carried(Refused(code=refusal or Code.SSO_LINK_UNKNOWN), session, asker)
            return carried(self._end(tx, asker, context, found, Reason.ADMINISTRATOR), session, asker)

    def _end(
        self, tx: JourneyTransaction, asker: Asker, context: Context, link: Link, reason: Reason
    ) -> LinkEnded | Refused:
        now = self.clock.now()
        step = self.links.release(tx, link, reason, now)
        answer = expect(step.answer, Released, Refused)
        if isinstance(answer, Refused):
            return answer
        self.recorder.record(tx, step.facts, asker=asker, context=context, now=now)
        self.membership.mark_unlinked(
            asker, context, organization=link.organization, user=link.user, flags=MemberFlag.NONE
        )
        return LinkEnded(link=link.id)


def _listed(tx: JourneyTransaction, asker: Asker) -> LinkList | Refused:
    if asker.user is None:
        return Refused(code=asker.why_not or Code.SESSION_REQUIRED)
    found = (link for link in tx.links.all_of_user(asker.user) if _shown(asker, link))
    return LinkList(links=tuple(map(_view, found)))


def _not_own(asker: Asker, link: Link | None) -> Code | None:
    """Whose link it is not learns nothing of it."""
    if asker.user is None:
        return asker.why_not or Code.SESSION_REQUIRED
    if not asker.elevated:
        return Code.SESSION_ELEVATION_REQUIRED
    return None if link is not None and link.user == asker.user else Code.SSO_LINK_UNKNOWN


def _shown(asker: Asker, link: Link) -> bool:
    return asker.level >= Level.ONE or any(mark.link == link.id for mark in asker.marks)


def _view(link: Link) -> LinkView:
    return LinkView(
        id=link.id,
        organization=link.organization,
        provider=link.provider,
        linked_at=link.linked_at,
        verified_at=link.verified_at,
    )
