"""The composition matrix, held against the flows: what the pure decisions come to is what a person meets."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import attrs
import pytest

from authflow.adapters.memory.unit_of_work import MemoryUnitOfWork
from authflow.errors import Code
from authflow.facts.records import MailKind
from authflow.journey.sso.answers import AccountLinked, ChoiceOwed, MailSent, SignedOn
from authflow.membership.answers import Joined, MemberGone, RequirementsOpen
from authflow.membership.standing import Member
from authflow.sessions.commands import SecondFactorOwed
from authflow.sso.case import Choice
from authflow.testing.browsers import Browser
from authflow.testing.composition import (
    Coming,
    Factor,
    Place,
    Provider,
    Result,
    SecondFactor,
    Settings,
    Way,
    comings,
    compose,
)
from authflow.values import Refused, Secret, UserId
from tests.journey.sso_stage import SsoStage
from tests.stage import CONTEXT, STEP, Letter, Person

if TYPE_CHECKING:
    from authflow.membership.admission import Requirement

ADA = "ada@example.com"
SETTINGS = [
    Settings(provider=Provider.REQUIRED, second_factor=factor, newcomers=newcomers)
    for factor in (SecondFactor.NOT_REQUIRED, SecondFactor.COMPOSED)
    for newcomers in (True, False)
]


@attrs.frozen
class Met:
    """What somebody met: as `Result`, but for what no page says."""

    code: Code | None
    joined: bool = False
    open: frozenset[Requirement] = frozenset()


def expected(result: Result) -> Met:
    told = result.open if result.decision is None else frozenset[Any]()  # the answer of a sign-on gives the code alone
    return Met(result.code, result.joined, told)


class Scene:
    """One cell: an organization as it is set, and Ada as she comes."""

    def __init__(self, given: Settings, coming: Coming) -> None:
        self.stage, self.given, self.coming = SsoStage(MemoryUnitOfWork()), given, coming
        self.place = self.stage.organization()
        self.olga = self.stage.owner(self.place)
        self.letter: Letter | None = None
        self.ada = None if coming.way is Way.NEW_ACCOUNT else self.stage.person(ADA)
        self._stand()
        if self.ada is not None and coming.factor is not Factor.NONE:
            self.stage.sign_in(self.ada)
            self.stage.enroll(self.ada)
        required = given.second_factor is SecondFactor.COMPOSED
        self.stage.change(self.place, require_second_factor=required)
        self.stage.connect(self.place, newcomers=given.newcomers)
        self.stage.idp.person("00u1", email=ADA)
        if self.ada is not None and coming.way is Way.PROVIDER:
            self.stage.link(self.ada.user, self.place, "00u1")

    def _stand(self) -> None:
        stage, place = self.stage, self.coming.place
        invited = {Place.INVITED: ADA, Place.EXPIRED: ADA, Place.INVITED_ELSEWHERE: "grace@example.net"}
        if place in invited:
            self.letter = stage.invite(self.olga, self.place, invited[place])
        if place is Place.EXPIRED:
            stage.clock.advance(timedelta(days=31))
        roles = {Place.MEMBER: "member", Place.ONLY_OWNER: "owner", Place.REMOVED: "member"}
        if place in roles and self.ada is not None:
            add = stage.flows.members.add
            joined = add(CONTEXT, organization=self.place, user=self.ada.user, role=roles[place])
            assert isinstance(joined, Joined)
            if place is Place.REMOVED:
                remove, olga = stage.flows.members.remove, self.olga.browser
                gone = olga.ask(remove, olga.context, organization=self.place, member=joined.member.id)
                assert isinstance(gone, MemberGone), gone

    # --- how she comes ----------------------------------------------------------------------------------------------

    def met(self) -> Met:
        ways = {Way.PASSWORD: self._password, Way.PROVIDER: self._provider, Way.NEW_ACCOUNT: self._new_account}
        return ways.get(self.coming.way, self._linking)()

    def _password(self) -> Met:
        browser, ada = Browser(), self._known()
        if not self._signed_in(ada, browser):
            return Met(Code.SESSION_SECOND_FACTOR_OWED)
        if self.letter is None:
            return self._acting(browser, joined=False)
        answer = self.stage.accept(ada, self.letter, browser)
        if isinstance(answer, RequirementsOpen):
            return Met(Code.INVITATION_REQUIREMENTS_OPEN, open=answer.requirements)
        return self._acting(browser, joined=True) if isinstance(answer, Joined) else Met(answer.code)

    def _provider(self) -> Met:
        browser, before = Browser(), self._is_member()
        trip = self.stage.come(browser, self.place, "00u1")
        answer = trip.answer
        if isinstance(answer, SecondFactorOwed):
            if self.coming.factor is Factor.UNPROVEN:
                return Met(Code.SESSION_SECOND_FACTOR_OWED)
            self._prove(self._known(), browser)
            answer = trip.resume()
        return self._signed_on(answer, browser, before=before)

    def _new_account(self) -> Met:
        browser = Browser()
        if self.letter is not None and self.coming.place is Place.INVITED:  # nobody knows yet whose address it is
            browser.ask(self.stage.flows.invitations.accept, browser.context, **self.letter.where())
        trip = self.stage.come(browser, self.place, "00u1")
        assert isinstance(trip.answer, ChoiceOwed), trip.answer
        answer = trip.choose(Choice.NEW_ACCOUNT)
        if isinstance(answer, MailSent):
            mail = self.stage.mails(MailKind.SSO_ADDRESS_PROOF)[-1]
            trip.open_link(Secret(str(mail.context["token"])))
            answer = trip.resume()
        return self._signed_on(answer, browser, before=False)

    def _linking(self) -> Met:
        browser, before = Browser(), self._is_member()
        assert self._signed_in(self._known(), browser)
        trip = self.stage.come(browser, self.place, "00u1", link=True)
        answer = trip.choose(Choice.LINK) if isinstance(trip.answer, ChoiceOwed) else trip.answer
        return self._signed_on(answer, browser, before=before)

    # --- pieces -----------------------------------------------------------------------------------------------------

    def _known(self) -> Person:
        assert self.ada is not None
        return self.ada

    def _signed_in(self, ada: Person, browser: Browser) -> bool:
        answer = self.stage.sign_in(ada, browser)
        if isinstance(answer, SecondFactorOwed) and self.coming.factor is Factor.PROVEN:
            self._prove(ada, browser)
            return True
        return not isinstance(answer, SecondFactorOwed)

    def _prove(self, ada: Person, browser: Browser) -> None:
        self.stage.clock.advance(STEP)
        self.stage.verify(ada, "totp", ada.app.code(self.stage.clock.now()), browser)

    def _signed_on(self, answer: Any, browser: Browser, *, before: bool) -> Met:
        if isinstance(answer, Refused):
            return Met(answer.code)
        assert isinstance(answer, SignedOn | AccountLinked), answer
        if answer.code is Code.INVITATION_CONFIRMATION_OWED:  # somebody clicked here before anybody was signed in
            outcome = self.stage.resume(browser, confirmed=True)
            return self._acting(browser, joined=True) if outcome.member else Met(outcome.code)
        if answer.code is not None:
            assert answer.member is None
            return Met(answer.code)
        return self._acting(browser, joined=not before, user=answer.user)

    def _acting(self, browser: Browser, *, joined: bool, user: UserId | None = None) -> Met:
        assert user is None or isinstance(self.stage.member(user, self.place), Member)
        entered = self.stage.flows.members.enter(browser.session, organization=self.place)
        return Met(entered.code if isinstance(entered, Refused) else None, joined)

    def _is_member(self) -> bool:
        return self.coming.place in {Place.MEMBER, Place.ONLY_OWNER}


def reachable(coming: Coming) -> bool:
    """Leave out whoever was removed and has no account any more: that takes the tombstone of a subject."""
    return not (coming.way is Way.NEW_ACCOUNT and coming.place is Place.REMOVED)


@pytest.mark.parametrize("given", SETTINGS, ids=lambda given: f"{given.second_factor}, newcomers {given.newcomers}")
def test_the_flows_come_to_what_the_matrix_says(given: Settings):
    differ = {}
    for coming in filter(reachable, comings()):
        result = compose(given, coming)
        assert result is not None
        met = Scene(given, coming).met()
        if met != expected(result):
            differ[f"{coming.place}, {coming.way}, {coming.factor}"] = (met, expected(result))
    assert differ == {}
