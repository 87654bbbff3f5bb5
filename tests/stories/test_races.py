"""Many at once at what is good for one: exactly one wins, the others hear the same, and nobody waits for each other."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

import attrs
import pytest

from authflow import (
    AccountDeleted,
    Arrived,
    Code,
    Enrolled,
    EnrollmentOwed,
    FactorRemoved,
    FactorsReset,
    InvitationFate,
    Joined,
    MfaPolicy,
    Policy,
    Secret,
)
from authflow.errors import Retryable
from authflow.facts.records import MailKind
from authflow.membership.answers import InvitationClosed, InvitationSent, MemberGone
from authflow.membership.standing import Member
from authflow.testing.browsers import Browser, Phone
from authflow.testing.races import WORKERS, only_winner, race, tally
from authflow.values import Budget, OrganizationId
from tests.stage import CONTEXT, STEP, Person, Stage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ACME: Final = OrganizationId("acme")

DEADLOCK: Final = "40P01"
"""PostgreSQL's own word for it; SQLite has one writer at a time, and memory one at all."""

ROUNDS: Final = range(4)
"""How often two meet: which of them is first is not ours to choose."""


def plenty(name: str) -> Budget:
    return Budget(name=name, limit=1000, window=timedelta(seconds=20))


@pytest.fixture
def stage(uow: Any) -> Stage:
    """A stage on which sixteen may guess at once: what races here is the code, not the budget."""
    guesses = {name: plenty(f"mfa.{name}") for name in ("guesses_short", "guesses_long", "recovery_guesses")}
    return Stage(uow, Policy(mfa=MfaPolicy(**guesses)))


@attrs.define
class Arena:
    """Where commands race. A deadlock that the database resolved, and a retry would hide, is remembered."""

    deadlocks: list[str] = attrs.field(factory=list)

    def run(self, workers: int, command: Callable[[int], Any]) -> list[Any]:
        return race(workers, lambda number: self._watched(command, number))

    def pair(self, *commands: Callable[[], Any]) -> list[Any]:
        return self.run(len(commands), lambda number: commands[number]())

    def _watched(self, command: Callable[[int], Any], number: int) -> Any:
        try:
            return command(number)
        except Retryable as busy:
            self.deadlocks.extend([str(busy)] * (DEADLOCK in str(busy)))
            raise


@pytest.fixture
def arena() -> Iterator[Arena]:
    """Nothing that races here deadlocks: locks are taken in one order everywhere."""
    found = Arena()
    yield found
    assert found.deadlocks == []


def protected(stage: Stage, address: str = "ada@example.com") -> Person:
    person = stage.person(address)
    stage.sign_in(person)
    stage.enroll(person)
    stage.clock.advance(STEP)
    return person


def pending_everywhere(stage: Stage, person: Person) -> list[Browser]:
    """Return sixteen browsers that gave the password."""
    browsers = [Browser(CONTEXT) for _ in range(WORKERS)]
    for browser in browsers:
        stage.sign_in(person, browser)
    return browsers


def elevated_again(stage: Stage, person: Person) -> Browser:
    """Return another browser in which the person is signed in, elevated."""
    browser = Browser(CONTEXT)
    stage.clock.advance(STEP)
    stage.sign_in(person, browser)
    assert isinstance(stage.verify(person, "totp", person.app.code(stage.clock.now()), browser), Arrived)
    return browser


# --- codes ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["totp", "recovery"])
def test_one_code_signs_in_one_browser(stage: Stage, arena: Arena, kind: str):
    ada = protected(stage)
    browsers = pending_everywhere(stage, ada)
    code = ada.app.code(stage.clock.now()) if kind == "totp" else ada.codes[0]

    def answer(number: int) -> Any:
        return stage.flows.mfa.verify(browsers[number].session, CONTEXT, kind, code)

    answers = arena.run(WORKERS, answer)
    assert only_winner(answers, Arrived).user == ada.user
    assert tally(answers)[Code.MFA_CODE_REJECTED] == WORKERS - 1
    signed_in = [b for b in browsers if stage.flows.sessions.identify(b.session).why_not is Code.SESSION_SUPERSEDED]
    assert len(signed_in) == 1


def test_one_pending_sign_in_is_finished_once_and_uses_one_code(stage: Stage, arena: Arena):
    ada = protected(stage)
    browser = Browser(CONTEXT)
    stage.sign_in(ada, browser)
    totp = [("totp", ada.app.code(stage.clock.now(), steps=steps)) for steps in (0, 1)]
    right = [*totp, *(("recovery", code) for code in ada.codes)]

    def answer(number: int) -> Any:
        kind, code = right[number % len(right)]
        return stage.flows.mfa.verify(browser.session, CONTEXT, kind, code)

    answers = arena.run(WORKERS, answer)
    winner = only_winner(answers, Arrived)
    assert tally(answers)[Code.SESSION_NO_PENDING_LOGIN] == WORKERS - 1
    entries = stage.flows.mfa.listing(winner.session).entries
    held = {entry.kind.id: entry.held for entry in entries if entry.held is not None}
    used = (held["totp"].last_used_at is not None) + (10 - held["recovery"].remaining)
    assert used == 1


