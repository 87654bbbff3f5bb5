"""Two organizations, five people and Mallory, an honest provider and a hostile one: the 15 invariants (sso 19).

Each human has a mailbox and a browser of their own, knows the password of the accounts that are theirs, and opens what
is mailed to them; Dan has no account yet, and Fay's second factor was reset. Acme's provider signs everybody in as whom
they are. Globex's is Mallory's: it asserts whatever a rule draws, of whomever, in whosever browser. After each step the
world before it and after it are held together, and what changed must be the doing of somebody who may; what sessions
are worth is asked of whoever acted, and at the end of everybody.
"""

from __future__ import annotations

import json
from datetime import timedelta
from enum import StrEnum, unique
from typing import TYPE_CHECKING, Any, Final

import attrs
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from authflow import Policy, Secret, SsoPolicy
from authflow.adapters.memory.unit_of_work import MemoryUnitOfWork
from authflow.errors import Code
from authflow.facts.records import MailKind
from authflow.journey.sso.answers import AccountLinked, AnswerKept, ChoiceOwed, SentAway, SignedOn
from authflow.membership.standing import Member
from authflow.policy import AccountsPolicy, MfaPolicy
from authflow.sessions.commands import EnrollmentOwed, SecondFactorOwed
from authflow.sessions.standing import SECOND
from authflow.sessions.states import SignedIn
from authflow.sso.case import Choice
from authflow.testing.browsers import STEP_SECONDS, Browser
from authflow.values import NOBODY, Budget, Level, Method, OrganizationId, Refused, UserId, same_address
from tests.journey.sso_stage import SsoStage, Trip
from tests.stage import CONTEXT, Person, written

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from authflow.sso.kinds import Callback
    from authflow.sso.links import Link
    from authflow.values import Asker, LinkId

ACME: Final = OrganizationId("acme")
GLOBEX: Final = OrganizationId("globex")
NAMES: Final = ("ada", "bob", "cat", "dan", "fay", "mallory")
JOURNEYS: Final = 3
"""How many are under way at a time."""

PROOFS: Final = frozenset({MailKind.SSO_PROOF, MailKind.SSO_ADDRESS_PROOF})
PLENTY: Final = timedelta(seconds=20)


def plenty(name: str) -> Budget:
    return Budget(name=name, limit=1000, window=PLENTY)


POLICY: Final = Policy(
    sso=SsoPolicy(),
    accounts=AccountsPolicy(mails=plenty("accounts.mails"), confirmations=plenty("accounts.confirmations")),
    mfa=MfaPolicy(guesses_short=plenty("mfa.guesses_short"), guesses_long=plenty("mfa.guesses_long"), lock_after=100),
)
"""What is tried here are the tables and their composition, not the budgets."""


@unique
class Standing(StrEnum):
    """How somebody's browser can stand: every state of `authflow.sessions.states`, and every value that opens none."""

    NEVER_HERE = "never_here"
    SIGNED_OUT = "signed_out"
    HALF_SIGNED_IN = "half_signed_in"
    """The password was given; of Ada a second factor is owed, of Fay an enrollment."""

    SIGNED_IN = "signed_in"
    """Fay's browser has used the link that was mailed to her."""

    LONG_SIGNED_IN = "long_signed_in"
    ENDED_ELSEWHERE = "ended_elsewhere"
    EXPIRED = "expired"
    FORMER_VALUE = "former_value"
    """The host kept the value of before a renewal."""


humans = st.sampled_from(NAMES)
standings = st.sampled_from([Standing.SIGNED_OUT, Standing.SIGNED_IN, *Standing])
chosen = st.sampled_from([Choice.LINK, Choice.NEW_ACCOUNT])
choices = st.sampled_from([None, Choice.LINK, Choice.NEW_ACCOUNT, Choice.NEW_ACCOUNT])
places = st.sampled_from([ACME, GLOBEX])
subjects = st.sampled_from(["ada", "ADA", "ada ", "bob", "s1", "owner"])
claims = st.sampled_from([True, False, "true", 1, None])


def mailbox(name: str) -> str:
    return f"{name}@example.com"


addresses = st.sampled_from([*map(mailbox, NAMES), "ADA@example.com", "new@example.com", "newer@example.com", None])


