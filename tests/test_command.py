"""What a host calls is a command: named, one transaction, explained, and the same on both faces."""

from __future__ import annotations

import asyncio
import contextvars
import inspect
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, cast

import attrs
import pytest

from authflow import AsyncAuthflow, Authflow, BrowserSession, Code, Context, Refused, Secret
from authflow.adapters.memory.unit_of_work import MemoryUnitOfWork
from authflow.command import AsyncFace, Command, command, operation
from authflow.command.running import CommandClock
from authflow.errors import InputInvalid, NotOwned, Retryable
from authflow.testing import ManualClock
from authflow.values import NOBODY, Answer, SessionId
from authflow.witness import gate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime

NAMES = """
accounts.confirm_address accounts.delete accounts.export accounts.look_at_confirmation accounts.merge
accounts.record_verified_address accounts.send_confirmations accounts.void_confirmations
audit.of_organization audit.of_user
events.draft events.get events.latest events.normalize events.of_day events.save
invitations.accept invitations.approve invitations.invite invitations.look invitations.mine invitations.pending
invitations.reject invitations.request_invite invitations.request_join invitations.resend invitations.resume
invitations.withdraw
members.add members.change_role members.demote members.enforce members.enter members.listing members.remove
members.set_flags members.set_teams
mfa.begin_totp mfa.cancel_totp mfa.complete_totp mfa.details mfa.listing mfa.regenerate_codes mfa.remove mfa.rename
mfa.reset mfa.show_totp mfa.verify
outbox.depths outbox.parked outbox.redrive
providers.abandon providers.configure providers.confirm providers.disable providers.edit providers.kinds
providers.metadata providers.provision providers.remind providers.resume providers.start_setup providers.view
providers.withdraw
relay.drain relay.drain_until_quiet
sessions.cancel sessions.end_others sessions.establish sessions.identify sessions.look sessions.redeem sessions.sign_out
sso.abandon sso.access sso.choose sso.confirm_unasked sso.end_sessions sso.finish_sign_out sso.keep_answer
sso.keep_unasked sso.links sso.look sso.look_unasked sso.mail_proof sso.open_link sso.release
sso.resume sso.sign_out sso.start sso.start_link sso.take_unasked sso.unlink
upkeep.recheck_links upkeep.reseal upkeep.sweep
"""
"""Logs, spans and stored idempotency keys know the commands by these names: they are never changed."""

APART = """
events.draft events.normalize events.save members.enforce providers.edit providers.kinds providers.provision
providers.resume providers.start_setup relay.drain relay.drain_until_quiet sso.end_sessions sso.finish_sign_out
sso.keep_unasked sso.resume sso.sign_out sso.start sso.start_link
upkeep.recheck_links upkeep.reseal upkeep.sweep
"""
"""Operations: they make transactions of their own, or none."""

LOOKS = """
accounts.look_at_confirmation invitations.look invitations.mine invitations.pending members.enter members.listing
mfa.details mfa.listing providers.view sessions.identify sessions.look sso.access sso.links sso.look
sso.look_unasked
"""
"""They change nothing."""

GUESSING = {"mfa.complete_totp", "mfa.verify"}


def services() -> dict[str, Any]:
    """Return every service of the facade by its name there: what has a command."""
    flows = Authflow.in_memory()
    found = {name: getattr(flows, name) for name in (field.name for field in attrs.fields(Authflow))}
    return {name: service for name, service in found.items() if commands_of(type(service))}


def commands_of(service: type) -> dict[str, Command[..., Any]]:
    """Return the commands of the class *service*, inherited ones too, by the names of their methods."""
    members = {name: inspect.getattr_static(service, name) for name in dir(service)}
    return {name: member for name, member in members.items() if isinstance(member, Command)}


def public(service: Any) -> set[str]:
    """Return what a host finds on *service*."""
    return {name for name in dir(service) if not name.startswith("_")}


ALL = {found.name: found for service in services().values() for found in commands_of(type(service)).values()}


# --- the facade -------------------------------------------------------------------------------------------------------


def test_the_names_are_stable():
    assert sorted(ALL) == sorted(NAMES.split())


def test_the_names_are_unique():
    every = [found.name for service in services().values() for found in commands_of(type(service)).values()]
    assert len(every) == len(set(every))


