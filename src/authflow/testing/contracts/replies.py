"""What every store of replies must do (decision 8)."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

import attrs
import pytest

from authflow.ports import Digest, Reply
from authflow.testing.clocks import START
from authflow.testing.contracts.threads import THREADS, at_once
from authflow.values import Sealed

if TYPE_CHECKING:
    from authflow.ports import Transaction, UnitOfWork

HOUR: Final = timedelta(hours=1)
INSTANT: Final = timedelta(microseconds=1)
KEY: Final = b"\x00k\xff" + b"\n" * 29
OTHER: Final = b"\x00K\xff" + b"\n" * 29
"""Keys compare as bytes: these two differ by the case of a letter (decision 10)."""


def reply(key: bytes = KEY) -> Reply:
    """Return a reply in which every field says something that a careless store would lose."""
    return Reply(
        key=key,
        arguments=Digest(key_id="pepper-1", value=b"\xff\x00" * 16),
        answer=Sealed(key_id="sealing-1", ciphertext=b"\x00\x01\xff" * 1000),
        former_until=START + INSTANT,
        created_at=START - INSTANT,
        expires_at=START + HOUR,
    )


class RepliesContract:
    """Subclass this, override the fixture `uow`, and pytest checks your ``Replies``."""

    @pytest.fixture
    def uow(self) -> UnitOfWork[Transaction]:
        """Return a unit of work on an empty installation."""
        raise NotImplementedError

    def _stored(self, uow: UnitOfWork[Transaction], *replies: Reply) -> None:
        with uow.begin() as tx:
            for one in replies:
                assert tx.replies.claim(one.key, START) is None
                tx.replies.store(one)

    def test_what_is_stored_comes_back(self, uow: UnitOfWork[Transaction]) -> None:
        """To the byte and to the microsecond."""
        bare = attrs.evolve(reply(OTHER), former_until=None)
        self._stored(uow, reply(), bare)
        with uow.begin() as tx:
            assert (tx.replies.claim(KEY, START), tx.replies.claim(OTHER, START)) == (reply(), bare)

    def test_nothing_is_there_before(self, uow: UnitOfWork[Transaction]) -> None:
        """Claiming again in one transaction gives nobody's answer."""
        with uow.begin() as tx:
            assert tx.replies.claim(KEY, START) is None
            assert tx.replies.claim(KEY, START) is None

    def test_an_answer_of_a_megabyte_is_stored(self, uow: UnitOfWork[Transaction]) -> None:
        """An export of an account is not cut."""
        long = attrs.evolve(reply(), answer=Sealed(key_id="sealing-1", ciphertext=bytes(1 << 20)))
        self._stored(uow, long)
        with uow.begin() as tx:
            assert tx.replies.claim(KEY, START) == long

    def test_a_claim_that_is_rolled_back_is_free(self, uow: UnitOfWork[Transaction]) -> None:
        """And so is what was stored behind it."""
        with pytest.raises(ZeroDivisionError), uow.begin() as tx:
            tx.replies.claim(KEY, START)
            tx.replies.store(reply())
            raise ZeroDivisionError
        with uow.begin() as tx:
            assert tx.replies.claim(KEY, START) is None

    def test_what_is_released_is_free(self, uow: UnitOfWork[Transaction]) -> None:
        """A claim without an answer, and an answer; releasing nothing is nothing."""
        self._stored(uow, reply(), reply(OTHER))
        with uow.begin() as tx:
            tx.replies.release(KEY)
            tx.replies.release(KEY)
            assert tx.replies.claim(OTHER, START) == reply(OTHER)
        with uow.begin() as tx:
            assert tx.replies.claim(KEY, START) is None
            tx.replies.release(KEY)
        with uow.begin() as tx:
            assert tx.replies.sweep(START + 2 * HOUR) == 1

    def test_an_answer_lives_up_to_its_end(self, uow: UnitOfWork[Transaction]) -> None:
        """At ``expires_at`` it counts as absent."""
        self._stored(uow, reply())
        with uow.begin() as tx:
            assert tx.replies.claim(KEY, START + HOUR - INSTANT) == reply()
            assert tx.replies.claim(KEY, START + HOUR) is None

    def test_an_expired_answer_is_replaced(self, uow: UnitOfWork[Transaction]) -> None:
        """Whoever claimed the key stores the next answer; a clock that goes back finds that one (decision 35)."""
        self._stored(uow, reply())
        later = attrs.evolve(reply(), former_until=None, created_at=START + HOUR, expires_at=START + 2 * HOUR)
        with uow.begin() as tx:
            assert tx.replies.claim(KEY, START + HOUR) is None
            tx.replies.store(later)
        with uow.begin() as tx:
            assert tx.replies.claim(KEY, START) == later

    def test_a_sweep_takes_what_has_expired(self, uow: UnitOfWork[Transaction]) -> None:
        """And tells how many there were."""
        self._stored(uow, reply(), attrs.evolve(reply(OTHER), expires_at=START + 2 * HOUR))
        with uow.begin() as tx:
            assert tx.replies.sweep(START + HOUR - INSTANT) == 0
            assert tx.replies.sweep(START + HOUR) == 1
            assert tx.replies.claim(KEY, START) is None
            assert tx.replies.claim(OTHER, START) is not None

    def test_one_of_many_does_the_command(self, uow: UnitOfWork[Transaction]) -> None:
        """The others wait for its end, and all get what it stored."""
        done: list[int] = []

        def ask(number: int) -> Reply:
            with uow.begin() as tx:
                found = tx.replies.claim(KEY, START)
                if found is not None:
                    return found
                mine = attrs.evolve(reply(), arguments=Digest(key_id=str(number), value=b"\x00" * 32))
                tx.replies.store(mine)
            done.append(number)
            return mine

        answers = at_once(ask)
        assert len(done) == 1
        assert {answer.arguments.key_id for answer in answers} == {str(done[0])}

    def test_after_a_rollback_the_next_one_does_it(self, uow: UnitOfWork[Transaction]) -> None:
        """Every one but the last to come fails: the work is done once, by the one that does not."""
        asked: list[int] = []
        done: list[int] = []

        def ask(number: int) -> None:
            with uow.begin() as tx:
                if tx.replies.claim(KEY, START) is not None:
                    return
                asked.append(number)
                if len(asked) < THREADS // 2:
                    raise LookupError
                tx.replies.store(reply())
            done.append(number)

        def bravely(number: int) -> None:
            try:
                ask(number)
            except LookupError:
                return

        at_once(bravely)
        assert len(done) == 1
