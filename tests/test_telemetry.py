"""One record and one span per command, under the same names; and nothing at all where nobody listens."""

from __future__ import annotations

import asyncio
import logging
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import attrs
import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF
from opentelemetry.trace import StatusCode

from authflow import AsyncAuthflow, BrowserSession, Code, Context, Refused, Secret, SignedOn, __version__
from authflow.adapters.memory.unit_of_work import MemoryUnitOfWork
from authflow.adapters.sql.asynchronous import make_async_engine
from authflow.adapters.sql.unit_of_work import SqlUnitOfWork
from authflow.command import command, operation
from authflow.command.telemetry import COMMANDS, REFUSED, WARNED
from authflow.errors import InputInvalid, Retryable
from authflow.testing.browsers import installed
from authflow.values import NOBODY, SessionId, UserId
from authflow.witness import noted
from tests.journey.sso_stage import SsoStage
from tests.stage import CONTEXT, Stage
from tests.tracing import traced

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from opentelemetry.sdk.trace import ReadableSpan

HERE = Context(request_id="r-7", ip="203.0.113.9", user_agent="Firefox")
SESSION = BrowserSession(id=SessionId("s-1"), secret=Secret("canary"), generation=0, user=UserId("u-1"))


@pytest.fixture
def spans() -> Iterator[list[ReadableSpan]]:
    """Return what was traced by now, in the order in which it ended."""
    with traced() as ended:
        yield ended


class Trying:
    """A unit of work that loses so many tries."""

    def __init__(self, lost: int = 0) -> None:
        self.lost = lost

    def run(self, work: Callable[[], Any]) -> Any:
        for _ in range(self.lost):
            work()
        return work()

    def require_counters(self) -> None:
        """Every count stays."""


@attrs.define
class Desk:
    _uow: Any = attrs.field(factory=Trying, alias="uow")
    _replays: Any = attrs.field(default=None, alias="replays")

    @command("desk.ask")
    def ask(self, session: BrowserSession, context: Context, answer: Any) -> Any:  # noqa: ARG002  # read by the command
        if isinstance(answer, BaseException):
            raise answer
        return answer() if callable(answer) else answer

    @command("desk.outer")
    def outer(self) -> Any:
        return self.ask(SESSION, HERE, 1)

    @operation("desk.round")
    def round(self) -> Any:
        return [self.ask(SESSION, HERE, 1) for _ in range(2)]


def asked(answer: Any, **desk: Any) -> Any:
    return Desk(**desk).ask(SESSION, HERE, answer)


def told(record: logging.LogRecord) -> dict[str, Any]:
    """Return the fields of ours in *record*."""
    prefix = "authflow_"
    return {name.removeprefix(prefix): value for name, value in vars(record).items() if name.startswith(prefix)}


REFUSAL = Refused(code=Code.ACCOUNT_SAME)


# --- logs -------------------------------------------------------------------------------------------------------------


def test_a_refusal_is_one_record(caplog: pytest.LogCaptureFixture):
    with caplog.at_level(logging.INFO, "authflow"):
        asked(REFUSAL)
    (record,) = caplog.records
    assert (record.name, record.levelno) == ("authflow.refused", logging.INFO)
    assert record.getMessage() == "desk.ask refused: account.same, by desk.ask"
    assert told(record) == {
        "command": "desk.ask",
        "answer": "Refused",
        "request_id": "r-7",
        "session": "s-1",
        "user": "u-1",
        "code": "account.same",
        "machine": None,
        "rule": "desk.ask",
        "gate": None,
        "state": None,
        "facts": {},
    }


@pytest.mark.parametrize("code", list(Code))
def test_what_should_be_looked_at_is_a_warning(code: Code, caplog: pytest.LogCaptureFixture):
    with caplog.at_level(logging.INFO, "authflow"):
        asked(Refused(code=code))
    assert caplog.records[0].levelno == (logging.WARNING if code in WARNED else logging.INFO)


