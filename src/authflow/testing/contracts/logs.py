"""What every ``AuditLog``, and the writing half of every ``Outbox``, must keep."""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta, timezone
from typing import TYPE_CHECKING, Final

import attrs
import pytest

from authflow.errors import UniqueViolated
from authflow.facts.records import Audit, AuditEntry, Category, Message, Scope
from authflow.testing.clocks import START
from authflow.testing.contracts.deeds import Boom
from authflow.testing.contracts.threads import THREADS, at_once
from authflow.values import OrganizationId, SessionId, UserId

if TYPE_CHECKING:
    from collections.abc import Sequence

    from authflow.ports import Transaction, UnitOfWork

ANNE: Final = UserId("anne")
ACME: Final = OrganizationId("acme")

BARE: Final = AuditEntry(id="bare", at=START, event=Audit.MFA_ADDED, target_user=ANNE)

FULL: Final = AuditEntry(
    id="full",
    at=START + timedelta(microseconds=1),
    event=Audit.MEMBER_ACCEPT,
    actor=UserId("BEN"),
    actor_label="ben@example.org",
    organization=ACME,
    target_user=ANNE,
    target="member-1",
    session=SessionId("session-1"),
    ip="2001:db8::1",
    user_agent="Mozilla/5.0 (\u00e4)",
    request_id="request-1",
    data={"role": "member", "count": 3, "cascade": True, "teams": None, "name": '\u00e4\u0001\U0001f511"'},
)

MESSAGE: Final = Message(
    id="message",
    scope=Scope.ORGANIZATION,
    shard="acme",
    category=Category.MAIL,
    object="message",
    destination="de",
    payload={"to": "anne@example.org", "count": 3, "cascade": True, "ip": None, "name": '\u00e4\u0000\U0001f511"'},
    at=START + timedelta(microseconds=1),
    due_at=START + timedelta(seconds=5, microseconds=2),
    expires_at=START + timedelta(days=1, microseconds=3),
)


class AuditLogContract:
    """Subclass this, override the fixture `uow`, and pytest checks your ``AuditLog``."""

    @pytest.fixture
    def uow(self) -> UnitOfWork[Transaction]:
        """Return a unit of work on an empty installation."""
        raise NotImplementedError

    def test_returns_what_was_appended(self, uow: UnitOfWork[Transaction]) -> None:
        """Every field comes back, to the microsecond, in this transaction and in the next."""
        with uow.begin() as tx:
            tx.audit.append([BARE, FULL])
            assert (tx.audit.of_user(ANNE), tx.audit.of_organization(ACME)) == ((BARE,), (FULL,))
        with uow.begin() as tx:
            assert (tx.audit.of_user(ANNE), tx.audit.of_organization(ACME)) == ((BARE,), (FULL,))

    def test_an_instant_is_an_instant(self, uow: UnitOfWork[Transaction]) -> None:
        """It comes back aware and equal, whatever time zone it was given in."""
        there = START.astimezone(timezone(timedelta(hours=-7, minutes=-30)))
        with uow.begin() as tx:
            tx.audit.append([attrs.evolve(BARE, at=there)])
            (found,) = tx.audit.of_user(ANNE)
        assert (found.at, found.at.tzinfo is not None) == (START, True)

    def test_the_newest_comes_first(self, uow: UnitOfWork[Transaction]) -> None:
        """By the order in which they were appended, whatever their times say."""
        entries = [attrs.evolve(BARE, id=f"entry-{n}", at=START - timedelta(hours=n % 3)) for n in range(7)]
        with uow.begin() as tx:
            tx.audit.append(entries[:3])
            tx.audit.append(entries[3:5])
        with uow.begin() as tx:
            tx.audit.append(entries[5:])
            assert [e.id for e in tx.audit.of_user(ANNE)] == [f"entry-{n}" for n in (6, 5, 4, 3, 2, 1, 0)]
            assert [e.id for e in tx.audit.of_user(ANNE, limit=2)] == ["entry-6", "entry-5"]

    def test_a_log_is_its_owners(self, uow: UnitOfWork[Transaction]) -> None:
        """An organization's entries are not in the person's own log, and nobody reads another one's."""
        with uow.begin() as tx:
            tx.audit.append([BARE, FULL])
            assert tx.audit.of_user(UserId("BEN")) == tx.audit.of_user(UserId("ANNE")) == ()
            assert tx.audit.of_organization(OrganizationId("other")) == ()

    def test_a_limit_counts_the_owners_own(self, uow: UnitOfWork[Transaction]) -> None:
        """Foreign entries take no place."""
        with uow.begin() as tx:
            tx.audit.append([BARE])
            tx.audit.append([attrs.evolve(FULL, id=f"full-{n}") for n in range(3)])
            assert tx.audit.of_user(ANNE, limit=1) == (BARE,)
            assert [e.id for e in tx.audit.of_organization(ACME, limit=1)] == ["full-2"]

    def test_nothing_is_nothing(self, uow: UnitOfWork[Transaction]) -> None:
        """No entry is written for none."""
        with uow.begin() as tx:
            tx.audit.append([])
            tx.audit.append(())
            assert (tx.audit.of_user(ANNE), tx.audit.of_organization(ACME)) == ((), ())

    def test_an_id_stands_once(self, uow: UnitOfWork[Transaction]) -> None:
        """A second entry of one id violates ``audit.id``, and nothing of its call is written."""
        with uow.begin() as tx:
            tx.audit.append([BARE])
        with pytest.raises(UniqueViolated) as raised, uow.begin() as tx:
            tx.audit.append([attrs.evolve(BARE, id="new"), attrs.evolve(FULL, id=BARE.id)])
        assert raised.value.rule == "audit.id"
        with uow.begin() as tx:
            assert tx.audit.of_user(ANNE) == (BARE,)

    def test_a_savepoint_removes_its_entries_only(self, uow: UnitOfWork[Transaction]) -> None:
        """What happened before it, and after it, stays."""
        before, inside, after = (attrs.evolve(BARE, id=name) for name in ("before", "inside", "after"))
        with uow.begin() as tx:
            tx.audit.append([before])
            with suppress(Boom), uow.savepoint():
                tx.audit.append([inside])
                raise Boom
            tx.audit.append([after])
        with uow.begin() as tx:
            assert tx.audit.of_user(ANNE) == (after, before)

    def test_a_rollback_removes_entries(self, uow: UnitOfWork[Transaction]) -> None:
        """What did not happen is not in the log."""
        with suppress(Boom), uow.begin() as tx:
            tx.audit.append([BARE, FULL])
            raise Boom
        with uow.begin() as tx:
            assert (tx.audit.of_user(ANNE), tx.audit.of_organization(ACME)) == ((), ())


