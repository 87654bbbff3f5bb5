"""The browser behind a request of Django's, kept in ``request.session``. For synchronous views.

Add ``"authflow.integrations.django.browser.AuthflowMiddleware"`` to MIDDLEWARE, after Django's session middleware.
"""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar, cast

import attrs
from django.http import JsonResponse
from django.middleware.csrf import rotate_token

from authflow.errors import AuthflowError, ConfigInvalid
from authflow.integrations._shared import NO_STORE, Browser, Keeping, Problem, reported
from authflow.values import NOBODY, BrowserSession

if TYPE_CHECKING:
    from collections.abc import Callable, MutableMapping

    from django.http import HttpRequest
    from django.http.response import HttpResponseBase

    from authflow.values import Refused

__all__ = ["AuthflowMiddleware", "DjangoBrowser", "Keeping", "browser", "problem"]

META = "authflow.browser"

SUCCESSOR = "authflow.successor"
"""Under which name the session that was left behind holds the key of the one that goes on."""

LEFT_FOR = timedelta(minutes=10)
"""How long a value that was replaced can still fetch the reply of the command that replaced it (decision 8)."""

LOGGER = logging.getLogger("django.request")


class DjangoBrowser(Browser):
    """The browser behind one request of Django's."""

    def __init__(self, keeping: Keeping, request: HttpRequest) -> None:
        super().__init__(keeping)
        self._request = request

    def _store(self) -> MutableMapping[str, Any]:
        session = getattr(self._request, "session", None)
        if session is None:
            raise ConfigInvalid(setting="MIDDLEWARE", problem="needs SessionMiddleware, before authflow's")
        return cast("MutableMapping[str, Any]", session)

    def _change_id(self, former: BrowserSession) -> None:
        session, key = self._request.session, self._request.session.session_key
        session.cycle_key()
        rotate_token(self._request)
        if key is not None and former.id != NOBODY.id:
            self._leave(key, former)

    def _leave(self, key: str, former: BrowserSession) -> None:
        """Leave *former*, which opens nothing, under the old *key*, with nothing else of the host's session.

        A request that left the browser before it had the new key then learns that it was overtaken, and gets the reply
        to a repeated command; without it Django would take the cookie, by now the new one, out of the browser.
        """
        left = type(self._request.session)(key)
        left.clear()  # without a look at the store, where nothing is left under the key
        left[self.keeping.session_key] = former.to_json()
        left[SUCCESSOR] = self._request.session.session_key
        left.set_expiry(LEFT_FOR)
        left.save(must_create=True)

    def _resume(self, value: BrowserSession) -> bool:
        key = self._request.session.get(SUCCESSOR)
        if key is None:
            return False
        successor = type(self._request.session)(key)
        if BrowserSession.from_json(successor.get(self.keeping.session_key)) != attrs.evolve(value, renew=False):
            return False
        successor.modified = True  # so that its key reaches the browser, once more
        self._request.session = successor
        return True

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
        if found.touched:
            for name, value in NO_STORE.items():
                response.headers[name] = value
        if (cookie := found.cookie) is not None:
            response.set_cookie(**cookie, samesite="Lax")
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


def _response(said: Problem) -> JsonResponse:
    return JsonResponse(dict(said.body), status=said.status, headers=dict(said.headers))
