"""Somebody else is faster, inside the very command: the invitation has its outcome; all of it stands or none."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import attrs
import pytest

from authflow import Code, Enrolled, InvitationFate, RequirementsOpen
from authflow.errors import DatabaseUnavailable, Retryable, StaleVersion
from authflow.facts.records import MailKind
from authflow.membership.offer import Withdrawn
from authflow.membership.standing import Member, Outside
from tests.stage import Stage, written

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from authflow.values import OrganizationId
    from tests.stage import Letter, Person


class Meddled:
    """A unit of work in which something happens right before a repository is asked.

    Args:
        uow: The real one.
    """

    def __init__(self, uow: Any) -> None:
        self._uow = uow
        self.before: dict[tuple[str, str], Callable[..., None]] = {}

    @contextmanager
    def begin(self) -> Iterator[Any]:
        with self._uow.begin() as tx:
            yield Proxy(tx, lambda name: Proxy(getattr(tx, name), lambda call: self._call(tx, name, call)))

    def savepoint(self) -> Any:
        return self._uow.savepoint()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._uow, name)

    def _call(self, tx: Any, repository: str, call: str) -> Any:
        method = getattr(getattr(tx, repository), call)
        meddle = self.before.pop((repository, call), None) if (repository, call) in self.before else None
        if meddle is None:
            return method

        def meddled(*args: Any, **kwargs: Any) -> Any:
            meddle(tx, *args, **kwargs)
            return method(*args, **kwargs)

        return meddled


@attrs.frozen
class Proxy:
    """Stands for *of*, and finds each of its attributes by *find*."""

    of: Any
    find: Callable[[str], Any]

    def __getattr__(self, name: str) -> Any:
        return self.find(name)


@attrs.frozen(kw_only=True)
class Scene:
    """Ada's click waits and her proof is one call away; from there on somebody meddles."""

    stage: Stage
    uow: Meddled
    acme: OrganizationId
    ada: Person
    letter: Letter
    begun: Any

    def meddle(self, repository: str, call: str, what: Callable[..., None]) -> None:
        self.uow.before[(repository, call)] = what

    def complete(self) -> Any:
        return self.stage.complete(self.ada, self.begun)


@pytest.fixture
def scene(uow: Any) -> Scene:
    meddled = Meddled(uow)
    stage = Stage(meddled)
    acme = stage.organization(require_second_factor=True)
    olga, ada = stage.owner(acme), stage.person()
    letter = stage.invite(olga, acme, ada.user)
    assert isinstance(stage.waiting(ada, letter), RequirementsOpen)
    stage.uow = uow  # what a test reads is read behind the meddler's back
    return Scene(stage=stage, uow=meddled, acme=acme, ada=ada, letter=letter, begun=stage.begin(ada))


def stands(scene: Scene, answer: Any) -> None:
    """Assert that the enrollment stands with everything that belongs to it."""
    assert isinstance(answer, Enrolled)
    assert len(answer.recovery_codes) == 10
    stage = scene.stage
    assert stage.identify(scene.ada).elevated
    assert scene.ada.browser.ask(stage.flows.mfa.listing).protected
    assert stage.audited(scene.ada)[-3:] == ["mfa_added", "recovery_codes_added", "sessions_ended"]


def already_there(tx: Any, organization: Any, user: Any, state: Member, *, expected: int) -> None:
    """Write the membership first: the constraint refuses the second row."""
    tx.members.save(organization, user, attrs.evolve(state, id="another"), expected=expected)


def withdraw(tx: Any, before: Any, _after: Any, now: Any) -> None:
    """Take the invitation back just before its conditional update."""
    offer = before.offer
    stored = tx.invitations.load(offer.organization, offer.id)
    withdrawn = Withdrawn(offer=offer, token=before.token, at=now)
    tx.invitations.save(offer.organization, offer.id, withdrawn, expected=stored.version)


def test_a_membership_that_came_another_way_is_an_outcome(scene: Scene):
    scene.meddle("members", "save", already_there)
    answer = scene.complete()
    stands(scene, answer)
    assert (answer.invitation.fate, answer.invitation.code) == (
        InvitationFate.CLEARED,
        Code.INVITATION_ALREADY_MEMBER,
    )
    assert scene.stage.audited_in(scene.acme) == ["member_add", "member_invite"]


def test_an_invitation_taken_back_at_the_last_instant_is_an_outcome(scene: Scene):
    scene.meddle("invitations", "accept", withdraw)
    answer = scene.complete()
    stands(scene, answer)
    assert (answer.invitation.fate, answer.invitation.code) == (InvitationFate.CLEARED, Code.INVITATION_USED)
    assert isinstance(scene.stage.member(scene.ada.user, scene.acme), Outside)
    assert scene.stage.audited_in(scene.acme) == ["member_add", "member_invite"]


def test_a_lost_compare_and_set_leaves_the_click_waiting(scene: Scene):
    def stale(*_args: Any, **_kwargs: Any) -> None:
        raise StaleVersion

    scene.meddle("members", "save", stale)
    answer = scene.complete()
    stands(scene, answer)
    assert (answer.invitation.fate, answer.invitation.code) == (InvitationFate.KEPT, Code.STALE_VERSION)
    assert isinstance(scene.stage.member(scene.ada.user, scene.acme), Outside)
    resumed = scene.stage.resume(scene.ada.browser)
    assert resumed.fate is InvitationFate.JOINED


COMMITTED_WITH_THE_REST = [
    ("factors", "save"),
    ("recovery_codes", "add"),
    ("sessions", "save"),
    ("accounts", "save"),
    ("invitations", "accept"),
    ("members", "save"),
    ("consents", "save"),
    ("audit", "append"),
    ("outbox", "append"),
]


@pytest.mark.parametrize(("repository", "call"), COMMITTED_WITH_THE_REST)
def test_a_database_that_fails_fails_the_whole_command_and_forgets_no_count(scene: Scene, repository: str, call: str):
    """Nothing is kept but the counts (decisions 7 and 32); the same code works when the command is tried again."""
    before = scene.stage.snapshot()
    scene.meddle(repository, call, failing(DatabaseUnavailable))
    with pytest.raises(DatabaseUnavailable):
        scene.complete()
    assert written(before, scene.stage.snapshot()) == {"limit", "attempt"}
    answer = scene.complete()
    stands(scene, answer)
    assert answer.invitation.fate is InvitationFate.JOINED


@pytest.mark.parametrize(("repository", "call"), COMMITTED_WITH_THE_REST)
def test_a_command_that_lost_a_race_is_tried_again_and_done_once(scene: Scene, repository: str, call: str):
    """What the lost try wrote is gone, its count too: the person proved one code."""
    scene.meddle(repository, call, failing(Retryable))
    answer = scene.complete()
    stands(scene, answer)
    assert answer.invitation.fate is InvitationFate.JOINED
    assert scene.stage.audited(scene.ada).count("mfa_added") == 1
    assert len(scene.stage.mails(MailKind.MFA_ADDED)) == 2  # one for each who enrolled here, Olga and Ada


def failing(failure: type[Exception]) -> Callable[..., None]:
    def fail(*_args: Any, **_kwargs: Any) -> None:
        raise failure

    return fail


def test_every_meddling_is_met(scene: Scene):
    """The scene's repositories are asked as named above: a renamed method would let a fault pass unseen."""
    met = list[tuple[str, str]]()
    for place in COMMITTED_WITH_THE_REST:
        scene.meddle(*place, lambda *_a, place=place, **_k: met.append(place))
    stands(scene, scene.complete())
    assert sorted(met) == sorted(COMMITTED_WITH_THE_REST)