which = st.integers(0, JOURNEYS - 1)

LINKED: Final = (("bob", ACME, "bob"), ("cat", GLOBEX, "s1"), ("ada", ACME, "ada"), ("fay", ACME, "fay"))
"""Who is linked from the beginning; the others come by it, or do not."""


@attrs.define(eq=False)
class Human:
    """Somebody: their browser, and the accounts that are theirs."""

    name: str
    person: Person
    accounts: set[UserId]

    @property
    def browser(self) -> Browser:
        return self.person.browser


@attrs.define(eq=False)
class Journey:
    """Somebody's way to a provider, in their own browser."""

    human: Human
    place: OrganizationId
    trip: Trip
    subjects: set[str] = attrs.field(factory=set)
    """Whom its provider named, in every answer that was brought."""


@attrs.frozen
class World:
    """Everything that single sign-on may write, as it stands."""

    users: frozenset[UserId]
    links: frozenset[Link]
    members: frozenset[Member]


class SsoStory(RuleBasedStateMachine):
    """The story; `make_uow` gives the database on which it is told."""

    def make_uow(self) -> Any:
        return MemoryUnitOfWork()

    @initialize()
    def begin(self) -> None:
        self.stage = SsoStage(self.make_uow(), POLICY)
        stage = self.stage
        for place in (ACME, GLOBEX):
            stage.organization(place)
        stage.connect(ACME, stage.google, required=False)
        stage.connect(GLOBEX)
        self.humans = {
            name: Human(name, (p := stage.person(mailbox(name))), {p.user}) for name in NAMES if name != "dan"
        }
        self.humans["dan"] = Human("dan", Person(UserId("")), set())
        for name in NAMES:
            stage.google.person(name, email=mailbox(name), name=name, email_verified=True)
        self.olga = stage.person("olga@example.com")
        for place in (ACME, GLOBEX):
            stage.found(self.olga, place, role="owner")
        for name in ("ada", "bob"):
            stage.found(self.humans[name].person, ACME)
        ada, fay = self.humans["ada"].person, self.humans["fay"].person
        stage.sign_in(ada)
        stage.enroll(ada)
        stage.sign_in(self.olga)
        self.reset(fay)
        self.protected = {ada.user, fay.user}
        self.handles: dict[str, Any] = {}
        self.linked_once: dict[LinkId, tuple[UserId, Any]] = {}
        self.removed: set[tuple[OrganizationId, UserId]] = set()
        self.journeys: list[Journey] = []
        self.used: list[tuple[Journey, Callback]] = []
        self.opened: list[Secret] = []
        for name, place, subject in LINKED:
            link = stage.link(self.humans[name].person.user, place, subject)
            self.linked_once[link.id] = (link.user, link.provider)
        self.exposed = {self.humans["cat"].person.user}
        self.acted: Human | None = None
        self.stood: set[str] = set()
        self.seen = self.world()
        self.everything_holds()

    def reset(self, person: Person) -> None:
        """Let an administrator have reset the factors of *person*, who reads the mail when they like."""
        root = self.stage.administrator()
        answer = root.browser.ask(self.stage.flows.mfa.reset, CONTEXT, user=person.user, reason="lost")
        assert not isinstance(answer, Refused), answer
        self.reset_link = Secret(str(self.stage.mails(MailKind.MFA_RESET)[-1].context["token"]))

    # --- what is there ----------------------------------------------------------------------------------------------

    def user_ids(self) -> frozenset[UserId]:
        if isinstance(self.stage.uow, MemoryUnitOfWork):
            return frozenset(row.id for row in self.stage.uow.store.table("user").rows())
        table = self.stage.uow.tables.shared.user
        with self.stage.uow.begin() as tx:
            return frozenset(UserId(row.id) for row in tx.connection.run(table.select()))

    def world(self) -> World:
        users = self.user_ids()
        with self.stage.uow.begin() as tx:
            links = [link for user in users for link in tx.links.all_of_user(user)]
            found = [member for place in (ACME, GLOBEX) for member in tx.members.of_organization(place, limit=100)]
        members = [attrs.evolve(member, flags=type(member.flags)(0)) for member in found]
        return World(users, frozenset(links), frozenset(members))

    def sessions_of(self, user: UserId) -> Iterable[SignedIn]:
        with self.stage.uow.begin() as tx:
            epoch = tx.accounts.read(user).epoch
            return [row for row in tx.sessions.of_user(user) if isinstance(row, SignedIn) and row.epoch == epoch]

    # --- one step: what changed, by whom ------------------------------------------------------------------------------

    def go(self, journey: Journey, command: Callable[[], Any]) -> Any:
        """Let somebody go on with their *journey*; whoever it lets in is whom the provider named, letter by letter."""
        answer = self.step(journey.human, journey.place, command)
        if isinstance(answer, SignedOn | AccountLinked):
            link = next(link for link in self.seen.links if link.id == answer.link)
            assert link.subject in journey.subjects, "invariant 7: by another subject than was named"
        return answer

    def step(self, human: Human, through: OrganizationId | None, command: Callable[[], Any]) -> Any:
        """Let *human* do something at the provider of *through*; everything that changed must be theirs to change."""
        answer = command()
        self.acted = human
        before, now = self.seen, self.world()
        self.seen = now
        new = now.users - before.users
        if new:
            assert isinstance(answer, SignedOn | AccountLinked), "invariant 10: an account without a sign-in"
            assert new == {answer.user}
            assert any(link.user == answer.user for link in now.links), "invariant 10: an account without its link"
            human.accounts |= new
            if not human.person.user:
                human.person.user = answer.user
        assert before.users <= now.users
        for link in _more(before.links, now.links):
            assert link.user in human.accounts, f"invariant 1: {human.name} linked {link.user}"
            assert link.organization == through, "invariant 3: a provider writes links of its own organization"
            assert (link.organization, link.user) not in self.removed, "decision 15: nobody walks back in"
            self.linked_once[link.id] = (link.user, link.provider)
            if link.organization == GLOBEX:
                self.exposed.add(link.user)
        for member in now.members - before.members:
            assert member.organization == through, "invariant 3: a provider makes members of its own organization"
            assert (member.organization, member.user) not in self.removed, "decision 15: nobody walks back in"
            assert member.role == "member", "invariant 13"
        for link in _more(now.links, before.links):
            assert link.organization == through
            assert any(other.subject == link.subject and other.user in human.accounts for other in now.links) or (
                link.user in human.accounts
            ), "only a claim moves a link"
        assert before.members - now.members == frozenset()
        if isinstance(answer, SignedOn | AccountLinked):
            self.arrived(human, answer, through)
        return answer

    def arrived(self, human: Human, answer: SignedOn | AccountLinked, through: OrganizationId | None) -> None:
        """Whoever is signed in now is the human's own, or somebody whom the hostile provider was given (2, 14)."""
        assert answer.organization == through
        link = next(link for link in self.seen.links if link.id == answer.link)
        assert link.user == answer.user
        if answer.user not in human.accounts:
            assert through == GLOBEX, "invariant 2: signed in as somebody else"
            assert answer.user in self.exposed, "invariant 2: by an assertion alone"

    # --- what people do -----------------------------------------------------------------------------------------------

    @rule(name=humans, standing=standings)
    def stand(self, name: str, standing: Standing) -> None:
        """Let somebody's browser stand as *standing* says."""
        human = self.acted = self.humans[name]
        browser = human.browser
        if standing is Standing.NEVER_HERE:
            browser.stored = json.dumps(NOBODY.to_json())
        elif standing is Standing.SIGNED_OUT:
            browser.ask(self.stage.flows.sessions.sign_out, CONTEXT)
        elif human.person.user:
            self.sign_in(human, standing)
        self.stood.add(self.row_of(browser))

    def sign_in(self, human: Human, standing: Standing) -> None:
        flows, clock, browser = self.stage.flows, self.stage.clock, human.browser
        answer = self.stage.sign_in(human.person)
        if standing is Standing.HALF_SIGNED_IN:
            return
        if isinstance(answer, EnrollmentOwed):
            browser.ask(flows.sessions.redeem, CONTEXT, token=self.reset_link)
        self.prove(human)
        if standing is Standing.LONG_SIGNED_IN:
            clock.advance(self.stage.policy.sessions.elevation_age)
        if standing is Standing.EXPIRED:
            clock.advance(self.stage.policy.sessions.lifetime)
        if standing is Standing.FORMER_VALUE and browser.former:
            browser.stored = browser.former[-1]
        if standing is Standing.ENDED_ELSEWHERE:
            other = Browser(CONTEXT)
            self.stage.sign_in(human.person, other)
            self.prove(human, other)
            other.ask(flows.sessions.end_others, CONTEXT)

    def prove(self, human: Human, browser: Browser | None = None) -> None:
        """Answer the second factor that is owed, if it is theirs."""
        if human.person.phone is not None:
            self.stage.clock.advance(timedelta(seconds=STEP_SECONDS))
            self.stage.verify(human.person, "totp", human.person.app.code(self.stage.clock.now()), browser)

    def row_of(self, browser: Browser) -> str:
        """Return what the row of *browser* is once somebody looked at it, or why its value opens none."""
        why_not = self.stage.flows.sessions.identify(browser.session).why_not
        with self.stage.uow.begin() as tx:
            stored = tx.sessions.load(browser.session.id) if browser.session.id else None
        return type(stored.state).__name__ if stored and why_not is not Code.SESSION_SUPERSEDED else str(why_not)

    @rule(name=humans, place=places, link=st.booleans())
    def start(self, name: str, place: OrganizationId, *, link: bool) -> None:
        self.travel(self.humans[name], place, link=link)

    def travel(self, human: Human, place: OrganizationId, *, link: bool) -> Journey | None:
        flows = self.stage.flows.sso
        command = flows.start_link if link else flows.start
        away = self.step(human, place, lambda: human.browser.ask(command, CONTEXT, organization=place))
        if not isinstance(away, SentAway):
            return None
        journey = Journey(human, place, Trip(self.stage, human.browser, away))
        self.journeys = [journey, *self.journeys][:JOURNEYS]
        return journey

    @rule(
        name=humans,
        standing=standings,
        then=choices,
        between=st.sampled_from([None, Standing.SIGNED_IN, *Standing]),
        link=st.booleans(),
        kept=st.booleans(),
    )
    def visit_acme(self, name: str, standing: Standing, then: Choice | None, **how: Any) -> None:
        self.visit(name, ACME, standing, then, **how)

    @rule(
        name=humans,
        standing=standings,
        said=st.tuples(subjects, addresses, claims),
        then=choices,
        between=st.sampled_from([None, Standing.SIGNED_IN, *Standing]),
        link=st.booleans(),
        kept=st.booleans(),
    )
    def visit_globex(self, name: str, standing: Standing, then: Choice | None, **how: Any) -> None:
        self.visit(name, GLOBEX, standing, then, **how)

    def visit(
        self,
        name: str,
        place: OrganizationId,
        standing: Standing,
        then: Choice | None,
        *,
        said: tuple[str, Any, Any] = ("", None, None),
        between: Standing | None = None,
        link: bool = False,
        kept: bool = False,
    ) -> None:
        """Go there, come back and choose at once, as most people do."""
        self.stand(name, standing)
        journey = self.travel(self.humans[name], place, link=link and standing is Standing.SIGNED_IN)
        if journey is None:
            return
        answer = self.back(journey, *said, kept=kept)
        if isinstance(answer, SecondFactorOwed):
            self.go_on(0)
        if isinstance(answer, ChoiceOwed) and then is not None:
            if between is not None:
                self.stand(name, between)
            self.step(journey.human, place, lambda: journey.trip.choose(then))

    @precondition(lambda self: self.journeys)
    @rule(which=which, subject=subjects, email=addresses, verified=claims, kept=st.booleans())
    def come_back(self, which: int, subject: str, email: Any, verified: Any, *, kept: bool) -> None:
        self.back(self.journey(which), subject, email, verified, kept=kept)

    def journey(self, which: int) -> Journey:
        return self.journeys[which % len(self.journeys)]

    def back(self, journey: Journey, subject: str, email: Any, verified: Any, *, kept: bool) -> Any:
        """Acme's provider signs in whoever sits there; Globex's, whomever it likes."""
        human, trip = journey.human, journey.trip
        if journey.place == GLOBEX:
            self.stage.idp.person(subject, email=email, name=human.name, email_verified=verified)
        named = subject if journey.place == GLOBEX else human.name
        callback = trip.callback(named)
        journey.subjects.add(named)
        self.used = [(journey, callback), *self.used][:JOURNEYS]
        if kept:
            self.keep(callback)
        answer = self.go(journey, lambda: trip.resume(None if kept else callback))
        if isinstance(answer, SecondFactorOwed):
            self.prove(human)
        return answer

    def keep(self, callback: Callback) -> None:
        """Invariant 12: what comes cross-site is stored, and changes nothing."""
        before = self.stage.snapshot()
        answer = self.stage.flows.sso.keep_answer(callback=callback)
        assert isinstance(answer, AnswerKept | Refused)
        changed = written(before, self.stage.snapshot())
        assert {table.removeprefix("authflow_") for table in changed} <= {"sso_pipeline"}

    @precondition(lambda self: self.journeys)
    @rule(which=which)
    def go_on(self, which: int) -> None:
        journey = self.journey(which)
        answer = self.go(journey, journey.trip.resume)
        if isinstance(answer, SecondFactorOwed):
            self.prove(journey.human)

    @precondition(lambda self: self.journeys)
    @rule(which=which, choice=st.sampled_from([Choice.LINK, Choice.LINK, Choice.NEW_ACCOUNT]), first=st.booleans())
    def choose(self, which: int, choice: Choice, *, first: bool) -> None:
        """Choose, perhaps after signing in on the way."""
        journey = self.journey(which)
        if first:
            self.stand(journey.human.name, Standing.SIGNED_IN)
        self.go(journey, lambda: journey.trip.choose(choice))

    @precondition(lambda self: self.journeys)
    @rule(which=which, choice=chosen, ask=st.booleans())
    def use_a_mail(self, which: int, choice: Choice, *, ask: bool) -> None:
        """Everybody reads their own mailbox, and opens what is in it in their own browser; then they choose."""
        journey = self.journey(which)
        if ask:
            self.go(journey, journey.trip.mail_proof)
        self.stage.flows.relay.drain_until_quiet()
        box = mailbox(journey.human.name)
        mails = [mail for mail in self.stage.mailer.sent if same_address(mail.to, box) and mail.kind in PROOFS]
        if not mails:
            return
        token = Secret(str(mails[-1].context["token"]))
        answer = self.go(journey, lambda: journey.trip.open_link(token))
        if isinstance(answer, ChoiceOwed):
            assert token not in self.opened, "invariant 9: a mailed link works once"
            self.opened.append(token)
            self.go(journey, lambda: journey.trip.choose(choice))

    # --- what attackers do ------------------------------------------------------------------------------------------

    @precondition(lambda self: self.journeys)
    @rule(name=humans, which=which, choice=chosen)
    def go_on_with_anothers(self, name: str, which: int, choice: Choice) -> None:
        """A pipeline that was taken from somebody else's browser opens nothing here (security 26)."""
        thief, journey, flows = self.humans[name], self.journey(which), self.stage.flows.sso
        if thief is journey.human:
            return
        pipeline = journey.trip.pipeline
        for command in (
            lambda: thief.browser.ask(flows.choose, CONTEXT, pipeline=pipeline, choice=choice),
            lambda: thief.browser.ask(flows.resume, CONTEXT, pipeline=pipeline),
        ):
            assert isinstance(self.step(thief, None, command), Refused)

    @precondition(lambda self: self.journeys and self.used)
    @rule(which=which, answer=which)
    def bring_an_answer_again(self, which: int, answer: int) -> None:
        """One that was used, here or elsewhere, or was meant for another browser, is taken by nobody (invariant 9)."""
        journey, (_, callback) = self.journey(which), self.used[answer % len(self.used)]
        brought = self.go(journey, lambda: journey.trip.resume(callback))
        assert isinstance(brought, Refused), "invariant 9: an answer counts once"

    # --- what happens around them -----------------------------------------------------------------------------------

    @rule(minutes=st.sampled_from([1, 6, 11, 70]))
    def time_passes(self, minutes: int) -> None:
        self.stage.clock.advance(timedelta(minutes=minutes))

    @rule(active=st.booleans())
    def be_disabled_or_not(self, *, active: bool) -> None:
        human = self.humans["cat"]
        self.stage.save(attrs.evolve(self.stage.user(human.person.user), active=active))

    @rule()
    def bob_is_removed(self) -> None:
        found, remove = self.stage.member(self.humans["bob"].person.user, ACME), self.stage.flows.members.remove
        if isinstance(found, Member):
            self.stage.sign_in(self.olga)
            self.removed.add((ACME, found.user))
            gone = self.olga.browser.ask(remove, CONTEXT, organization=ACME, member=found.id)
            assert not isinstance(gone, Refused), gone
            self.seen = self.world()
            self.visit("bob", ACME, Standing.SIGNED_IN, Choice.LINK)

    # --- the invariants ---------------------------------------------------------------------------------------------

    @invariant()
    def whoever_acted_has_what_is_theirs(self) -> None:
        if self.acted is not None:
            self.holds_of(self.acted)

    def everything_holds(self) -> None:
        """Ask of everybody; every step asks of whoever acted."""
        self.rows_are_unique()
        for human in self.humans.values():
            self.holds_of(human)
        for user in self.seen.users:
            self.sessions_are_worth_what_was_proven(user)

    def holds_of(self, human: Human) -> None:
        asker = self.stage.flows.sessions.identify(human.browser.session)
        self.browser_shows_its_own_people(human, asker)
        for user in {*human.accounts, *([asker.user] if asker.user else [])}:
            self.sessions_are_worth_what_was_proven(user)
        for user in human.accounts:
            verified = self.stage.user(user).verified_addresses()
            assert all(same_address(a, mailbox(human.name)) for a in verified), "invariant 8, decision 19"

    @invariant()
    def rows_are_unique(self) -> None:
        """5: one person per subject, one subject per person, at one provider."""
        links = self.seen.links
        assert len({(link.provider, link.subject) for link in links}) == len(links), "invariant 5"
        assert len({(link.provider, link.user) for link in links}) == len(links), "invariant 5"

    @invariant()
    def pipelines_keep_their_handles(self) -> None:
        """4."""
        for journey in self.journeys:
            key = journey.trip.pipeline.reveal().partition(".")[0]
            with self.stage.uow.begin() as tx:
                found = tx.pipelines.load(key)
            if found is not None:
                assert self.handles.setdefault(key, found.state.handle) == found.state.handle, "invariant 4"
                assert found.state.handle.organization == journey.place, "invariant 4"

    def sessions_are_worth_what_was_proven(self, user: UserId) -> None:
        """2, 6, 14, 15: of every session of an account."""
        for row in self.sessions_of(user):
            methods = {proof.method for proof in row.proofs}
            if user in self.protected:
                assert methods & SECOND, "invariant 6: a second factor was skipped"
            for proof in row.proofs:
                if proof.method is Method.SSO:
                    assert proof.link in self.linked_once, "invariant 15: a mark without a link"
                    assert self.linked_once[proof.link] == (user, proof.provider), "invariant 15: another's link"

    def browser_shows_its_own_people(self, human: Human, asker: Asker) -> None:
        """2 and 14: or somebody whom Globex's provider was given, who may then do nothing outside of Globex."""
        if asker.user is None or asker.user in human.accounts:
            return
        assert asker.user in self.exposed, "invariant 2: signed in as somebody else"
        assert {mark.organization for mark in asker.marks} == {GLOBEX}, "invariant 14"
        assert (asker.level, asker.elevated) == (Level.NONE, False) or human.person.phone is not None, "invariant 14"
        entered = self.stage.flows.members.enter(human.browser.session, organization=ACME)
        assert isinstance(entered, Refused), "invariant 14: Globex's word opened Acme"

    def teardown(self) -> None:
        if hasattr(self, "stage"):
            self.everything_holds()
            self.stage.uow.require_closed()


def _more(before: frozenset[Link], after: frozenset[Link]) -> Iterable[Link]:
    """Return the links of *after* that are not in *before*, by whose they are and which subject's."""
    known = {(link.id, link.user, link.subject) for link in before}
    return [link for link in after if (link.id, link.user, link.subject) not in known]
