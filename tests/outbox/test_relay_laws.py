"""The invariants of outbox 1.18 under any interleaving of writes, failures, crashes, slow handlers and clocks."""

from __future__ import annotations

import inspect
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from authflow.adapters.memory.outbox_relay import MemoryLanes
from authflow.adapters.memory.unit_of_work import MemoryUnitOfWork
from authflow.errors import DatabaseUnavailable, InUnitOfWork, Retryable
from authflow.facts.records import Category, Message
from authflow.outbox.delivery import Done, Drop, Park, Result, Retry
from authflow.outbox.inspection import Inspection
from authflow.outbox.relay import TURNS, Drained
from authflow.policy import OutboxPolicy
from authflow.testing.contracts.outbox import Heard, Killed
from authflow.testing.contracts.outbox_stores import Post, message

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from authflow.adapters.sql.unit_of_work import SqlUnitOfWork
    from authflow.outbox.delivery import Delivery
    from authflow.outbox.lanes import Lane
    from authflow.ports import Stored

LANES = st.sampled_from(["u1", "u2", "u3"])
OBJECTS = st.sampled_from(["o1", "o2"])
CATEGORIES = st.sampled_from([Category.FACTOR_ENROLLED, Category.FACTOR_REMOVED, Category.MAIL])
ANSWERS = st.sampled_from([Done(), Done(), Retry(), Drop(reason="x"), Park(reason="x"), RuntimeError(), Killed()])

Key = tuple[str, Category, str]


def group(given: Message) -> Key:
    """What coalesces with *given*: mails never do."""
    return (given.shard, given.category, given.id if given.category is Category.MAIL else given.object)


class Deliveries(RuleBasedStateMachine):
    """Writers write, relays work and die, the clock jumps; a model knows what must have been told."""

    def __init__(self) -> None:
        super().__init__()
        self.post = Post(MemoryUnitOfWork())
        self.written: list[Message] = []
        self.told: list[Message] = []
        self.over: set[str] = set()

    @rule(user=LANES, about=OBJECTS, category=CATEGORIES)
    def write(self, user: str, about: str, category: Category) -> None:
        """Somebody commits one message."""
        now = self.post.clock.now()
        new = message(f"m{len(self.written)}", user=user, about=about, category=category, at=now)
        self.post.write(new)
        self.written.append(new)

    @rule(answers=st.lists(ANSWERS, min_size=1, max_size=6), slow=st.integers(0, 4))
    def work(self, answers: list[Result | BaseException], slow: int) -> None:
        """A relay drains; handlers succeed, fail, die, and take a while."""
        script = iter(answers)

        def handler(given: Message) -> Result:
            self.post.clock.advance(seconds=slow * 10)
            self.told.append(given)
            answer = next(script, Done())
            if isinstance(answer, BaseException):
                raise answer
            if isinstance(answer, Drop | Park):
                self.over.add(given.id)
            return answer

        try:
            self.post.relay(handler).drain()
        except Killed:
            return

    @rule(seconds=st.sampled_from([1, 3, 60, 4000, -3600]))
    def pass_time(self, seconds: int) -> None:
        """The clock moves, sometimes back."""
        self.post.clock.advance(seconds=seconds)

    @rule()
    def redrive(self) -> None:
        """Somebody wants everything that was parked tried again."""
        inspection = Inspection(uow=self.post.uow, clock=self.post.clock)
        ids = [found.queued.id for found in inspection.parked()]
        inspection.redrive(ids)
        self.over |= {*ids}

    @invariant()
    def what_vanished_was_told(self) -> None:
        """I1 and I5: a message is gone only if it, or a younger one of its group, reached a handler."""
        with self.post.uow.begin() as tx:
            lanes = [lane for lane, _ in tx.queue.depths(limit=None)]
            far = self.post.clock.now() + timedelta(days=1)
            here = {q.id for lane in lanes for q in tx.queue.page(lane, far, limit=1000)}
            here |= {found.queued.id for found in tx.parked.newest(limit=1000)}
        place = {given.id: number for number, given in enumerate(self.written)}
        reached = [(group(given), place[given.id]) for given in self.told]
        for number, given in enumerate(self.written):
            if given.id not in here:
                assert any(key == group(given) and number <= at for key, at in reached), given.id

    @precondition(lambda self: self.written)
    @rule()
    def come_to_rest(self) -> None:
        """I2: with handlers that succeed, nothing is left, and each group's last word was its newest message."""
        heard = Heard()
        for _ in range(40):
            self.post.clock.advance(timedelta(hours=2))
            self.post.relay(heard).drain()
        self.told += heard.messages
        assert self.post.left() == 0
        inspection = Inspection(uow=self.post.uow, clock=self.post.clock)
        self.over |= {found.queued.id for found in inspection.parked()}
        aside = {group(given) for given in self.written if given.id in self.over}
        last = {group(given): given for given in self.told}
        for key, newest in {group(given): given for given in self.written}.items():
            assert key in aside or last[key] == newest