@pytest.mark.parametrize(("name", "service"), services().items())
def test_a_command_is_named_for_where_a_host_finds_it(name: str, service: Any):
    assert {found.name for found in commands_of(type(service)).values()} == {
        f"{name}.{method}" for method in commands_of(type(service))
    }


@pytest.mark.parametrize("service", services().values())
def test_a_service_shows_its_commands_and_nothing_else(service: Any):
    """What a command asks inside asks nobody for permission."""
    assert public(service) == set(commands_of(type(service)))


def test_what_compares_guesses_says_so():
    assert {name for name, found in ALL.items() if found.guesses} == GUESSING


def test_what_makes_its_own_transactions_says_so():
    assert {name for name, found in ALL.items() if not found.whole} == set(APART.split())


def test_who_only_looks_is_told_what_is_so_now():
    """Not what was stored under a key."""
    assert [name for name in LOOKS.split() if ALL[name].repeatable] == []


def test_a_person_has_one_name():
    assert [name for name, found in ALL.items() if "subject" in found.signature.parameters] == []


def test_every_command_says_what_it_does():
    assert [name for name, found in ALL.items() if not (found.__doc__ or "").strip()] == []


@pytest.mark.parametrize(("name", "service"), services().items())
def test_the_async_face_has_the_same_commands(name: str, service: Any):
    face = getattr(AsyncAuthflow.in_memory(), name)
    assert isinstance(face, AsyncFace)
    assert commands_of(type(face)) == commands_of(type(service))
    assert public(face) == public(service)


# --- one command ------------------------------------------------------------------------------------------------------


@gate
def small(number: int) -> Code | None:
    return Code.ACCOUNT_SAME if number < 3 else None


class World:
    """A unit of work that writes down what it is asked, and loses so many tries."""

    def __init__(self, *, lost: int = 0, owned: bool = True) -> None:
        self.lost, self.owned, self.asked = lost, owned, list[str]()

    def run(self, work: Callable[[], Any]) -> Any:
        for _ in range(self.lost):
            self.asked.append("lost")
            work()
        self.asked.append("run")
        return work()

    def require_counters(self) -> None:
        self.asked.append("counters")
        if not self.owned:
            raise NotOwned


class Once:
    """Writes down what is repeatable."""

    def __init__(self) -> None:
        self.asked: list[Any] = []

    def once(self, name: str, _session: Any, _context: Any, arguments: Any, work: Callable[[], Any]) -> Any:
        self.asked.append((name, dict(arguments)))
        return work()


@attrs.frozen(kw_only=True)
class Shop:
    _uow: World = attrs.field(factory=World, alias="uow")
    _replays: Once = attrs.field(factory=Once, alias="replays")
    numbers: list[int] = attrs.field(factory=list)

    @command("shop.buy")
    def buy(self, number: int) -> Answer:
        """Buy so many."""
        self.numbers.append(number)
        code = small(len(self.numbers)) or small(number)
        return Answer() if code is None else Refused(code=code)

    @command("shop.pay")
    def pay(self, session: BrowserSession, context: Context, pin: str, *, tip: int = 0) -> Answer:  # noqa: ARG002  # read by the command
        return Answer(session=session)

    @command("shop.open_safe", guesses=True)
    def open_safe(self, pin: str) -> str:
        return pin

    @command("shop.both")
    def both(self) -> tuple[Answer, str]:
        return self.buy(3), self.open_safe("1")

    @operation("shop.tidy")
    def tidy(self, number: int) -> Answer:
        code = small(number)
        return Answer() if code is None else Refused(code=code)

    @operation("shop.round")
    def round(self) -> list[Answer]:
        return [self.buy(3), self.buy(3)]


def why(answer: Any) -> Any:
    assert isinstance(answer, Refused)
    return answer.why


def test_a_command_is_one_transaction():
    shop = Shop()
    shop.buy(3)
    assert shop._uow.asked == ["run"]


def test_commands_inside_a_command_are_parts_of_it():
    shop = Shop()
    shop.both()
    assert shop._uow.asked == ["run"]


def test_commands_inside_an_operation_are_one_each():
    shop = Shop()
    shop.round()
    assert shop._uow.asked == ["run", "run"]


def test_an_operation_makes_no_transaction():
    shop = Shop()
    assert isinstance(shop.tidy(3), Answer)
    assert shop._uow.asked == []


