"""What every store of sign-ins through a provider that are under way must keep."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Final

import attrs
import pytest

from authflow.errors import StaleVersion, UniqueViolated
from authflow.ports import Stored
from authflow.sso.identity import Subject
from authflow.sso.pipeline import LIFE, Flow, PipelineId
from authflow.sso.progress import Identified, Over, Why
from authflow.sso.setup import Proposed, Tried
from authflow.testing.contracts.deeds import Boom
from authflow.testing.contracts.providers import CROWDS
from authflow.testing.contracts.threads import at_once
from authflow.testing.samples.links import ADA, EVE, NOW, TICK, identity
from authflow.testing.samples.pipelines import HANDLE, STATE, away, opened
from authflow.values import Sealed, SessionId

if TYPE_CHECKING:
    from collections.abc import Callable

    from authflow.ports import UnitOfWork
    from authflow.sso.ports import PipelineRows, SsoTransaction
    from authflow.sso.progress import Login
    from authflow.sso.setup import Setup

ANSWER: Final = Sealed(key_id="sealing-1", ciphertext=b"\x00\xff" * 100_000)
LATER: Final = Sealed(key_id="sealing-2", ciphertext=b"another one")
PROPOSAL: Final = Sealed(key_id="sealing-3", ciphertext=b"settings")


EVERYTHING: Final = identity(
    subject=Subject("\N{PILE OF POO}\u200d "),
    legacy=Subject("old"),
    email_verified=True,
    name="\x00\ud800 A",
    at=NOW + TICK,
    memory=Sealed(key_id="sealing-4", ciphertext=b"\x00"),
)
"""An identity in which every field says something that a careless store would lose."""

NOTHING: Final = identity(email=None, name="")
"""An identity that says nothing but whose it is."""


def states() -> tuple[Login | Setup, ...]:
    """Return every state of a sign-in and of a setup; where there is an identity, with much in it and with little."""
    proposed = Proposed(handle=HANDLE, state=STATE, request=ANSWER, proposal=PROPOSAL)
    tried = Tried(handle=HANDLE, identity=identity(), proposal=PROPOSAL)
    known = [attrs.evolve(state, identity=said) for state in (tried, *opened()) for said in (EVERYTHING, NOTHING)]
    return (away(), proposed, *known, *(Over(handle=HANDLE, why=why) for why in Why))


class PipelinesContract:
    """Subclass this, override the fixture `uow`, and pytest checks your ``PipelineRows``."""

    @pytest.fixture
    def uow(self) -> UnitOfWork[SsoTransaction]:
        """Return a unit of work on an empty installation."""
        raise NotImplementedError

    def test_every_state_is_loaded_as_it_was_stored(self, uow: UnitOfWork[SsoTransaction]) -> None:
        """Begun in it, and gone over to; with and without a lock, and to the byte."""
        for number, state in enumerate(states()):
            flow = list(Flow)[number % len(Flow)]
            handle = attrs.evolve(HANDLE, id=_named(number), flow=flow, started_by=ADA if number % 2 else None)
            begun, gone = attrs.evolve(state, handle=handle), attrs.evolve(HANDLE, id=PipelineId(f"gone-{number}"))
            with uow.begin() as tx:
                tx.pipelines.add(begun)
                tx.pipelines.add(away(handle=gone))
                tx.pipelines.save(gone.id, begun, expected=1)
            with uow.begin() as tx:
                for lock in (False, True):
                    assert tx.pipelines.load(handle.id, lock=lock) == Stored(begun, 1)
                    assert tx.pipelines.load(gone.id, lock=lock) == Stored(attrs.evolve(state, handle=gone), 2)
        with uow.begin() as tx:
            assert [tx.pipelines.load(PipelineId("none"), lock=lock) for lock in (False, True)] == [None, None]

    def test_the_handle_is_written_once(self, uow: UnitOfWork[SsoTransaction]) -> None:
        """A state that names another browser, organization or provider moves nothing there."""
        strange = attrs.evolve(
            HANDLE,
            digest=b"\x00" * 32,
            session=SessionId("session-9"),
            flow=Flow.SETUP,
            started_by=EVE,
            steps=b"\x00" * 32,
            expires_at=NOW + 2 * LIFE,
        )
        with uow.begin() as tx:
            tx.pipelines.add(away())
            tx.pipelines.save(HANDLE.id, Over(handle=strange, why=Why.FAILED), expected=1)
        with uow.begin() as tx:
            assert tx.pipelines.load(HANDLE.id) == Stored(Over(handle=HANDLE, why=Why.FAILED), 2)
        with pytest.raises(UniqueViolated) as refusal, uow.begin() as tx:
            tx.pipelines.add(away(handle=strange))
        assert refusal.value.rule == "primary_key"

    def test_what_is_out_of_date_changes_nothing(self, uow: UnitOfWork[SsoTransaction]) -> None:
        """Another version, or no row; the transaction goes on."""
        over = Over(handle=HANDLE, why=Why.ABANDONED)
        with uow.begin() as tx:
            tx.pipelines.add(away())
            for key, expected in ((HANDLE.id, 0), (HANDLE.id, 2), (PipelineId("none"), 1)):
                with pytest.raises(StaleVersion):
                    tx.pipelines.save(key, over, expected=expected)
            assert tx.pipelines.load(HANDLE.id) == Stored(away(), 1)

    def test_the_first_answer_is_kept_until_the_browser_goes_on(self, uow: UnitOfWork[SsoTransaction]) -> None:
        """Only while it is away; keeping it changes no version, and what came is gone when it was taken."""
        for begun in (away(), Proposed(handle=HANDLE, state=STATE, request=ANSWER, proposal=PROPOSAL)):
            with uow.begin() as tx:
                assert (tx.pipelines.keep_answer(HANDLE.id, ANSWER), tx.pipelines.answer(HANDLE.id)) == (False, None)
                tx.pipelines.add(begun)
                assert tx.pipelines.answer(HANDLE.id) is None
                assert [tx.pipelines.keep_answer(HANDLE.id, came) for came in (ANSWER, LATER)] == [True, False]
            with uow.begin() as tx:
                assert tx.pipelines.answer(HANDLE.id) == ANSWER
                tx.pipelines.save(HANDLE.id, begun, expected=1)
                assert tx.pipelines.answer(HANDLE.id) == ANSWER
                tx.pipelines.save(HANDLE.id, Identified(handle=HANDLE, identity=identity()), expected=2)
                assert (tx.pipelines.answer(HANDLE.id), tx.pipelines.keep_answer(HANDLE.id, LATER)) == (None, False)
                assert tx.pipelines.remove_of_session(HANDLE.session) == 1

    def test_pipelines_are_removed(self, uow: UnitOfWork[SsoTransaction]) -> None:
        """A browser's; a person's, whether they began it or were to prove it; those whose life is over."""
        _, mailed, proven, *_ = opened()
        here, there = HANDLE.session, SessionId("session-9")
        rows = ((away(), here, None), (away(), here, ADA), (mailed, there, EVE), (proven, there, ADA))
        with uow.begin() as tx:
            for number, (state, session, started_by) in enumerate(rows):
                handle = attrs.evolve(HANDLE, id=_named(number), session=session, started_by=started_by)
                tx.pipelines.add(attrs.evolve(state, handle=attrs.evolve(handle, expires_at=NOW + number * TICK)))
        ways: dict[Callable[[PipelineRows], int], set[int]] = {
            lambda pipelines: pipelines.remove_of_session(here): {0, 1},
            lambda pipelines: pipelines.remove_of_user(ADA): {1, 2, 3},
            lambda pipelines: pipelines.remove_of_user(EVE): {2},
            lambda pipelines: pipelines.remove_over(NOW + 2 * TICK): {0, 1, 2},
        }
        for remove, removed in ways.items():
            with suppress(Boom), uow.begin() as tx:
                assert [remove(tx.pipelines), remove(tx.pipelines)] == [len(removed), 0]
                left = {number for number in range(len(rows)) if tx.pipelines.load(_named(number)) is not None}
                assert left == set(range(len(rows))) - removed
                raise Boom

    @pytest.mark.parametrize("workers", CROWDS)
    def test_of_many_threads_one_goes_on(self, uow: UnitOfWork[SsoTransaction], workers: int) -> None:
        """And the answer that was kept first stays, whoever comes with others."""
        with uow.begin() as tx:
            tx.pipelines.add(away())

        def keep(number: int) -> bool:
            with uow.begin() as tx:
                return tx.pipelines.keep_answer(HANDLE.id, attrs.evolve(LATER, key_id=f"{number}"))

        kept = at_once(keep, threads=workers)
        with uow.begin() as tx:
            first = tx.pipelines.answer(HANDLE.id)
        assert (sum(kept), first) == (1, attrs.evolve(LATER, key_id=f"{kept.index(True)}"))

        def go_on(_number: int) -> bool:
            with suppress(StaleVersion), uow.begin() as tx:
                tx.pipelines.save(HANDLE.id, Identified(handle=HANDLE, identity=identity()), expected=1)
                return True
            return False

        assert sum(at_once(go_on, threads=workers)) == 1


def _named(number: int) -> PipelineId:
    return PipelineId(f"pipeline-{number}")