def test_one_proof_enrolls_once(stage: Stage, arena: Arena):
    ada = stage.person()
    stage.sign_in(ada)
    begun = stage.begin(ada)
    session, code = ada.browser.session, Phone(begun.secret).code(stage.clock.now())

    def prove(_number: int) -> Any:
        return stage.flows.mfa.complete_totp(session, CONTEXT, begun.flow, code=code)

    answers = arena.run(10, prove)
    winner = only_winner(answers, Enrolled)
    assert len(winner.recovery_codes) == 10
    assert set(tally(answers)) == {"Enrolled", Code.MFA_ENROLLMENT_STATE_CHANGED}
    assert stage.audited(ada).count("mfa_added") == 1
    assert len(stage.mails(MailKind.MFA_ADDED)) == 1


def test_a_budget_of_ten_lets_ten_through(stage: Stage, arena: Arena):
    ada = stage.person()
    stage.sign_in(ada)
    session = ada.browser.session

    def spend(_number: int) -> Any:
        return stage.flows.mfa.complete_totp(session, CONTEXT, "no-such-flow", code="123456")

    answers = arena.run(WORKERS, spend)
    assert tally(answers) == {Code.MFA_ENROLLMENT_STATE_CHANGED: 10, Code.MFA_RATE_LIMITED: WORKERS - 10}
    assert {a.retry_after for a in answers if a.code is Code.MFA_RATE_LIMITED} == {timedelta(days=1)}


# --- invitations ------------------------------------------------------------------------------------------------------


@pytest.fixture
def olga(stage: Stage) -> Person:
    """The owner of an organization whose invitations are for anybody."""
    return stage.owner(stage.organization(ACME, invites_bound_to_address=False))


def test_one_invitation_is_for_one_of_many_people(stage: Stage, olga: Person, arena: Arena):
    letter = stage.invite(olga, ACME, "anybody@example.com")
    people = [stage.person(f"p{number}@example.com") for number in range(WORKERS)]
    for person in people:
        stage.sign_in(person)

    def accept(number: int) -> Any:
        return stage.flows.invitations.accept(people[number].browser.session, CONTEXT, **letter.where())

    answers = arena.run(WORKERS, accept)
    winner = only_winner(answers, Joined)
    assert tally(answers)[Code.INVITATION_USED] == WORKERS - 1
    assert {member.user for member in stage.members(ACME)} == {olga.user, winner.member.user}
    assert stage.audited_in(ACME).count("member_accept") == 1


def test_one_person_joins_once_however_often_they_click(stage: Stage, olga: Person, arena: Arena):
    letter, ada = stage.invite(olga, ACME, "ada@example.com"), stage.person()
    browsers = [Browser(CONTEXT) for _ in range(WORKERS)]
    for browser in browsers:
        stage.sign_in(ada, browser)

    def accept(number: int) -> Any:
        return stage.flows.invitations.accept(browsers[number].session, CONTEXT, **letter.where())

    answers = arena.run(WORKERS, accept)
    only_winner(answers, Joined)
    assert tally(answers)[Code.INVITATION_ALREADY_MEMBER] == WORKERS - 1


def test_a_waiting_click_is_completed_once(stage: Stage, olga: Person, arena: Arena):
    letter, ada = stage.invite(olga, ACME, "ada@example.com"), stage.person()
    stage.accept(ada, letter)
    stage.sign_in(ada)
    session = ada.browser.session

    def confirm(_number: int) -> Any:
        return stage.flows.invitations.resume(session, CONTEXT, confirmed=True).invitation

    fates = [outcome.fate for outcome in arena.run(WORKERS, confirm)]
    assert fates.count(InvitationFate.JOINED) == 1
    assert fates.count(InvitationFate.NONE) == WORKERS - 1
    assert stage.audited_in(ACME).count("member_accept") == 1


def test_one_address_is_invited_once(stage: Stage, olga: Person, arena: Arena):
    session = olga.browser.session
    spellings = ["Ada@Example.com", "ada@example.com"]

    def invite(number: int) -> Any:
        return stage.flows.invitations.invite(session, CONTEXT, organization=ACME, email=spellings[number % 2])

    answers = arena.run(WORKERS, invite)
    only_winner(answers, InvitationSent)
    assert tally(answers)[Code.INVITATION_ALREADY_INVITED] == WORKERS - 1


