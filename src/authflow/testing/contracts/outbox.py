"""What every outbox must keep (outbox 1.8 to 1.14): the laws of delivery."""

from __future__ import annotations

import threading
from collections import Counter
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from authflow.facts.records import Category
from authflow.outbox.delivery import Done, Park, Retry
from authflow.outbox.inspection import Inspection, Redriven
from authflow.outbox.relay import Drained
from authflow.testing.clocks import START
from authflow.testing.contracts.outbox_stores import POLICY, SECOND, OutboxStoresContract, Post, message

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from authflow.facts.records import Message
    from authflow.outbox.delivery import Result
    from authflow.outbox.relay import Relay


class Killed(BaseException):
    """Stands for the death of a process: nothing between here and the test catches it."""


class Heard:
    """A handler that remembers what it was given, answers as it is told, and notices company in a lane."""

    def __init__(self, answer: Result | BaseException = Done()) -> None:  # noqa: B008  # a frozen value
        self.answer = answer
        self.messages: list[Message] = []
        self.overlapped = False
        self._inside: Counter[str] = Counter()

    def __call__(self, given: Message) -> Result:
        """Remember *given* and answer."""
        self._inside[given.shard] += 1
        self.overlapped |= self._inside[given.shard] > 1
        self.messages.append(given)
        self._inside[given.shard] -= 1
        if isinstance(self.answer, BaseException):
            raise self.answer
        return self.answer

    @property
    def ids(self) -> list[str]:
        """The ids of what was given, in order."""
        return [given.id for given in self.messages]