TestDeliveries = Deliveries.TestCase
TestDeliveries.settings = settings(max_examples=150, stateful_step_count=30)


def test_handlers_never_run_inside_a_transaction(uow: Any) -> None:
    post = Post(uow)
    post.write(message("m1"))
    heard = Heard()
    with post.uow.begin(), pytest.raises(InUnitOfWork):
        post.relay(heard).drain()
    assert (heard.ids, post.relay(heard).drain()) == ([], Drained(delivered=1))


def test_handlers_never_run_inside_a_transaction_of_the_hosts(sqlite_uow: SqlUnitOfWork) -> None:
    """Its rollback would take the lease along, and the mails would be sent once more."""
    post = Post(sqlite_uow)
    post.write(message("m1"))
    heard = Heard()
    with sqlite_uow.engine.connect() as host, sqlite_uow.within(host), pytest.raises(InUnitOfWork):
        post.relay(heard).drain()
    assert (heard.ids, post.relay(heard).drain()) == ([], Drained(delivered=1))


def test_a_handler_may_open_a_transaction_of_its_own(uow: Any) -> None:
    post = Post(uow)

    def handler(given: Message) -> Result:
        if given.id == "m1":
            post.write(message("m2", user="u2"))
        return Done()

    post.write(message("m1"))
    assert post.relay(handler).drain_until_quiet() == Drained(delivered=2)


@pytest.mark.parametrize(
    ("error", "counted"),
    [(DatabaseUnavailable("secret"), Drained(failed=1, delivered=1)), (Retryable(), Drained(busy=1, delivered=1))],
)
def test_a_lane_that_the_database_fails_stops_no_other(
    error: Exception, counted: Drained, caplog: pytest.LogCaptureFixture
) -> None:
    """I4, also for what no handler is to blame for."""

    class Failing(MemoryLanes):
        def load(self, lane: Lane) -> Stored[Delivery]:
            if lane.shard == "bad":
                raise error
            return super().load(lane)

    class FailingUnitOfWork(MemoryUnitOfWork):
        @contextmanager
        def begin(self) -> Generator[Any]:
            with super().begin() as tx:
                tx.lanes = Failing(self.store)
                yield tx

    post, heard = Post(FailingUnitOfWork()), Heard()
    post.write(message("m1", user="bad"), message("m2", user="good"))
    assert post.relay(heard).drain() == counted
    assert (heard.ids, post.left()) == (["m2"], 1)
    assert "secret" not in caplog.text
    if counted.failed:
        place = f"{__file__}:{inspect.getsourcelines(Failing.load)[1] + 2}"
        assert f"failed with {type(error).__name__} at {place}" in caplog.text


def test_a_lane_that_is_never_empty_gives_the_others_their_turn() -> None:
    """A pass takes some batches of a lane and goes on (outbox 1.10)."""
    post = Post(MemoryUnitOfWork(), policy=OutboxPolicy(batch=2))
    post.write(*(message(f"m{n:03}", about=f"o{n}") for n in range(50)), message("last", user="u2"))
    heard = Heard()
    relay = post.relay(heard)
    assert relay.drain() == Drained(delivered=TURNS * 2 + 1)
    assert heard.ids[-1] == "last"
    assert relay.drain_until_quiet() == Drained(delivered=50 - TURNS * 2)


