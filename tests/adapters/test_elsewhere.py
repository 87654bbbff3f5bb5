"""A shared transaction belongs to one thread and one task, and its block may end wherever it likes."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import TYPE_CHECKING, Any

import pytest

from authflow.adapters.current import Current
from authflow.errors import SharedElsewhere
from authflow.ports import User
from authflow.values import UserId

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from authflow.adapters.sql.unit_of_work import SqlUnitOfWork

ANNE = UserId("anne")


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(1) as made:
        yield made


def add(uow: SqlUnitOfWork) -> None:
    with uow.begin() as tx:
        tx.users.add(User(id=ANNE, label="anne"))


def known(uow: SqlUnitOfWork) -> bool:
    with uow.begin() as tx:
        return tx.users.get(ANNE) is not None


def hold(current: Current[str], name: str) -> Generator[None]:
    with current.holding(name):
        yield


def share(uow: SqlUnitOfWork, host: Any) -> Generator[None]:
    with uow.within(host):
        yield


# --- another thread


def test_a_thread_with_a_copied_context_is_refused(sqlite_uow: SqlUnitOfWork, pool: ThreadPoolExecutor):
    """It would commit by itself what its author takes for a part of the host's transaction."""
    uow = sqlite_uow
    with uow.engine.connect() as host, uow.within(host):
        for command in (add, lambda uow: uow.run(lambda: add(uow))):
            with pytest.raises(SharedElsewhere):
                pool.submit(copy_context().run, command, uow).result()
    assert not known(uow)


def test_a_copied_context_is_its_own_after_the_block(sqlite_uow: SqlUnitOfWork, pool: ThreadPoolExecutor):
    with sqlite_uow.engine.connect() as host, sqlite_uow.within(host):
        copied = copy_context()
    pool.submit(copied.run, add, sqlite_uow).result()
    assert known(sqlite_uow)


def test_a_copied_context_may_share_a_host_of_its_own(sqlite_uow: SqlUnitOfWork, pool: ThreadPoolExecutor):
    def command() -> None:
        with sqlite_uow.engine.connect() as own, sqlite_uow.within(own):
            add(sqlite_uow)
            own.commit()

    with sqlite_uow.engine.connect() as host, sqlite_uow.within(host):
        pool.submit(copy_context().run, command).result()
    assert known(sqlite_uow)


def test_a_block_that_nobody_could_see_says_so(sqlite_uow: SqlUnitOfWork):
    """A web framework runs each half of a synchronous dependency in a context of its own."""
    with sqlite_uow.engine.connect() as host:
        dependency = share(sqlite_uow, host)
        copy_context().run(next, dependency)
        with pytest.raises(SharedElsewhere):
            copy_context().run(next, dependency)


def test_a_block_that_is_thrown_away_elsewhere_says_nothing(sqlite_uow: SqlUnitOfWork):
    with sqlite_uow.engine.connect() as host:
        dependency, context = share(sqlite_uow, host), copy_context()
        context.run(next, dependency)
        dependency.close()
        context.run(add, sqlite_uow)
    assert known(sqlite_uow)


# --- in any order


def test_blocks_that_end_first_in_first_out_leave_nothing():
    current = Current[str]()
    first, second = hold(current, "first"), hold(current, "second")
    next(first)
    next(second)
    first.close()
    assert current.get() == "second"
    second.close()
    assert current.get() is None


def test_blocks_that_end_last_in_first_out_uncover_the_outer_one():
    current = Current[str]()
    first, second = hold(current, "first"), hold(current, "second")
    next(first)
    next(second)
    second.close()
    assert current.get() == "first"
    first.close()
    assert current.get() is None


def test_a_copy_of_the_context_finds_no_block_that_is_over():
    current = Current[str]()
    with current.holding("first"):
        copied = copy_context()
    assert copied.run(current.get) is None
    assert not copied.run(current.elsewhere)


def test_no_command_joins_a_host_whose_block_is_over(sqlite_uow: SqlUnitOfWork):
    with sqlite_uow.engine.connect() as one, sqlite_uow.engine.connect() as other:
        first, second = share(sqlite_uow, one), share(sqlite_uow, other)
        next(first)
        next(second)
        first.close()
        second.close()
        add(sqlite_uow)
    assert known(sqlite_uow)
