"""Starlette and FastAPI: the browser behind a request, kept in ``request.session``.

``browser`` is a dependency for FastAPI (``Annotated[Browser, Depends(browser)]``) and a coroutine function for anybody
else. Starlette's ``SessionMiddleware`` keeps a signed cookie, which has no id to change: the value in it changes, and
what an older cookie holds opens nothing (the server's row decides). Sessions in a store of the host's have an id:
say in `install` how it is changed.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, cast

from starlette.datastructures import MutableHeaders
from starlette.requests import HTTPConnection, Request  # FastAPI reads the annotations of a dependency
from starlette.responses import JSONResponse, Response

from authflow.errors import AuthflowError, ConfigInvalid
from authflow.integrations._shared import NO_STORE, Browser, Keeping, Problem, reported

if TYPE_CHECKING:
    from collections.abc import Callable, MutableMapping

    from starlette.applications import Starlette
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from authflow.values import BrowserSession, Refused

__all__ = ["Keeping", "StarletteBrowser", "browser", "install", "problem"]

SCOPE = "authflow.browser"

LOGGER = logging.getLogger("uvicorn.error")
"""Where uvicorn shows the errors of an app; Starlette has no logger. Under another server it is shown by default."""


class StarletteBrowser(Browser):
    """The browser behind one request of Starlette's."""

    def __init__(
        self, keeping: Keeping, connection: HTTPConnection, change_id: Callable[[HTTPConnection], None] | None
    ) -> None:
        super().__init__(keeping)
        self._connection, self._change = connection, change_id

    def _store(self) -> MutableMapping[str, Any]:
        if "session" not in self._connection.scope:
            raise ConfigInvalid(setting="app", problem="needs SessionMiddleware, which keeps request.session")
        return self._connection.session

    def _change_id(self, replaced: BrowserSession | None) -> None:  # noqa: ARG002  # what a store keeps is the host's
        if self._change is not None:
            self._change(self._connection)

    def _ip(self) -> str | None:
        client = self._connection.client
        return None if client is None else client.host

    def _header(self, name: str) -> str | None:
        # As WSGI has it (RFC 9110 5.3): of two keys, one must not be picked silently.
        values = self._connection.headers.getlist(name)
        return ",".join(values) if values else None

    def _cookie(self, name: str) -> str | None:
        return self._connection.cookies.get(name)


class BrowserMiddleware:
    """Sets the device cookie on whatever response leaves, and keeps caches away from it; `install` adds it."""

    def __init__(
        self, app: ASGIApp, *, keeping: Keeping, change_id: Callable[[HTTPConnection], None] | None = None
    ) -> None:
        self._app, self._keeping, self._change_id = app, keeping, change_id

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        found = scope[SCOPE] = StarletteBrowser(self._keeping, HTTPConnection(scope), self._change_id)

        async def carrying(message: Message) -> None:
            if message["type"] == "http.response.start":
                _carry(found, MutableHeaders(scope=message))
            await send(message)

        await self._app(scope, receive, carrying)


def install(
    app: Starlette, keeping: Keeping | None = None, *, change_id: Callable[[HTTPConnection], None] | None = None
) -> None:
    """Let *app* set the device cookie, and answer an `AuthflowError` by its status with a JSON body.

    What the installation is to blame for goes to the logger ``uvicorn.error``.

    Args:
        app: The host; FastAPI's is one.
        keeping: Where it keeps what a browser is given.
        change_id: Changes the id of a session that the host keeps in a store, so that the old id opens nothing.
    """
    app.add_middleware(BrowserMiddleware, keeping=keeping or Keeping(), change_id=change_id)
    app.add_exception_handler(AuthflowError, _answer)


async def browser(request: Request) -> StarletteBrowser:
    """Return the browser behind *request*.

    Raises:
        ConfigInvalid: `install` was not called.
    """
    found: StarletteBrowser | None = request.scope.get(SCOPE)
    if found is None:
        raise ConfigInvalid(setting="app", problem="needs authflow.integrations.starlette.install(app)")
    return found


def problem(refused: Refused) -> JSONResponse:
    """Return the response to *refused*: its status and ``{code, message, attempts_left, retry_after, problems}``."""
    return _response(Problem.of(refused))


def _response(said: Problem) -> JSONResponse:
    return JSONResponse(said.body, status_code=said.status, headers=said.headers)


async def _answer(_request: Request, error: Exception) -> Response:
    return _response(reported(cast("AuthflowError", error), LOGGER))


def _carry(found: StarletteBrowser, headers: MutableHeaders) -> None:
    if found.touched:
        headers.update(NO_STORE)
    if (cookie := found.cookie) is not None:
        carrier = Response()
        carrier.set_cookie(**cookie, samesite="lax")
        headers.append("set-cookie", carrier.headers["set-cookie"])
