"""What is read beside a pipeline and beside a link is what stands, and is read again behind a lock that may wait."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import attrs
import pytest
import sqlalchemy as sa

from authflow.errors import StaleVersion
from authflow.membership.standing import Outside, Removed
from authflow.sso.connection import Connected, NoProvider
from authflow.sso.identity import Subject
from authflow.sso.pipeline import PipelineId
from authflow.sso.ports import Newcomer
from authflow.sso.service.pipelines import read_key
from authflow.testing.browsers import Browser
from authflow.values import Address, LinkId, OrganizationId, ProviderId, UserId
from tests.adapters.test_visits import Heard
from tests.journey.sso_stage import SsoStage

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.stage import Person

ACME, IDP, SUBJECT = OrganizationId("acme"), ProviderId("acme-idp"), Subject("00u1")

SERVERS = pytest.mark.parametrize("uow", ["postgresql", "mariadb"], indirect=True)
"""Where somebody else may write while a transaction is open."""

DATABASES = pytest.mark.parametrize("uow", ["sqlite", "postgresql", "mariadb"], indirect=True)
"""Where statements can be heard."""


@pytest.fixture
def stage(uow: Any) -> SsoStage:
    stage = SsoStage(uow)
    stage.connect(stage.organization())
    return stage


@pytest.fixture
def ada(stage: SsoStage) -> Person:
    """A member with two addresses, who is linked, and came in once."""
    ada = stage.person()
    stage.give_address(ada.user, "ada@example.net", verified=False)
    stage.link(ada.user, ACME, "00u1")
    stage.idp.person("00u1", email="ada@example.com")
    stage.come(ada.browser, ACME, "00u1")
    with stage.uow.begin() as tx:
        tx.former_subjects.remember(ACME, IDP, SUBJECT, ada.user)
        tx.former_subjects.bar(ACME, ada.user, stage.clock.now())
    return ada


def sent_away(stage: SsoStage, browser: Browser | None = None) -> PipelineId:
    return PipelineId(read_key(stage.start(browser or Browser(), ACME).pipeline.reveal()) or "")


def elsewhere(stage: SsoStage, work: Callable[[Any], Any]) -> None:
    """Let somebody else do *work*, and commit, while a transaction is open here."""

    def other() -> None:
        with stage.uow.begin() as tx:
            work(tx)

    thread = threading.Thread(target=other)
    thread.start()
    thread.join()


@pytest.mark.parametrize("lock", [False, True])
def test_what_is_read_beside_is_what_is_read_alone(stage: SsoStage, ada: Person, *, lock: bool):
    stage.sign_in(ada)
    stage.enroll(ada)
    pipeline = sent_away(stage, ada.browser)

    def beside(tx: Any) -> tuple[Any, ...]:
        return (
            tx.sessions.load(ada.browser.session.id),
            tx.consents.load(ada.browser.session.id),
            tx.factor_census.protected([ada.user]),
            tx.providers.load(ACME),
            tx.organizations.get(ACME),
            tx.users.get(ada.user),
            tx.accounts.read(ada.user),
            tx.members.load(ACME, ada.user),
            tx.former_subjects.find(ACME, IDP, SUBJECT),
        )

    with stage.uow.begin() as tx:
        tx.factors.of_user(ada.user)
        alone = beside(tx)
    with stage.uow.begin() as tx:
        assert tx.pipelines.load(pipeline) is not None
        assert tx.links.by_subject(IDP, SUBJECT, lock=lock).user == ada.user
        assert beside(tx) == alone
        assert alone[2] == {ada.user: True}


def test_what_is_remembered_of_a_subject_is_read_with_the_link_that_it_has_not(stage: SsoStage, ada: Person):
    ended = Subject("00u2")
    with stage.uow.begin() as tx:
        tx.former_subjects.remember(ACME, IDP, ended, ada.user)
    with stage.uow.begin() as tx:
        alone = [tx.former_subjects.find(ACME, IDP, subject) for subject in (ended, Subject("nobody"))]
    with stage.uow.begin() as tx:
        assert [tx.links.by_subject(IDP, subject) for subject in (ended, Subject("nobody"))] == [None, None]
        beside = [tx.former_subjects.find(ACME, IDP, subject) for subject in (ended, Subject("nobody"))]
        assert beside == alone
        tx.former_subjects.remember(ACME, IDP, Subject("nobody"), ada.user)
        assert tx.former_subjects.find(ACME, IDP, Subject("nobody")) is not None


@SERVERS
def test_a_provider_is_read_again_behind_the_lock_of_a_pipeline(stage: SsoStage):
    """Whoever takes the provider away meanwhile is seen: nobody signs in by what was read before."""
    pipeline = sent_away(stage)
    with stage.uow.begin() as tx:
        tx.pipelines.load(pipeline)
        found = tx.providers.load(ACME)
        assert isinstance(found.state, Connected)
        elsewhere(stage, lambda other: other.providers.save(ACME, NoProvider(), expected=found.version))
        tx.pipelines.load(pipeline, lock=True)
        assert isinstance(tx.providers.load(ACME).state, NoProvider)


@SERVERS
def test_whoever_is_linked_is_read_again_behind_the_lock_of_their_account(stage: SsoStage, ada: Person):
    def shut_out(other: Any) -> None:
        other.users.save(attrs.evolve(other.users.get(ada.user), active=False))
        other.links.remove_of_user(ada.user)
        other.members.remove_of_user(ada.user)
        other.former_subjects.clear(ACME, IDP, SUBJECT)

    with stage.uow.begin() as tx:
        assert tx.links.by_subject(IDP, SUBJECT) is not None
        before = tx.members.load(ACME, ada.user).state
        elsewhere(stage, shut_out)
        tx.accounts.lock(ada.user)
        assert tx.links.by_subject(IDP, SUBJECT) is None
        assert not tx.users.get(ada.user).active
        assert tx.members.load(ACME, ada.user).state != before
        assert tx.former_subjects.find(ACME, IDP, SUBJECT) is None


@DATABASES
def test_a_link_that_is_held_is_saved_as_it_was_read_and_in_no_other_way(stage: SsoStage, ada: Person):
    with stage.uow.begin() as tx:
        before = tx.links.by_subject(IDP, SUBJECT, lock=True)
        after = attrs.evolve(before, failures=before.failures + 1)
        tx.links.save(before, after)
        assert tx.links.by_subject(IDP, SUBJECT) == after
    with stage.uow.begin() as tx:
        held = tx.links.by_subject(IDP, SUBJECT, lock=True)
        with pytest.raises(StaleVersion):
            tx.links.save(attrs.evolve(held, id=LinkId("another")), held)
        tx.links.remove(held.id)
        with pytest.raises(StaleVersion):
            tx.links.save(held, held)


@pytest.mark.parametrize("uow", ["postgresql"], indirect=True)
def test_a_newcomer_is_not_asked_for_what_they_cannot_have(stage: SsoStage):
    eve = Newcomer(id=UserId("eve"), name="Eve", address=Address("eve@example.com"), verified_at=None)
    with stage.uow.begin() as tx:
        tx.registrar.register(eve)
        tx.accounts.lock(eve.id)
        tx.connection.guard.tap = heard = Heard()
        assert tx.users.get(eve.id).name == "Eve"
        assert not tx.factor_census.protected([eve.id])[eve.id]
        assert heard.statements == []


@DATABASES
@pytest.mark.parametrize("place", ["acme", "initech", "nowhere"])
def test_an_organization_and_its_provider_are_read_together(stage: SsoStage, place: str):
    """Whichever is asked for first, and whichever of them there is."""
    stage.organization("initech")
    asks = [lambda tx: tx.organizations.get(place), lambda tx: tx.providers.load(place)]
    answers = []
    for first, second in (asks, reversed(asks)):
        with stage.uow.begin() as tx:
            tx.connection.guard.tap = heard = Heard()
            answers.append({first(tx), second(tx)})
            assert len(heard.statements) == 1
    assert answers[0] == answers[1]


@DATABASES
def test_a_provider_whose_organization_is_gone_is_found(stage: SsoStage):
    with stage.uow.begin() as tx:
        tx.connection.run(sa.text("DELETE FROM authflow_organization"))
        assert tx.organizations.get(ACME) is None
        assert isinstance(tx.providers.load(ACME).state, Connected)


@SERVERS
@pytest.mark.parametrize("after", ["removed", "changed", "gone"])
def test_a_member_whom_somebody_else_changed_is_not_saved_as_they_were_read(stage: SsoStage, ada: Person, after: str):
    """They are not read again for it: the version that was read decides."""

    def change(other: Any) -> None:
        stored = other.members.load(ACME, ada.user)
        removed = Removed(organization=ACME, user=ada.user, at=stage.clock.now())
        state = {"removed": removed, "changed": stored.state, "gone": Outside()}[after]
        other.members.save(ACME, ada.user, state, expected=stored.version)

    with stage.uow.begin() as tx:
        stored = tx.members.load(ACME, ada.user)
        elsewhere(stage, change)
        with pytest.raises(StaleVersion):
            tx.members.save(ACME, ada.user, attrs.evolve(stored.state, teams=("red",)), expected=stored.version)
