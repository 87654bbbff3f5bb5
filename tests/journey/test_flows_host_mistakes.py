"""What a host's own registrar or kind of provider may not do: nobody is let in by it, and nobody shown a traceback."""

from __future__ import annotations

import logging
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import attrs
import pytest

from authflow import ProviderSessionsEnded, SignedOn, SignedOut
from authflow.adapters.memory.unit_of_work import MemoryUnitOfWork
from authflow.errors import BrokenPromise, Code
from authflow.policy import SsoPolicy
from authflow.ports import UserAddress
from authflow.sso.case import Choice
from authflow.testing.browsers import Browser
from authflow.testing.federation import FakeFederation
from authflow.values import Address, Refused, UserId
from tests.journey.sso_stage import SsoStage
from tests.stage import CONTEXT

if TYPE_CHECKING:
    from collections.abc import Generator

    from authflow.sso.kinds import Document
    from authflow.sso.ports import Newcomer


def refused(answer: Any, code: Code) -> None:
    assert isinstance(answer, Refused), answer
    assert answer.code is code


class Finding(MemoryUnitOfWork):
    """Over a host that gets or creates: whoever is *victim* is returned as the newcomer."""

    victim: UserId

    @contextmanager
    def begin(self) -> Generator[Any]:
        with super().begin() as tx:
            tx.registrar = self
            yield tx

    def register(self, newcomer: Newcomer) -> UserId:  # noqa: ARG002  # the address was looked up
        return self.victim


@pytest.mark.parametrize("has", ["a verified address", "a session", "a factor", "a membership", "a link"])
def test_a_registrar_that_finds_somebody_lets_nobody_in(has: str):
    """An asserted address would open the account of whoever typed it in."""
    uow = Finding()
    stage = SsoStage(uow, attrs.evolve(SsoStage(MemoryUnitOfWork()).policy, sso=SsoPolicy(verify_first=False)))
    acme, other = stage.organization("acme"), stage.organization("other")
    stage.connect(acme)
    ada = stage.person(verified=has in {"a verified address", "a factor"})
    uow.victim = ada.user
    if has in {"a session", "a factor"}:
        stage.sign_in(ada)
    if has == "a factor":
        stage.enroll(ada)
        with uow.begin() as tx:  # nothing else of hers is left
            tx.sessions.remove_of_user(ada.user)
            person = tx.users.get(ada.user)
            claimed = tuple(attrs.evolve(own, verified_at=None) for own in person.addresses)
            tx.users.save(attrs.evolve(person, addresses=claimed))
    if has == "a membership":
        stage.flows.members.add(CONTEXT, organization=other, user=ada.user)
    if has == "a link":
        stage.link(ada.user, acme, "00u9")
    taken = has == "a verified address"  # which nobody else is registered with
    stage.idp.person("00u1", email="ada@example.org" if taken else "ada@example.com")
    mallory = Browser()
    trip = stage.come(mallory, acme, "00u1")
    with pytest.raises(BrokenPromise):
        trip.choose(Choice.NEW_ACCOUNT)
    assert stage.flows.sessions.identify(mallory.session).user is None
    assert [link.subject for link in stage.links_of(ada.user)] == (["00u9"] if has == "a link" else [])


CLAIMED = UserAddress(address=Address("ada@example.com"), primary=True)
BARE: dict[str, dict[str, Any]] = {
    "a claim where a proof was": {},
    "the rights of an administrator": {"administrator": True},
    "another address": {"addresses": (attrs.evolve(CLAIMED, address=Address("eve@example.com")),)},
    "an address more": {"addresses": (CLAIMED, UserAddress(address=Address("eve@example.com"), primary=False))},
}
"""What tells somebody of whom nothing else is known here from whoever was to be made."""


@pytest.mark.parametrize("has", BARE)
def test_a_registrar_that_finds_somebody_who_never_was_here_lets_nobody_in(has: str):
    """Such as an account that a stranger made with the address before its owner came (pre-hijacking)."""
    uow = Finding()
    stage = SsoStage(uow, attrs.evolve(SsoStage(MemoryUnitOfWork()).policy, sso=SsoPolicy(verify_first=False)))
    acme, vouched = stage.organization("acme"), has == "a claim where a proof was"
    stage.connect(acme, stage.google if vouched else None)
    ada = stage.person(verified=False)
    stage.save(attrs.evolve(stage.user(ada.user), **BARE[has]))
    uow.victim = ada.user
    (stage.google if vouched else stage.idp).person("00u1", email="ada@example.com", email_verified=True)
    mallory = Browser()

    def sign_up() -> None:
        stage.come(mallory, acme, "00u1").choose(Choice.NEW_ACCOUNT)

    with pytest.raises(BrokenPromise):
        sign_up()
    assert stage.flows.sessions.identify(mallory.session).user is None
    assert stage.links_of(ada.user) == ()