def test_a_command_after_one_that_failed_is_whole_again():
    shop = Shop(uow=World(owned=False))
    with pytest.raises(NotOwned):
        shop.open_safe("1")
    shop.buy(3)
    assert shop._uow.asked == ["counters", "run"]


def test_only_what_compares_guesses_asks_who_owns_its_counts_and_asks_first():
    shop = Shop()
    shop.open_safe("1")
    shop.buy(3)
    assert shop._uow.asked == ["counters", "run", "run"]


def test_a_refusal_carries_why():
    told = why(Shop().buy(2))
    assert (told.command, told.rule, told.facts) == ("shop.buy", "small", {"number": "1"})


def test_a_refusal_of_an_operation_carries_why():
    told = why(Shop().tidy(2))
    assert (told.command, told.rule, told.facts) == ("shop.tidy", "small", {"number": "2"})


def test_only_the_try_that_answered_is_explained():
    assert why(Shop(uow=World(lost=1)).buy(2)).facts == {"number": "2"}


def test_what_is_no_refusal_is_handed_on_as_it_is():
    assert Shop().open_safe("1234") == "1234"


# --- repeating --------------------------------------------------------------------------------------------------------

KEYED = Context(idempotency_key="k-1")


@pytest.mark.parametrize(
    ("args", "kwargs"),
    [((NOBODY, KEYED, "1"), {"tip": 2}), ((), {"tip": 2, "pin": "1", "context": KEYED, "session": NOBODY})],
)
def test_a_key_covers_everything_but_who_asks_and_from_where(args: tuple[Any, ...], kwargs: dict[str, Any]):
    shop = Shop()
    shop.pay(*args, **kwargs)
    assert shop._replays.asked == [("shop.pay", {"pin": "1", "tip": 2})]


def test_without_a_key_nothing_is_kept():
    shop = Shop()
    shop.pay(NOBODY, Context(), "1")
    shop.buy(3)
    assert shop._replays.asked == []


# --- the async face ---------------------------------------------------------------------------------------------------


class AsyncShop(AsyncFace, Shop):
    """The shop, awaitable."""


SPAWNED: list[str] = []


