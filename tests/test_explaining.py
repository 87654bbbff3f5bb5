"""A refusal says which rule fired and what it saw; nothing that somebody typed, sealed or was given is told."""

from __future__ import annotations

from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from enum import Enum, Flag
from typing import TYPE_CHECKING, Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from authflow import Code, Explanation, FlowId, Refused, Secret
from authflow.command.explaining import DEPTH, GIVEN, IDENTIFIERS, explained, seen, tellable
from authflow.journey.gates import may_administer
from authflow.policy import MANAGER, MEMBER, OWNER
from authflow.testing.strategies import hostile_texts
from authflow.values import Asker, SessionId, UserId
from authflow.witness import gate, listen, unlisten
from tests.stage import CONTEXT, Stage

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from authflow.adapters.memory.unit_of_work import MemoryUnitOfWork
    from authflow.policy import MfaPolicy
    from authflow.values import Address, OrganizationId
    from authflow.witness import Entry

NOW = datetime(2026, 1, 1, tzinfo=UTC)
USER, FLOW = UserId("u1"), FlowId("CANARY")


# --- what is told of a value ------------------------------------------------------------------------------------------


class Colour(Enum):
    RED = "red"


class Marks(Flag):
    ONE = 1
    TWO = 2


@attrs.frozen(kw_only=True)
class Kind:
    id: str = "totp"
    title: str = "Authenticator app"


@attrs.frozen(kw_only=True)
class Inside:
    left: int = 3


@attrs.frozen(kw_only=True)
class Seen:
    yes: bool = True
    number: int = 7
    life: timedelta = timedelta(minutes=1)
    at: datetime = NOW
    colour: Colour = Colour.RED
    marks: Marks = Marks.ONE | Marks.TWO
    user: UserId = USER
    nobody: UserId | None = None
    places: frozenset[OrganizationId] = frozenset({"o2", "o1"})  # type: ignore[assignment]  # text is enough here
    none: tuple[UserId, ...] = ()
    kind: Kind = attrs.field(factory=Kind)
    other: Inside | Kind = attrs.field(factory=Inside)
    problems: Mapping[str, str] = attrs.field(factory=lambda: {"code": "is CANARY"})
    # not told
    policy: MfaPolicy | str = "CANARY"
    typed: str = "CANARY"
    maybe: str | None = "CANARY"
    address: Address = "CANARY"  # type: ignore[assignment]  # as above
    flow: FlowId = FLOW
    secret: Secret = attrs.field(factory=lambda: Secret("CANARY"))
    token: Secret | None = attrs.field(factory=lambda: Secret("CANARY"))
    digest: bytes = b"CANARY"
    hidden: UserId = attrs.field(default=UserId(FLOW), repr=False)
    proof: bytes | None = attrs.field(default=b"CANARY", repr=False)
    texts: tuple[str, ...] = ("CANARY",)
    mixed: UserId | str = "CANARY"
    said: Mapping[str, str] = attrs.field(factory=lambda: {"CANARY": "CANARY"})
    codes: tuple[Secret, ...] = attrs.field(factory=lambda: (Secret("CANARY"),))


def test_what_is_told_is_decided_by_type_and_annotation():
    assert list(seen(Seen())) == [
        ("yes", "True"),
        ("number", "7"),
        ("life", "0:01:00"),
        ("at", "2026-01-01 00:00:00+00:00"),
        ("colour", "red"),
        ("marks", "one,two"),
        ("user", "u1"),
        ("nobody", "none"),
        ("places", "o1,o2"),
        ("none", "none"),
        ("kind", "totp"),
        ("other.left", "3"),
        ("problems", "code"),
        ("maybe", GIVEN),
        ("token", GIVEN),
        ("proof", GIVEN),
    ]