class OutboxContract:
    """Subclass this, override the fixture `uow` and `written`, and pytest checks how your ``Outbox`` is written."""

    @pytest.fixture
    def uow(self) -> UnitOfWork[Transaction]:
        """Return a unit of work on an empty installation."""
        raise NotImplementedError

    def written(self, tx: Transaction) -> Sequence[Message]:
        """Return every message in the outbox, in the order in which they were written."""
        raise NotImplementedError

    def test_keeps_what_was_appended(self, uow: UnitOfWork[Transaction]) -> None:
        """Every field comes back, to the microsecond; a local message has no destination, and most never expire."""
        local = attrs.evolve(MESSAGE, id="local", destination=None, payload={}, expires_at=None)
        with uow.begin() as tx:
            tx.outbox.append([MESSAGE, local])
        with uow.begin() as tx:
            assert list(self.written(tx)) == [MESSAGE, local]

    @pytest.mark.parametrize("scope", Scope)
    @pytest.mark.parametrize("category", Category)
    def test_keeps_every_scope_and_category(
        self, uow: UnitOfWork[Transaction], scope: Scope, category: Category
    ) -> None:
        """The outbox stores; what belongs together is `authflow.recording`'s to check."""
        message = attrs.evolve(MESSAGE, scope=scope, category=category)
        with uow.begin() as tx:
            tx.outbox.append([message])
            assert list(self.written(tx)) == [message]

    def test_keeps_the_order(self, uow: UnitOfWork[Transaction]) -> None:
        """Inside a call, inside a transaction, and from one to the next."""
        messages = [attrs.evolve(MESSAGE, id=f"message-{n}", at=START - timedelta(hours=n % 3)) for n in range(60)]
        with uow.begin() as tx:
            tx.outbox.append(messages[:1])
            tx.outbox.append(messages[1:40])
        with uow.begin() as tx:
            tx.outbox.append(messages[40:])
            assert list(self.written(tx)) == messages

    def test_nothing_is_nothing(self, uow: UnitOfWork[Transaction]) -> None:
        """No message is written for none."""
        with uow.begin() as tx:
            tx.outbox.append([])
            tx.outbox.append(())
            assert list(self.written(tx)) == []

    def test_an_id_stands_once(self, uow: UnitOfWork[Transaction]) -> None:
        """A second message of one id violates ``outbox.id``: receivers de-duplicate by it."""
        with uow.begin() as tx:
            tx.outbox.append([MESSAGE])
        with pytest.raises(UniqueViolated) as raised, uow.begin() as tx:
            tx.outbox.append([attrs.evolve(MESSAGE, id="new"), attrs.evolve(MESSAGE, shard="other")])
        assert raised.value.rule == "outbox.id"
        with uow.begin() as tx:
            assert list(self.written(tx)) == [MESSAGE]

    def test_a_rollback_removes_messages(self, uow: UnitOfWork[Transaction]) -> None:
        """A message vanishes with the change that it announces."""
        with suppress(Boom), uow.begin() as tx:
            tx.outbox.append([MESSAGE])
            raise Boom
        with uow.begin() as tx:
            assert list(self.written(tx)) == []

    def test_a_savepoint_removes_its_messages_only(self, uow: UnitOfWork[Transaction]) -> None:
        """What was announced before it, and after it, stays."""
        before, inside, after = (attrs.evolve(MESSAGE, id=name) for name in ("before", "inside", "after"))
        with uow.begin() as tx:
            tx.outbox.append([before])
            with suppress(Boom), uow.savepoint():
                tx.outbox.append([inside])
                raise Boom
            tx.outbox.append([after])
        with uow.begin() as tx:
            assert list(self.written(tx)) == [before, after]

    def test_many_at_once_lose_nothing(self, uow: UnitOfWork[Transaction]) -> None:
        """Each writer's messages are there, in that writer's order."""

        def write(number: int) -> None:
            with uow.begin() as tx:
                tx.outbox.append([attrs.evolve(MESSAGE, id=f"{number}-{n}", shard=f"{number}") for n in range(3)])

        at_once(write)
        with uow.begin() as tx:
            written = self.written(tx)
        for number in range(THREADS):
            assert [m.id for m in written if m.shard == f"{number}"] == [f"{number}-{n}" for n in range(3)]
