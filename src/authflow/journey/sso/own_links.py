"""The links of people: seeing and ending one's own, and letting go of somebody's whom an installation shut out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from authflow.command import command
from authflow.errors import Code
from authflow.journey.door import carried, expect
from authflow.journey.gates import may_administer
from authflow.journey.sso.answers import LinkEnded, LinkList, LinkView
from authflow.journey.sso.door import SsoDoor
from authflow.membership.standing import MemberFlag
from authflow.sso.grounds import Reason, Released
from authflow.values import Level, Refused, identifier

if TYPE_CHECKING:
    from authflow.journey.ports import JourneyTransaction
    from authflow.sso.links import Link
    from authflow.values import Asker, BrowserSession, Context, LinkId


@attrs.frozen(kw_only=True)
class OwnLinks(SsoDoor):
    """What becomes of links beside signing in."""

    @command("sso.links")
    def links(self, session: BrowserSession) -> LinkList | Refused:
        """List the links of the person who is signed in here.

        A session that has no proof but a provider's word lists the link by which it came, and no other (decision 1).
        """
        with self._uow.begin() as tx:
            asker = self._sessions.identify(session, self._clock.now())
            if asker.user is None:
                return carried(Refused(code=asker.why_not or Code.SESSION_REQUIRED), session, asker)
            found = (link for link in tx.links.all_of_user(asker.user) if _shown(asker, link))
            return carried(LinkList(links=tuple(map(_view, found))), session, asker)

    @command("sso.unlink")
    def unlink(self, session: BrowserSession, context: Context, *, link: LinkId) -> LinkEnded | Refused:
        """End a link of one's own: its provider signs nobody in by it any more, and sessions it opened lose its mark.

        A lasting change, behind a recent proof of the person's own (decision 5).

        Raises:
            InputInvalid: *link* cannot be a link's id.
        """
        identifier(link, field="link")
        with self._uow.begin() as tx:
            asker = self._sessions.identify(session, self._clock.now(), lock=True)
            found = tx.links.get(link)
            refusal = _not_own(asker, found)
            if refusal is not None or found is None:
                return carried(Refused(code=refusal or Code.SSO_LINK_UNKNOWN), session, asker)
            return carried(self._end(tx, asker, context, found, Reason.UNLINKED), session, asker)

    @command("sso.release")
    def release(self, session: BrowserSession, context: Context, *, link: LinkId) -> LinkEnded | Refused:
        """Let go of anybody's link, as an administrator of the installation: the subject may be somebody else's then.

        The one way on for an identity whose person is inactive or suspended: neither a sign-up nor another person's
        claim touches it before (decision 15).

        Raises:
            InputInvalid: *link* cannot be a link's id.
        """
        identifier(link, field="link")
        with self._uow.begin() as tx:
            known = tx.links.get(link)
            asker = self._held(tx, session, *(() if known is None else (known.user,)))
            found = tx.links.get(link)
            actor = None if asker.user is None else tx.users.get(asker.user)
            refusal = may_administer(asker, actor, actor)
            if refusal is not None or found is None:
                return carried(Refused(code=refusal or Code.SSO_LINK_UNKNOWN), session, asker)
            return carried(self._end(tx, asker, context, found, Reason.ADMINISTRATOR), session, asker)

    def _end(
        self, tx: JourneyTransaction, asker: Asker, context: Context, link: Link, reason: Reason
    ) -> LinkEnded | Refused:
        now = self._clock.now()
        step = self._links.release(tx, link, reason, now)
        answer = expect(step.answer, Released, Refused)
        if isinstance(answer, Refused):
            return answer
        self._recorder.record(tx, step.facts, asker=asker, context=context, now=now)
        self._membership.mark_unlinked(
            asker, context, organization=link.organization, user=link.user, flags=MemberFlag.NONE
        )
        return LinkEnded(link=link.id)


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
