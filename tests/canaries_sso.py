"""The part of the canaries' walk that leads through single sign-on: every command of it answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

from authflow import MailKind, Secret
from authflow.journey.providers.answers import MetadataShown, ProviderAdded, ProviderRemoved, ProviderSaved
from authflow.journey.sso.answers import (
    AccountLinked,
    ChoiceOwed,
    ConfirmationOwed,
    LinkEnded,
    MailSent,
    ProviderSessionsEnded,
    SentAway,
    SentToSignOut,
    SignedOn,
    SignedOutThere,
    UnaskedKept,
)
from authflow.sso.case import Choice
from authflow.testing.federation import FakeFederation

if TYPE_CHECKING:
    from collections.abc import Callable

    from authflow.sso.kinds import Callback
    from authflow.testing.browsers import Browser
    from authflow.values import OrganizationId
    from tests.stage import Person
    from tests.test_canaries import Walk


def signed_on(walk: Walk, root: Person, olga: Person, browser: Callable[[], Browser]) -> None:
    """Connect a provider, come through it in every way, and take it away; *browser* makes one that has its canaries."""
    place = walk.organization("globex")
    walk.flows.members.add(walk.canaries.context(), organization=place, user=olga.user, role="owner")
    walk.idp.secret = True
    _connected(walk, olga, place)
    _joined(walk, place, browser())
    kim = walk.newcomer("kim")
    walk.flows.members.add(walk.canaries.context(), organization=place, user=kim.user)
    _proven(walk, place, browser())
    _sent(walk, place, browser())
    _linked(walk, root, place, kim)
    walk.elevate(olga)
    walk.flows.upkeep.recheck_links()
    removed = olga.browser.ask(walk.flows.providers.disable, olga.browser.context, organization=place)
    assert isinstance(removed, ProviderRemoved), removed
    _provisioned(walk, root, place)


def _provisioned(walk: Walk, root: Person, place: OrganizationId) -> None:
    """A partner's provider, which an administrator brings and takes away."""
    providers, at = walk.flows.providers, root.browser
    settings = {"client_secret": walk.canaries.secret(f"kanary-partner-{walk.canaries.mark}")}
    walk.elevate(root)
    added = at.ask(providers.provision, at.context, organization=place, kind="fake", settings=settings)
    assert isinstance(added, ProviderAdded), added
    assert isinstance(at.ask(providers.withdraw, at.context, organization=place), ProviderRemoved)


def _known(walk: Walk, subject: str, email: str) -> str:
    """Let the provider know somebody, whose every claim is private; return the subject."""
    mark = walk.canaries.mark
    told = walk.canaries.told(f"kanary-subject-{subject}-{mark}")
    walk.idp.person(told, email=email, name=walk.canaries.told(f"kanary-name-{subject}-{mark}"))
    return told


def _back(walk: Walk, away: Any, subject: str) -> Callback:
    """Return what the browser brings back: state and code are secrets as long as they are good."""
    assert isinstance(away, SentAway), away
    callback = walk.idp.answer(away.url, subject)
    for values in callback.fields.values():
        walk.canaries.secrets |= set(values)
    walk.canaries.secrets.add(away.pipeline.reveal())
    return callback


def _connected(walk: Walk, olga: Person, place: OrganizationId) -> None:
    providers, at = walk.flows.providers, olga.browser
    walk.elevate(olga)
    settings = {"client_secret": walk.canaries.secret(f"kanary-client-{walk.canaries.mark}")}
    providers.kinds()
    asked = {"organization": place, "kind": "fake", "settings": settings}
    at.ask(providers.abandon, pipeline=at.ask(providers.start_setup, at.context, **asked).pipeline)
    away = at.ask(providers.start_setup, at.context, **asked)
    subject = _known(walk, "olga", olga.user)
    at.ask(providers.resume, at.context, pipeline=away.pipeline, callback=_back(walk, away, subject))
    added = at.ask(providers.confirm, at.context, pipeline=away.pipeline)
    assert isinstance(added, ProviderAdded), added
    at.ask(walk.flows.sso.access, organization=place)
    at.ask(providers.view, organization=place)
    saved = at.ask(providers.configure, at.context, organization=place, required=False)
    assert isinstance(saved, ProviderSaved), saved
    fresh = {"client_secret": walk.canaries.secret(f"kanary-other-{walk.canaries.mark}")}
    saved = at.ask(providers.edit, at.context, organization=place, settings=fresh)
    assert isinstance(saved, ProviderSaved), saved
    at.ask(providers.remind, at.context, organization=place)


