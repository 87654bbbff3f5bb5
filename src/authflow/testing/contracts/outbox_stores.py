"""What the stores of every relay must keep: lanes and leases, the queue, parked messages, receipts."""

from __future__ import annotations

from datetime import timedelta
from itertools import count
from typing import TYPE_CHECKING, Final

import attrs
import pytest

from authflow.errors import StaleVersion
from authflow.facts.records import Category, Message, Scope
from authflow.outbox.delivery import Due, Leased, Parked, Waiting
from authflow.outbox.handlers import Handlers
from authflow.outbox.lanes import ALONE, Lane
from authflow.outbox.relay import Relay
from authflow.policy import OutboxPolicy
from authflow.testing.clocks import START, ManualClock, SeededEntropy
from authflow.testing.contracts.threads import at_once

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from authflow.facts.records import Scalar
    from authflow.outbox.handlers import Handler
    from authflow.outbox.ports import OutboxTransaction
    from authflow.ports import UnitOfWork

SECOND: Final = timedelta(seconds=1)
POLICY: Final = OutboxPolicy(batch=5)


def message(
    key: str,
    *,
    user: str = "u1",
    about: str = "o1",
    category: Category = Category.FACTOR_ENROLLED,
    destination: str | None = None,
    payload: Mapping[str, Scalar] | None = None,
    at: datetime = START,
    due_at: datetime | None = None,
    expires_at: datetime | None = None,
) -> Message:
    """Return a user-scoped message *key* about object *about*, due when it was written unless told otherwise."""
    return Message(
        id=key,
        scope=Scope.USER,
        shard=user,
        category=category,
        object=about,
        destination=destination,
        payload={"of": key} if payload is None else payload,
        at=at,
        due_at=due_at or at,
        expires_at=expires_at,
    )


@attrs.frozen
class Post:
    """An outbox under test: messages go in with `write`, relays come from `relay`, one clock rules."""

    uow: UnitOfWork[OutboxTransaction]
    clock: ManualClock = attrs.field(factory=ManualClock)
    policy: OutboxPolicy = POLICY
    seeds: count[int] = attrs.field(factory=count)

    def write(self, *messages: Message) -> None:
        """Write *messages* in one transaction."""
        with self.uow.begin() as tx:
            tx.outbox.append(messages)

    def relay(self, handler: Handler, categories: Iterable[Category] = tuple(Category)) -> Relay:
        """Return a relay of its own, as another process would have one."""
        handlers, entropy = Handlers(), SeededEntropy(next(self.seeds))
        for category in categories:
            handlers.add(category, handler)
        return Relay(uow=self.uow, clock=self.clock, entropy=entropy, handlers=handlers, policy=self.policy)

    def left(self) -> int:
        """Return how many messages wait."""
        with self.uow.begin() as tx:
            return sum(depth for _, depth in tx.queue.depths(limit=None))


