"""Asking providers again about people who are linked, and sealing anew what is kept for it, through the facade."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import attrs
import pytest

from authflow import LinksRechecked
from authflow.errors import DatabaseUnavailable, InUnitOfWork
from authflow.facts.records import Audit
from authflow.journey.sso.rechecking import Rechecking
from authflow.membership.changes import FlagGroup
from authflow.membership.standing import MemberFlag
from authflow.sso.kinds import Rechecked
from authflow.sso.recheck import GRACE, Said
from authflow.sso.sealing import Vault, memory_binding, settings_binding
from authflow.testing.providers import FakeProvider
from tests.journey.sso_stage import SsoStage
from tests.stage import CONTEXT

if TYPE_CHECKING:
    from collections.abc import Callable

    from authflow.sso.links import Link
    from authflow.values import OrganizationId, UserId
    from tests.stage import Person

DAY = timedelta(days=1)
LINKED, INVALID = MemberFlag.SSO_LINKED, MemberFlag.SSO_INVALID


class Asking(FakeProvider):
    """A provider that is asked by what a test puts in `ask`."""

    ask: Callable[[dict[str, Any]], Rechecked]

    def recheck(self, settings: Any, memory: Any, now: Any) -> Rechecked:  # noqa: ARG002  # the port gives them
        return self.ask(memory)


@pytest.fixture
def stage(memory_uow: Any) -> SsoStage:
    made = SsoStage(memory_uow)
    made.idp = Asking(secret=True)
    made.flows = made.open(made.ring)
    return made


def answering(stage: SsoStage, ask: Callable[[dict[str, Any]], Rechecked]) -> None:
    assert isinstance(stage.idp, Asking)
    stage.idp.ask = ask


def joined(stage: SsoStage, organization: OrganizationId, address: str, *, link: bool = True) -> Person:
    person = stage.person(address)
    stage.flows.members.add(CONTEXT, organization=organization, user=person.user)
    if link:
        made = stage.link(person.user, organization, f"at-{person.user}"[:60])
        memory = Vault(stage.cipher).seal({"refresh_token": address}, memory_binding(made.provider, made.subject))
        with stage.uow.begin() as tx:
            tx.links.save(made, attrs.evolve(made, memory=memory))
        flag(stage, person.user, organization, LINKED)
    return person


def flag(stage: SsoStage, user: UserId, organization: OrganizationId, flags: MemberFlag) -> None:
    stage.flows.members.set_flags(CONTEXT, organization=organization, user=user, group=FlagGroup.SSO, flags=flags)


def flags(stage: SsoStage, person: Person, organization: OrganizationId) -> MemberFlag:
    return stage.member(person.user, organization).flags  # type: ignore[union-attr]  # they are a member


def the_link(stage: SsoStage, person: Person) -> Link:
    (found,) = stage.links_of(person.user)
    return found


def said(stage: SsoStage, answers: dict[str, Said | Exception]) -> list[str]:
    """Let the provider answer by whose memory it is asked with; return who was asked about, in order."""
    asked: list[str] = []

    def ask(memory: dict[str, Any]) -> Rechecked:
        stage.uow.require_closed()
        whose = memory["refresh_token"]
        asked.append(whose)
        answer = answers.get(whose, Said.CONFIRMED)
        if isinstance(answer, Exception):
            raise answer
        return Rechecked(said=answer, memory={**memory, "round": len(asked)})

    answering(stage, ask)
    return asked


def test_links_are_asked_about_once_a_day_and_the_answers_are_kept(stage: SsoStage):
    acme = stage.organization()
    stage.connect(acme)
    ada, ben = joined(stage, acme, "ada@example.com"), joined(stage, acme, "ben@example.com")
    asked = said(stage, {"ben@example.com": Said.REVOKED})
    assert stage.flows.upkeep.recheck_links() == LinksRechecked()
    assert asked == []
    stage.clock.advance(DAY)
    assert stage.flows.upkeep.recheck_links() == LinksRechecked(confirmed=1, revoked=1)
    assert sorted(asked) == ["ada@example.com", "ben@example.com"]
    assert (flags(stage, ada, acme), flags(stage, ben, acme)) == (LINKED, INVALID)
    link = the_link(stage, ada)
    assert (link.verified_at, link.synced_at, link.failures) == (stage.clock.now(), stage.clock.now(), 0)
    assert link.memory is not None
    kept = Vault(stage.cipher).open(link.memory, memory_binding(link.provider, link.subject))
    assert kept["refresh_token"] == "ada@example.com"
    assert "round" in kept
    assert stage.flows.upkeep.recheck_links() == LinksRechecked()
    assert stage.audited_in(acme)[-1] == Audit.MEMBER_EDIT


def test_a_provider_out_of_order_is_held_against_nobody_at_once(stage: SsoStage):
    """Sso 14.1: a failure is no confirmation, and shuts out after three in a row; a confirmation mends everything."""
    acme = stage.organization()
    stage.connect(acme)
    ada = joined(stage, acme, "ada@example.com")
    verified = the_link(stage, ada).verified_at
    answers: dict[str, Said | Exception] = {"ada@example.com": RuntimeError("the provider is on fire")}
    said(stage, answers)
    for failures in range(1, GRACE + 1):
        stage.clock.advance(DAY)
        assert stage.flows.upkeep.recheck_links() == LinksRechecked(failed=1)
        link = the_link(stage, ada)
        assert (link.failures, link.verified_at) == (failures, verified)
        assert flags(stage, ada, acme) == (LINKED | INVALID if failures == GRACE else LINKED)
    answers.clear()
    stage.clock.advance(DAY)
    assert stage.flows.upkeep.recheck_links() == LinksRechecked(confirmed=1)
    assert (flags(stage, ada, acme), the_link(stage, ada).failures) == (LINKED, 0)


def test_one_link_that_fails_never_stops_the_others(stage: SsoStage):
    """A provider that raises, a memory that cannot be opened, a row that cannot be stored."""
    acme = stage.organization()
    stage.connect(acme)
    people = {name: joined(stage, acme, f"{name}@example.com") for name in ("ada", "ben", "cyd", "dee")}
    broken = the_link(stage, people["ben"])
    with stage.uow.begin() as tx:
        assert broken.memory is not None
        spoilt = attrs.evolve(broken.memory, ciphertext=b"nothing of ours")
        tx.links.save(broken, attrs.evolve(broken, memory=spoilt))
    said(stage, {"ada@example.com": ValueError("not JSON"), "cyd@example.com": Said.REVOKED})
    stage.clock.advance(DAY)
    assert stage.flows.upkeep.recheck_links() == LinksRechecked(confirmed=1, revoked=1, failed=2)
    assert [flags(stage, person, acme) for person in people.values()] == [LINKED, LINKED, INVALID, LINKED]


def test_both_flags_are_written_when_either_differs(stage: SsoStage):
    """The studied product never mended an invalid flag of somebody who was linked."""
    acme = stage.organization()
    stage.connect(acme)
    ada = joined(stage, acme, "ada@example.com")
    flag(stage, ada.user, acme, LINKED | INVALID)
    said(stage, {})
    stage.clock.advance(DAY)
    stage.flows.upkeep.recheck_links()
    assert flags(stage, ada, acme) == LINKED


def test_links_are_taken_in_rounds_the_longest_unasked_first(stage: SsoStage):
    acme, globex = stage.organization(), stage.organization("globex")
    for place in (acme, globex):
        stage.connect(place)
    for number in range(5):
        joined(stage, (acme, globex)[number % 2], f"m{number}@example.com")
        stage.clock.advance(timedelta(minutes=1))
    asked = said(stage, {})
    stage.clock.advance(DAY)
    rounds = [stage.flows.upkeep.recheck_links(limit=2) for _ in range(3)]
    assert [(done.confirmed, done.more) for done in rounds] == [(2, True), (2, True), (1, False)]
    assert len(asked) == len(set(asked)) == 5


def test_whoever_belongs_no_more_is_linked_no_more(stage: SsoStage):
    """Demoted: outside, with a way back, and a link that nobody asked for."""
    acme = stage.organization()
    stage.connect(acme, required=False)
    olga, ben = stage.owner(acme), joined(stage, acme, "ben@example.com")
    key = stage.member(ben.user, acme).id  # type: ignore[union-attr]  # they are a member
    olga.browser.ask(stage.flows.members.demote, CONTEXT, organization=acme, member=key)
    asked = said(stage, {})
    stage.clock.advance(DAY)
    assert stage.flows.upkeep.recheck_links() == LinksRechecked(ended=1)
    assert (stage.links_of(ben.user), asked) == ((), ["ben@example.com"])


def test_a_link_that_moved_while_its_provider_was_asked_is_left_alone(stage: SsoStage):
    acme = stage.organization()
    stage.connect(acme)
    ada = joined(stage, acme, "ada@example.com")
    before = the_link(stage, ada)

    def ask(memory: dict[str, Any]) -> Rechecked:
        with stage.uow.begin() as tx:
            tx.links.remove(before.id)
            tx.links.add(attrs.evolve(before, id="another"))  # type: ignore[arg-type]  # an id
        return Rechecked(said=Said.REVOKED, memory=memory)

    answering(stage, ask)
    stage.clock.advance(DAY)
    assert stage.flows.upkeep.recheck_links() == LinksRechecked(ended=1)
    assert (the_link(stage, ada).id, flags(stage, ada, acme)) == ("another", LINKED)


def test_what_was_asked_under_former_settings_confirms_nobody(stage: SsoStage):
    acme = stage.organization()
    stage.connect(acme)
    ada = joined(stage, acme, "ada@example.com")
    verified = the_link(stage, ada).verified_at

    def ask(memory: dict[str, Any]) -> Rechecked:
        with stage.uow.begin() as tx:
            stored = tx.providers.load(acme)
            settings = attrs.evolve(stored.state.settings, steps=b"other")
            tx.providers.save(acme, attrs.evolve(stored.state, settings=settings), expected=stored.version)
        return Rechecked(said=Said.CONFIRMED, memory=memory)

    answering(stage, ask)
    stage.clock.advance(DAY)
    assert stage.flows.upkeep.recheck_links() == LinksRechecked(ended=1)
    assert the_link(stage, ada).verified_at == verified


def test_a_link_with_nothing_to_ask_with_stands_as_long_as_its_sign_in(stage: SsoStage):
    """A provider that promised tokens and gave none locks nobody out from one day to the next (sso 14.1)."""
    acme = stage.organization()
    stage.connect(acme)
    ada = joined(stage, acme, "ada@example.com")
    verified = the_link(stage, ada).verified_at
    answering(stage, lambda memory: Rechecked(said=Said.UNASKED, memory=memory))
    for _ in range(GRACE + 1):
        stage.clock.advance(DAY)
        assert stage.flows.upkeep.recheck_links() == LinksRechecked(unasked=1)
    link = the_link(stage, ada)
    assert (flags(stage, ada, acme), link.verified_at, link.failures) == (LINKED, verified, 0)


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (
            Rechecked(said=Said.FAILED, detail="the token endpoint: status 401,\ninvalid_client"),
            "status 401, invalid_client",
        ),
        (ValueError("hush"), "ValueError"),
    ],
)
def test_a_provider_that_could_not_be_asked_is_named_in_the_log(
    stage: SsoStage, caplog: pytest.LogCaptureFixture, answer: Rechecked | Exception, why: str
):
    """On one line, with whose it is, and nothing that was raised with a secret in it."""
    acme = stage.organization()
    stage.connect(acme)
    joined(stage, acme, "ada@example.com")

    def ask(_memory: dict[str, Any]) -> Rechecked:
        if isinstance(answer, Exception):
            raise answer
        return answer

    answering(stage, ask)
    stage.clock.advance(DAY)
    assert stage.flows.upkeep.recheck_links() == LinksRechecked(failed=1)
    (record,) = [each for each in caplog.records if each.name == "authflow.sso"]
    assert record.levelname == "WARNING"
    assert record.getMessage().startswith(f"{stage.idp.key} of {acme} could not be asked again: ")
    assert record.getMessage().endswith(why)


def test_providers_that_cannot_be_asked_are_not(stage: SsoStage):
    acme = stage.organization()
    stage.connect(acme, confirms=False)
    joined(stage, acme, "ada@example.com")
    asked = said(stage, {})
    stage.clock.advance(10 * DAY)
    assert stage.flows.upkeep.recheck_links() == LinksRechecked()
    assert asked == []


def test_a_database_that_is_away_ends_the_round(stage: SsoStage, monkeypatch: pytest.MonkeyPatch):
    acme = stage.organization()
    stage.connect(acme)
    joined(stage, acme, "ada@example.com")
    said(stage, {})
    stage.clock.advance(DAY)

    def away(*_args: object) -> None:
        raise DatabaseUnavailable

    monkeypatch.setattr(Rechecking, "_store", away)
    with pytest.raises(DatabaseUnavailable):
        stage.flows.upkeep.recheck_links()


def test_what_cannot_be_stored_is_in_the_log_with_its_link(
    stage: SsoStage, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    acme = stage.organization()
    stage.connect(acme)
    ada = joined(stage, acme, "ada@example.com")
    said(stage, {})
    stage.clock.advance(DAY)

    def broken(*_args: object) -> None:
        raise RuntimeError

    monkeypatch.setattr(Rechecking, "_store", broken)
    assert stage.flows.upkeep.recheck_links() == LinksRechecked(failed=1)
    assert the_link(stage, ada).id in caplog.text
    assert (the_link(stage, ada).failures, flags(stage, ada, acme)) == (0, LINKED), "it is no failure of the provider"


def test_nobody_is_asked_within_a_transaction(stage: SsoStage):
    with stage.uow.begin(), pytest.raises(InUnitOfWork):
        stage.flows.upkeep.recheck_links()


@pytest.mark.parametrize(("byte", "asked"), [(b"\0", False), (b"\xff", True)])
def test_links_that_were_made_together_are_asked_about_up_to_two_hours_apart(
    stage: SsoStage, monkeypatch: pytest.MonkeyPatch, byte: bytes, *, asked: bool
):
    acme = stage.organization()
    stage.connect(acme)
    joined(stage, acme, "ada@example.com")
    said(stage, {})
    stage.clock.advance(DAY - timedelta(hours=2) + timedelta(minutes=1))
    monkeypatch.setattr(type(stage.entropy), "random_bytes", lambda _entropy, count: byte * count)
    assert stage.flows.upkeep.recheck_links().confirmed == asked


# --- rotation ---------------------------------------------------------------------------------------------------------


def test_settings_and_memories_are_sealed_anew_and_the_old_key_can_go(stage: SsoStage):
    """What cannot be opened stays, and keeps nothing else from its turn."""
    acme, globex = stage.organization(), stage.organization("globex")
    for place in (acme, globex):
        stage.connect(place)
    people = [joined(stage, acme, f"m{number}@example.com") for number in range(3)]
    spoilt = the_link(stage, people[0])
    with stage.uow.begin() as tx:
        assert spoilt.memory is not None
        tx.links.save(spoilt, attrs.evolve(spoilt, memory=attrs.evolve(spoilt.memory, ciphertext=b"spoilt")))
    rotated = stage.ring.rotate(stage.entropy, stage.clock.now())
    flows = stage.open(rotated)
    assert [flows.upkeep.reseal(limit=3) for _ in range(3)] == [3, 1, 0]
    alone = rotated.retire(stage.ring.active.id)
    stage.ring = alone
    stage.flows = stage.open(alone)
    with stage.uow.begin() as tx:
        for place in (acme, globex):
            made = tx.providers.load(place).state
            assert Vault(stage.cipher).open(made.settings.config, settings_binding(place, made.id)) is not None
    asked = said(stage, {})
    stage.clock.advance(DAY)
    assert stage.flows.upkeep.recheck_links() == LinksRechecked(confirmed=2, failed=1)
    assert sorted(asked) == ["m1@example.com", "m2@example.com"]


def test_a_lost_key_is_logged_once_for_each_batch(stage: SsoStage, caplog: pytest.LogCaptureFixture):
    """However many settings, memories and factors lie under it."""
    acme, globex = stage.organization(), stage.organization("globex")
    for place in (acme, globex):
        stage.connect(place)
    for number in range(2):
        person = joined(stage, acme, f"m{number}@example.com")
        stage.sign_in(person)
        stage.enroll(person)
    lost = stage.ring.active.id
    flows = stage.open(stage.ring.rotate(stage.entropy, stage.clock.now()).retire(lost))
    assert flows.upkeep.reseal() == 0
    assert [vars(record)["authflow_key"] for record in caplog.records if record.name == "authflow.keys"] == [lost]


def test_what_is_over_is_swept(stage: SsoStage):
    """Pipelines at the end of their hour, and answers that nobody could use again."""
    acme = stage.organization()
    stage.connect(acme)
    ada = joined(stage, acme, "ada@example.com")
    stage.idp.person("00u1")
    stage.come(ada.browser, acme, "00u1")
    stage.clock.advance(timedelta(minutes=59))
    swept = stage.flows.upkeep.sweep()
    assert (swept.pipelines, swept.single_uses) == (0, 1)
    stage.clock.advance(timedelta(minutes=1))
    assert stage.flows.upkeep.sweep().pipelines == 1
