"""What a host is told that forgot something, and what its own choices change."""

from __future__ import annotations

from datetime import timedelta
from importlib import import_module
from typing import TYPE_CHECKING, Any

import attrs
import pytest
from cachelib import SimpleCache
from flask import Flask
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from authflow import (
    NOBODY,
    Arrived,
    BrowserSession,
    Code,
    ConfigInvalid,
    Context,
    Level,
    Refused,
    Secret,
    SessionId,
    SignedOut,
    UserId,
)
from authflow.integrations import flask as flask_frame
from authflow.integrations import starlette as starlette_frame
from authflow.integrations._shared import Browser, Keeping, Problem
from authflow.journey.post_flow import InvitationFate, InvitationOutcome

if TYPE_CHECKING:
    from collections.abc import MutableMapping

    from starlette.requests import HTTPConnection, Request

HERS = BrowserSession(id=SessionId("s"), secret=Secret("x"), generation=3, user=UserId("ada"))


class Recorded(Browser):
    """A framework of no size."""

    def __init__(self, keeping: Keeping | None = None) -> None:
        super().__init__(keeping or Keeping())
        self.kept: dict[str, Any] = {}
        self.changes = 0
        self.replaced: list[BrowserSession | None] = []

    def _store(self) -> MutableMapping[str, Any]:
        return self.kept

    def _change_id(self, replaced: BrowserSession | None) -> None:
        self.changes += 1
        self.replaced.append(replaced)

    def _ip(self) -> str | None:
        return ""

    def _header(self, name: str) -> str | None:
        return name if name.startswith("My-") else None

    def _cookie(self, name: str) -> str | None:
        return {"mine": "value", "authflow_device": ""}.get(name)


def arrived(*, renew: bool = True, device: str | None = "d") -> Arrived:
    session = BrowserSession(**{**vars_of(HERS), "renew": renew})
    outcome = InvitationOutcome(fate=InvitationFate.NONE)
    given = None if device is None else Secret(device)
    return Arrived(session=session, user=UserId("ada"), level=Level.ONE, device=given, invitation=outcome)


def vars_of(session: BrowserSession) -> dict[str, Any]:
    return {"id": session.id, "secret": session.secret, "generation": session.generation, "user": session.user}


@pytest.fixture
def django_project() -> None:
    """Have Django configured; its settings are global."""
    import_module("tests.integrations.django_host")


# --- keeping --------------------------------------------------------------------------------------------------------


def test_the_id_changes_if_and_only_if_the_value_says_so_or_goes():
    browser = Recorded()
    for answer, changes in ((arrived(), 1), (arrived(renew=False), 1), (SignedOut(), 2), (SignedOut(), 2)):
        assert browser.keep(answer) is answer
        assert browser.changes == changes
    assert browser.kept == {}


def test_what_is_left_for_the_old_id_is_a_value_that_its_row_replaced_and_no_other():
    """A value of another row, or one that is no older, may open a session still."""
    newer, other = attrs.evolve(HERS, generation=4), attrs.evolve(HERS, id=SessionId("t"), generation=4)
    browser = Recorded()
    for value in (HERS, newer, newer, HERS, other):
        browser.keep(attrs.evolve(arrived(), session=attrs.evolve(value, renew=True)))
    browser.keep(SignedOut())
    assert browser.replaced == [None, HERS, None, None, None, None]


def test_a_value_that_was_replaced_overwrites_nothing():
    """The browser may have the newer one by now, in another response: its cookie must not go back."""
    browser = Recorded()
    browser.keep(arrived())
    stood = dict(browser.kept)
    overtaken = Refused(code=Code.SESSION_SUPERSEDED, session=attrs.evolve(HERS, user=None))
    assert browser.keep(overtaken) is overtaken
    assert (browser.kept, browser.changes) == (stood, 1)
    assert browser.touched


def test_what_is_kept_is_what_is_read():
    browser = Recorded(Keeping(session_key="mine"))
    assert browser.session is NOBODY
    browser.keep(arrived())
    assert list(browser.kept) == ["mine"]
    assert browser.session == HERS


def test_a_value_that_stands_already_is_not_written_again():
    """A host writes its whole session, or sends its cookie, for each change."""
    written = []

    class Store(dict[str, Any]):
        def __setitem__(self, key: str, value: Any) -> None:
            written.append(key)
            super().__setitem__(key, value)

    browser = Recorded()
    browser.kept = Store()
    for _ in range(2):
        browser.keep(arrived(renew=False))
    assert written == ["authflow"]