def _joined(walk: Walk, place: OrganizationId, at: Browser) -> None:
    """Somebody new proves their address, and has an account."""
    sso, subject = walk.flows.sso, _known(walk, "new", walk.canaries.address("new"))
    gone = at.ask(sso.start, at.context, organization=place)
    at.ask(sso.abandon, at.context, pipeline=gone.pipeline)
    away = at.ask(sso.start, at.context, organization=place)
    sso.keep_answer(callback=_back(walk, away, subject))
    assert isinstance(at.ask(sso.resume, at.context, pipeline=away.pipeline), ChoiceOwed)
    assert isinstance(at.ask(sso.look, pipeline=away.pipeline), ChoiceOwed)
    chosen = at.ask(sso.choose, at.context, pipeline=away.pipeline, choice=Choice.NEW_ACCOUNT)
    assert isinstance(chosen, MailSent), chosen
    token = Secret(str(walk.mails(MailKind.SSO_ADDRESS_PROOF)[-1].context["token"]))
    assert isinstance(at.ask(sso.open_link, at.context, pipeline=away.pipeline, token=token), ChoiceOwed)
    assert isinstance(at.ask(sso.resume, at.context, pipeline=away.pipeline), SignedOn)


def _proven(walk: Walk, place: OrganizationId, at: Browser) -> None:
    """Somebody whose account has no password proves the mailbox."""
    sso, subject = walk.flows.sso, _known(walk, "kim", walk.canaries.address("kim"))
    away = at.ask(sso.start, at.context, organization=place)
    at.ask(sso.resume, at.context, pipeline=away.pipeline, callback=_back(walk, away, subject))
    assert isinstance(at.ask(sso.mail_proof, at.context, pipeline=away.pipeline), MailSent)
    token = Secret(str(walk.mails(MailKind.SSO_PROOF)[-1].context["token"]))
    at.ask(sso.open_link, at.context, pipeline=away.pipeline, token=token)
    assert isinstance(at.ask(sso.choose, at.context, pipeline=away.pipeline, choice=Choice.LINK), SignedOn)


def _sent(walk: Walk, place: OrganizationId, at: Browser) -> None:
    """The provider sends somebody whom nobody asked about, and a session ends from either side."""
    sso, subject = walk.flows.sso, f"kanary-subject-kim-{walk.canaries.mark}"
    assert isinstance(walk.idp, FakeFederation)
    assert isinstance(walk.flows.providers.metadata(organization=place), MetadataShown)
    kept = sso.keep_unasked(organization=place, callback=walk.idp.sends(subject, "unasked"))
    assert isinstance(kept, UnaskedKept), kept
    walk.canaries.secrets.add(kept.ticket.reveal())
    owed = at.ask(sso.take_unasked, at.context, ticket=kept.ticket)
    assert isinstance(owed, ConfirmationOwed), owed
    walk.canaries.secrets.add(owed.pipeline.reveal())
    assert isinstance(at.ask(sso.look_unasked, pipeline=owed.pipeline), ConfirmationOwed)
    assert isinstance(at.ask(sso.confirm_unasked, at.context, pipeline=owed.pipeline), SignedOn)
    left = at.ask(sso.sign_out, at.context)
    assert isinstance(left, SentToSignOut), left
    walk.canaries.secrets.add(left.ticket.reveal())
    asked = parse_qs(urlsplit(left.url).query)["asked"][0]
    assert isinstance(sso.finish_sign_out(ticket=left.ticket, query=f"answered={asked}"), SignedOutThere)
    ended = sso.end_sessions(walk.canaries.context(), organization=place, query=walk.idp.ends(subject, "end"))
    assert isinstance(ended, ProviderSessionsEnded), ended


def _linked(walk: Walk, root: Person, place: OrganizationId, kim: Person) -> None:
    """Kim moves an identity to herself, and ends it; an administrator lets go of another."""
    sso, at = walk.flows.sso, kim.browser
    walk.sign_in(kim)
    for end in ("unlink", "release"):
        subject = _known(walk, end, walk.canaries.address(end))
        away = at.ask(sso.start_link, at.context, organization=place)
        at.ask(sso.resume, at.context, pipeline=away.pipeline, callback=_back(walk, away, subject))
        linked = at.ask(sso.choose, at.context, pipeline=away.pipeline, choice=Choice.LINK)
        assert isinstance(linked, AccountLinked), linked
        at.ask(sso.links)
        if end == "unlink":
            assert isinstance(at.ask(sso.unlink, at.context, link=linked.link), LinkEnded)
            continue
        walk.elevate(root)
        ended = root.browser.ask(sso.release, root.browser.context, link=linked.link)
        assert isinstance(ended, LinkEnded), ended
