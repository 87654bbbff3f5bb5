"""What every store of sign-ins through a provider that are under way must keep."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Final

import attrs
import pytest

from authflow.errors import StaleVersion, UniqueViolated
from authflow.ports import Stored
from authflow.sso.pipeline import LIFE, Flow, PipelineId
from authflow.sso.ports import SealedPipeline
from authflow.testing.contracts.deeds import Boom
from authflow.testing.contracts.providers import CROWDS
from authflow.testing.contracts.threads import at_once
from authflow.testing.samples.links import ADA, EVE, NOW, TICK
from authflow.testing.samples.pipelines import HANDLE
from authflow.values import ProviderId, Sealed, SessionId

if TYPE_CHECKING:
    from collections.abc import Callable

    from authflow.ports import UnitOfWork
    from authflow.sso.ports import PipelineRows, SsoTransaction

ANSWER: Final = Sealed(key_id="sealing-1", ciphertext=b"\x00\xff" * 100_000)
LATER: Final = Sealed(key_id="sealing-2", ciphertext=b"another one")
STATE: Final = Sealed(key_id="sealing-3", ciphertext=b"\xff\x00" * 100_000)

AWAY: Final = SealedPipeline(handle=HANDLE, state=Sealed(key_id="sealing-4", ciphertext=b"at the provider"), away=True)
BACK: Final = SealedPipeline(handle=HANDLE, state=Sealed(key_id="sealing-5", ciphertext=b"identified"), away=False)
EVERYTHING: Final = SealedPipeline(
    handle=attrs.evolve(HANDLE, started_by=ADA), state=STATE, away=False, user=EVE, named=b"\x00\xff" * 16
)
"""A row in which every field says something."""


class PipelinesContract:
    """Subclass this, override the fixture `uow`, and pytest checks your ``PipelineRows``."""

    @pytest.fixture
    def uow(self) -> UnitOfWork[SsoTransaction]:
        """Return a unit of work on an empty installation."""
        raise NotImplementedError

    def test_a_pipeline_is_loaded_as_it_was_stored(self, uow: UnitOfWork[SsoTransaction]) -> None:
        """Begun so, and gone over to; with and without a lock, and to the byte."""
        for number, kept in enumerate((AWAY, BACK, EVERYTHING)):
            flow = list(Flow)[number % len(Flow)]
            handle, other = (attrs.evolve(kept.handle, id=_named(row), flow=flow) for row in (number, number + 100))
            begun, gone = (attrs.evolve(kept, handle=each) for each in (handle, other))
            with uow.begin() as tx:
                tx.pipelines.add(begun)
                tx.pipelines.add(attrs.evolve(AWAY, handle=other))
                tx.pipelines.save(gone, expected=1)
            with uow.begin() as tx:
                for lock in (False, True):
                    assert tx.pipelines.load(handle.id, lock=lock) == Stored(begun, 1)
                    assert tx.pipelines.load(other.id, lock=lock) == Stored(gone, 2)
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
            tx.pipelines.add(AWAY)
            tx.pipelines.save(attrs.evolve(BACK, handle=strange), expected=1)
        with uow.begin() as tx:
            assert tx.pipelines.load(HANDLE.id) == Stored(BACK, 2)
        with pytest.raises(UniqueViolated) as refusal, uow.begin() as tx:
            tx.pipelines.add(attrs.evolve(AWAY, handle=strange))
        assert refusal.value.rule == "primary_key"

    def test_what_is_out_of_date_changes_nothing(self, uow: UnitOfWork[SsoTransaction]) -> None:
        """Another version, or no row; the transaction goes on."""
        nobody = attrs.evolve(HANDLE, id=PipelineId("none"))
        with uow.begin() as tx:
            tx.pipelines.add(AWAY)
            for handle, expected in ((HANDLE, 0), (HANDLE, 2), (nobody, 1)):
                with pytest.raises(StaleVersion):
                    tx.pipelines.save(attrs.evolve(BACK, handle=handle), expected=expected)
            assert tx.pipelines.load(HANDLE.id) == Stored(AWAY, 1)

    def test_a_savepoint_undoes_what_was_saved_in_it_and_nothing_else(self, uow: UnitOfWork[SsoTransaction]) -> None:
        """Also where the row is held, and may be written once for all that becomes of it."""
        for lock in (False, True):
            one = attrs.evolve(HANDLE, id=_named(int(lock)))
            away, back, after = (attrs.evolve(state, handle=one) for state in (AWAY, BACK, EVERYTHING))
            with uow.begin() as tx:
                tx.pipelines.add(away)
            with uow.begin() as tx:
                tx.pipelines.load(one.id, lock=lock)
                tx.pipelines.save(back, expected=1)
                with suppress(Boom), uow.savepoint():
                    tx.pipelines.save(after, expected=2)
                    raise Boom
                assert tx.pipelines.load(one.id) == Stored(back, 2)
                tx.pipelines.save(back, expected=2)
                with uow.savepoint():
                    tx.pipelines.save(away, expected=3)
            with uow.begin() as tx:
                assert tx.pipelines.load(one.id) == Stored(away, 4)

    def test_the_first_answer_is_kept_until_the_browser_goes_on(self, uow: UnitOfWork[SsoTransaction]) -> None:
        """Only while it is away; keeping it changes no version, and what came is gone when it was taken."""
        with uow.begin() as tx:
            assert (tx.pipelines.keep_answer(HANDLE.id, ANSWER), tx.pipelines.answer(HANDLE.id)) == (False, None)
            tx.pipelines.add(AWAY)
            assert tx.pipelines.answer(HANDLE.id) is None
            assert [tx.pipelines.keep_answer(HANDLE.id, came) for came in (ANSWER, LATER)] == [True, False]
        with uow.begin() as tx:
            assert tx.pipelines.answer(HANDLE.id) == ANSWER
            assert tx.pipelines.load(HANDLE.id) == Stored(AWAY, 1)
            tx.pipelines.save(AWAY, expected=1)
            assert tx.pipelines.answer(HANDLE.id) == ANSWER
            tx.pipelines.save(BACK, expected=2)
            assert (tx.pipelines.answer(HANDLE.id), tx.pipelines.keep_answer(HANDLE.id, LATER)) == (None, False)

    def test_who_waits_for_a_provider_is_known(self, uow: UnitOfWork[SsoTransaction]) -> None:
        """In this very browser, at this very provider, until its life is over or the browser is back."""
        end, elsewhere = HANDLE.expires_at, ProviderId("elsewhere")
        with uow.begin() as tx:
            assert not tx.pipelines.waits(HANDLE.session, HANDLE.provider, NOW)
            tx.pipelines.add(AWAY)
        with uow.begin() as tx:
            assert tx.pipelines.waits(HANDLE.session, HANDLE.provider, end - TICK)
            assert not tx.pipelines.waits(HANDLE.session, HANDLE.provider, end)
            assert not tx.pipelines.waits(HANDLE.session, elsewhere, NOW)
            assert not tx.pipelines.waits(SessionId("session-9"), HANDLE.provider, NOW)
            tx.pipelines.save(BACK, expected=1)
            assert not tx.pipelines.waits(HANDLE.session, HANDLE.provider, NOW)

    def test_what_waits_is_found_by_the_name_of_whom_it_is_about(self, uow: UnitOfWork[SsoTransaction]) -> None:
        """At this very provider, in the order of their ids; as it was saved last, also in the same transaction."""
        ours, other, elsewhere = b"\x01" * 32, b"\x02" * 32, ProviderId("elsewhere")
        rows = ((HANDLE.provider, ours), (HANDLE.provider, other), (HANDLE.provider, None), (elsewhere, ours))
        with uow.begin() as tx:
            for number, (provider, name) in enumerate((*rows, rows[0])):
                handle = attrs.evolve(HANDLE, id=_named(9 - number), provider=provider)
                tx.pipelines.add(attrs.evolve(EVERYTHING, handle=handle, named=name))

        def found(tx: SsoTransaction, name: bytes) -> list[PipelineId]:
            kept = tx.pipelines.named(HANDLE.provider, name)
            assert {pipeline.named for pipeline in kept} <= {name}
            return [pipeline.handle.id for pipeline in kept]

        with uow.begin() as tx:
            assert (found(tx, ours), found(tx, other), found(tx, b"\x03" * 32)) == (
                [_named(5), _named(9)],
                [_named(8)],
                [],
            )
            stored = tx.pipelines.load(_named(9), lock=True)
            assert stored is not None
            tx.pipelines.save(attrs.evolve(stored.state, named=other), expected=stored.version)
            assert (found(tx, ours), found(tx, other)) == ([_named(5)], [_named(8), _named(9)])

    def test_pipelines_are_removed(self, uow: UnitOfWork[SsoTransaction]) -> None:
        """A browser's; a person's, whether they began it or were to prove it; those whose life is over."""
        here, there = HANDLE.session, SessionId("session-9")
        rows = ((here, None, None), (here, ADA, None), (there, EVE, ADA), (there, ADA, ADA))
        with uow.begin() as tx:
            for number, (session, started_by, user) in enumerate(rows):
                handle = attrs.evolve(HANDLE, id=_named(number), session=session, started_by=started_by)
                handle = attrs.evolve(handle, expires_at=NOW + number * TICK)
                tx.pipelines.add(attrs.evolve(BACK, handle=handle, user=user))
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
            tx.pipelines.add(AWAY)

        def keep(number: int) -> bool:
            with uow.begin() as tx:
                return tx.pipelines.keep_answer(HANDLE.id, attrs.evolve(LATER, key_id=f"{number}"))

        kept = at_once(keep, threads=workers)
        with uow.begin() as tx:
            first = tx.pipelines.answer(HANDLE.id)
        assert (sum(kept), first) == (1, attrs.evolve(LATER, key_id=f"{kept.index(True)}"))

        def go_on(_number: int) -> bool:
            with suppress(StaleVersion), uow.begin() as tx:
                tx.pipelines.save(BACK, expected=1)
                return True
            return False

        assert sum(at_once(go_on, threads=workers)) == 1


def _named(number: int) -> PipelineId:
    return PipelineId(f"pipeline-{number}")