def test_a_host_chooses_the_cookie():
    age = timedelta(hours=1)
    mine = Keeping(
        device_cookie="mine", device_age=age, device_path="/a", device_domain="a.example", device_secure=False
    )
    browser = Recorded(mine)
    assert browser.cookie is None
    assert browser.device == Secret("value")
    browser.keep(arrived(device=None))
    assert browser.cookie is None
    browser.keep(arrived())
    assert browser.cookie == {
        "key": "mine",
        "value": "d",
        "max_age": 3600,
        "path": "/a",
        "domain": "a.example",
        "secure": False,
        "httponly": True,
    }


def test_an_empty_cookie_and_an_unknown_address_are_none():
    browser = Recorded(Keeping(request_id_header="My-Request"))
    assert browser.device is None
    assert browser.context == Context(request_id="My-Request")


def test_a_wait_is_told_in_whole_seconds_and_never_too_short():
    waits = [timedelta(0), timedelta(milliseconds=1), timedelta(seconds=1), timedelta(seconds=1, milliseconds=1)]
    said = [Problem.of(Refused(code=Code.MFA_RATE_LIMITED, retry_after=wait)) for wait in waits]
    assert [problem.headers["Retry-After"] for problem in said] == ["1", "1", "1", "2"]


def test_every_code_is_a_status():
    assert all(400 <= Problem.of(Refused(code=code)).status <= 599 for code in Code)


# --- what was forgotten ---------------------------------------------------------------------------------------------


def test_flask_says_what_is_missing():
    app = Flask("host")
    with app.test_request_context(), pytest.raises(ConfigInvalid, match="install"):
        flask_frame.browser()


def test_starlette_says_what_is_missing():
    async def view(request: Request) -> JSONResponse:
        return JSONResponse((await starlette_frame.browser(request)).session.id)

    routes = [Route("/", view)]
    with pytest.raises(ConfigInvalid, match="install"):
        TestClient(Starlette(routes=routes)).get("/")
    app = Starlette(routes=routes)
    starlette_frame.install(app)
    assert TestClient(app).get("/").json()["code"] == "config.invalid"


@pytest.mark.usefixtures("django_project")
def test_django_says_what_is_missing():
    from django.http import HttpResponse
    from django.test import RequestFactory

    from authflow.integrations.django.browser import AuthflowMiddleware, browser

    request = RequestFactory().get("/")
    with pytest.raises(ConfigInvalid, match="AuthflowMiddleware"):
        browser(request)
    AuthflowMiddleware(lambda _request: HttpResponse())(request)
    with pytest.raises(ConfigInvalid, match="SessionMiddleware"):
        _ = browser(request).session


@pytest.mark.usefixtures("django_project")
def test_django_gets_a_new_csrf_token_with_a_new_id():
    from django.contrib.sessions.backends.signed_cookies import SessionStore
    from django.middleware.csrf import get_token
    from django.test import RequestFactory

    from authflow.integrations.django.browser import DjangoBrowser

    request = RequestFactory().get("/")
    request.session = SessionStore()
    get_token(request)
    before = request.META["CSRF_COOKIE"]
    browser = DjangoBrowser(Keeping(), request)
    browser.keep(arrived(renew=False))
    assert request.META["CSRF_COOKIE"] == before
    browser.keep(arrived())
    assert request.META["CSRF_COOKIE"] != before


# --- a store of the host's under Starlette --------------------------------------------------------------------------


def test_starlette_changes_the_id_of_a_store_as_the_host_says():
    store = SimpleCache()

    async def sign_in(request: Request) -> JSONResponse:
        here = await starlette_frame.browser(request)
        here.keep(arrived())
        return JSONResponse(request.scope["id"])

    def stored(app: Any) -> Any:
        async def call(scope: Any, receive: Any, send: Any) -> None:
            if scope["type"] == "http":
                scope["id"], scope["session"] = "old", store.get("old") or {}
            await app(scope, receive, send)

        return call

    def change(connection: HTTPConnection) -> None:
        store.delete(connection.scope["id"])
        connection.scope["id"] = "new"
        store.set("new", dict(connection.session))

    app = Starlette(routes=[Route("/", sign_in)])
    starlette_frame.install(app, change_id=change)
    app.add_middleware(stored)
    store.set("old", {"mine": 1})
    assert TestClient(app).get("/").json() == "new"
    assert store.get("old") is None
    assert store.get("new") == {"mine": 1, "authflow": HERS.to_json()}