async def spawn(function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
    SPAWNED.append("spawned")
    return function(*args, **kwargs)


@contextmanager
def awaitable() -> Iterator[tuple[AsyncShop, Shop]]:
    SPAWNED.clear()
    shop = Shop()
    yield AsyncShop(shop, spawn), shop


def test_a_command_of_the_async_face_is_awaited_and_the_same():
    with awaitable() as (face, shop):
        told = why(asyncio.run(face.buy(2)))
    assert (told.rule, shop._uow.asked, SPAWNED) == ("small", ["run"], ["spawned"])


def test_commands_inside_a_command_of_the_async_face_are_not_awaited():
    with awaitable() as (face, shop):
        asyncio.run(face.both())
    assert (shop._uow.asked, SPAWNED) == (["run"], ["spawned"])


def test_what_is_no_command_is_the_services_own():
    with awaitable() as (face, shop):
        assert face.numbers is shop.numbers


def test_a_face_shows_what_it_is():
    with awaitable() as (face, _):
        assert repr(face) == "AsyncShop()"


def test_tasks_beside_each_other_are_inside_commands_of_their_own():
    """A task that is cancelled or waits inside its command changes nothing for another one."""
    shop = Shop()

    async def waits() -> None:
        async def inner() -> Answer:
            return await face.buy(3)

        face = AsyncShop(shop, spawn)
        await asyncio.gather(*(inner() for _ in range(3)))

    asyncio.run(waits())
    assert shop._uow.asked == ["run"] * 3


def test_a_command_keeps_its_signature_and_its_words():
    assert list(inspect.signature(Shop().buy).parameters) == ["number"]
    assert Shop.buy.__doc__ == "Buy so many."
    assert isinstance(Shop.buy, Command)


def test_what_a_command_raises_goes_through():
    class Busy(World):
        def run(self, work: Callable[[], Any]) -> Any:  # noqa: ARG002  # it never gets so far
            raise Retryable

    with pytest.raises(Retryable):
        Shop(uow=Busy()).buy(3)


def test_a_session_value_is_a_stranger_until_the_server_says_otherwise():
    forged = BrowserSession(id=SessionId("s"), secret=Secret("x"), generation=0)
    assert why(Authflow.in_memory().sessions.look(forged)).gate == "unopened"


class Runs(MemoryUnitOfWork):
    """A unit of work that knows how many whole commands it ran."""

    count = 0

    def run(self, work: Callable[[], Any]) -> Any:
        self.count += 1
        return super().run(work)


@attrs.frozen
class Asking:
    """A service whose command asks *other* first."""

    _uow: Runs = attrs.field(alias="uow")
    other: Asking | None = None
    _replays: Any = attrs.field(default=None, alias="replays")

    @command("asking.ask")
    def ask(self) -> None:
        if self.other is not None:
            self.other.ask()


def test_a_command_of_another_installation_is_no_part_of_this_one():
    """It runs whole, in a transaction of its own."""
    here, there = Runs(), Runs()
    Asking(here, Asking(here)).ask()
    assert here.count == 1
    Asking(here, Asking(there)).ask()
    assert (here.count, there.count) == (2, 1)


@attrs.frozen
class Starting:
    """A service whose command starts a thread that gives another command of the same installation."""

    _uow: Runs = attrs.field(alias="uow")
    _replays: Any = attrs.field(default=None, alias="replays")

    @command("starting.start")
    def start(self) -> None:
        self._uow.store.lock = threading.RLock()  # the other one need not wait for this one here
        give = contextvars.copy_context().run
        thread = threading.Thread(target=give, args=(Asking(self._uow).ask,))
        thread.start()
        thread.join()


def test_what_a_thread_does_with_a_copied_context_is_no_part_of_the_command():
    """It runs whole there."""
    uow = Runs()
    Starting(uow).start()
    assert uow.count == 2


# --- one instant ------------------------------------------------------------------------------------------------------


class Ticking(ManualClock):
    """A clock that is never looked at twice at the same instant."""

    def now(self) -> datetime:
        return self.advance(seconds=1)


@attrs.frozen(kw_only=True)
class Dated:
    """A service that looks at its clock more than once."""

    _uow: World = attrs.field(factory=World, alias="uow")
    shown: Ticking = attrs.field(factory=Ticking)
    clock: CommandClock = attrs.field(init=False)
    other: Dated | None = None

    @clock.default
    def _clock(self) -> CommandClock:
        return CommandClock(self.shown, self._uow)

    @command("dated.twice")
    def twice(self) -> list[datetime]:
        return [self.clock.now(), self.clock.now()]

    @command("dated.nested")
    def nested(self) -> list[datetime]:
        return [self.clock.now(), *(self.other or self).twice(), self.clock.now()]

    @operation("dated.round")
    def round(self) -> list[datetime]:
        return [self.clock.now(), *self.twice(), self.clock.now()]

    @command("dated.around")
    def around(self) -> list[datetime]:
        """Give a command of another installation, which gives one of this installation."""
        assert self.other is not None
        return [self.clock.now(), *self.other.nested(), self.clock.now()]

    @command("dated.copied")
    def copied(self) -> contextvars.Context:
        """Return a copy of the context, as whoever schedules something takes one."""
        self.clock.now()
        return contextvars.copy_context()

    @command("dated.in_a_thread")
    def in_a_thread(self) -> list[datetime]:
        """Look here, and twice in a thread that runs in a copy of this context."""
        seen, give = [self.clock.now()], contextvars.copy_context().run
        thread = threading.Thread(target=lambda: seen.extend(give(self.clock.now) for _ in range(2)))
        thread.start()
        thread.join()
        return [*seen, self.clock.now()]


def ticks(seen: list[datetime]) -> list[int]:
    """Return at which look at the clock each of the instants was seen."""
    return [round((at - ManualClock().now()).total_seconds()) for at in seen]


def test_a_command_happens_at_one_instant_and_the_next_one_at_another():
    dated = Dated()
    assert ticks([*dated.twice(), *dated.nested()]) == [1, 1, 2, 2, 2, 2]


def test_a_command_that_is_tried_again_looks_at_the_clock_again():
    assert ticks(Dated(uow=World(lost=2)).twice()) == [3, 3]


def test_an_operation_looks_at_the_clock_as_often_as_it_asks():
    dated = Dated()
    assert ticks([*dated.round(), dated.clock.now()]) == [1, 2, 2, 3, 4]


def test_a_command_of_another_installation_has_an_instant_of_its_own():
    assert ticks(Dated(other=Dated()).nested()) == [1, 1, 1, 1]
    shown = Ticking()
    assert ticks(Dated(shown=shown, other=Dated(shown=shown)).nested()) == [1, 2, 2, 1]


def test_another_clock_is_not_taken_for_that_of_the_command():
    """Two installations over one unit of work: a command of one is a part of that of the other."""
    uow, ahead = World(), Ticking()
    ahead.advance(seconds=10)
    other = Dated(uow=uow, shown=ahead)
    assert ticks(Dated(uow=uow, other=other).nested()) == [1, 11, 11, 1]
    assert uow.asked == ["run"]


def test_a_command_stays_at_its_instant_around_one_of_another_installation():
    """What the inner one gives back to the outer installation is a part of the outer command, not a second one."""
    uow, shown = World(), Ticking()
    inner = Dated(uow=uow, shown=shown)
    between = Dated(other=inner)
    assert ticks(attrs.evolve(inner, other=between).around()) == [1, 1, 1, 1, 1, 1]
    assert uow.asked == ["run"]


def test_a_command_that_has_ended_is_over_in_every_copy_of_its_context():
    """A task or a worker that a hook has started keeps such a copy for good, perhaps in the same thread."""
    uow = World()
    dated = Dated(uow=uow)
    late = dated.copied()
    assert ticks([*late.run(dated.twice), late.run(dated.clock.now)]) == [2, 2, 3]
    assert uow.asked == ["run", "run"]


def test_a_thread_that_a_command_starts_looks_at_the_clock_itself():
    assert ticks(Dated().in_a_thread()) == [1, 2, 3, 1]


@pytest.mark.parametrize(("field", "session", "context"), [("session", "{}", Context()), ("context", NOBODY, None)])
def test_what_is_no_session_and_no_context_is_refused_by_its_name(field: str, session: Any, context: Any):
    """Such as the text in which a host keeps the session; never an AttributeError from somewhere inside."""
    flows = Authflow.in_memory()
    with pytest.raises(InputInvalid) as by_place:
        flows.sessions.sign_out(session, context)
    with pytest.raises(InputInvalid) as by_name:
        flows.sessions.sign_out(context=context, session=session)
    assert by_place.value.field == by_name.value.field == field
    with pytest.raises(TypeError, match="context"):
        flows.sessions.sign_out(NOBODY)


@pytest.mark.parametrize("given", [None, "a text", Secret(cast("str", None)), b"bytes"])
def test_what_is_no_secret_is_refused_by_its_name(given: Any):
    flows = Authflow.in_memory()
    with pytest.raises(InputInvalid) as refusal:
        flows.accounts.look_at_confirmation(NOBODY, token=given)
    assert refusal.value.field == "token"
    assert isinstance(flows.accounts.look_at_confirmation(NOBODY, token=Secret("\ud800")), Refused)


@pytest.mark.parametrize("given", [None, "no", 1, []])
def test_what_is_no_flag_is_refused_by_its_name(given: Any):
    """A form's text would count as true, whatever it says."""
    with pytest.raises(InputInvalid) as refusal:
        Authflow.in_memory().invitations.resume(NOBODY, Context(), confirmed=given)
    assert refusal.value.field == "confirmed"


@pytest.mark.parametrize("given", [None, True, 0, -1, 2**31, 1.0, "5"])
def test_what_is_no_count_is_refused_by_its_name(given: Any):
    """True would count as one, and a database has no LIMIT of -1."""
    flows = Authflow.in_memory()
    with pytest.raises(InputInvalid) as refusal:
        flows.outbox.parked(limit=given)
    assert refusal.value.field == "limit"
    assert [flows.outbox.parked(limit=limit) for limit in (1, 2**31 - 1)] == [(), ()]


def test_where_nothing_may_be_given_nothing_is_checked():
    """Such as a second factor in a browser that is not known yet."""
    flows = Authflow.in_memory()
    assert isinstance(flows.mfa.verify(NOBODY, Context(), "totp", "123456", device=None), Refused)
    with pytest.raises(InputInvalid):
        flows.mfa.verify(NOBODY, Context(), "totp", "123456", device=cast("Any", "text"))