def test_which_of_several_classes_a_value_is_of_is_told():
    @attrs.frozen
    class Either:
        one: object = attrs.field(factory=Inside)

    assert dict(seen(Either())) == {"one": "Inside", "one.left": "3"}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("u-1", "u-1"),
        ("", "none"),
        ("ada@example.com", "address"),
        ("two words", "malformed"),
        ("line\nbreak", "malformed"),
        ("x" * 65, "malformed"),
        ("\u00fc", "malformed"),
    ],
)
def test_an_identifier_is_told_unless_it_is_an_address_or_cannot_be_one(text: str, told: str):
    assert tellable(text) == told


@given(hostile_texts())
def test_what_is_told_of_an_identifier_fits_on_one_line_of_a_log(text: str):
    assert tellable(text).isprintable()
    assert tellable(text).isascii()
    assert len(tellable(text)) <= 64


@given(st.integers(1, DEPTH * 2))
def test_nothing_is_told_deeper_than_its_depth(deep: int):
    @attrs.frozen
    class Nest:
        inner: Nest | None = None

    value = Nest()
    for _ in range(deep):
        value = Nest(value)
    assert all(name.count(".") < DEPTH for name, _ in seen(value))
    assert dict(seen(Nest(Nest()))) == {"inner.inner": "none"}


def test_a_handle_that_opens_something_is_no_identifier():
    assert not IDENTIFIERS & {"FlowId", "Address", "Secret", "str"}


# --- who said no ------------------------------------------------------------------------------------------------------


@contextmanager
def witnessed() -> Iterator[list[Entry]]:
    """Collect what is decided inside the block."""
    entries: list[Entry] = []
    token = listen(entries)
    yield entries
    unlisten(token)


@gate
def shut(asker: Asker, _other: str = "CANARY") -> Code | None:
    return Code.ACCOUNT_FORBIDDEN if asker.user is None else None


NOBODY_ASKS = Asker(user=None, session=SessionId("s1"))


def test_a_gate_that_opens_says_nothing():
    with witnessed() as entries:
        assert shut(Asker(user=UserId("u1"), session=SessionId("s1"))) is None
    assert entries == []


def test_a_gate_that_no_machine_asked_is_the_rule():
    with witnessed() as entries:
        refused = explained("x.y", Refused(code=shut(NOBODY_ASKS) or Code.ACCOUNT_SAME), entries)
    assert refused.why is not None
    assert (refused.why.rule, refused.why.gate, refused.why.machine) == ("shut", "shut", None)
    assert refused.why.facts["asker.session"] == "s1"
    assert "CANARY" not in repr(refused.why)


def test_a_gate_that_said_something_else_explains_nothing():
    with witnessed() as entries:
        shut(NOBODY_ASKS)
        refused = explained("x.y", Refused(code=Code.ACCOUNT_SAME), entries)
    assert refused.why == Explanation(command="x.y", rule="x.y")


def test_of_gates_inside_each_other_the_innermost_said_no():
    with witnessed() as entries:
        may_administer(NOBODY_ASKS, None, None)
        shut(NOBODY_ASKS)
    code = Code.SESSION_REQUIRED
    assert explained("x.y", Refused(code=code), entries).why == explained("x.y", Refused(code=code), entries[:1]).why


def test_an_explanation_takes_no_part_in_comparisons_and_is_not_shown():
    bare = Refused(code=Code.ACCOUNT_SAME)
    told = explained("x.y", bare, [])
    assert told == bare
    assert "x.y" not in repr(told)


def test_gates_outside_a_command_tell_nobody():
    assert shut(NOBODY_ASKS) is Code.ACCOUNT_FORBIDDEN


# --- through the facade -----------------------------------------------------------------------------------------------


@pytest.fixture
def host(memory_uow: MemoryUnitOfWork) -> Stage:
    return Stage(memory_uow)


def why(answer: Any) -> Explanation:
    assert isinstance(answer, Refused)
    assert answer.why is not None
    return answer.why


