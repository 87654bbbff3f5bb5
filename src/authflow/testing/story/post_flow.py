"""The whole post flow as a story that Hypothesis tells: people, organizations, browsers, mails, and clocks that jump.

Subclass `PostFlowStory` and override `make_flows` to tell it over a unit of work of your own::

    class MyStory(PostFlowStory):
        def make_flows(self, clock, mailer):
            return installed(MyUnitOfWork(), clock=clock, mailer=mailer)

    TestMyStory = MyStory.TestCase

Every rule is something that a person, a manager, an administrator, the post or time can do. After each, `Invariants`
hold what the installation says against what the story has seen.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from authflow.adapters.mail import MemoryMailer
from authflow.adapters.memory.unit_of_work import MemoryUnitOfWork
from authflow.journey.answers import FactorsReset
from authflow.membership.answers import MemberGone
from authflow.testing.browsers import installed
from authflow.testing.clocks import ManualClock
from authflow.testing.story import cast
from authflow.testing.story.scenes import Scenes

if TYPE_CHECKING:
    from datetime import timedelta

    from authflow.ports import Mailer
    from authflow.testing.story.cast import Seat
    from authflow.values import OrganizationId, UserId
    from authflow.wiring import Authflow


class PostFlowStory(RuleBasedStateMachine):
    """Tells the post flow, and holds it to its invariants after every step."""

    scenes: Scenes

    def make_flows(self, clock: ManualClock, mailer: Mailer) -> Authflow:
        """Return fresh, empty flows; in memory, unless a subclass says otherwise."""
        return installed(MemoryUnitOfWork(), clock=clock, mailer=mailer)

    @initialize()
    def open_the_house(self) -> None:
        """Two organizations, one of which requires a second factor; an owner and an administrator who have one."""
        clock, mailer = ManualClock(), MemoryMailer()
        self.scenes = Scenes(self.make_flows(clock, mailer), clock, mailer)

    # --- signing in -----------------------------------------------------------------------------------------------

    @rule(seat=cast.seats)
    def arrive(self, seat: Seat) -> None:
        """Somebody signs in completely, at a browser that may be somebody else's."""
        self.scenes.arrive(*seat)

    @rule(seat=cast.seats)
    def give_a_password(self, seat: Seat) -> None:
        """A password alone signs in nobody who has a second factor."""
        self.scenes.password(seat[0], self.scenes.people[seat[1]])

    @rule(seat=cast.seats, steps=st.integers(-2, 2), old=st.sampled_from([False, False, True]))
    def type_from_the_phone(self, seat: Seat, steps: int, *, old: bool) -> None:
        """Answer with what one's phone shows, showed or will show; or with what a phone shows that was replaced."""
        person = self.scenes.people[seat[1]]
        phone = person.old_phones[-1] if old and person.old_phones else person.phone
        if phone is not None:
            self.scenes.show_phone(seat[0], person, phone, steps)

    @rule(seat=cast.seats, waste=st.booleans())
    def type_from_paper(self, seat: Seat, *, waste: bool) -> None:
        """Answer with a recovery code, perhaps with one that was used or replaced."""
        self.scenes.read_paper(seat[0], self.scenes.people[seat[1]], waste=waste)

    @rule(seat=cast.seats, times=st.integers(1, 6), known=st.booleans())
    def guess(self, seat: Seat, times: int, *, known: bool) -> None:
        """Wrong codes, one after the other: proofs of a flow, or answers where a second factor is owed."""
        self.scenes.password(seat[0], self.scenes.people[seat[1]])
        if known:
            self.scenes.begin(seat[0])
        self.scenes.guess(seat[0], times)

    @rule(window=cast.windows, how=st.sampled_from(["cancel", "end_others", "sign_out"]))
    def leave(self, window: int, how: str) -> None:
        """Give up, log out everywhere else, or sign out."""
        self.scenes.leave(window, how)

    @rule(seat=cast.seats, back=st.integers(1, 2))
    def redeem(self, seat: Seat, back: int) -> None:
        """Use a reset link of a mailbox, the newest or the one before."""
        self.scenes.redeem(*seat, back)

    # --- factors --------------------------------------------------------------------------------------------------

    @rule(seat=cast.seats)
    def enroll(self, seat: Seat) -> None:
        """Somebody signs in and scans a new secret, for the first time or instead of the old one."""
        self.scenes.arrive(*seat)
        self.scenes.begin(seat[0])
        self.scenes.complete(seat[0], seat[0], right=True)

    @rule(window=cast.windows)
    def begin(self, window: int) -> None:
        """Propose a secret, or void an older proposal."""
        self.scenes.begin(window)

    @rule(window=cast.windows, source=cast.windows, right=st.booleans())
    def complete(self, window: int, source: int, *, right: bool) -> None:
        """Prove what this or another browser was shown last, rightly or wrongly."""
        self.scenes.complete(window, source, right=right)

    @rule(window=cast.windows)
    def regenerate(self, window: int) -> None:
        """New recovery codes: the old ones are waste paper."""
        self.scenes.regenerate(window)

    @rule(window=cast.windows)
    def remove_the_factor(self, window: int) -> None:
        """A factor goes, unless an organization requires it."""
        self.scenes.remove_the_factor(window)

    @precondition(lambda self: any(person.phone for person in self.scenes.people.values()))
    @rule(user=cast.people)
    def reset(self, user: UserId) -> None:
        """An administrator removes every factor; the person comes back through the mailed link."""
        browser = self.scenes.house.ready(self.scenes.house.administrator)
        answer = browser.ask(self.scenes.flows.mfa.reset, browser.context, user=user, reason="lost phone")
        if isinstance(answer, FactorsReset):
            self.scenes.people[user].scan(None, [])
            self.scenes.house.deliver()

    # --- invitations and memberships ------------------------------------------------------------------------------

    @rule(user=cast.people, place=cast.places)
    def invite(self, user: UserId, place: OrganizationId) -> None:
        """Invite a person, or once more, or again."""
        browser = self.scenes.house.ready(self.scenes.house.owner)
        browser.ask(self.scenes.flows.invitations.invite, browser.context, organization=place, email=user)
        self.scenes.house.deliver()

    @precondition(lambda self: bool(self.scenes.house.letters))
    @rule(data=st.data())
    def follow_a_letter(self, data: st.DataObject) -> None:
        """Click at home on a letter of one's own, signed in or not; and perhaps go on until one is a member."""
        letter = data.draw(st.sampled_from(self.scenes.house.letters[-2:]))
        window, first = cast.HOMES[letter.to], data.draw(st.booleans())
        if first:
            self.scenes.arrive(window, letter.to)
        self.scenes.click(window, letter)
        if data.draw(st.booleans()):
            self.enroll((window, letter.to))
        if data.draw(st.booleans()):
            self.scenes.resume(window, confirmed=True)

    @precondition(lambda self: bool(self.scenes.house.letters))
    @rule(data=st.data(), window=cast.windows)
    def find_a_letter(self, data: st.DataObject, window: int) -> None:
        """Click on any letter, whosever it is and however old."""
        self.scenes.click(window, data.draw(st.sampled_from(self.scenes.house.letters)))

    @rule(window=cast.windows, confirmed=st.booleans())
    def resume(self, window: int, *, confirmed: bool) -> None:
        """Go on with what waits here, and perhaps say that the click was one's own."""
        self.scenes.resume(window, confirmed=confirmed)

    @precondition(lambda self: bool(self.scenes.house.letters))
    @rule(data=st.data(), call=st.sampled_from(["resend", "resend", "withdraw"]))
    def change_an_invitation(self, data: st.DataObject, call: str) -> None:
        """A fresh token, or none at all: the older ones are dead."""
        letter, house = data.draw(st.sampled_from(self.scenes.house.letters)), self.scenes.house
        browser, invitations = house.ready(house.owner), self.scenes.flows.invitations
        command = invitations.resend if call == "resend" else invitations.withdraw
        browser.ask(command, browser.context, organization=letter.place, invitation=letter.invitation)
        house.deliver()

    @precondition(lambda self: self.scenes.joiners() != [])
    @rule(data=st.data(), call=st.sampled_from(["remove", "demote"]))
    def dismiss(self, data: st.DataObject, call: str) -> None:
        """A membership ends: for good, or with a way back for the same person."""
        (place, user), house = data.draw(st.sampled_from(self.scenes.joiners())), self.scenes.house
        browser, members = house.ready(house.owner), self.scenes.flows.members
        command = members.remove if call == "remove" else members.demote
        member = self.scenes.invariants.members[place, user]
        if isinstance(browser.ask(command, browser.context, organization=place, member=member), MemberGone):
            self.scenes.invariants.left(user, place)
            house.deliver()

    @rule(window=cast.windows)
    def delete_the_account(self, window: int) -> None:
        """An account goes with everything it had; the address may register again."""
        self.scenes.delete_the_account(window)

    # --- the post and time ----------------------------------------------------------------------------------------

    @rule(by=cast.moves)
    def let_time_pass(self, by: timedelta) -> None:
        """Clocks go forward, and sometimes back."""
        self.scenes.clock.advance(by)

    @rule()
    def sweep(self) -> None:
        """Removing what has expired changes nothing for anybody."""
        self.scenes.flows.upkeep.sweep()

    @rule()
    def deliver(self) -> None:
        """The relay runs, and the receivers hear."""
        self.scenes.house.deliver()
        self.scenes.invariants.signals_hold()

    # --- what always holds ----------------------------------------------------------------------------------------

    @invariant()
    def what_was_seen_holds(self) -> None:
        """Every law of the `Invariants`."""
        scenes, people = self.scenes, list(self.scenes.people)
        with scenes.flows.uow.begin() as tx:
            census = tx.factor_census.protected(people)
        scenes.invariants.sessions_hold(scenes.browsers, frozenset(user for user, has in census.items() if has))
        scenes.invariants.members_hold()
        scenes.invariants.invitations_hold()
        scenes.invariants.factors_hold(people)
