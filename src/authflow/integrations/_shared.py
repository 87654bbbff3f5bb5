"""What every integration does alike: keep the session value, tell where a command came from, answer a refusal."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final, TypedDict, TypeVar

import attrs

from authflow.errors import CATALOGUE, AuthflowError, Code, DatabaseUnavailable, InputInvalid, Retryable
from authflow.journey.answers import Arrived
from authflow.sessions.commands import Elevated
from authflow.values import NOBODY, Answer, BrowserSession, Context, Refused, Secret

if TYPE_CHECKING:
    from collections.abc import Mapping, MutableMapping
    from logging import Logger

AnswerT = TypeVar("AnswerT", bound=Answer)

NO_STORE: Final = {"Cache-Control": "no-store"}
"""RFC 9111 5.2.2.5: what belongs to one person's session is kept by no cache on its way."""

FAULT: Final = "Something went wrong on our side."
"""What a person outside is told of an error of the installation's; the code tells the rest to whoever runs it."""

OURS: Final = 500
"""RFC 9110 15.6: from this status on, the server is to blame."""

BUSY_FOR: Final = timedelta(seconds=1)
"""When to try again after a database that was busy or away: the library itself has tried for longer already."""


class CookieSettings(TypedDict):
    """The arguments of ``set_cookie`` that all three frameworks call alike; they spell ``samesite`` differently."""

    key: str
    value: str
    max_age: int
    path: str
    domain: str | None
    secure: bool
    httponly: bool


@attrs.frozen(kw_only=True)
class Keeping:
    """Where a host keeps what a browser is given.

    Args:
        session_key: Under which key of the host's own session the session value stands.
        device_cookie: The name of the cookie that knows this browser again (decision 9).
        device_age: How long the browser keeps it.
        device_path: For which pages.
        device_domain: For which hosts; none means the very host that set it.
        device_secure: It travels over HTTPS only. Switch this off for nothing but a test without HTTPS.
        request_id_header: Which header has the host's id of the request.
    """

    session_key: str = "authflow"
    device_cookie: str = "authflow_device"
    device_age: timedelta = timedelta(days=180)
    device_path: str = "/"
    device_domain: str | None = None
    device_secure: bool = True
    request_id_header: str = "X-Request-ID"


class Browser(ABC):
    """The browser behind one request: what it has of us, and what it is to keep.

    Args:
        keeping: Where the host keeps that.

    Attributes:
        touched: The response belongs to a session, so that no cache may keep it.
    """

    def __init__(self, keeping: Keeping) -> None:
        self.keeping = keeping
        self.touched = False
        self._given: Secret | None = None

    # --- what a framework says ------------------------------------------------------------------------------------

    @abstractmethod
    def _store(self) -> MutableMapping[str, Any]:
        """Return the host's session."""

    @abstractmethod
    def _change_id(self, replaced: BrowserSession | None) -> None:
        """Let the host's session go on under another id, and the old id open nothing.

        *replaced* is the value that the new one replaced, and opens nothing any more; none if it may live on. Who comes
        with the old id may be told of it.
        """

    def _kept(self) -> object:
        """Return what the host's session has of ours, as it was stored, or none."""
        return self._store().get(self.keeping.session_key)

    def _resume(self, value: BrowserSession) -> bool:  # noqa: ARG002  # only a framework with a store has another session
        """Go on in the host's session that holds *value* already, if there is one: the answer was given before."""
        return False

    @abstractmethod
    def _ip(self) -> str | None:
        """Return the client's address as the host knows it."""

    @abstractmethod
    def _header(self, name: str) -> str | None:
        """Return a header of the request, or none."""

    @abstractmethod
    def _cookie(self, name: str) -> str | None:
        """Return a cookie of the request, or none."""

    # --- what a view calls ----------------------------------------------------------------------------------------

    @property
    def session(self) -> BrowserSession:
        """The session value of this browser. What is missing or garbled is `NOBODY`, never an error."""
        return BrowserSession.from_json(self._kept())

    @property
    def context(self) -> Context:
        """Where this request came from; its header ``Idempotency-Key``, if there is one, names the command.

        A key that is none is for the command to refuse (``idempotency.key_invalid``).
        """
        return Context(
            ip=self._ip() or None,
            user_agent=self._header("User-Agent"),
            request_id=self._header(self.keeping.request_id_header),
            idempotency_key=self._header("Idempotency-Key"),
        )

    @property
    def device(self) -> Secret | None:
        """By what this browser is known again, for ``mfa.verify(..., device=...)``; none if it never was."""
        value = self._cookie(self.keeping.device_cookie)
        return Secret(value) if value else None

    def keep(self, answer: AnswerT) -> AnswerT:
        """Keep what *answer* says this browser has from now on; return the answer itself.

        The session value goes into the host's session, under a new id of the host's where the value asks for one, and
        where nobody is signed in any more. Inside a transaction of the host's, call this after its commit.
        Never keep the answers of ``members.add`` and ``members.set_flags``, nor of a command that was given another
        session than this browser's, such as `NOBODY`: their session is nobody's.

        Of two requests that left the browser together the second may bring a value that the first one replaced. That
        value opens nothing, and writes nothing: the browser may have the newer one by now.
        """
        if isinstance(answer, Arrived | Elevated) and answer.device is not None:
            self._given = answer.device
        self.touched = True
        store, key, value, kept = self._store(), self.keeping.session_key, answer.session, self._kept()
        former = BrowserSession.from_json(kept)
        if _is_over(value, former) or (value.renew and self._resume(value)):
            return answer
        if value.id == NOBODY.id:
            if store.pop(key, None) is not None:
                self._change_id(None)
            return answer
        if kept != value.to_json():
            store[key] = value.to_json()
        if value.renew:
            self._change_id(former if _replaces(value, former) else None)
        return answer

    # --- what leaves with the response ----------------------------------------------------------------------------

    @property
    def cookie(self) -> CookieSettings | None:
        """The device cookie to set on the response, or none."""
        if self._given is None:
            return None
        return CookieSettings(
            key=self.keeping.device_cookie,
            value=self._given.reveal(),
            max_age=int(self.keeping.device_age.total_seconds()),
            path=self.keeping.device_path,
            domain=self.keeping.device_domain,
            secure=self.keeping.device_secure,
            httponly=True,
        )