@pytest.mark.parametrize("round_", ROUNDS)
def test_accepting_meets_taking_back(stage: Stage, olga: Person, arena: Arena, round_: int):
    """Either the person is a member and the invitation was used, or it was taken back and they are none."""
    letter, ada = stage.invite(olga, ACME, f"ada{round_}@example.com"), stage.person()
    stage.sign_in(ada)
    where = {"organization": ACME, "invitation": letter.invitation}
    commands: list[Callable[[], Any]] = [
        lambda: stage.flows.invitations.accept(ada.browser.session, CONTEXT, **letter.where()),
        lambda: stage.flows.invitations.withdraw(olga.browser.session, CONTEXT, **where),
    ]
    accepted, withdrawn = arena.pair(*commands)
    joined = isinstance(stage.member(ada.user, ACME), Member)
    assert (joined, not joined) == (isinstance(accepted, Joined), isinstance(withdrawn, InvitationClosed))
    loser = withdrawn if joined else accepted
    assert loser.code in {Code.INVITATION_USED, Code.INVITATION_REJECTED}


# --- factors, links, owners -------------------------------------------------------------------------------------------


def test_one_reset_link_opens_one_enrollment(stage: Stage, arena: Arena):
    ada, root = protected(stage), stage.administrator()
    root.browser.ask(stage.flows.mfa.reset, CONTEXT, user=ada.user, reason="lost")
    link = Secret(str(stage.mails(MailKind.MFA_RESET)[-1].context["token"]))
    browsers = pending_everywhere(stage, ada)

    def redeem(number: int) -> Any:
        return stage.flows.sessions.redeem(browsers[number].session, CONTEXT, token=link)

    answers = arena.run(WORKERS, redeem)
    assert only_winner(answers, EnrollmentOwed).link_redeemed
    assert tally(answers)[Code.MFA_RESET_LINK_INVALID] == WORKERS - 1


def test_one_factor_is_removed_once_from_two_browsers(stage: Stage, arena: Arena):
    ada = protected(stage)
    sessions = [ada.browser.session, elevated_again(stage, ada).session]
    factor: Any = ada.factor

    def remove(number: int) -> Any:
        return stage.flows.mfa.remove(sessions[number], CONTEXT, factor)

    answers = arena.run(2, remove)
    assert only_winner(answers, FactorRemoved).fallen == ("recovery",)
    assert tally(answers)[Code.SESSION_ENDED] == 1
    assert stage.audited(ada).count("mfa_removed") == 2


def test_removing_a_factor_meets_joining_who_requires_one(stage: Stage, olga: Person, arena: Arena):
    """Nobody ends up a member without a factor where one is required."""
    stage.change(ACME, require_second_factor=True)
    ada = protected(stage)
    letter = stage.invite(olga, ACME, ada.user)
    factor: Any = ada.factor
    other = elevated_again(stage, ada)
    commands: list[Callable[[], Any]] = [
        lambda: stage.flows.mfa.remove(ada.browser.session, CONTEXT, factor),
        lambda: stage.flows.invitations.accept(other.session, CONTEXT, **letter.where()),
    ]
    removed, accepted = arena.pair(*commands)
    assert isinstance(removed, FactorRemoved) != isinstance(accepted, Joined)
    assert removed.session is not None


@pytest.mark.parametrize("round_", ROUNDS)
@pytest.mark.parametrize("call", ["remove", "demote", "change_role"])
def test_two_owners_who_end_each_other_leave_one(stage: Stage, olga: Person, arena: Arena, call: str, round_: int):
    other = stage.owner(ACME, f"other{round_}@example.com")
    members = {member.user: member.id for member in stage.members(ACME)}
    owners, victims = [olga, other], [members[other.user], members[olga.user]]
    more = {"role": "member"} if call == "change_role" else {}

    def end(number: int) -> Any:
        command = getattr(stage.flows.members, call)
        session = owners[number].browser.session
        return command(session, CONTEXT, organization=ACME, member=victims[number], **more)

    answers = arena.run(2, end)
    left = [member.user for member in stage.members(ACME) if member.role == "owner"]
    assert len(left) == 1
    assert tally(answers)[Code.MEMBERSHIP_FORBIDDEN] + tally(answers)[Code.MEMBERSHIP_LAST_OWNER] == 1


