"""What a command leaves in the host's logs and traces, under the same names in both.

Logs go through `logging`: ``authflow.refused`` gets one record per refusal, ``authflow.command`` one per command, at
DEBUG. Traces go through OpenTelemetry's API if it is installed (extra ``otel``): one span per command. There is never
an address of a client, a text that somebody typed, a secret, or the message of an exception in either. Exceptions are
the host's to log: here they are a span's error, and a word at DEBUG.
"""

from __future__ import annotations

import logging
from contextlib import nullcontext
from functools import cache
from time import perf_counter
from typing import TYPE_CHECKING, Any, Final

from authflow.command.explaining import tellable
from authflow.errors import AuthflowError, Code
from authflow.values import Answer, BrowserSession, Context, Refused
from authflow.witness import Note

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager

    from opentelemetry.trace import Span, Tracer
    from opentelemetry.util.types import AttributeValue

    from authflow.errors import SecretUnavailable
    from authflow.witness import Entry

logging.getLogger("authflow").addHandler(logging.NullHandler())

REFUSED: Final = logging.getLogger("authflow.refused")
COMMANDS: Final = logging.getLogger("authflow.command")
KEYS: Final = logging.getLogger("authflow.keys")

WARNED: Final = frozenset(
    {
        Code.SESSION_SUPERSEDED,
        Code.MFA_RATE_LIMITED,
        Code.MFA_LOCKED,
        Code.MFA_ENROLLMENT_ENDED,
        Code.MFA_NOT_SELF,
        Code.MFA_FORBIDDEN,
        Code.MFA_SECRET_UNAVAILABLE,
        Code.MFA_RESET_LINK_INVALID,
        Code.INVITATION_RATE_LIMITED,
        Code.ACCOUNT_FORBIDDEN,
        Code.MEMBERSHIP_FORBIDDEN,
        Code.ROLE_NOT_ALLOWED,
        Code.EVENT_PROJECT_CLOSED,
        Code.EVENT_INSERT_ONLY,
    }
)
"""Refusals that somebody should look at when they pile up: guessing, reaching for what is another's, a lost key.

They are logged at WARNING, all others at INFO. One wrong code is a slip of a finger; the lock is not.
"""


class Report:
    """One running command: what happened to it, told when it ends, if anybody listens."""

    __slots__ = ("_arguments", "_command", "_span", "_started", "tries")

    def __init__(self, command: str, arguments: tuple[object, ...], span: Span | None) -> None:
        self._command, self._arguments = command, arguments
        self._span = span if span is not None and span.is_recording() else None
        self._started = perf_counter()
        self.tries = 0

    def tried(self) -> None:
        """The command is tried: after the first time because it lost to another one."""
        self.tries += 1
        if self.tries > 1 and self._span is not None:
            self._span.add_event("authflow.retry", {"authflow.tries": self.tries})

    def answered(self, answer: object, entries: Sequence[Entry]) -> None:
        """The command answered, and that is what was witnessed of it."""
        refused = answer if isinstance(answer, Refused) else None
        level = logging.WARNING if refused is not None and _warns(refused) else logging.INFO
        logs = REFUSED.isEnabledFor(level) if refused is not None else False
        if not logs and not self._heard():
            return
        fields = {**self._fields(answer), **_notes(entries), **(_refusal(refused) if refused is not None else {})}
        if logs:
            text = "%(authflow_command)s refused: %(authflow_code)s, by %(authflow_rule)s"
            extra = _extra(fields)
            REFUSED.log(level, text, extra, extra=extra)
        self._tell({**fields, "outcome": "answered" if refused is None else "refused"})

    def raised(self, error: BaseException, entries: Sequence[Entry]) -> None:
        """The command raised *error*. Its message is the host's to log: a foreign one may say anything."""
        if not self._heard():
            return
        kind = type(error)
        fields = {**self._fields(None), **_notes(entries), "outcome": "raised", "error": kind.__name__}
        if isinstance(error, AuthflowError):
            fields["code"] = error.code.value
        if self._span is not None:
            from opentelemetry.trace import StatusCode

            self._span.set_status(StatusCode.ERROR, str(fields.get("code", kind.__name__)))
            self._span.set_attribute("error.type", f"{kind.__module__}.{kind.__qualname__}")
        self._tell(fields)

    def _heard(self) -> bool:
        return self._span is not None or COMMANDS.isEnabledFor(logging.DEBUG)

    def _tell(self, fields: dict[str, object]) -> None:
        if COMMANDS.isEnabledFor(logging.DEBUG):
            extra = _extra({**fields, "tries": self.tries, "duration": perf_counter() - self._started})
            text = "%(authflow_command)s %(authflow_outcome)s in %(authflow_duration).6f s"
            COMMANDS.debug(text, extra, extra=extra)
        if self._span is not None:
            self._span.set_attributes(dict(_attributes(fields)))

    def _fields(self, answer: object) -> dict[str, object]:
        """Return who called what, as the session value says: for finding the record, never for a decision."""
        fields: dict[str, object] = {"command": self._command}
        if answer is not None:
            fields["answer"] = type(answer).__name__
        for argument in self._arguments:
            match argument:
                case Context(request_id=str(request)):
                    fields["request_id"] = request
                case BrowserSession():
                    fields.update(_browser(argument))
                case _:
                    pass
        return {**fields, **(_browser(answer.session) if isinstance(answer, Answer) else {})}