class OutboxContract(OutboxStoresContract):
    """Subclass this, supply the fixture ``uow`` with an empty installation, and pytest checks stores and laws."""

    def test_what_is_done_is_gone_and_only_the_newest_of_a_group_was_told(self, post: Post) -> None:
        """I2, over more messages than one batch; groups in the order of their oldest message."""
        post.write(*(message(f"m{n:02}", about=f"o{n % 3}") for n in range(17)))
        heard = Heard()
        assert post.relay(heard).drain() == Drained(delivered=3)
        assert heard.ids == ["m15", "m16", "m14"]
        assert (post.left(), post.relay(heard).drain()) == (0, Drained())

    @pytest.mark.parametrize("category", [Category.MAIL, Category.SIGNAL, Category.SECURITY_EVENT])
    def test_mails_signals_and_security_events_never_coalesce(self, post: Post, category: Category) -> None:
        """Each is told, even when two name the same object (outbox 2.1, decision 37)."""
        post.write(*(message(f"m{n:02}", category=category) for n in range(12)))
        heard = Heard()
        assert post.relay(heard).drain() == Drained(delivered=12)
        assert heard.ids == [f"m{n:02}" for n in range(12)]

    def test_what_was_written_while_the_handler_ran_is_told_too(self, post: Post) -> None:
        """I1: exactly the snapshot goes; a younger message of the same group stays (outbox 1.11)."""
        heard = Heard()

        def handler(given: Message) -> Result:
            if given.id == "m1":
                post.write(message("m2"))
            return heard(given)

        post.write(message("m1"))
        relay = post.relay(handler)
        assert (relay.drain(), post.left()) == (Drained(delivered=1), 1)
        assert relay.drain_until_quiet() == Drained(delivered=1)
        assert heard.ids == ["m1", "m2"]

    @pytest.mark.parametrize("failure", [Retry(), RuntimeError("down")])
    def test_a_failing_lane_waits_and_blocks_no_other(self, post: Post, failure: Result | Exception) -> None:
        """I4, and I1: nothing vanishes; behind the failed head nothing is told out of order."""
        bad, good = Heard(failure), Heard()
        post.write(message("m1", user="bad"), message("m2", user="good"), message("m3", user="bad", about="o2"))
        relay = post.relay(lambda given: (bad if given.shard == "bad" else good)(given))
        assert relay.drain() == Drained(delivered=1, retried=1)
        assert (relay.drain(), post.left()) == (Drained(), 2)
        bad.answer = Done()
        post.clock.advance(timedelta(seconds=2.2))
        assert relay.drain() == Drained(delivered=2)
        assert (bad.ids, good.ids) == (["m1", "m1", "m3"], ["m2"])

    def test_poison_is_parked_after_ten_tries_and_its_lane_goes_on(self, post: Post) -> None:
        """Parked with its reason; redriven, it is tried again (outbox 1.14, decision 35)."""
        heard = Heard()
        poison = Heard(RuntimeError("no"))
        relay = post.relay(lambda given: (poison if given.id == "m1" else heard)(given))
        post.write(message("m1"), message("m2", about="o2"))
        for _ in range(20):
            relay.drain()
            post.clock.advance(POLICY.longest_delay)
        inspection = Inspection(uow=post.uow, clock=post.clock)
        (found,) = inspection.parked()
        assert (found.queued.id, found.parked.reason, found.parked.attempts) == ("m1", "RuntimeError", 10)
        assert (len(poison.ids), heard.ids, post.left()) == (10, ["m2"], 0)
        poison.answer = Done()
        assert inspection.redrive(["m1", "m9"]) == Redriven(back=1, dropped=0)
        assert relay.drain() == Drained(delivered=1)

    def test_a_redriven_message_never_covers_a_younger_one(self, post: Post) -> None:
        """What was written about the same object in the meantime is the newest, and is told."""
        heard = Heard(Park(reason="x"))
        relay = post.relay(heard)
        post.write(message("old"))
        assert relay.drain() == Drained(parked=1)
        post.write(message("new"))
        Inspection(uow=post.uow, clock=post.clock).redrive(["old"])
        heard.answer = Done()
        assert relay.drain() == Drained(delivered=1)
        assert heard.ids == ["old", "new"]

    def test_a_permanent_failure_skips_the_ladder(self, post: Post) -> None:
        """Parked at once, with the next group told in the same pass."""
        heard = Heard()
        relay = post.relay(lambda given: Park(reason="malformed") if given.id == "m1" else heard(given))
        post.write(message("m1"), message("m2", about="o2"))
        assert relay.drain() == Drained(parked=1, delivered=1)

    def test_an_unknown_category_is_tried_again_and_never_dropped(self, post: Post) -> None:
        """A newer version wrote it: somebody else, or this one after its upgrade, delivers it (outbox 1.14)."""
        newer: Any = 999
        post.write(message("m1"), message("m2", user="u2", category=newer))
        heard = Heard()
        assert post.relay(heard, categories=()).drain() == Drained(retried=2)
        post.clock.advance(seconds=3)
        assert post.relay(heard).drain() == Drained(delivered=1, retried=1)

    def test_an_expired_secret_is_dropped_unopened(self, post: Post) -> None:
        """Waiting or parked, at its last moment and also when the clock goes back after that (decisions 35, 37)."""
        heard = Heard(Park(reason="x"))
        relay = post.relay(heard)
        post.write(message("m1", expires_at=START), message("m2", about="o2", expires_at=START + SECOND))
        assert relay.drain() == Drained(dropped=1, parked=1)
        post.clock.advance(SECOND)
        assert relay.drain() == Drained(dropped=1)
        post.clock.set(START)
        assert (heard.ids, relay.drain(), Inspection(uow=post.uow, clock=post.clock).parked()) == (
            ["m2"],
            Drained(),
            (),
        )

    def test_a_crash_between_handler_and_deletion_tells_again_with_the_same_id(self, post: Post) -> None:
        """The lease runs out, another relay takes over, and nothing is lost (outbox 1.12)."""
        dying, heard = Heard(Killed()), Heard()
        post.write(message("m1"), message("m2", about="o2"))
        with pytest.raises(Killed):
            post.relay(dying).drain()
        assert (dying.ids, post.left()) == (["m1"], 2)
        assert post.relay(heard).drain() == Drained()
        post.clock.advance(POLICY.lease)
        assert post.relay(heard).drain() == Drained(delivered=2)
        assert heard.ids == ["m1", "m2"]

    def test_a_message_that_kills_every_relay_is_parked(self, post: Post) -> None:
        """The try is counted before it is made; the eleventh relay parks it and tells the next message."""
        post.write(message("m1"), message("m2", about="o2"))
        for _ in range(POLICY.attempts):
            with pytest.raises(Killed):
                post.relay(Heard(Killed())).drain()
            post.clock.advance(POLICY.lease)
        heard = Heard()
        assert post.relay(heard).drain() == Drained(parked=1, delivered=1)
        assert heard.ids == ["m2"]

    def test_a_relay_that_outlived_its_lease_deletes_nothing(self, post: Post) -> None:
        """The fence (outbox 1.11): the lane is another relay's by now, and the message comes again."""
        heard, after = Heard(), Heard()

        def slow(given: Message) -> Result:
            post.clock.advance(POLICY.lease)
            with pytest.raises(Killed):
                post.relay(Heard(Killed())).drain()
            return heard(given)

        post.write(message("m1"))
        assert post.relay(slow).drain() == Drained(lease_lost=1)
        assert post.left() == 1
        post.clock.advance(POLICY.lease)
        assert post.relay(after).drain() == Drained(delivered=1)
        assert heard.ids == after.ids == ["m1"]

    def test_sixteen_relays_tell_everything_and_never_two_at_once_in_a_lane(self, post: Post) -> None:
        """I3 and I5 under real threads: with no crash and no failure each message is told exactly once."""
        lanes, each = 8, 12
        post.write(*(message(f"m{u}-{n}", user=f"u{u}", about=f"o{n}") for n in range(each) for u in range(lanes)))
        heard = Heard()
        errors = run_together([lambda: drain_dry(post, post.relay(heard)) for _ in range(16)])
        assert (errors, post.left(), heard.overlapped) == ([], 0, False)
        assert Counter(heard.ids) == {f"m{u}-{n}": 1 for n in range(each) for u in range(lanes)}


def drain_dry(post: Post, relay: Relay) -> None:
    """Drain until nothing waits: what another relay holds now is nobody's in a moment."""
    while post.left():
        relay.drain()


def run_together(jobs: Sequence[Callable[[], None]]) -> list[BaseException]:
    """Run *jobs* in threads that start at the same moment; return what they raised."""
    barrier, errors = threading.Barrier(len(jobs)), list[BaseException]()

    def run(job: Callable[[], None]) -> None:
        barrier.wait()
        try:
            job()
        except BaseException as error:  # noqa: BLE001  # a thread's error would be lost
            errors.append(error)

    threads = [threading.Thread(target=run, args=(job,)) for job in jobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return errors
