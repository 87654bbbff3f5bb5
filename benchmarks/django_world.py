"""Django on a run's database, for the peers that live in it."""

from __future__ import annotations

import contextlib
import itertools
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qs, urlsplit

import django
from django.conf import settings
from django.contrib.auth import SESSION_KEY
from django.core.management import call_command
from django.db.backends.signals import connection_created
from django.http import HttpRequest, JsonResponse
from django.test import Client

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from benchmarks.protocol import Watch, Work, World

EMPTY: Final = "/empty"
"""Where a request for nothing goes, and a browser that has signed in."""

PASSWORDS: Final = "django.contrib.auth.backends.ModelBackend"


def start(database: Mapping[str, Any], configured: Mapping[str, Any]) -> None:
    """Start Django, once, on *database* and as *configured*."""
    settings.configure(DATABASES={"default": dict(database)}, **configured)
    django.setup()


def migrate(world: World) -> None:
    """Make the tables; on SQLite every connection is prepared, and counted, like everybody's."""
    if world.sqlite:
        connection_created.connect(lambda connection, **_: world.opened(connection.connection), weak=False)
    call_command("migrate", verbosity=0)


def database_of(world: World) -> dict[str, Any]:
    """Return what Django has to be told of the run's database."""
    if world.sqlite:
        return {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": world.target,
            "OPTIONS": {"transaction_mode": "IMMEDIATE"},
        }
    parts = urlsplit(world.target)
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": parts.path.lstrip("/"),
        "USER": parts.username,
        "HOST": parse_qs(parts.query)["host"][0],
        "CONN_MAX_AGE": None,
    }


def empty(_request: HttpRequest) -> JsonResponse:
    """Answer nothing."""
    return JsonResponse({})


def empty_request(operations: int, watch: Watch) -> None:
    """Ask for nothing."""
    browser = Client()
    for _ in range(operations):
        with watch:
            browser.get(EMPTY)


class SignOns:
    """People who come back from a provider to a peer.

    Args:
        leave: Send a browser away, to link an identity or to sign in; return the URL of the provider.
        callback: Where a provider sends browsers back to.

    A code is the address of whoever comes, and so are an access token and a subject.
    """

    def __init__(self, leave: Callable[[Client, bool], str], callback: str) -> None:
        self._leave, self._callback, self._numbers = leave, callback, itertools.count()

    def rows(self) -> Mapping[str, Work]:
        """Return the three rows."""
        return {"sso_known": self.known, "sso_new": self.new, "sso_attach": self.attach}

    def known(self, operations: int, watch: Watch) -> None:
        """Take the provider's answer about somebody who came before."""
        subject = self._subject()
        self._come_back(Client(), subject)
        for _ in range(operations):
            self._come_back(Client(), subject, watch)

    def new(self, operations: int, watch: Watch) -> None:
        """Take the answer about a stranger, and make an account."""
        for _ in range(operations):
            self._come_back(Client(), self._subject(), watch)

    def attach(self, operations: int, watch: Watch) -> None:
        """Take the answer for somebody who is signed in with a password."""
        from django.contrib.auth import get_user_model

        for _ in range(operations):
            browser, subject = Client(), self._subject()
            user = get_user_model().objects.create_user(subject, subject)
            browser.force_login(user, PASSWORDS)
            self._come_back(browser, subject, watch, link=True)
        later = Client()
        self._come_back(later, subject)
        if later.session[SESSION_KEY] != str(user.pk):
            raise AssertionError(subject)

    def _subject(self) -> str:
        return f"guest-{next(self._numbers)}@example.com"  # nobody of another row

    def _come_back(self, browser: Client, subject: str, watch: Any = None, *, link: bool = False) -> None:  # noqa: ANN401  # a context
        """Go away, and bring the provider's answer; only the request that brings it is watched."""
        (state,) = parse_qs(urlsplit(self._leave(browser, link)).query)["state"]
        brought = {"code": subject, "state": state}
        with watch or contextlib.nullcontext():
            answer = browser.get(self._callback, brought)
        if answer.status_code != HTTPStatus.FOUND or answer.url != EMPTY or SESSION_KEY not in browser.session:
            raise AssertionError(answer.content)
