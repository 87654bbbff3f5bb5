"""Races for what single sign-on hands out once: answers, pages, mailed proofs, and what an admin confirms."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final

from authflow import Choice, ChoiceOwed, Code, MailSent, ProviderAdded, ProviderRemoved, Secret, SignedOn
from authflow.facts.records import MailKind
from authflow.testing.browsers import Browser
from authflow.testing.races import tally
from tests.stage import CONTEXT
from tests.stories.contests import Contest, losers, one_of
from tests.stories.crashing import ACME
from tests.stories.test_providing import tried

if TYPE_CHECKING:
    from authflow.values import OrganizationId
    from tests.journey.sso_stage import Trip
    from tests.stories.contests import Table

LATE: Final = {Code.SSO_STATE_INVALID, Code.SSO_PIPELINE_EXPIRED, Code.SESSION_SUPERSEDED}
"""What whoever comes too late is told: it was taken, it is over, or the browser has another value by now."""


def _trusted(table: Table) -> OrganizationId:
    """Return an organization whose provider is trusted with addresses."""
    return table.place("globex", lambda made: table.stage.connect(made, table.stage.google))


def _away(table: Table) -> tuple[Trip, str]:
    """Return a browser that was sent away, and the subject as whom it will come back."""
    table.round += 1
    subject = f"s{table.round}"
    table.stage.google.person(subject, email=f"{subject}@example.com", email_verified=True)
    return table.stage.start(Browser(CONTEXT), _trusted(table)), subject


def _known(table: Table) -> tuple[Trip, str]:
    trip, subject = _away(table)
    table.stage.link(table.stage.person(f"{subject}@example.com").user, _trusted(table), subject)
    return trip, subject


def _signed_on(table: Table, answers: list[Any]) -> None:
    came = one_of(answers, SignedOn, LATE)
    assert table.stage.flows.sessions.identify(came.session).user == came.user
    assert len(table.stage.links_of(came.user)) == 1


def provider_answer(table: Table, workers: int) -> Contest:
    trip, subject = _known(table)
    session, callback = trip.browser.session, trip.callback(subject)
    resume = partial(table.stage.flows.sso.resume, pipeline=trip.pipeline, callback=callback)
    return Contest(lambda _: resume(session, CONTEXT), partial(_signed_on, table))


def kept_answer(table: Table, workers: int) -> Contest:
    """It comes by a cross-site POST: of many to one departure one is stored."""
    trip, subject = _away(table)
    callback, keep = trip.callback(subject), table.stage.flows.sso.keep_answer

    def judge(answers: list[Any]) -> None:
        assert tally(answers) == {"AnswerKept": 1, Code.SSO_STATE_INVALID: len(answers) - 1}

    return Contest(lambda _: keep(callback=callback), judge)


def page_of_a_stranger(table: Table, workers: int) -> Contest:
    """The form that makes an account is sent many times: there is one."""
    trip, subject = _away(table)
    trip.back(subject)
    choose = partial(table.stage.flows.sso.choose, pipeline=trip.pipeline, choice=Choice.NEW_ACCOUNT)
    session = trip.browser.session
    return Contest(lambda _: choose(session, CONTEXT), partial(_signed_on, table))


def mailed_proof(table: Table, workers: int) -> Contest:
    stage = table.stage
    place = table.place("initech", stage.connect)
    table.round += 1
    subject = f"m{table.round}"
    stage.idp.person(subject, email=f"{subject}@example.com")
    stage.found(stage.person(f"{subject}@example.com"), place)
    trip = stage.come(Browser(CONTEXT), place, subject)
    assert isinstance(trip.mail_proof(), MailSent)
    token = Secret(str(stage.mails(MailKind.SSO_PROOF)[-1].context["token"]))
    session, opened = trip.browser.session, partial(stage.flows.sso.open_link, pipeline=trip.pipeline, token=token)
    return Contest(lambda _: opened(session, CONTEXT), losers(ChoiceOwed, Code.SSO_PROOF_INVALID))


def provider_setup(table: Table, workers: int) -> Contest:
    """The admin confirms many times: there is one provider, which the round takes away again."""
    stage, owner = table.stage, table.ready(table.olga)
    pipeline = tried(stage, owner, ACME, "00u1")
    session, confirm = owner.browser.session, partial(stage.flows.providers.confirm, pipeline=pipeline)

    def judge(answers: list[Any]) -> None:
        owner.browser.keep(one_of(answers, ProviderAdded, LATE | {Code.SSO_PROVIDER_EXISTS}))
        gone = owner.browser.ask(stage.flows.providers.disable, CONTEXT, organization=ACME)
        assert isinstance(gone, ProviderRemoved), gone

    return Contest(lambda _: confirm(session, CONTEXT), judge)


ALL: Final = (provider_answer, kept_answer, page_of_a_stranger, mailed_proof, provider_setup)
