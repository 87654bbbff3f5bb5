"""``flows.sso`` as a host sees it: what every command takes and promises. How it is kept is its part's to say."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from authflow.command import command, operation
from authflow.journey.arguments import read_choice, require_callback, require_types
from authflow.sso.pipeline import Flow
from authflow.values import identifier

if TYPE_CHECKING:
    from authflow.command import Replays
    from authflow.journey.ports import JourneyTransaction
    from authflow.journey.sso import answers
    from authflow.journey.sso.accessing import Accessing
    from authflow.journey.sso.idp_initiated import IdpInitiated
    from authflow.journey.sso.links import LinkKeeping
    from authflow.journey.sso.logout import SingleLogout
    from authflow.journey.sso.sign_on import SignOn
    from authflow.ports import UnitOfWork
    from authflow.sessions.commands import EnrollmentOwed, SecondFactorOwed, SignedOut
    from authflow.sso.case import Choice
    from authflow.sso.kinds import Callback
    from authflow.values import BrowserSession, Context, LinkId, OrganizationId, Refused, Secret


@attrs.frozen(kw_only=True)
class SingleSignOn:
    """``flows.sso``: signing in through organizations' providers, and the links by which people do.

    Every command that goes on takes *pipeline*, which `SentAway` gave, in the browser session that began. Nothing
    that comes with a request names an organization or a provider: the server's row does.
    """

    _uow: UnitOfWork[JourneyTransaction] = attrs.field(alias="uow")
    _replays: Replays = attrs.field(alias="replays")
    _sign_on: SignOn = attrs.field(alias="sign_on")
    _idp_initiated: IdpInitiated = attrs.field(alias="idp_initiated")
    _logout: SingleLogout = attrs.field(alias="logout")
    _kept_links: LinkKeeping = attrs.field(alias="kept_links")
    _accessing: Accessing = attrs.field(alias="accessing")

    # --- signing in ---------------------------------------------------------------------------------------------------

    @operation("sso.start")
    def start(
        self,
        session: BrowserSession,
        context: Context,  # noqa: ARG002  # every command that changes something takes it
        *,
        organization: OrganizationId,
    ) -> answers.SentAway | Refused:
        """Send the browser to the organization's provider, to sign in. A browser without a session gets one.

        It asks the provider's settings what to do, perhaps over the network, and so runs in no transaction.

        Args:
            session: What the browser sent; `NOBODY` for a new one.
            context: Where the command came from.
            organization: Whose provider.

        Raises:
            InUnitOfWork: A transaction is open, or a host's is shared.
            ConfigInvalid: The host configured no address to come back to.
            InputInvalid: *organization* cannot be an organization's id.
        """
        identifier(organization, field="organization")
        return self._sign_on.start(session, organization, Flow.LOGIN)

    @operation("sso.start_link")
    def start_link(
        self,
        session: BrowserSession,
        context: Context,  # noqa: ARG002  # as above
        *,
        organization: OrganizationId,
    ) -> answers.SentAway | Refused:
        """Send whoever is signed in, and proved it recently, to the provider, to link the identity they have there.

        The arguments are those of `start`, and so is what it raises.
        """
        identifier(organization, field="organization")
        return self._sign_on.start(session, organization, Flow.LINK)

    @command("sso.keep_answer")
    def keep_answer(self, *, callback: Callback) -> answers.AnswerKept | Refused:
        """Store the answer that a provider had the browser post here from its own site, without any cookie of ours.

        It decides nothing, and reads nothing but what the provider said. Redirect to a page of your own then, so that
        the browser sends its cookies, and call `resume` without a callback.

        Raises:
            InputInvalid: *callback* is something else.
        """
        require_callback(callback)
        return self._sign_on.keep_answer(callback)

    @operation("sso.resume")
    def resume(
        self, session: BrowserSession, context: Context, *, pipeline: Secret, callback: Callback | None = None
    ) -> answers.Finished:
        """Take the provider's answer, or after a detour go on where it stopped, and finish if nothing has to be chosen.

        The answer is checked with no transaction open; then it is taken once, and everything that follows from it
        happens in one transaction.

        Args:
            session: The browser.
            context: Where the command came from.
            pipeline: From `SentAway`.
            callback: What the browser brought back; none after `keep_answer`, a second factor or a sign-in.

        Raises:
            InUnitOfWork: A transaction is open, or a host's is shared.
            InputInvalid: *callback* is something else.
        """
        require_callback(callback, optional=True)
        return self._sign_on.resume(session, context, pipeline, callback)

    @command("sso.look")
    def look(self, session: BrowserSession, *, pipeline: Secret) -> answers.ChoiceOwed | Refused:
        """Return the page that a sign-in waits at, as data. Whoever looks changes nothing."""
        return self._sign_on.look(session, pipeline)

    @command("sso.choose")
    def choose(
        self, session: BrowserSession, context: Context, *, pipeline: Secret, choice: Choice | str
    ) -> answers.Finished:
        """Choose what the page offers, for a POST of a page of your own. The choice counts for this browser alone.

        Args:
            session: The browser.
            context: Where the command came from.
            pipeline: From `SentAway`.
            choice: `Choice.LINK` or `Choice.NEW_ACCOUNT`, or the text of either, as a form brings it.

        Raises:
            InputInvalid: *choice* is anything else.
        """
        return self._sign_on.choose(session, context, pipeline, read_choice(choice))

    @command("sso.mail_proof")
    def mail_proof(self, session: BrowserSession, context: Context, *, pipeline: Secret) -> answers.MailSent | Refused:
        """Mail a link to the member who has the asserted address verified, if there is one; all are told the same.

        Opened in this browser it proves the mailbox for this very identity, and nothing else (decision 20).
        """
        return self._sign_on.mail_proof(session, context, pipeline)

    @command("sso.open_link")
    def open_link(
        self, session: BrowserSession, context: Context, *, pipeline: Secret, token: Secret
    ) -> answers.ChoiceOwed | Refused:
        """Use the mailed link, for a POST, in the browser that asked for it: once. The page that comes next follows.

        Args:
            session: The browser.
            context: Where the command came from.
            pipeline: From `SentAway`: what the browser keeps.
            token: From the link.
        """
        return self._sign_on.open_link(session, context, pipeline, token)

    @command("sso.abandon")
    def abandon(
        self, session: BrowserSession, context: Context, *, pipeline: Secret
    ) -> answers.PipelineAbandoned | Refused:
        """Give up. Whatever the provider answers afterwards is refused. A setup ends by ``providers.abandon``."""
        return self._sign_on.abandon(session, context, pipeline)

    # --- signing in from the provider ---------------------------------------------------------------------------------

    @operation("sso.keep_unasked")
    def keep_unasked(self, *, organization: OrganizationId, callback: Callback) -> answers.UnaskedKept | Refused:
        """Take in what a provider had the browser post of itself, where ``sso.keep_answer`` knew of no sign-in.

        Nothing is stored, and nobody is signed in: the answer is checked, and goes on as a *ticket* with the redirect
        to a page of yours, where the browser sends its cookies. ``RelayState`` is not looked at: follow it nowhere.

        Args:
            organization: Whose provider: the one in the address that was posted to.
            callback: What the browser brought.

        Raises:
            InUnitOfWork: A transaction is open, or a host's is shared.
            ConfigInvalid: The host configured no address to come back to.
            InputInvalid: *organization* cannot be an organization's id, or *callback* is something else.
        """
        identifier(organization, field="organization")
        require_callback(callback)
        return self._idp_initiated.keep(organization, callback)

    @command("sso.take_unasked")
    def take_unasked(
        self, session: BrowserSession, context: Context, *, ticket: Secret
    ) -> answers.ConfirmationOwed | Refused:
        """Give the answer to this browser, once, for the page to which it was redirected: show whom it would let in.

        A browser that waits for an answer of its own takes no other one, and one in which somebody else is signed in
        does not either. A browser without a session gets one.

        Args:
            session: The browser.
            context: Where the command came from.
            ticket: From `UnaskedKept`.
        """
        return self._idp_initiated.take(session, context, ticket)

    @command("sso.look_unasked")
    def look_unasked(self, session: BrowserSession, *, pipeline: Secret) -> answers.ConfirmationOwed | Refused:
        """Return the page that waits for a confirmation, as data. Whoever looks changes nothing."""
        return self._idp_initiated.look(session, pipeline)

    @command("sso.confirm_unasked")
    def confirm_unasked(
        self, session: BrowserSession, context: Context, *, pipeline: Secret
    ) -> answers.SignedOn | SecondFactorOwed | EnrollmentOwed | Refused:
        """Come in after all, for a POST of the page that `take_unasked` showed, and again after a second factor.

        Only a link that stands lets somebody in: none is made, nor an account. Nobody becomes a member by coming so,
        unless an invitation of theirs is open.
        """
        return self._idp_initiated.confirm(session, context, pipeline)

    # --- signing out --------------------------------------------------------------------------------------------------

    @operation("sso.sign_out")
    def sign_out(self, session: BrowserSession, context: Context) -> answers.SentToSignOut | SignedOut | Refused:
        """End this session, as ``sessions.sign_out`` does; and say where to go to end it at the provider as well.

        Ours is over whatever the provider says. Where there is nobody to ask, or no way to, it is `SignedOut`.

        Args:
            session: What the browser sent.
            context: Where the command came from.

        Raises:
            InUnitOfWork: A transaction is open, or a host's is shared.
        """
        return self._logout.sign_out(session, context)

    @operation("sso.finish_sign_out")
    def finish_sign_out(self, *, ticket: Secret, query: str) -> answers.SignedOutThere | Refused:
        """Check the provider's answer to `sign_out`. Nothing depends on it: show it, on a page of your own.

        Args:
            ticket: From `SentToSignOut`.
            query: The raw text behind the question mark: that is what is signed. What it carries beside the answer is
                not looked at: follow no ``RelayState``.

        Raises:
            InUnitOfWork: A transaction is open, or a host's is shared.
            InputInvalid: *query* is no text.
        """
        require_types(query=query)
        return self._logout.finish(ticket, query)

    @operation("sso.end_sessions")
    def end_sessions(
        self, context: Context, *, organization: OrganizationId, query: str
    ) -> answers.ProviderSessionsEnded | Refused:
        """End the sessions that a provider asks to end, by a request that it signed and that counts once.

        They are those of one person that came by this very provider. One that stands on something else too, such as a
        password or another organization's provider, only loses this one's word (decision 1). No session of the browser
        that brings the request is looked at, so that it works without cookies.

        Args:
            context: Where the command came from.
            organization: Whose provider: the one in the address that was asked for.
            query: The raw text behind the question mark: that is what is signed.

        Raises:
            InUnitOfWork: A transaction is open, or a host's is shared.
            ConfigInvalid: The host configured no address for single logout.
            InputInvalid: *organization* cannot be an organization's id, or *query* is no text.
        """
        identifier(organization, field="organization")
        require_types(query=query)
        return self._logout.end(context, organization, query)

    # --- links --------------------------------------------------------------------------------------------------------

    @command("sso.links")
    def links(self, session: BrowserSession) -> answers.LinkList | Refused:
        """List the links of the person who is signed in here.

        A session that has no proof but a provider's word lists the link by which it came, and no other (decision 1).
        """
        return self._kept_links.listed(session)

    @command("sso.unlink")
    def unlink(self, session: BrowserSession, context: Context, *, link: LinkId) -> answers.LinkEnded | Refused:
        """End a link of one's own: its provider signs nobody in by it any more, and sessions it opened lose its mark.

        A lasting change, behind a recent proof of the person's own (decision 5).

        Raises:
            InputInvalid: *link* cannot be a link's id.
        """
        identifier(link, field="link")
        return self._kept_links.unlink(session, context, link)

    @command("sso.release")
    def release(self, session: BrowserSession, context: Context, *, link: LinkId) -> answers.LinkEnded | Refused:
        """Let go of anybody's link, as an administrator of the installation: the subject may be somebody else's then.

        The one way on for an identity whose person is inactive or suspended: neither a sign-up nor another person's
        claim touches it before (decision 15).

        Raises:
            InputInvalid: *link* cannot be a link's id.
        """
        identifier(link, field="link")
        return self._kept_links.release(session, context, link)

    # --- what it means for a session ----------------------------------------------------------------------------------

    @command("sso.access")
    def access(self, session: BrowserSession, *, organization: OrganizationId) -> answers.AccessShown | Refused:
        """Answer whether this session meets the organization's single sign-on now (sso 14.3).

        ``members.enter`` asks this and everything else that an organization requires; this says what is missing.
        A password never meets it, and neither does the sign-on of another organization (decisions 1, 2): whoever has
        nothing but that is told nothing of this one.
        """
        return self._accessing.access(session, organization)