@pytest.mark.parametrize(
    ("old", "level", "kept"),
    [(True, logging.WARNING, "session.superseded"), (False, logging.INFO, "session.required")],
)
def test_a_replaced_value_is_a_warning_where_its_owner_is_told_less(
    memory_uow: MemoryUnitOfWork, caplog: pytest.LogCaptureFixture, *, old: bool, level: int, kept: str
):
    """Whoever answers a second factor with it hears what the loser of two answers hears (mfa 21); the log hears why."""
    stage = Stage(memory_uow)
    ada = stage.person()
    before = stage.flows.sessions.establish(NOBODY, CONTEXT, user=ada.user, proof=stage.password()).session
    stage.flows.sessions.end_others(before, CONTEXT)
    with caplog.at_level(logging.INFO, "authflow.refused"):
        answer = stage.flows.mfa.verify(before if old else NOBODY, CONTEXT, "totp", "000000")
    assert isinstance(answer, Refused)
    (record,) = caplog.records
    assert (answer.code, record.levelno) == (Code.SESSION_NO_PENDING_LOGIN, level)
    assert told(record)["facts"]["state.why_not"] == kept


@pytest.mark.parametrize(("answer", "outcome"), [("text", "answered"), (None, "answered"), (REFUSAL, "refused")])
def test_a_command_is_one_record_at_debug(answer: Any, outcome: str, caplog: pytest.LogCaptureFixture):
    with caplog.at_level(logging.DEBUG, "authflow.command"):
        asked(answer, uow=Trying(lost=2))
    record = next(record for record in caplog.records if record.name == "authflow.command")
    assert (told(record)["outcome"], told(record)["tries"]) == (outcome, 3)
    assert told(record)["duration"] >= 0
    assert record.getMessage().startswith(f"desk.ask {outcome} in ")


def test_an_exception_is_told_by_its_class_and_code_only(caplog: pytest.LogCaptureFixture):
    with caplog.at_level(logging.DEBUG, "authflow"):
        with pytest.raises(InputInvalid):
            asked(InputInvalid(field="user", problem="CANARY"))
        with pytest.raises(KeyError):
            asked(KeyError("CANARY"))
    assert [(record.levelno, told(record)["outcome"]) for record in caplog.records] == [(logging.DEBUG, "raised")] * 2
    assert [(told(r)["error"], told(r).get("code")) for r in caplog.records] == [
        ("InputInvalid", "input.invalid"),
        ("KeyError", None),
    ]
    assert "CANARY" not in caplog.text + str([vars(record) for record in caplog.records])


def test_the_address_of_the_client_and_the_secret_of_the_session_are_not_told(caplog: pytest.LogCaptureFixture):
    with caplog.at_level(logging.DEBUG, "authflow"):
        asked(REFUSAL)
    everything = str([vars(record) for record in caplog.records])
    assert not [text for text in ("203.0.113.9", "Firefox", "canary") if text in everything]


def test_what_a_stranger_may_have_written_into_a_session_is_not_told(caplog: pytest.LogCaptureFixture):
    forged = attrs.evolve(SESSION, id=SessionId("a\nb"), user=UserId("ada@example.com"))
    with caplog.at_level(logging.INFO, "authflow"):
        Desk().ask(forged, HERE, REFUSAL)
    assert (told(caplog.records[0])["session"], told(caplog.records[0])["user"]) == ("malformed", "address")


def test_a_host_may_have_fields_of_its_own_names(caplog: pytest.LogCaptureFixture):
    """Extra fields that a record has already are an error of `logging`: ours have a prefix."""
    made = logging.getLogRecordFactory()

    def factory(*args: Any, **kwargs: Any) -> logging.LogRecord:
        record = made(*args, **kwargs)
        record.__dict__.update(request_id="host", user="host", session="host", command="host", code="host")
        return record

    logging.setLogRecordFactory(factory)
    try:
        with caplog.at_level(logging.DEBUG, "authflow"):
            asked(REFUSAL)
    finally:
        logging.setLogRecordFactory(made)
    assert len(caplog.records) == 2