def test_cascades_that_never_rest_end_after_some_rounds() -> None:
    post = Post(MemoryUnitOfWork())

    def handler(given: Message) -> Result:
        post.write(message(f"{given.id}x"))
        return Done()

    post.write(message("m"))
    assert post.relay(handler).drain_until_quiet(rounds=4) == Drained(delivered=4)


def test_a_batch_ends_before_its_lease_does() -> None:
    """Slow handlers: after half of the lease the rest is left for the next turn, so that nobody takes the lane over."""
    post = Post(MemoryUnitOfWork())
    heard, other = Heard(), Heard()

    def slow(given: Message) -> Result:
        post.clock.advance(post.policy.lease / 2 + timedelta(seconds=1))
        assert post.relay(other).drain() == Drained()
        return heard(given)

    post.write(*(message(f"m{n}", about=f"o{n}") for n in range(4)))
    relay = post.relay(slow)
    assert relay.drain_until_quiet() == Drained(delivered=4)
    assert (heard.ids, other.ids) == (["m0", "m1", "m2", "m3"], [])


class PausingUnitOfWork(MemoryUnitOfWork):
    """Something happens after every commit: time passes, or somebody else works."""

    def __init__(self, pause: Callable[[], object]) -> None:
        super().__init__()
        self.pause = pause

    @contextmanager
    def begin(self) -> Generator[Any]:
        with super().begin() as tx:
            yield tx
        self.pause()


def test_a_lease_with_too_little_left_to_call_a_handler_is_given_back_and_counts_no_try() -> None:
    """A slow commit or a paused machine parks nothing that no handler was ever given."""
    slow = timedelta()
    post = Post(PausingUnitOfWork(lambda: post.clock.advance(slow)))
    post.write(message("m1"), message("m2", about="o2"))
    heard = Heard(Retry())
    relay = post.relay(heard)
    assert relay.drain() == Drained(retried=1)
    post.clock.advance(post.policy.longest_delay)
    slow = post.policy.lease / 2 + timedelta(seconds=1)
    tries = 2 * post.policy.attempts
    assert [relay.drain() for _ in range(tries)] == [Drained(busy=1)] * tries
    slow, heard.answer = timedelta(), Done()
    assert relay.drain_until_quiet() == Drained(delivered=2)
    assert heard.ids == ["m1", "m1", "m2"]


def test_a_lease_that_another_relay_took_over_before_a_handler_was_called_is_not_given_back() -> None:
    commits = iter(["written", "looked", "claimed"])

    def sleep() -> None:
        if next(commits, None) == "claimed":
            post.clock.advance(post.policy.lease)
            with pytest.raises(Killed):
                post.relay(other).drain()

    post, heard, other = Post(PausingUnitOfWork(sleep)), Heard(), Heard(Killed())
    post.write(message("m1"))
    relay = post.relay(heard)
    assert (relay.drain(), relay.drain()) == (Drained(lease_lost=1), Drained())
    assert (heard.ids, other.ids) == ([], ["m1"])


def test_an_innocent_message_is_not_parked_for_what_kills_relays_behind_it() -> None:
    """After a crash messages are taken one by one, so that each answers for its own tries."""
    post = Post(MemoryUnitOfWork())
    told: list[str] = []

    def handler(given: Message) -> Result:
        told.append(given.id)
        if given.id == "killer":
            raise Killed
        return Done()

    post.write(message("innocent"), message("killer", about="o2"), message("last", about="o3"))
    while post.left():
        try:
            post.relay(handler).drain()
        except Killed:
            post.clock.advance(post.policy.lease)
    (parked,) = Inspection(uow=post.uow, clock=post.clock).parked()
    assert (parked.queued.id, told.count("innocent"), told.count("last")) == ("killer", 2, 1)


def test_nothing_of_a_payload_is_ever_logged(caplog: pytest.LogCaptureFixture) -> None:
    canary = "canary-5f1c"
    post = Post(MemoryUnitOfWork())
    post.write(message("m1", payload={"to": canary}))
    with caplog.at_level(0):
        post.relay(Heard(RuntimeError(canary))).drain()
    assert "m1" in caplog.text
    assert canary not in caplog.text
