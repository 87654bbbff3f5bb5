"""The browser behind a request of Django's, kept in ``request.session``. For synchronous views.

Add ``"authflow.integrations.django.browser.AuthflowMiddleware"`` to MIDDLEWARE, after Django's session middleware.
"""

from __future__ import annotations

import hashlib
import logging
from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar, cast

import attrs
from django.conf import settings
from django.contrib.sessions.backends.base import CreateError
from django.http import JsonResponse
from django.middleware.csrf import rotate_token

from authflow.errors import AuthflowError, ConfigInvalid
from authflow.integrations._shared import NO_STORE, Browser, Keeping, Problem, reported
from authflow.values import BrowserSession

if TYPE_CHECKING:
    from collections.abc import Callable, MutableMapping

    from django.contrib.sessions.backends.base import SessionBase
    from django.http import HttpRequest
    from django.http.response import HttpResponseBase

    from authflow.values import Refused

__all__ = ["AuthflowMiddleware", "DjangoBrowser", "Keeping", "browser", "problem"]

META = "authflow.browser"

REPLACED = "authflow.replaced"
SUCCESSOR = "authflow.successor"
"""What is left for a session's old key: the value that was replaced, and the key of the session that goes on."""

LEFT_FOR = timedelta(minutes=10)
"""How long a value that was replaced can still fetch the reply of the command that replaced it (decision 8)."""

LOGGER = logging.getLogger("django.request")


class DjangoBrowser(Browser):
    """The browser behind one request of Django's."""

    def __init__(self, keeping: Keeping, request: HttpRequest) -> None:
        super().__init__(keeping)
        self._request = request
        self._resumed: str | None = None
        self._found: SessionBase | None = None

    def _store(self) -> MutableMapping[str, Any]:
        session = getattr(self._request, "session", None)
        if session is None:
            raise ConfigInvalid(setting="MIDDLEWARE", problem="needs SessionMiddleware, before authflow's")
        return cast("MutableMapping[str, Any]", session)

    def _change_id(self, replaced: BrowserSession | None) -> None:
        session, key = self._request.session, self._request.session.session_key
        session.cycle_key()
        rotate_token(self._request)
        if key is not None and replaced is not None:
            self._leave(key, replaced)

    def _leave(self, key: str, replaced: BrowserSession) -> None:
        """Leave *replaced*, which opens nothing, for whoever comes with the old *key*; under that key is nothing.

        A request that left the browser before it had the new key then learns that it was overtaken, and gets the reply
        to a repeated command; without it Django would take the cookie, by now the new one, out of the browser. Under
        the old key itself, a request under way that had loaded the old session would write all of it back.
        """
        left = type(self._request.session)(_key_of_left(key))
        left.clear()  # without a look at the store, where nothing is left yet
        left[REPLACED] = replaced.to_json()
        left[SUCCESSOR] = self._request.session.session_key
        left.set_expiry(LEFT_FOR)
        with suppress(CreateError):  # a repeat of the same command at the same moment left the same
            left.save(must_create=True)

    @property
    def _left(self) -> SessionBase | None:
        """What was left for the key that the browser sent, looked up once; none if it sent no key."""
        key = self._request.COOKIES.get(settings.SESSION_COOKIE_NAME)
        if self._found is None and key:
            self._found = type(self._request.session)(_key_of_left(key))
        return self._found

    def _kept(self) -> object:
        kept = super()._kept()
        if kept is not None or self._request.session.session_key is not None or self._left is None:
            return kept
        return self._left.get(REPLACED)

    def _resume(self, value: BrowserSession) -> bool:
        key = None if self._left is None else self._left.get(SUCCESSOR)
        if key is None:
            return False
        successor = type(self._request.session)(key)
        if BrowserSession.from_json(successor.get(self.keeping.session_key)) != attrs.evolve(value, renew=False):
            return False
        self._request.session, self._resumed = successor, key
        return True

    def carry(self, response: HttpResponseBase) -> None:
        """Put into *response* what the browser is to keep, and what no cache may."""
        if self.touched:
            for name, value in NO_STORE.items():
                response.headers[name] = value
        if (cookie := self.cookie) is not None:
            response.set_cookie(**cookie, samesite="Lax")
        if self._resumed is not None:
            self._carry_key(self._resumed, response)
        elif self._is_overtaken():
            # Django deletes the cookie of a request that came with one and has no session. By now it is the new one.
            del self._request.COOKIES[settings.SESSION_COOKIE_NAME]

    def _is_overtaken(self) -> bool:
        """Tell whether the store does not know the key that the browser sent, because another one came after it.

        A session that the host emptied, in a ``logout``, is modified: its cookie goes, as Django has it.
        """
        session = getattr(self._request, "session", None)
        unknown = session is not None and session.is_empty() and not session.modified
        return unknown and self._left is not None and REPLACED in self._left

    def _carry_key(self, key: str, response: HttpResponseBase) -> None:
        """Send the key of the session that goes on, as Django would, without storing again what was read of it."""
        session = self._request.session
        if session.session_key != key or not session.exists(key):
            return
        response.set_cookie(
            settings.SESSION_COOKIE_NAME,
            key,
            max_age=None if session.get_expire_at_browser_close() else session.get_expiry_age(),
            domain=settings.SESSION_COOKIE_DOMAIN,
            path=settings.SESSION_COOKIE_PATH,
            secure=settings.SESSION_COOKIE_SECURE,
            httponly=settings.SESSION_COOKIE_HTTPONLY,
            samesite=settings.SESSION_COOKIE_SAMESITE,
        )

    def _ip(self) -> str | None:
        return self._request.META.get("REMOTE_ADDR")

    def _header(self, name: str) -> str | None:
        return self._request.headers.get(name)

    def _cookie(self, name: str) -> str | None:
        return self._request.COOKIES.get(name)


class AuthflowMiddleware:
    """Sets the device cookie, and answers an `AuthflowError` by its status with a JSON body.

    What the installation is to blame for goes to Django's logger ``django.request``.

    A project that keeps things elsewhere makes a subclass, and names that in MIDDLEWARE.

    Attributes:
        keeping: Where the host keeps what a browser is given.
    """

    sync_capable: ClassVar = True
    async_capable: ClassVar = False
    keeping: ClassVar[Keeping] = Keeping()

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Serve one request."""
        found = request.META[META] = DjangoBrowser(self.keeping, request)
        response = self._get_response(request)
        found.carry(response)
        return response

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponseBase | None:
        """Answer an error of ours; every other one is the host's."""
        if not isinstance(error, AuthflowError):
            return None
        return _response(reported(error, LOGGER, request=request))


def browser(request: HttpRequest) -> DjangoBrowser:
    """Return the browser behind *request*.

    Raises:
        ConfigInvalid: `AuthflowMiddleware` is not installed.
    """
    found: DjangoBrowser | None = request.META.get(META)
    if found is None:
        raise ConfigInvalid(setting="MIDDLEWARE", problem=f"needs {__name__}.AuthflowMiddleware")
    return found


def problem(refused: Refused) -> JsonResponse:
    """Return the response to *refused*: its status and ``{code, message, attempts_left, retry_after, problems}``."""
    return _response(Problem.of(refused))


def _key_of_left(key: str) -> str:
    """Return under which key stands what was left for *key*: one that nobody can tell without it."""
    return hashlib.sha256(f"authflow.left:{key}".encode()).hexdigest()[:32]


def _response(said: Problem) -> JsonResponse:
    return JsonResponse(dict(said.body), status=said.status, headers=dict(said.headers))