@pytest.mark.parametrize("logger", [REFUSED, COMMANDS])
def test_a_host_that_configures_no_logging_sees_nothing(logger: logging.Logger):
    code = f"import authflow.command.telemetry, logging; logging.getLogger({logger.name!r}).error('CANARY')"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout + done.stderr == ""


# --- spans ------------------------------------------------------------------------------------------------------------


def test_a_command_is_one_span(spans: list[ReadableSpan]):
    asked(REFUSAL)
    (span,) = spans
    assert (span.name, span.status.status_code) == ("authflow.desk.ask", StatusCode.UNSET)
    assert span.instrumentation_scope is not None
    assert (span.instrumentation_scope.name, span.instrumentation_scope.version) == ("authflow", __version__)
    assert dict(span.attributes or {}) == {
        "authflow.command": "desk.ask",
        "authflow.answer": "Refused",
        "authflow.request_id": "r-7",
        "authflow.session": "s-1",
        "authflow.user": "u-1",
        "authflow.code": "account.same",
        "authflow.rule": "desk.ask",
        "authflow.outcome": "refused",
    }


def test_commands_inside_a_command_are_parts_of_its_span(spans: list[ReadableSpan]):
    Desk().outer()
    assert [span.name for span in spans] == ["authflow.desk.outer"]


def test_the_commands_of_an_operation_are_its_children(spans: list[ReadableSpan]):
    Desk().round()
    *inner, outer = spans
    assert [span.name for span in inner] == ["authflow.desk.ask"] * 2
    assert {span.parent and span.parent.span_id for span in inner} == {outer.context.span_id}


def test_a_try_that_was_lost_is_an_event(spans: list[ReadableSpan]):
    asked(1, uow=Trying(lost=2))
    (span,) = spans
    assert [(event.name, dict(event.attributes or {})) for event in span.events] == [
        ("authflow.retry", {"authflow.tries": 2}),
        ("authflow.retry", {"authflow.tries": 3}),
    ]


@pytest.mark.parametrize(
    ("error", "code"), [(Retryable("CANARY"), "database.busy"), (KeyError("CANARY"), None), (SystemExit(1), None)]
)
def test_an_exception_is_an_error_without_its_message(
    error: BaseException, code: str | None, spans: list[ReadableSpan]
):
    with pytest.raises(type(error)):
        asked(error)
    (span,) = spans
    attributes = dict(span.attributes or {})
    assert span.status.status_code is StatusCode.ERROR
    assert attributes["error.type"] == f"{type(error).__module__}.{type(error).__qualname__}"
    assert (attributes.get("authflow.code"), attributes["authflow.outcome"]) == (code, "raised")
    assert span.events == ()
    assert "CANARY" not in span.to_json()


def test_the_facts_of_a_refusal_are_attributes(spans: list[ReadableSpan]):
    stage = Stage(MemoryUnitOfWork())
    person = stage.person("u1")
    stage.sign_in(person)
    spans.clear()
    refused = person.browser.ask(stage.flows.members.enter, organization=stage.organization())
    attributes = dict(spans[-1].attributes or {})
    assert isinstance(refused, Refused)
    assert refused.why is not None
    assert refused.why.facts
    assert {name: attributes[f"authflow.facts.{name}"] for name in refused.why.facts} == refused.why.facts


def test_what_is_noted_of_a_command_is_told_and_explains_nothing(
    spans: list[ReadableSpan], caplog: pytest.LogCaptureFixture
):
    """Of the try that counts, whatever came of it; a note in one word with a code is no reason of it."""

    def answer() -> Refused:
        noted("provider_kind", "account.same")
        return REFUSAL

    with caplog.at_level(logging.DEBUG, "authflow.command"):
        refused = asked(answer)
    assert (refused.why.rule, refused.why.gate) == ("desk.ask", None)
    assert told(caplog.records[-1])["provider_kind"] == (spans[0].attributes or {})["authflow.provider_kind"]
    assert (spans[0].attributes or {})["authflow.provider_kind"] == "account.same"


