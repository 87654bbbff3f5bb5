"""Receivers: each is told at least once with one id, and a failing one is tried again alone."""

from __future__ import annotations

from typing import Any

import attrs
import pytest

from authflow.errors import ConfigInvalid, InputInvalid
from authflow.facts.records import Category, Message, Scope, Signal
from authflow.outbox.delivery import Done, Retry
from authflow.outbox.inspection import Inspection
from authflow.outbox.relay import Drained
from authflow.outbox.signals import Notice, Receivers, SignalHandler
from authflow.testing.clocks import START
from authflow.testing.contracts.outbox import Killed
from authflow.testing.contracts.outbox_stores import Post, message

OURS = (Category.SIGNAL, Category.MAIL, Category.SECURITY_EVENT, Category.MEMBER_MAILS)
"""What signals travel in, and what is mailed and saved."""


def joined(key: str = "m1", region: str = "eu", signal: int = Signal.MEMBER_JOINED) -> Message:
    """A signal as the recorder writes it."""
    return Message(
        id=key,
        scope=Scope.ORGANIZATION,
        shard="org-1",
        category=Category.SIGNAL,
        object=key,
        destination=region,
        payload={"signal": signal, "arg.user_id": "u1", "arg.organization_member_id": "mem-1"},
        at=START,
        due_at=START,
    )


class Ear:
    """A receiver that remembers, and fails while it is told to."""

    def __init__(self, failure: BaseException | None = None) -> None:
        self.failure = failure
        self.notices: list[Notice] = []

    def __call__(self, notice: Notice) -> None:
        self.notices.append(notice)
        if self.failure is not None:
            raise self.failure

    @property
    def ids(self) -> list[str]:
        return [notice.id for notice in self.notices]


@pytest.fixture
def post(uow: Any) -> Post:
    return Post(uow)


def handler(post: Post, **ears: Ear) -> SignalHandler:
    """A handler with a receiver of `MEMBER_JOINED` per ear."""
    receivers = Receivers()
    for name, ear in ears.items():
        receivers.add(name, Signal.MEMBER_JOINED, ear)
    return SignalHandler(uow=post.uow, receivers=receivers)


def test_a_receiver_is_told_id_organization_region_time_and_arguments(post: Post) -> None:
    ear = Ear()
    assert handler(post, teams=ear)(joined()) == Done()
    assert ear.notices == [
        Notice(
            id="m1",
            topic=Signal.MEMBER_JOINED,
            subject=ear.notices[0].subject,
            region="eu",
            at=START,
            args={"user_id": "u1", "organization_member_id": "mem-1"},
        )
    ]
    assert ear.notices[0].subject == "org-1"


def test_a_failing_receiver_is_tried_again_alone(post: Post) -> None:
    """Neither do the others wait for it, nor are they told twice."""
    good, bad, last = Ear(), Ear(RuntimeError("no")), Ear()
    tell = handler(post, good=good, bad=bad, last=last)
    post.write(joined())
    relay = post.relay(tell)
    assert relay.drain() == Drained(retried=1)
    bad.failure = None
    post.clock.advance(seconds=3)
    assert relay.drain() == Drained(delivered=1)
    assert (good.ids, bad.ids, last.ids) == (["m1"], ["m1", "m1"], ["m1"])


def test_what_a_poison_receiver_leaves_parked_names_it_and_spares_the_others(post: Post) -> None:
    good, bad = Ear(), Ear(RuntimeError("no"))
    post.write(joined())
    relay = post.relay(handler(post, good=good, bad=bad))
    for _ in range(12):
        relay.drain()
        post.clock.advance(post.policy.longest_delay)
    inspection = Inspection(uow=post.uow, clock=post.clock)
    assert [found.parked.reason for found in inspection.parked()] == ["receivers: bad"]
    bad.failure = None
    inspection.redrive(["m1"])
    assert relay.drain() == Drained(delivered=1)
    assert (len(good.ids), len(bad.ids)) == (1, 11)


def test_a_crash_between_the_call_and_its_receipt_tells_again_with_the_same_id(post: Post) -> None:
    """And those who were reached before the crash are not told again."""
    first, dying = Ear(), Ear(Killed())
    post.write(joined())
    with pytest.raises(Killed):
        post.relay(handler(post, first=first, dying=dying)).drain()
    dying.failure = None
    post.clock.advance(post.policy.lease)
    assert post.relay(handler(post, first=first, dying=dying)).drain() == Drained(delivered=1)
    assert (first.ids, dying.ids) == (["m1"], ["m1", "m1"])


