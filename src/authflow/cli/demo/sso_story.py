"""Single sign-on as a story: a provider is connected, people come through it, somebody lies, and people leave."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, TypeVar

import attrs

from authflow.cli.demo import sso_cast as cast
from authflow.cli.demo.cast import PERSONAL, TENANTS
from authflow.cli.demo.player import Player
from authflow.facts.records import MailKind
from authflow.journey.answers import Arrived
from authflow.journey.providers.answers import ProviderAdded, ProviderTried
from authflow.journey.sso.answers import (
    AnswerKept,
    ChoiceOwed,
    MailSent,
    ProviderSessionsEnded,
    SentAway,
    SentToSignOut,
    SignedOn,
    SignedOutThere,
)
from authflow.membership.answers import Joined
from authflow.policy import MEMBER, OWNER
from authflow.sso.case import Choice
from authflow.values import NOBODY, Answer, Refused, Secret

if TYPE_CHECKING:
    from collections.abc import Callable

    from authflow.cli.demo.idp import Idp, Leavable, Pair
    from authflow.cli.demo.sso_whereabouts import SsoWhereabouts
    from authflow.sso.kinds import Callback
    from authflow.values import BrowserSession, Context, OrganizationId, UserId

T = TypeVar("T", bound=Answer)


@attrs.define(kw_only=True)
class Way:
    """One browser on its way to a provider and back; *session* is what it keeps from answer to answer."""

    device: Context
    idp: Idp
    pipeline: Secret
    away: SentAway
    session: BrowserSession


@attrs.frozen(kw_only=True)
class SsoStory(Player):
    """Plays, and tells what it plays.

    Args:
        pair: Acme's provider, and the liar's.
        whereabouts: Follows the sign-ins.
    """

    pair: Pair
    whereabouts: SsoWhereabouts

    def play(self) -> None:
        """Play everything, in order.

        Raises:
            Unfinished: Something was answered that does not belong to the story.
        """
        self._begin()
        self._connect()
        answered = self._newcomer()
        self._link()
        adas = self._return()
        self._lie()
        self._replay(answered)
        self._forge()
        if self.pair.leaving is not None:
            self._leave(adas, self.pair.leaving)
        self._read_back()

    # --- a provider -------------------------------------------------------------------------------------------------

    def _begin(self) -> None:
        self.narrator.chapter("Olga owns Acme, Ada is a member, and Mallory owns Globex")
        self.narrator.tell("A host keeps its own people and organizations; all three sign in with a password.")
        self.narrator.play("host: add its rows", self._add_rows)
        members = ((cast.ACME, cast.OLGA, OWNER), (cast.ACME, cast.ADA, MEMBER), (cast.GLOBEX, cast.MALLORY, OWNER))
        for organization, user, role in members:
            add = partial(self.flows.members.add, cast.OFFICE, organization=organization, user=user, role=role)
            self._act(Joined, "members.add", add)

    def _add_rows(self) -> None:
        with self.flows.uow.begin() as tx:
            for person in cast.people(self.clock.now()):
                tx.users.add(person)
            for organization in cast.ORGANIZATIONS:
                tx.organizations.add(organization)
            for project in (PERSONAL, TENANTS):
                tx.projects.add(project)

    def _connect(self) -> None:
        self.narrator.chapter("Olga connects Acme's provider, and proves it by signing in through it")
        self.pair.ours.knows("00u0", "o.rivera@acme.example", "Olga Rivera")
        way = self._propose(cast.OFFICE, cast.OLGA, cast.ACME, self.pair.ours)
        tried = self._back(way, "00u0", self.flows.providers.resume, "providers.resume", ProviderTried)
        self.narrator.show(("asserted", f"{tried.name}, {tried.email}"), ("whose", f"{tried.user}: who is signed in"))
        self.narrator.tell("Nothing stands yet. She sees whom the provider named, and confirms:")
        self._next(way, ProviderAdded, "providers.confirm", self.flows.providers.confirm)
        self.narrator.tell("Owners are told, and members who have no link are asked to make one:")
        self._deliver()

    def _propose(self, device: Context, user: UserId, organization: OrganizationId, idp: Idp) -> Way:
        self.narrator.show(("provider", idp.where))
        here = self._password(device, user, Arrived).session
        kind, settings = self.pair.kind.key, idp.settings
        start = partial(
            self.flows.providers.start_setup, here, device, organization=organization, kind=kind, settings=settings
        )
        return self._away(f"sso.setup ({organization})", device, idp, "providers.start_setup", start)

    # --- people -----------------------------------------------------------------------------------------------------

    def _newcomer(self) -> tuple[Way, Callback]:
        self.narrator.chapter("Noor, whom nobody knows, signs in")
        self.pair.ours.knows("00u2", cast.NOORS_ADDRESS, "Noor New")
        way = self._start("Noor", cast.PHONE, cast.ACME, self.pair.ours)
        callback = self.pair.ours.sign_in(way.away, "00u2")
        self._offered(self._resume(way, callback, self.flows.sso.resume, "sso.resume", ChoiceOwed))
        self.narrator.tell("She wants an account. The address is proven before there is one:")
        self._next(way, MailSent, "sso.choose new_account", partial(self.flows.sso.choose, choice=Choice.NEW_ACCOUNT))
        self._deliver()
        token = Secret(str(self.postbox.newest(MailKind.SSO_ADDRESS_PROOF).context["token"]))
        self.narrator.tell("The link counts in the browser that asked for it, and by a POST of a page of yours:")
        self._offered(
            self._next(way, ChoiceOwed, "sso.open_link", partial(self.flows.sso.open_link, token=token)),
        )
        came = self._next(way, SignedOn, "sso.resume", self.flows.sso.resume)
        self.whereabouts.meet("Noor", came.user)
        self.narrator.show(("made", "person, address, link and membership, in one transaction"))
        return way, callback

    def _link(self) -> None:
        self.narrator.chapter("Ada has an account, and the provider names her address")
        self.pair.ours.knows("00u1", cast.ADAS_ADDRESS, "Ada Lovelace")
        way = self._start("Ada", cast.LAPTOP, cast.ACME, self.pair.ours)
        self._offered(self._back(way, "00u1", self.flows.sso.resume, "sso.resume", ChoiceOwed))
        self.narrator.tell("It selects nobody. She signs in with her password, and links the identity herself:")
        way.session = self._password(cast.LAPTOP, cast.ADA, Arrived, way.session).session
        look = partial(self.flows.sso.look, way.session, pipeline=way.pipeline)
        self._offered(self._act(ChoiceOwed, "sso.look", look))
        self._next(way, SignedOn, "sso.choose link", partial(self.flows.sso.choose, choice=Choice.LINK))

    def _return(self) -> Way:
        self.narrator.chapter("Ada comes back, and nobody asks her anything")
        way = self._start("Ada again", cast.LAPTOP, cast.ACME, self.pair.ours)
        came = self._back(way, "00u1", self.flows.sso.resume, "sso.resume", SignedOn)
        entered = partial(self.flows.members.enter, came.session, organization=cast.ACME)
        self.narrator.play("members.enter", entered)
        self._deliver()
        return way

    # --- a liar -----------------------------------------------------------------------------------------------------

    def _lie(self) -> None:
        self.narrator.chapter("Mallory runs a provider for Globex, and says it is Ada who comes")
        liars = self.pair.liars
        liars.knows("evil", cast.MALLORYS_ADDRESS, "Mallory")
        setup = self._propose(cast.CAFE, cast.MALLORY, cast.GLOBEX, liars)
        self._back(setup, "evil", self.flows.providers.resume, "providers.resume", ProviderTried)
        self._next(setup, ProviderAdded, "providers.confirm", self.flows.providers.confirm)
        self._deliver()
        liars.knows("00u1", cast.ADAS_ADDRESS, "Ada Lovelace")
        self.narrator.tell("Her very subject at Acme, and her verified address, asserted by somebody else's provider:")
        way = self._start("Mallory", cast.CAFE, cast.GLOBEX, liars)
        self._offered(self._back(way, "00u1", self.flows.sso.resume, "sso.resume", ChoiceOwed))
        self._next(way, Refused, "sso.choose link", partial(self.flows.sso.choose, choice=Choice.LINK))
        self._next(way, MailSent, "sso.mail_proof", self.flows.sso.mail_proof)
        self._next(way, MailSent, "sso.choose new_account", partial(self.flows.sso.choose, choice=Choice.NEW_ACCOUNT))
        self.narrator.tell("Whoever sees these answers cannot tell whether Ada exists. Only she is told:")
        self._deliver()

    def _replay(self, answered: tuple[Way, Callback]) -> None:
        self.narrator.chapter("Somebody shows the answer that Noor's browser brought, once more")
        way, callback = answered
        again = self._start("Replay", cast.CAFE, cast.ACME, self.pair.ours)
        for shown in (again, way):
            self._next(shown, Refused, "sso.resume", partial(self.flows.sso.resume, callback=callback))

    def _forge(self) -> None:
        self.narrator.chapter("Eve works at Acme, wants to come as Ada, and forges what her own browser brings")
        ours, forgery = self.pair.ours, self.pair.forgery
        ours.knows("00u3", "e.knight@acme.example", "Eve Knight")
        way = self._start("Eve", cast.CAFE, cast.ACME, ours)
        self.narrator.tell(forgery.told)
        forged = forgery.forge(ours.sign_in(way.away, "00u3"), "00u3", "00u1")
        self._resume(way, forged, self.flows.sso.resume, "sso.resume", Refused)

    def _leave(self, adas: Way, idp: Leavable) -> None:
        self.narrator.chapter("Ada signs out, and the provider ends Noor's session")
        here = cast.ENDPOINTS.of(cast.ACME).logout
        leave = partial(self.flows.sso.sign_out, adas.session, adas.device)
        left = self._act(SentToSignOut, "sso.sign_out", leave)
        self.narrator.show(("send to", left.url.partition("?")[0]))
        self.narrator.tell("Nobody is signed in here any more, whatever the provider says. Here it says yes:")
        finish = partial(self.flows.sso.finish_sign_out, ticket=left.ticket, query=idp.signs_out(left.url, here))
        self._act(SignedOutThere, "sso.finish_sign_out", finish)
        self.narrator.tell("Noor signs out at the provider, which asks the same of everybody whom it let in:")
        query = idp.ends("00u2", here)
        end = partial(self.flows.sso.end_sessions, cast.PHONE, organization=cast.ACME, query=query)
        ended = self._act(ProviderSessionsEnded, "sso.end_sessions", end)
        self.narrator.show(("ended", ended.count))
        self.narrator.tell("The same request again ends nothing:")
        self._act(Refused, "sso.end_sessions", end)

    def _read_back(self) -> None:
        self.narrator.chapter("What Acme's own log says")
        entries = reversed(self.flows.audit.of_organization(cast.ACME))
        self.narrator.show(*((f"{entry.at:%H:%M:%S}", entry.event.value) for entry in entries))

    # --- going there and back ---------------------------------------------------------------------------------------

    def _start(self, who: str, device: Context, organization: OrganizationId, idp: Idp) -> Way:
        start = partial(self.flows.sso.start, NOBODY, device, organization=organization)
        return self._away(f"sso.login ({who})", device, idp, "sso.start", start)

    def _away(self, name: str, device: Context, idp: Idp, command: str, start: Callable[[], object]) -> Way:
        away = self._act(SentAway, command, start)
        self.whereabouts.follow(name, away.pipeline)
        self.narrator.show(("send to", away.url.partition("?")[0]))
        return Way(device=device, idp=idp, pipeline=away.pipeline, away=away, session=away.session)

    def _back(self, way: Way, subject: str, resume: Callable[..., object], command: str, kind: type[T]) -> T:
        return self._resume(way, way.idp.sign_in(way.away, subject), resume, command, kind)

    def _resume(self, way: Way, callback: Callback, resume: Callable[..., object], command: str, kind: type[T]) -> T:
        """Bring the answer. What was posted from the provider's site came without our cookies: it is kept first."""
        if self.pair.posts:
            keep = partial(self.flows.sso.keep_answer, callback=callback)
            self._act(AnswerKept, "sso.keep_answer", keep)
            return self._next(way, kind, command, resume)
        return self._next(way, kind, command, partial(resume, callback=callback))

    def _next(self, way: Way, kind: type[T], command: str, ask: Callable[..., object]) -> T:
        answer = self._act(kind, command, partial(ask, way.session, way.device, pipeline=way.pipeline))
        way.session = answer.session
        return answer

    def _offered(self, page: ChoiceOwed) -> None:
        self.narrator.show(
            ("asserted", f"{page.name}, {page.email}"),
            ("signed in", page.user or "nobody"),
            ("offers", ", ".join(sorted(page.offers))),
        )