@pytest.mark.parametrize("round_", ROUNDS)
@pytest.mark.parametrize("pair", ["delete-delete", "delete-leave", "delete-remove"])
def test_two_ways_out_leave_one_owner(stage: Stage, olga: Person, arena: Arena, pair: str, round_: int):
    """Each would be allowed alone; together they would leave nobody."""
    other = stage.owner(ACME, f"other{round_}@example.com")
    members = {member.user: member.id for member in stage.members(ACME)}
    second: dict[str, Callable[[], Any]] = {
        "delete-delete": lambda: stage.flows.accounts.delete(other.browser.session, CONTEXT, user=other.user),
        "delete-leave": lambda: stage.flows.members.remove(
            other.browser.session, CONTEXT, organization=ACME, member=members[other.user]
        ),
        "delete-remove": lambda: stage.flows.members.remove(
            olga.browser.session, CONTEXT, organization=ACME, member=members[other.user]
        ),
    }
    first = lambda: stage.flows.accounts.delete(olga.browser.session, CONTEXT, user=olga.user)  # noqa: E731
    answers = arena.pair(first, second[pair])
    left = [member.user for member in stage.members(ACME) if member.role == "owner"]
    assert len(left) == 1, tally(answers)
    assert sum(isinstance(answer, AccountDeleted | MemberGone) for answer in answers) == 1


def test_two_administrators_reset_each_other_and_nobody_waits_forever(stage: Stage, arena: Arena):
    """Each locks both accounts in one order."""
    one, two = stage.administrator("one@example.com"), stage.administrator("two@example.com")
    pairs = [(one, two), (two, one)]
    stage.clock.advance(seconds=1)

    def reset(number: int) -> Any:
        by, subject = pairs[number]
        return stage.flows.mfa.reset(by.browser.session, CONTEXT, user=subject.user, reason="race")

    answers = arena.run(2, reset)
    assert isinstance(only_winner(answers, FactorsReset), FactorsReset)
    assert tally(answers)[Code.SESSION_ENDED] == 1


def test_merges_both_ways_leave_one_account(stage: Stage, arena: Arena):
    root = stage.administrator()
    ada, bob = protected(stage), protected(stage, "bob@example.com")
    pairs = [(ada, bob), (bob, ada)]

    def merge(number: int) -> Any:
        source, target = pairs[number]
        return stage.flows.accounts.merge(root.browser.session, CONTEXT, source=source.user, target=target.user)

    answers = arena.run(2, merge)
    assert tally(answers) == {"AccountsMerged": 1, Code.ACCOUNT_UNKNOWN: 1}


@pytest.mark.parametrize("round_", ROUNDS)
def test_a_crowd_gets_through(stage: Stage, olga: Person, arena: Arena, round_: int):
    """Everything that locks, over the same four people at once: all of it ends, each with an answer of ours."""
    flows, root = stage.flows, stage.administrator()
    ada, bob = protected(stage), protected(stage, "bob@example.com")
    stage.elevate(root)
    stage.elevate(olga)
    members = {p.user: flows.members.add(CONTEXT, organization=ACME, user=p.user).member.id for p in (ada, bob)}
    letter = stage.invite(olga, ACME, "carol@example.com")
    carol = stage.person("carol@example.com")
    stage.sign_in(carol)
    begun = stage.begin(bob)
    at = {p.user: p.browser.session for p in (root, olga, ada, bob, carol)}
    own: Any = ada.factor
    commands: list[Callable[[], Any]] = [
        lambda: flows.mfa.reset(at[root.user], CONTEXT, user=ada.user, reason="crowd"),
        lambda: flows.mfa.remove(at[ada.user], CONTEXT, own),
        lambda: flows.mfa.verify(at[ada.user], CONTEXT, "recovery", ada.codes[0]),
        lambda: flows.mfa.complete_totp(
            at[bob.user], CONTEXT, begun.flow, code=Phone(begun.secret).code(stage.clock.now())
        ),
        lambda: flows.sessions.end_others(at[bob.user], CONTEXT),
        lambda: flows.members.demote(at[olga.user], CONTEXT, organization=ACME, member=members[ada.user]),
        lambda: flows.members.remove(at[olga.user], CONTEXT, organization=ACME, member=members[bob.user]),
        lambda: flows.members.enforce(at[olga.user], CONTEXT, organization=ACME),
        lambda: flows.accounts.merge(at[root.user], CONTEXT, source=bob.user, target=ada.user),
        lambda: flows.accounts.delete(at[root.user], CONTEXT, user=carol.user),
        lambda: flows.invitations.accept(at[carol.user], CONTEXT, **letter.where()),
        lambda: flows.invitations.resend(at[olga.user], CONTEXT, organization=ACME, invitation=letter.invitation),
        lambda: flows.accounts.export(at[root.user], CONTEXT, user=bob.user),
        lambda: flows.members.add(CONTEXT, organization=ACME, user=carol.user),
        lambda: flows.sessions.establish(at[carol.user], CONTEXT, user=carol.user, proof=stage.password()),
        lambda: flows.sessions.establish(at[bob.user], CONTEXT, user=ada.user, proof=stage.password()),
    ]
    first = round_ * len(commands) // len(ROUNDS)  # who starts a little earlier, too
    answers = arena.pair(*commands[first:], *commands[:first])
    assert len(answers) == len(commands)
    assert all(attrs.has(type(answer)) for answer in answers)