def _is_over(value: BrowserSession, former: BrowserSession) -> bool:
    """Tell whether *value* is *former* and names nobody any more, though it named somebody: it was replaced."""
    return former.user is not None and value == attrs.evolve(former, user=None)


def _replaces(value: BrowserSession, former: BrowserSession) -> bool:
    """Tell whether *value* is the next one of the row that *former* opened until then: another row may live on."""
    return former.id != NOBODY.id and value.id == former.id and value.generation > former.generation


@attrs.frozen(kw_only=True)
class Problem:
    """A refusal or an error as a response.

    Args:
        status: The HTTP status that the catalogue gives the code.
        headers: ``Retry-After`` in seconds where time cures it (RFC 9110 10.2.3), and ``Cache-Control``.
        body: JSON types: ``code``, ``message``, ``attempts_left``, ``retry_after`` (seconds), ``problems``.
    """

    status: int
    headers: Mapping[str, str]
    body: Mapping[str, object]

    @classmethod
    def of(cls, said: Refused | AuthflowError) -> Problem:
        """Return what a person outside may know of *said*: never why, and of an error neither its text nor the cure."""
        if isinstance(said, Refused):
            return cls._made(said.code, said.problems, said.retry_after, attempts_left=said.attempts_left)
        problems = dict(said.problems) if isinstance(said, InputInvalid) else {}
        wait = BUSY_FOR if isinstance(said, Retryable | DatabaseUnavailable) else None
        made = cls._made(said.code, problems, wait, attempts_left=None)
        return attrs.evolve(made, body={**made.body, "message": FAULT}) if made.status >= OURS else made

    @classmethod
    def _made(
        cls, code: Code, problems: Mapping[str, str], wait: timedelta | None, *, attempts_left: int | None
    ) -> Problem:
        meaning = CATALOGUE[code]
        seconds = None if wait is None else max(math.ceil(wait.total_seconds()), 1)
        return cls(
            status=meaning.http,
            headers=NO_STORE if seconds is None else {**NO_STORE, "Retry-After": str(seconds)},
            body={
                "code": code.value,
                "message": meaning.sentence,
                "attempts_left": attempts_left,
                "retry_after": seconds,
                "problems": dict(problems),
            },
        )


def reported(error: AuthflowError, log: Logger, **extra: object) -> Problem:
    """Return what to answer to *error*; what the installation is to blame for goes to *log* as well.

    It is logged with its class, its own text and its traceback, and without its cause: a driver's error quotes rows.
    """
    problem = Problem.of(error)
    if problem.status >= OURS:
        kind = type(error)
        alone = kind.__new__(kind, *error.args)
        log.error("%s: %s", kind.__name__, error, exc_info=(kind, alone, error.__traceback__), extra=extra)
    return problem