def test_a_rule_is_told_with_its_machine_its_state_and_what_it_saw(host: Stage):
    person = host.person("u1")
    host.sign_in(person)
    begun = host.begin(person)
    told = why(host.complete(person, begun, "000000"))
    assert (told.command, told.machine, told.state) == ("mfa.complete_totp", "mfa.enrollment", "Proposed")
    assert (told.rule, told.gate) == ("complete", None)
    assert told.facts["attempts"] == "1"
    assert told.facts["request.asker.user"] == "u1"
    assert told.facts["request.asker.elevated"] == "True"
    assert not [name for name in told.facts if "policy" in name or name.endswith(("code", "flow", "label"))]


def test_a_gate_inside_a_rule_is_told_with_what_the_gate_saw(host: Stage):
    person = host.person("u1")
    host.sign_in(person)
    begun = host.begin(person)
    told = why(host.complete(person, begun, " "))
    assert (told.rule, told.gate, told.facts["request.problems"]) == ("complete", "input_valid", "code")


def test_a_browser_without_a_row_is_told_so(host: Stage):
    told = why(host.flows.mfa.complete_totp(host.person().browser.session, CONTEXT, FlowId("x"), code="000000"))
    assert (told.gate, told.facts["row"]) == ("unopened", "none")


def test_the_first_who_said_no_is_told_not_who_handed_it_on(host: Stage):
    person = host.person("u1")
    host.sign_in(person)
    host.enroll(person)
    host.sign_in(person, host.person("u2").browser)
    told = why(host.verify(person, "totp", person.app.wrong(host.clock.now())))
    assert (told.machine, told.state) == ("mfa.challenge", "Open")


def test_a_gate_of_the_journey_is_told(host: Stage):
    person, other = host.person("u1"), host.person("u2")
    host.sign_in(person)
    told = why(person.browser.ask(host.flows.accounts.delete, CONTEXT, user=other.user))
    assert (told.gate, told.machine) == ("may_administer", None)
    assert told.facts["actor.administrator"] == "False"


def test_what_the_member_table_refuses_is_told_by_its_gate(host: Stage):
    """Two tables decide about an acceptance; the second one's refusal is no silence."""
    acme = host.organization()
    olga, ada = host.owner(acme), host.person()
    host.sign_in(olga)
    joined = host.flows.members.add(CONTEXT, organization=acme, user=ada.user, role="admin")
    gone = olga.browser.ask(host.flows.members.demote, CONTEXT, organization=acme, member=joined.member.id)
    letter = host.letter(acme, gone.invitation)
    fewer = attrs.evolve(host.policy.membership, roles=(MEMBER, MANAGER, OWNER))
    host.flows = host.open(host.ring, attrs.evolve(host.policy, membership=fewer))
    host.sign_in(ada)
    refused = host.accept(ada, letter)
    told = why(refused)
    assert (refused.code, told.machine, told.state) == (Code.MEMBERSHIP_INPUT_INVALID, "membership.member", "Outside")
    assert (told.rule, told.gate) == ("join", "cannot_join")


def test_a_command_without_gate_or_machine_names_itself(host: Stage):
    root = host.administrator()
    told = why(root.browser.ask(host.flows.accounts.merge, CONTEXT, source=root.user, target=root.user))
    assert told == Explanation(command="accounts.merge", rule="accounts.merge")


def test_the_same_refusal_has_the_same_explanation(memory_uow: MemoryUnitOfWork):
    stage = Stage(memory_uow)
    person = stage.person("u1")
    stage.sign_in(person)
    one, two = (why(person.browser.ask(stage.flows.members.enter, organization="acme")) for _ in range(2))
    assert list(one.facts.items()) == list(two.facts.items())


def test_an_answer_that_is_given_again_is_explained_as_it_was(host: Stage):
    person = host.person("u1")
    host.sign_in(person)
    begun = host.begin(person)
    again = attrs.evolve(CONTEXT, idempotency_key="k-1")
    answers = [host.flows.mfa.complete_totp(begun.session, again, begun.flow, code="000000") for _ in range(2)]
    assert why(answers[0]) == why(answers[1])
    assert why(answers[1]).facts["attempts"] == "1"