class OutboxStoresContract:
    """Subclass this, supply the fixture ``uow`` with an empty installation, and pytest checks your stores."""

    @pytest.fixture
    def post(self, uow: UnitOfWork[OutboxTransaction]) -> Post:
        """Return the outbox under test."""
        return Post(uow)

    def test_a_page_is_what_is_due_in_one_lane_oldest_first(self, post: Post) -> None:
        """Not what is due later, but what was written after now: the clock went back."""
        later, ahead = START + SECOND, START + timedelta(days=365)
        post.write(message("m1"), message("m2", user="u2"), message("m3", due_at=later), message("m4"))
        post.write(message("m5", destination="eu"), message("m6", about="o2", at=ahead, due_at=ahead))
        lane = Lane(destination=None, scope=1, shard="u1")
        with post.uow.begin() as tx:
            assert [q.id for q in tx.queue.page(lane, START, limit=10)] == ["m1", "m4", "m6"]
            assert [q.id for q in tx.queue.page(lane, START, limit=2)] == ["m1", "m4"]
            assert [q.id for q in tx.queue.page(lane, later, limit=10)] == ["m1", "m3", "m4", "m6"]

    def test_what_belongs_to_a_page_lies_behind_it_and_is_of_the_same_object(self, post: Post) -> None:
        """Same lane; due; and category and object of one that is on it."""
        post.write(
            *(message(f"m{n}", about=f"o{n % 2}") for n in range(6)),
            message("m6", category=Category.FACTOR_REMOVED, about="o0"),
        )
        post.write(message("m7", about="o0", due_at=START + SECOND), message("m8", about="o0", user="u2"))
        lane = Lane(destination=None, scope=1, shard="u1")
        with post.uow.begin() as tx:
            assert [q.id for q in tx.queue.page(lane, START, limit=1)] == ["m0", "m2", "m4"]
            assert [q.id for q in tx.queue.page(lane, START, limit=2)] == [f"m{n}" for n in range(6)]
            assert [q.id for q in tx.queue.page(lane, START, limit=9)] == [f"m{n}" for n in range(7)]

    @pytest.mark.parametrize("category", sorted(ALONE))
    def test_nothing_belongs_to_what_goes_alone(self, post: Post, category: Category) -> None:
        """Not even what is about the same object."""
        post.write(*(message(f"m{n}", category=category) for n in range(3)))
        with post.uow.begin() as tx:
            found = tx.queue.page(Lane(destination=None, scope=1, shard="u1"), START, limit=2)
        assert [q.id for q in found] == ["m0", "m1"]

    def test_a_message_comes_back_as_it_was_written(self, post: Post) -> None:
        """Every column, to the microsecond, and any text in the payload."""
        odd: dict[str, Scalar] = {"a": "\x00\ud800\u00e4\U0001f511", "b": None, "c": True, "d": -1}
        at = START + timedelta(microseconds=1)
        written = message("m1", payload=odd, at=at, due_at=at, expires_at=at + SECOND, destination="eu")
        post.write(written)
        with post.uow.begin() as tx:
            (found,) = tx.queue.page(Lane(destination="eu", scope=1, shard="u1"), at, limit=2)
        assert found.message() == written

    def test_removing_removes_exactly_the_named(self, post: Post) -> None:
        """Others stay; what is gone already does nothing; none at all is no error. Receipts go with their messages."""
        post.write(message("m1"), message("m2"), message("m3"))
        with post.uow.begin() as tx:
            for told in ("m1", "m2"):
                tx.receipts.add(told, "a")
            found = tx.queue.page(Lane(destination=None, scope=1, shard="u1"), START, limit=9)
            for gone in ((), found[:1], (found[0], found[2])):
                tx.queue.remove(gone)
            assert [tx.receipts.of(told) for told in ("m1", "m2")] == [set(), {"a"}]
        assert post.left() == 1

    def test_a_lane_may_be_locked_ahead_of_being_loaded(self, post: Post) -> None:
        """What travels with the lock changes nothing of what is found, and a second look finds it again."""
        lane, waiting = Lane(destination=None, scope=1, shard="u1"), Waiting(head="m1", until=START, attempts=1)
        with post.uow.begin() as tx:
            tx.lanes.lock_soon(lane)
            assert tx.queue.page(lane, START, limit=9) == ()
            tx.lanes.save(lane, waiting, expected=tx.lanes.load(lane).version)
        with post.uow.begin() as tx:
            tx.lanes.lock_soon(lane)
            assert (tx.lanes.load(lane).state, tx.lanes.load(lane).version) == (waiting, 1)

    def test_what_is_asked_behind_the_lock_of_a_lane_is_answered_to_one_after_the_other(self, post: Post) -> None:
        """Of many who look at the page and empty it, one finds something: nobody looks before the lock is theirs."""
        lane = Lane(destination=None, scope=1, shard="u1")
        post.write(message("m1"))

        def emptied(_number: int) -> int:
            with post.uow.begin() as tx:
                tx.lanes.lock_soon(lane)
                found = tx.queue.page(lane, START, limit=9)
                stored = tx.lanes.load(lane)
                tx.queue.remove(found)
                tx.lanes.save(lane, stored.state, expected=stored.version)
                return len(found)

        assert sum(at_once(emptied)) == 1

    def test_lanes_are_due_in_the_order_of_waiting(self, post: Post) -> None:
        """The longest waiting first; leased and waiting ones are left out until their time, or beyond any time."""
        for number, user in enumerate("abcd"):
            post.write(message(f"m{user}", user=user, due_at=START - number * SECOND))
        horizon = START + timedelta(hours=1)
        ends = {"a": START + SECOND, "b": START, "c": horizon + SECOND}
        with post.uow.begin() as tx:
            for user, until in ends.items():
                lane = Lane(destination=None, scope=1, shard=user)
                state = Leased(head="m", token="t", until=until, attempts=1)  # noqa: S106  # a token of a test
                tx.lanes.save(lane, state, expected=tx.lanes.load(lane).version)
            due = tx.lanes.due(START, blocked_until=horizon, limit=10)
            assert [lane.shard for lane in due] == ["d", "c", "b"]
            assert tx.lanes.due(START, blocked_until=horizon, limit=2) == due[:2]

    def test_a_lane_of_which_nothing_is_due_is_not_due(self, post: Post) -> None:
        """From the very instant on; what was written after now is due, because the clock went back."""
        later = START + SECOND
        post.write(message("m1", user="a", due_at=later), message("m2", user="b", at=later, due_at=later))
        with post.uow.begin() as tx:
            for now, due in ((START, ["b"]), (later, ["a", "b"])):
                lanes = tx.lanes.due(now, blocked_until=START + timedelta(hours=1), limit=10)
                assert [lane.shard for lane in lanes] == due

    def test_a_lanes_state_is_saved_only_over_the_version_that_was_loaded(self, post: Post) -> None:
        """A lost compare-and-set writes nothing; what ends a delivery empties the lane."""
        lane = Lane(destination="eu", scope=1, shard="u1")
        wait = Waiting(head="m1", until=START, attempts=3)
        with post.uow.begin() as tx:
            assert (tx.lanes.load(lane).state, tx.lanes.load(lane).version) == (Due(), 0)
            tx.lanes.save(lane, wait, expected=0)
        for state in (wait, Due()):
            with pytest.raises(StaleVersion), post.uow.begin() as tx:
                tx.lanes.save(lane, state, expected=0)
            with post.uow.begin() as tx:
                assert tx.lanes.load(lane).version == 1
                with pytest.raises(StaleVersion):
                    tx.lanes.save(lane, state, expected=0)
        with post.uow.begin() as tx:
            assert tx.lanes.load(lane).state == wait
            tx.lanes.save(lane, Due(), expected=1)
            assert tx.lanes.load(lane).version == 0

    def test_parked_messages_leave_their_lane_and_come_back_to_their_places(self, post: Post) -> None:
        """They keep their ids, show why, and are found by the expiry of their secret."""
        soon = START + SECOND
        post.write(message("m1"), message("m2", expires_at=soon), message("m3"))
        with post.uow.begin() as tx:
            assert tx.parked.add(["m1", "m2", "m9"], Parked(reason="x", attempts=3, at=START)) == 2
            assert [(p.queued.id, p.parked.reason) for p in tx.parked.newest(limit=9)] == [("m2", "x"), ("m1", "x")]
            assert (tx.parked.expired(START), tx.parked.expired(soon)) == ((), ("m2",))
            assert [p.queued.id for p in tx.parked.load(["m2", "m1", "m9"])] == ["m1", "m2"]
            assert (tx.parked.take(["m1"], back=True), tx.parked.take(["m2"], back=False)) == (1, 1)
            waiting = tx.queue.page(Lane(destination=None, scope=1, shard="u1"), START, limit=9)
            assert [q.id for q in waiting] == ["m1", "m3"]
            assert tx.parked.newest(limit=9) == ()

    def test_a_place_is_never_given_twice(self, post: Post) -> None:
        """Also when the last message is gone: a parked one may come back to it."""
        post.write(message("m1"))
        with post.uow.begin() as tx:
            tx.parked.add(["m1"], Parked(reason="x", attempts=1, at=START))
        post.write(message("m2"))
        with post.uow.begin() as tx:
            assert tx.parked.take(["m1"], back=True) == 1
            waiting = tx.queue.page(Lane(destination=None, scope=1, shard="u1"), START, limit=9)
        assert [q.id for q in waiting] == ["m1", "m2"]

    def test_a_receipt_is_stored_once_and_goes_with_its_message(self, post: Post) -> None:
        """Receipts belong to one message; storing one twice is no error."""
        with post.uow.begin() as tx:
            for told, receiver in (("m1", "a"), ("m1", "a"), ("m1", "b"), ("m2", "a")):
                tx.receipts.add(told, receiver)
            assert tx.receipts.of("m1") == {"a", "b"}
            tx.receipts.forget(["m1", "m9"])
            assert not tx.receipts.of("m1")
            assert tx.receipts.of("m2") == {"a"}
