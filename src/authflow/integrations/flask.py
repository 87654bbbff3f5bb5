"""Flask: the browser of the current request, kept in ``flask.session``.

With Flask's own signed cookie there is no session id to change: the value in it changes, and what an older cookie holds
opens nothing (the server's row decides). A session interface that can ``regenerate``, such as Flask-Session's, does so.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from flask import current_app, g, jsonify, request, session

from authflow.errors import AuthflowError, ConfigInvalid
from authflow.integrations._shared import NO_STORE, Browser, Keeping, Problem, reported

if TYPE_CHECKING:
    from collections.abc import MutableMapping

    from flask import Flask, Response

    from authflow.values import BrowserSession, Refused

__all__ = ["FlaskBrowser", "Keeping", "browser", "install", "problem"]

EXTENSION = "authflow"


class FlaskBrowser(Browser):
    """The browser behind Flask's current request."""

    def _store(self) -> MutableMapping[str, Any]:
        return session

    def _change_id(self, replaced: BrowserSession | None) -> None:  # noqa: ARG002  # what a store of Flask's keeps is its own
        session.modified = True
        regenerate = getattr(current_app.session_interface, "regenerate", None)
        if regenerate is not None:
            regenerate(session)

    def _ip(self) -> str | None:
        return request.remote_addr

    def _header(self, name: str) -> str | None:
        return request.headers.get(name)

    def _cookie(self, name: str) -> str | None:
        return request.cookies.get(name)


def install(app: Flask, keeping: Keeping | None = None) -> None:
    """Let *app* set the device cookie, and answer an `AuthflowError` by its status with a JSON body.

    What the installation is to blame for goes to ``app.logger``.

    Args:
        app: The host.
        keeping: Where it keeps what a browser is given.
    """
    app.extensions[EXTENSION] = keeping or Keeping()
    app.register_error_handler(AuthflowError, _answer)
    app.after_request(_carry)


def browser() -> FlaskBrowser:
    """Return the browser behind the current request.

    Raises:
        ConfigInvalid: `install` was not called.
    """
    found = g.get(EXTENSION)
    if found is None:
        keeping = current_app.extensions.get(EXTENSION)
        if keeping is None:
            raise ConfigInvalid(setting="app", problem="needs authflow.integrations.flask.install(app)")
        found = g.authflow = FlaskBrowser(keeping)
    return cast("FlaskBrowser", found)


def problem(refused: Refused) -> Response:
    """Return the response to *refused*: its status and ``{code, message, attempts_left, retry_after, problems}``."""
    return _response(Problem.of(refused))


def _response(said: Problem) -> Response:
    response = jsonify(said.body)
    response.status_code = said.status
    response.headers.update(said.headers)
    return response


def _answer(error: AuthflowError) -> Response:
    return _response(reported(error, current_app.logger))


def _carry(response: Response) -> Response:
    found: FlaskBrowser | None = g.get(EXTENSION)
    if found is not None and found.touched:
        response.headers.update(NO_STORE)
    if found is not None and (cookie := found.cookie) is not None:
        response.set_cookie(**cookie, samesite="Lax")
    return response
