"""Whoever waits for a lock while their session is ended, or their person deleted, acts no more."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest

from authflow import Code, Refused
from authflow.testing.browsers import Browser
from tests.stage import CONTEXT

if TYPE_CHECKING:
    from collections.abc import Callable

    from authflow import BrowserSession
    from tests.stage import Person, Stage

COMMANDS: dict[str, Callable[[Stage, Person, BrowserSession], Any]] = {
    "regenerate": lambda stage, _ada, session: stage.flows.mfa.regenerate_codes(session, CONTEXT),
    "rename": lambda stage, ada, session: stage.flows.mfa.rename(session, CONTEXT, ada.factor, name="mine"),
    "remove": lambda stage, ada, session: stage.flows.mfa.remove(session, CONTEXT, ada.factor),
    "delete": lambda stage, ada, session: stage.flows.accounts.delete(session, CONTEXT, user=ada.user),
    "begin": lambda stage, _ada, session: stage.flows.mfa.begin_totp(session, CONTEXT, account="ada"),
}


def answered_after(stage: Stage, ada: Person, meanwhile: Callable[[], Any], command: Callable[[], Any]) -> Any:
    """Return what *command*, in another thread, answers that has to wait until *meanwhile* is committed."""
    answers: list[Any] = []
    waiting = threading.Thread(target=lambda: answers.append(command()))
    with stage.uow.begin() as tx:
        tx.accounts.lock(ada.user)
        waiting.start()
        waiting.join(0.2)  # it comes to the lock by then; if it does not, the answer must be the same all the same
        meanwhile()
    waiting.join()
    return answers[0]


@pytest.mark.parametrize("name", COMMANDS)
def test_an_ended_session_acts_no_more(stage: Stage, name: str):
    ada = stage.person()
    stage.sign_in(ada)
    stage.enroll(ada)
    stolen, own = ada.browser.session, Browser()
    stage.elevate(ada, own)
    answer = answered_after(
        stage,
        ada,
        lambda: stage.joining.sessions.end_others(own.session, CONTEXT),
        lambda: COMMANDS[name](stage, ada, stolen),
    )
    assert isinstance(answer, Refused)
    assert answer.code is Code.SESSION_ENDED


def test_an_ended_session_invites_nobody(stage: Stage):
    acme = stage.organization()
    olga, own = stage.owner(acme), Browser()
    stolen = olga.browser.session
    stage.elevate(olga, own)
    answer = answered_after(
        stage,
        olga,
        lambda: stage.joining.sessions.end_others(own.session, CONTEXT),
        lambda: stage.flows.invitations.invite(stolen, CONTEXT, organization=acme, email="eve@example.com"),
    )
    assert isinstance(answer, Refused)
    assert answer.code is Code.SESSION_ENDED


def test_whoever_was_deleted_meanwhile_signs_in_no_more(stage: Stage):
    ada = stage.person()
    stage.sign_in(ada)
    answer = answered_after(
        stage,
        ada,
        lambda: stage.joining.accounts.delete(ada.browser.session, CONTEXT, user=ada.user),
        lambda: stage.sign_in(ada, Browser()),
    )
    assert isinstance(answer, Refused)
    assert answer.code is Code.SESSION_USER_INACTIVE
    with stage.uow.begin() as tx:
        assert tx.sessions.of_user(ada.user) == ()