def test_receipts_go_when_the_message_goes(post: Post) -> None:
    post.write(joined())
    post.relay(handler(post, ear=Ear())).drain()
    with post.uow.begin() as tx:
        assert tx.receipts.of("m1") == frozenset()


def test_a_region_hears_only_what_it_is_sent(post: Post) -> None:
    eu, us, both = Ear(), Ear(), Ear()
    receivers = Receivers()
    receivers.add("eu", Signal.MEMBER_JOINED, eu, region="eu")
    receivers.add("us", Signal.MEMBER_JOINED, us, region="us")
    receivers.add("both", Signal.MEMBER_JOINED, both)
    post.write(joined("m1", "eu"), joined("m2", "us"))
    assert post.relay(SignalHandler(uow=post.uow, receivers=receivers)).drain() == Drained(delivered=2)
    assert (eu.ids, us.ids, sorted(both.ids)) == (["m1"], ["m2"], ["m1", "m2"])


def test_a_failing_region_does_not_hold_up_another(post: Post) -> None:
    receivers, us = Receivers(), Ear()
    receivers.add("eu", Signal.MEMBER_JOINED, Ear(RuntimeError()), region="eu")
    receivers.add("us", Signal.MEMBER_JOINED, us, region="us")
    post.write(joined("m1", "eu"), joined("m2", "us"))
    assert post.relay(SignalHandler(uow=post.uow, receivers=receivers)).drain() == Drained(delivered=1, retried=1)
    assert us.ids == ["m2"]


def test_nobody_listening_is_delivered(post: Post) -> None:
    other = Receivers()
    other.add("ear", Signal.MEMBER_REMOVED, Ear(RuntimeError()))
    assert SignalHandler(uow=post.uow, receivers=other)(joined()) == Done()


@pytest.mark.parametrize("number", [1, 999, True, "2", None])
def test_a_signal_of_a_newer_version_is_tried_again(post: Post, number: Any) -> None:
    ear = Ear()
    assert handler(post, ear=ear)(joined(signal=number)) == Retry(reason="unknown_signal")
    assert ear.notices == []


@pytest.mark.parametrize("category", [Category.FACTOR_ENROLLED, Category.FACTOR_REMOVED, Category.EVENT_STORED])
def test_local_receivers_hear_of_persons_and_projects_with_the_whole_payload(post: Post, category: Category) -> None:
    ear, receivers = Ear(), Receivers()
    receivers.add("ear", category, ear)
    told = message("m1", category=category, payload={"target": "a1", "kind": "totp"})
    if category is Category.EVENT_STORED:
        told = attrs.evolve(told, scope=Scope.PROJECT, shard="p1")
    assert SignalHandler(uow=post.uow, receivers=receivers)(told) == Done()
    (notice,) = ear.notices
    assert (notice.topic, notice.subject, notice.region) == (category, told.shard, None)
    assert notice.args == {"target": "a1", "kind": "totp"}


@pytest.mark.parametrize("topic", [*Signal, *(category for category in Category if category not in OURS)])
def test_every_signal_and_every_local_message_has_receivers(topic: Signal | Category) -> None:
    receivers, ear = Receivers(), Ear()
    receivers.add("ear", topic, ear)
    assert receivers.of(Notice(id="m", topic=topic, subject="s", region=None, at=START, args={})) == {"ear": ear}


@pytest.mark.parametrize("category", OURS)
def test_what_is_for_handlers_of_our_own_has_no_receivers(category: Category) -> None:
    with pytest.raises(ConfigInvalid, match="nobody is told of it"):
        Receivers().add("ear", category, Ear())


def test_receivers_are_registered_once_by_name_and_before_the_first_message() -> None:
    receivers = Receivers()
    receivers.add("ear", Signal.MEMBER_JOINED, Ear())
    with pytest.raises(ConfigInvalid):
        receivers.add("ear", Signal.MEMBER_REMOVED, Ear())
    for name in ("", "x" * 65, "an ear", "\u00e4r"):
        with pytest.raises(InputInvalid):
            receivers.add(name, Signal.MEMBER_JOINED, Ear())
    receivers.of(Notice(id="m", topic=Signal.MEMBER_JOINED, subject="o", region=None, at=START, args={}))
    with pytest.raises(ConfigInvalid):
        receivers.add("late", Signal.MEMBER_JOINED, Ear())


def test_a_receivers_error_is_logged_by_its_type_only(post: Post, caplog: pytest.LogCaptureFixture) -> None:
    handler(post, ear=Ear(RuntimeError("canary-77")))(joined())
    assert "ear failed with RuntimeError on message m1" in caplog.text
    assert "canary-77" not in caplog.text