def test_a_registrar_that_makes_nobody_lets_nobody_in():
    """There is nobody to link, and nothing of it stands."""
    uow = Finding()
    stage = SsoStage(uow)
    acme = stage.organization("acme")
    stage.connect(acme, stage.google)
    stage.google.person("00u1", email="ada@example.com", email_verified=True)
    uow.victim, browser = UserId("nobody"), Browser()
    refused(stage.come(browser, acme, "00u1").choose(Choice.NEW_ACCOUNT), Code.SSO_IDENTITY_DISABLED)
    assert stage.flows.sessions.identify(browser.session).user is None
    assert stage.links_of(uow.victim) == ()


def broken() -> None:
    raise KeyError


@pytest.mark.parametrize(
    ("at", "code"), [("depart", Code.SSO_PROVIDER_UNREACHABLE), ("arrive", Code.SSO_RESPONSE_INVALID)]
)
def test_a_kind_that_raises_is_a_refusal(at: str, code: Code, caplog: pytest.LogCaptureFixture):
    """And a traceback in the log; what has begun is over, as after any answer that could not be accepted."""
    stage = SsoStage(MemoryUnitOfWork())
    acme, browser = stage.organization("acme"), Browser()
    stage.connect(acme)
    stage.idp.person("00u1", email="ada@example.com")
    if at == "depart":
        stage.idp.probe = broken
        refused(browser.ask(stage.flows.sso.start, CONTEXT, organization=acme), code)
    else:
        trip = stage.start(browser, acme)
        callback, stage.idp.probe = trip.callback("00u1"), broken
        refused(trip.resume(callback), code)
        stage.idp.probe = lambda: None
        refused(trip.resume(callback), Code.SSO_PIPELINE_EXPIRED)
    errors = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert [error.exc_info is not None for error in errors] == [True]


class Raising(FakeFederation):
    """A kind that raises where it ends sessions, in the method named *at*."""

    at = ""

    def named(self, memory: Document) -> Any:
        return broken() if self.at == "named" else super().named(memory)

    def depart_logout(self, settings: Document, trip: Any, memory: Document) -> Any:
        return broken() if self.at == "depart" else super().depart_logout(settings, trip, memory)

    def answer_logout(self, settings: Document, trip: Any, asked: Any) -> Any:
        return broken() if self.at == "answer" else super().answer_logout(settings, trip, asked)


class RaisingStage(SsoStage):
    """`SsoStage` whose organization's provider is one of those."""

    idp: Raising

    def provider(self) -> Raising:
        return Raising(secret=True)


@pytest.mark.parametrize("at", ["named", "depart", "answer"])
def test_a_kind_that_raises_where_sessions_end_keeps_nobody_in_or_out(at: str, caplog: pytest.LogCaptureFixture):
    """Ours ends, and is begun, all the same; the provider is not told, and a traceback is in the log."""
    stage, browser = RaisingStage(MemoryUnitOfWork()), Browser()
    acme = stage.organization("acme")
    stage.connect(acme)
    ada = stage.person("ada@example.com")
    stage.found(ada, acme)
    stage.idp.person("00u1", email="ada@example.com")
    stage.link(ada.user, acme, "00u1")
    stage.idp.at = at
    assert isinstance(stage.come(browser, acme, "00u1").answer, SignedOn)
    if at == "answer":
        ended = stage.flows.sso.end_sessions(CONTEXT, organization=acme, query=stage.idp.ends("00u1", "r1"))
        assert isinstance(ended, ProviderSessionsEnded), ended
        assert (ended.count, ended.url) == (1, None)
    else:
        assert isinstance(browser.ask(stage.flows.sso.sign_out, CONTEXT), SignedOut)
    assert stage.flows.sessions.identify(browser.session).user is None
    errors = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert {error.exc_info is not None for error in errors} == {True}
