"""Everything that is good for one, asked for by 2, 16 and 64 at once, round after round: one wins each."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Final

import attrs
import pytest

from authflow import AddressConfirmed, AlreadyConfirmed, Arrived, Code, Enrolled, EnrollmentOwed, Joined, Secret
from authflow.facts.records import MailKind
from authflow.membership.standing import Member
from authflow.testing.browsers import Browser, Phone
from authflow.testing.races import only_winner, race, tally
from tests.nightly import often
from tests.stage import CONTEXT, STEP, Stage
from tests.stories import sso_contests
from tests.stories.contests import Contest, Table, losers
from tests.stories.crashing import ACME, shown

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.stage import Person

ROUNDS: Final = {
    "memory": {2: 52, 16: 84, 64: 5},
    "sqlite": {2: 20, 16: 8, 64: 2},
    "postgresql": {2: 16, 16: 4, 64: 2},
    "mariadb": {2: 12, 16: 4, 64: 1},
}
"""On every commit: of each object 100 rounds with 2 and 16, and ten with 64."""

EVERY_NIGHT: Final = {"memory": 400, "sqlite": 250, "postgresql": 250, "mariadb": 100}
"""Rounds with each number: 1,000 of each object. MariaDB has the fewest, because there a crowd takes longest."""


def _pending(stage: Stage, person: Person, workers: int) -> list[Any]:
    browsers = [Browser(CONTEXT) for _ in range(workers)]
    for browser in browsers:
        stage.sign_in(person, browser)
    return [browser.session for browser in browsers]


def _code(table: Table, workers: int, kind: str) -> Contest:
    stage, ada = table.stage, table.person()
    sessions = _pending(stage, ada, workers)
    code = ada.app.code(stage.clock.now()) if kind == "totp" else ada.codes[0]
    return Contest(
        lambda number: stage.flows.mfa.verify(sessions[number], CONTEXT, kind, code),
        losers(Arrived, Code.MFA_CODE_REJECTED),
    )


def totp_step(table: Table, workers: int) -> Contest:
    return _code(table, workers, "totp")


def recovery_code(table: Table, workers: int) -> Contest:
    return _code(table, workers, "recovery")


def pending_sign_in(table: Table, workers: int) -> Contest:
    """Each with a code of its own, as far as there are so many: the session is renewed once, and one code used up."""
    stage, ada = table.stage, table.person()
    (session,) = _pending(stage, ada, 1)
    right = [("totp", ada.app.code(stage.clock.now())), *(("recovery", code) for code in ada.codes)]
    judged = losers(Arrived, Code.SESSION_NO_PENDING_LOGIN)

    def judge(answers: list[Any]) -> None:
        judged(answers)
        assert stage.flows.sessions.identify(session).why_not is Code.SESSION_SUPERSEDED
        assert stage.flows.sessions.identify(only_winner(answers, Arrived).session).user == ada.user

    return Contest(lambda number: stage.flows.mfa.verify(session, CONTEXT, *right[number % len(right)]), judge)


def invitation_token(table: Table, workers: int) -> Contest:
    """Of many people one joins."""
    stage = table.stage
    table.round += 1
    letter = stage.invite(table.ready(table.olga), ACME, f"anybody{table.round}@example.com")
    people = table.strangers(workers)
    sessions = [person.browser.session for person in people]
    judged = losers(Joined, Code.INVITATION_USED)

    def judge(answers: list[Any]) -> None:
        judged(answers)
        joined = people.pop(answers.index(only_winner(answers, Joined)))
        assert isinstance(stage.member(joined.user, ACME), Member)

    return Contest(lambda number: stage.flows.invitations.accept(sessions[number], CONTEXT, **letter.where()), judge)


def reset_link(table: Table, workers: int) -> Contest:
    stage, ada, root = table.stage, table.person(), table.ready(table.root)
    root.browser.ask(stage.flows.mfa.reset, CONTEXT, user=ada.user, reason="lost")
    link = Secret(str(stage.mails(MailKind.MFA_RESET)[-1].context["token"]))
    sessions = _pending(stage, ada, workers)
    return Contest(
        lambda number: stage.flows.sessions.redeem(sessions[number], CONTEXT, token=link),
        losers(EnrollmentOwed, Code.MFA_RESET_LINK_INVALID),
    )


def confirmation_link(table: Table, workers: int) -> Contest:
    """Whoever comes too late is told that it is confirmed: a second click is no failure (sso 11)."""
    stage, ada = table.stage, table.stranger()
    stage.give_address(ada.user, f"other-{ada.user}", verified=False)
    ada.browser.ask(stage.flows.accounts.send_confirmations, CONTEXT)
    token = Secret(str(stage.mails(MailKind.ADDRESS_CONFIRMATION)[-1].context["token"]))
    session, confirm = ada.browser.session, stage.flows.accounts.confirm_address

    def judge(answers: list[Any]) -> None:
        assert tally(answers) == {AddressConfirmed.__name__: 1, AlreadyConfirmed.__name__: workers - 1}
        assert stage.audited(ada).count("address_verified") == 1

    return Contest(lambda _: confirm(session, CONTEXT, token=token), judge)


def _proof(table: Table) -> tuple[Person, Callable[[Any], Any]]:
    ada = table.stranger()
    begun = table.stage.begin(ada)
    session, code = ada.browser.session, Phone(begun.secret).code(table.stage.clock.now())
    return ada, lambda context: table.stage.flows.mfa.complete_totp(session, context, begun.flow, code=code)


def enrollment_proposal(table: Table, workers: int) -> Contest:
    _, prove = _proof(table)
    return Contest(lambda _: prove(CONTEXT), losers(Enrolled, Code.MFA_ENROLLMENT_STATE_CHANGED))


def idempotency_key(table: Table, workers: int) -> Contest:
    """Here nobody loses: it is done once, and all are told the same."""
    ada, prove = _proof(table)
    keyed = attrs.evolve(CONTEXT, idempotency_key=f"k-{table.round}")

    def judge(answers: list[Any]) -> None:
        assert isinstance(answers[0], Enrolled)
        assert len({shown(answer) for answer in answers}) == 1
        assert table.stage.audited(ada).count("mfa_added") == 1

    return Contest(lambda _: prove(keyed), judge)


def relay_lease(table: Table, workers: int) -> Contest:
    """Whoever has the lease sends; the others find nothing, or somebody at work."""
    stage, root = table.stage, table.ready(table.root)
    stage.flows.relay.drain_until_quiet()
    stage.mailer.sent.clear()
    root.browser.ask(stage.flows.mfa.regenerate_codes, CONTEXT)

    def judge(drained: list[Any]) -> None:
        assert len(stage.mailer.sent) == 1
        assert {d.lease_lost + d.failed + d.retried + d.parked for d in drained} == {0}

    return Contest(lambda _: stage.flows.relay.drain(), judge)


CONTESTS: Final = {
    contest.__name__: contest
    for contest in (
        *(totp_step, recovery_code, pending_sign_in, enrollment_proposal, reset_link),
        *(invitation_token, confirmation_link, idempotency_key, relay_lease),
        *sso_contests.ALL,
    )
}


@pytest.mark.parametrize("workers", [2, 16, 64])
@pytest.mark.parametrize("contest", CONTESTS)
@pytest.mark.parametrize("backend", ROUNDS)
def test_one_wins_each_round(request: pytest.FixtureRequest, backend: str, contest: str, workers: int):
    table = Table(request.getfixturevalue(f"{backend}_uow"))
    with ThreadPoolExecutor(workers) as pool:
        for _ in range(often(ROUNDS[backend][workers], EVERY_NIGHT[backend])):
            table.stage.clock.advance(STEP)
            one = CONTESTS[contest](table, workers)
            one.judge(race(workers, one.command, pool=pool))
