"""What the people of the story do at their browsers, and what each answer to it must not be."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from authflow.journey.answers import AccountDeleted, Arrived, Enrolled, FactorRemoved, Resumed
from authflow.journey.post_flow import InvitationFate, InvitationOutcome
from authflow.membership.answers import Joined
from authflow.membership.offer import Accepted
from authflow.mfa.answers import Begun, CodesShown
from authflow.sessions.commands import EnrollmentOwed, OthersEnded, SecondFactorOwed, SignedOut
from authflow.testing.browsers import STEP_SECONDS, Browser, Phone
from authflow.testing.people import add_user
from authflow.testing.story.cast import HOMES, PLACES, REGIONS, House, Letter, Person
from authflow.testing.story.invariants import Invariants
from authflow.values import OrganizationId, Refused, UserId

if TYPE_CHECKING:
    from authflow.adapters.mail import MemoryMailer
    from authflow.testing.clocks import ManualClock
    from authflow.wiring import Authflow

TOTP: Final = "totp"
RECOVERY: Final = "recovery"


class Scenes:
    """People at the browsers of one house; windows are numbered, and anybody may sit at any of them."""

    def __init__(self, flows: Authflow, clock: ManualClock, mailer: MemoryMailer) -> None:
        self.flows, self.clock = flows, clock
        self.invariants = Invariants(flows, PLACES, REGIONS)
        self.house = House(flows, clock, mailer)
        self.browsers = tuple(Browser() for _ in HOMES)
        self.people = {user: Person(add_user(flows, user)) for user in HOMES}
        self.begun: dict[int, Begun] = {}
        self.clicks: dict[int, list[Letter]] = {}
        for place, member in self.house.found().items():
            self.invariants.joined(place, self.house.owner.user, member)

    # --- who is here ----------------------------------------------------------------------------------------------

    def who(self, window: int) -> UserId | None:
        """Return who is signed in at *window*."""
        return self.flows.sessions.identify(self.browsers[window].session).user

    def signed_in(self, window: int) -> Person:
        """Return the person signed in at *window*, where somebody must be."""
        user = self.who(window)
        assert user is not None, "nobody is signed in where somebody just proved who they are"
        return self.people[user]

    def joiners(self) -> list[tuple[OrganizationId, UserId]]:
        """Return who is a member where, the staff left out."""
        return [(place, user) for place, user in self.invariants.members if user in self.people]

    # --- signing in -----------------------------------------------------------------------------------------------

    def password(self, window: int, person: Person) -> object:
        """Give the password of *person*."""
        answer = self.house.sign_in(self.browsers[window], person)
        self._heard(window, answer)
        return answer

    def arrive(self, window: int, user: UserId) -> None:
        """Sign in completely: give whatever is owed, as far as one has it."""
        person = self.people[user]
        answer = self.password(window, person)
        if isinstance(answer, SecondFactorOwed) and person.phone is not None:
            self.clock.advance(seconds=STEP_SECONDS)
            self.show_phone(window, person, person.phone, 0)
        if isinstance(answer, EnrollmentOwed):
            self.redeem(window, user, 1)
            self.begin(window)
            self.complete(window, window, right=True)

    def show_phone(self, window: int, person: Person, phone: Phone, steps: int) -> None:
        """Type what *phone* of *person* shows, *steps* away from now."""
        now = self.clock.now()
        code = phone.code(now, steps=steps)
        if self._verify(window, TOTP, code):
            assert phone is person.phone, "a phone that was replaced signs in"
            assert self.signed_in(window) is person, "somebody else's phone signs in"
            self.invariants.step_accepted(phone.secret, code, now)

    def read_paper(self, window: int, person: Person, *, waste: bool) -> None:
        """Type the next recovery code, or one that was used or replaced."""
        codes = person.waste if waste else person.paper
        if codes and self._verify(window, RECOVERY, code := codes[0]):
            assert self.signed_in(window) is person, "somebody else's paper signs in"
            assert not waste, "a recovery code was accepted after it died"
            self.invariants.recovery_code_accepted(code)
            person.waste.insert(0, person.paper.pop(0))

    def guess(self, window: int, times: int) -> None:
        """Type codes that no phone shows, as proofs of what this browser was shown, or else as answers."""
        for _ in range(times):
            if window in self.begun:
                self.complete(window, window, right=False)
            else:
                assert not self._verify(window, TOTP, self._nonsense()), "a wrong code was accepted"

    def redeem(self, window: int, user: UserId, back: int) -> None:
        """Use a link from the mailbox of *user*: the newest, or one *back* from it."""
        browser, links = self.browsers[window], self.house.links.get(user, [])
        if len(links) >= back:
            answer = browser.ask(self.flows.sessions.redeem, browser.context, token=links[-back])
            assert isinstance(answer, Refused) or back == 1, "an older link opened an enrollment"

    def leave(self, window: int, how: str) -> None:
        """Give up a sign-in, sign out, or end every other session of whoever is signed in here."""
        browser, sessions, user = self.browsers[window], self.flows.sessions, self.who(window)
        commands = {"cancel": sessions.cancel, "sign_out": sessions.sign_out, "end_others": sessions.end_others}
        values = {number: one.session for number, one in enumerate(self.browsers) if self.who(number) == user}
        answer = browser.ask(commands[how], browser.context)
        if isinstance(answer, SignedOut):
            self.invariants.ended(values[window])
        if isinstance(answer, OthersEnded):
            self.invariants.ended(*(value for number, value in values.items() if number != window))

    # --- factors --------------------------------------------------------------------------------------------------

    def begin(self, window: int) -> None:
        """Ask for a secret."""
        browser = self.browsers[window]
        begun = browser.ask(self.flows.mfa.begin_totp, browser.context, account="somebody")
        if isinstance(begun, Begun):
            self.begun[window] = begun

    def complete(self, window: int, source: int, *, right: bool) -> None:
        """Prove what was shown at *source*."""
        begun = self.begun.get(source)
        if begun is None:
            return
        browser, phone, now = self.browsers[window], Phone(begun.secret), self.clock.now()
        code = phone.code(now) if right else phone.wrong(now)
        answer = browser.ask(self.flows.mfa.complete_totp, browser.context, begun.flow, code=code)
        if isinstance(answer, Refused):
            self.invariants.attempts_left(begun.flow, answer.attempts_left)
            return
        assert right, "a wrong code enrolled a factor"
        assert window == source, "a flow was completed in another browser"
        self.invariants.step_accepted(begun.secret, code, now)
        self.signed_in(window).scan(phone, [one.reveal() for one in answer.recovery_codes])
        self._heard(window, answer)

    def regenerate(self, window: int) -> None:
        """Make new recovery codes."""
        browser = self.browsers[window]
        shown = browser.ask(self.flows.mfa.regenerate_codes, browser.context)
        if isinstance(shown, CodesShown):
            self.signed_in(window).write_down([code.reveal() for code in shown.codes])

    def remove_the_factor(self, window: int) -> None:
        """Remove the first factor that stands."""
        browser = self.browsers[window]
        listed = browser.ask(self.flows.mfa.listing)
        held = () if isinstance(listed, Refused) else tuple(e.held for e in listed.entries if e.held is not None)
        if held and isinstance(browser.ask(self.flows.mfa.remove, browser.context, held[0].id), FactorRemoved):
            self.signed_in(window).scan(None, [])

    def delete_the_account(self, window: int) -> None:
        """Whoever sits here deletes their account; the same address registers again at once."""
        browser, user = self.browsers[window], self.who(window)
        if user is None:
            return
        values = [one.session for number, one in enumerate(self.browsers) if self.who(number) == user]
        if isinstance(browser.ask(self.flows.accounts.delete, browser.context, user=user), AccountDeleted):
            self.invariants.ended(*values)
            self.people[user].scan(None, [])
            self.invariants.left(user)
            add_user(self.flows, user)

    # --- invitations ----------------------------------------------------------------------------------------------

    def click(self, window: int, letter: Letter) -> None:
        """Accept the invitation of *letter*."""
        browser = self.browsers[window]
        answer = browser.ask(
            self.flows.invitations.accept,
            browser.context,
            organization=letter.place,
            invitation=letter.invitation,
            token=letter.token,
        )
        self.clicks.setdefault(window, []).append(letter)
        if isinstance(answer, Joined):
            self._joined(window, letter.place)

    def resume(self, window: int, *, confirmed: bool) -> None:
        """Go on with what waits here."""
        browser = self.browsers[window]
        answer = browser.ask(self.flows.invitations.resume, browser.context, confirmed=confirmed)
        assert isinstance(answer, Resumed), answer
        self._met(window, answer.invitation)

    # --- pieces ---------------------------------------------------------------------------------------------------

    def _nonsense(self) -> str:
        phones = [person.phone for person in self.people.values() if person.phone is not None]
        shown = {phone.code(self.clock.now(), steps=steps) for phone in phones for steps in range(-2, 3)}
        return next(code for code in (f"{digit}" * 6 for digit in range(10)) if code not in shown)

    def _verify(self, window: int, kind: str, code: str) -> bool:
        """Answer with *code*; tell whether it was accepted."""
        browser = self.browsers[window]
        pending = f"{browser.session.id}:{browser.session.generation}"
        answer = browser.ask(self.flows.mfa.verify, browser.context, kind, code, device=browser.device)
        if isinstance(answer, Refused):
            self.invariants.attempts_left(pending, answer.attempts_left)
            return False
        self._heard(window, answer)
        return True

    def _heard(self, window: int, answer: object) -> None:
        if isinstance(answer, Arrived | Enrolled):
            self._met(window, answer.invitation)

    def _met(self, window: int, outcome: InvitationOutcome) -> None:
        if outcome.fate is InvitationFate.JOINED and outcome.organization is not None:
            self._joined(window, outcome.organization)

    def _joined(self, window: int, place: OrganizationId) -> None:
        """Somebody became a member: by a click in this browser on a letter of their own, which is used up by it."""
        user = self.signed_in(window).user
        letters = {one for one in self.clicks.get(window, []) if (one.place, one.to) == (place, user)}
        assert letters, "somebody joined without a click on a letter of their own"
        with self.flows.uow.begin() as tx:
            member = tx.members.load(place, user).state
            stored = {one.invitation: tx.invitations.load(place, one.invitation).state for one in letters}
        used = [key for key, state in stored.items() if isinstance(state, Accepted) and state.member == member.id]
        assert used, "an invitation that somebody joined by was not used up"
        self.invariants.invitation_accepted(used[0])
        self.invariants.joined(place, user, member.id)