def report_unavailable(error: SecretUnavailable) -> None:
    """Log under which key a secret could not be opened, wherever the answer, which a person sees, keeps it silent."""
    extra = _extra({"code": error.code.value, "key": tellable(error.key_id)})
    KEYS.warning("a secret sealed under key %(authflow_key)s cannot be opened: %(authflow_code)s", extra, extra=extra)


class EachKeyOnce:
    """Reports as `report_unavailable` does, but each key only once, however many secrets lie under it: for a batch."""

    def __init__(self) -> None:
        self._told: set[tuple[Code, str]] = set()

    def __call__(self, error: SecretUnavailable) -> None:
        """Log this one, unless one like it was logged before."""
        seen = (error.code, error.key_id)
        if seen not in self._told:
            self._told.add(seen)
            report_unavailable(error)


# --- spans ------------------------------------------------------------------------------------------------------------


@cache
def tracer() -> Tracer | None:
    """Return the tracer of this library, or none where OpenTelemetry's API is not installed."""
    try:
        from opentelemetry import trace
    except ImportError:
        return None
    from authflow import __version__

    return trace.get_tracer("authflow", __version__)


def span(command: str) -> AbstractContextManager[Span | None]:
    """Return a block in which a span of *command* is the current one; what is traced inside becomes its child."""
    tracing = tracer()
    if tracing is None:
        return _NO_SPAN
    started = tracing.start_span(f"authflow.{command}")
    if not started.get_span_context().is_valid:  # the API without an SDK behind it
        return _NO_SPAN
    from opentelemetry.trace import use_span

    return use_span(started, end_on_exit=True, record_exception=False, set_status_on_exception=False)


_NO_SPAN: Final[AbstractContextManager[None]] = nullcontext()


# --- fields -----------------------------------------------------------------------------------------------------------


def _browser(session: BrowserSession) -> dict[str, object]:
    named = {"session": session.id, "user": session.user}
    return {name: tellable(text) for name, text in named.items() if text}


def _notes(entries: Sequence[Entry]) -> dict[str, object]:
    return {entry.name: entry.value for entry in entries if isinstance(entry, Note)}


def _warns(refused: Refused) -> bool:
    """Tell whether somebody should look at this: by its code, or by the session's own, which a stranger is not told."""
    kept = None if refused.why is None else refused.why.facts.get("state.why_not")
    return refused.code in WARNED or kept in {code.value for code in WARNED}


def _refusal(refused: Refused) -> dict[str, object]:
    why = refused.why
    told = {"code": refused.code.value}
    if why is None:
        return {**told}
    return {**told, "machine": why.machine, "rule": why.rule, "gate": why.gate, "state": why.state, "facts": why.facts}


def _extra(fields: Mapping[str, object]) -> dict[str, object]:
    """Return *fields* for `logging`: a prefix keeps clear of a host's own, for which `logging` raises."""
    return {f"authflow_{name}": value for name, value in fields.items()}


def _attributes(fields: Mapping[str, Any], prefix: str = "authflow") -> Iterator[tuple[str, AttributeValue]]:
    """Yield *fields* for a span, whose values have no fields of their own; what is none is left out."""
    for name, value in fields.items():
        if name == "facts":
            yield from _attributes(value, f"{prefix}.facts")
        elif value is not None:
            yield f"{prefix}.{name}", value