def test_attempts_and_successes_of_single_sign_on_can_be_counted_by_the_providers_kind(spans: list[ReadableSpan]):
    """Each command of a sign-in says which kind it is about, but where whoever asks may not go on with it (sso 15)."""
    stage = SsoStage(MemoryUnitOfWork())
    acme, person = stage.organization(), stage.person()
    stage.connect(acme)
    stage.idp.person("00u1", email="ada@example.com", name="Ada")
    stage.link(person.user, acme, "00u1")
    spans.clear()
    trip = stage.start(person.browser, acme)
    assert isinstance(trip.resume(trip.callback("00u1"), stage.person("eve").browser), Refused)
    assert isinstance(trip.back("00u1"), SignedOn)
    seen = [
        (span.name, attributes["authflow.answer"], attributes.get("authflow.provider_kind"))
        for span in spans
        if span.name.startswith("authflow.sso.") and (attributes := dict(span.attributes or {}))
    ]
    assert seen == [
        ("authflow.sso.start", "SentAway", stage.idp.key),
        ("authflow.sso.resume", "Refused", None),
        ("authflow.sso.resume", "SignedOn", stage.idp.key),
    ]


def test_logs_and_spans_say_the_same(spans: list[ReadableSpan], caplog: pytest.LogCaptureFixture):
    with caplog.at_level(logging.DEBUG, "authflow.command"):
        asked(REFUSAL)
    fields = {f"authflow.{name}": value for name, value in told(caplog.records[-1]).items() if value is not None}
    assert {name: fields[name] for name in (spans[0].attributes or {})} == dict(spans[0].attributes or {})


def test_what_is_not_sampled_is_not_told_and_neither_is_what_is_inside(spans: list[ReadableSpan]):
    sampling = TracerProvider(sampler=ALWAYS_OFF)
    with trace.use_span(sampling.get_tracer("host").start_span("request")):
        inside = trace.get_current_span().get_span_context()
        assert asked(trace.get_current_span).get_span_context().trace_id == inside.trace_id
        assert not asked(trace.get_current_span).is_recording()
    assert spans == []


async def _both(flows: AsyncAuthflow, tracer: trace.Tracer) -> None:
    async def visit(name: str) -> None:
        with tracer.start_as_current_span(name):
            await flows.sessions.look(SESSION)
            await flows.mfa.listing(SESSION)

    await asyncio.gather(*(visit(f"request {number}") for number in range(5)))


def test_a_span_follows_its_task_through_the_greenlets(sqlite_uow: SqlUnitOfWork, spans: list[ReadableSpan]):
    async def run() -> None:
        engine = make_async_engine(f"sqlite:///{sqlite_uow.engine.url.database}")
        flows = AsyncAuthflow(installed(SqlUnitOfWork(engine.sync_engine, sqlite_uow.tables)))
        await _both(flows, trace.get_tracer("host"))
        await engine.dispose()

    asyncio.run(run())
    requests = {span.context.span_id: span for span in spans if span.name.startswith("request")}
    commands = [span for span in spans if span.name.startswith("authflow.")]
    assert len(requests) == 5
    parents = sorted((span.name, requests[span.parent.span_id].name) for span in commands if span.parent)
    wanted = [f"request {number}" for number in range(5)]
    assert parents == [(f"authflow.{name}", one) for name in ("mfa.listing", "sessions.look") for one in wanted]


# --- without OpenTelemetry --------------------------------------------------------------------------------------------

HIDDEN = """
import sys
sys.modules["opentelemetry"] = None
from authflow import Authflow, NOBODY, Refused
answer = Authflow.in_memory().sessions.look(NOBODY)
assert isinstance(answer, Refused) and answer.why.gate == "unopened", answer
"""


def test_everything_works_without_it():
    done = subprocess.run([sys.executable, "-c", HIDDEN], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
