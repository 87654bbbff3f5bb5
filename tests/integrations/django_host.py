"""A Django project with ``auth_user`` and ``auth_group``. Its settings are global, so there is one in a process."""

from __future__ import annotations

import json
import os
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import TYPE_CHECKING, Any

import attrs
import django
import sqlalchemy as sa
from django.conf import settings

from authflow import Authflow, KeyRing, Method, OrganizationId, Proof, Refused, UserId
from authflow.adapters.sql.hosted import AddressColumn, OrganizationTable, RowsOf, UserTable
from authflow.testing import ManualClock, SeededEntropy
from tests.integrations.driven import ERRORS, Driver, Reply, shown

if TYPE_CHECKING:
    from collections.abc import Mapping

    from django.http import HttpRequest

FILE = Path(mkdtemp(prefix=f"django-{os.getpid()}-")) / "app.db"
CLOCK = ManualClock()

settings.configure(
    SECRET_KEY="of-the-test",
    ALLOWED_HOSTS=["testserver"],
    ROOT_URLCONF=__name__,
    USE_TZ=True,
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    INSTALLED_APPS=[
        "django.contrib.auth",
        "django.contrib.contenttypes",
        "django.contrib.sessions",
        "authflow.integrations.django",
    ],
    MIDDLEWARE=[
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.middleware.csrf.CsrfViewMiddleware",
        "authflow.integrations.django.browser.AuthflowMiddleware",
    ],
    DATABASES={
        "default": {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": FILE,
            "OPTIONS": {"transaction_mode": "IMMEDIATE"},
        }
    },
)
django.setup()

from django.contrib.auth.models import ContentType, Group, User  # noqa: E402  # models want settings first
from django.contrib.sessions.models import Session  # noqa: E402  # as above
from django.core.management import call_command  # noqa: E402  # as above
from django.db import connection, transaction  # noqa: E402  # as above
from django.http import JsonResponse  # noqa: E402  # as above
from django.test import Client  # noqa: E402  # as above
from django.urls import path  # noqa: E402  # as above
from django.views.decorators.csrf import csrf_exempt  # noqa: E402  # as above

from authflow.integrations.django.browser import browser, problem  # noqa: E402  # as above
from authflow.integrations.django.database import atomic, database_url  # noqa: E402  # as above


@cache
def flows() -> Authflow:
    texts = [sa.column(name, sa.String) for name in ("username", "email")]
    user = sa.table("auth_user", sa.column("id", sa.Integer), *texts, sa.column("is_active", sa.Boolean)).c
    team = sa.table("auth_group", sa.column("id", sa.Integer), sa.column("name", sa.String)).c
    return Authflow.open(
        database_url(),
        keys=KeyRing.ephemeral(SeededEntropy()),
        clock=CLOCK,
        users=UserTable(
            id=user.id,
            label=user.username,
            active=user.is_active,
            addresses=AddressColumn(address=user.email, verified=True),
            drop_password_resets=lambda _connection, _person: 0,
            remove=RowsOf(user.id),
        ),
        organizations=OrganizationTable(id=team.id, name=team.name, regions=("eu",)),
    )


@cache
def made() -> bytes:
    """Return the file of a project with a person and a group: migrating takes a second, so it is done once."""
    call_command("migrate", verbosity=0)
    User.objects.create_user("ada", "ada@example.com", "correct horse", id=1)
    Group.objects.create(name="acme", id=1)
    connection.close()
    return FILE.read_bytes()


class DjangoDriver(Driver):
    cookie_name, stored, remembers = "sessionid", True, True
    note, log = "django_content_type", "django.request"

    def __init__(self) -> None:
        self.clock, self.file = CLOCK, FILE
        FILE.write_bytes(made())
        self.client = Client()

    def close(self) -> None:
        flows().uow.engine.dispose()
        flows.cache_clear()
        connection.close()
        for file in FILE.parent.iterdir():
            file.unlink()

    def send(self, method: str, path: str, body: str | None, headers: Mapping[str, str]) -> Reply:
        kind = "application/json"
        got: Any = self.client.generic(method, path, body or "", content_type=kind, headers=dict(headers), secure=True)
        cookies = [morsel.OutputString() for morsel in got.cookies.values()]
        return Reply(status=got.status_code, body=json.loads(got.content), headers=got.headers, cookies=cookies)

    def cookie(self, name: str) -> str | None:
        found = self.client.cookies.get(name)
        return None if found is None or not found.value else str(found.value)

    def set_cookie(self, name: str, value: str) -> None:
        self.client.cookies[name] = value

    def ids(self) -> set[str]:
        return set(Session.objects.values_list("session_key", flat=True))


def given(request: HttpRequest) -> dict[str, Any]:
    return dict(json.loads(request.body))


def answered(request: HttpRequest, answer: Any) -> JsonResponse:
    kept = browser(request).keep(answer)
    return problem(kept) if isinstance(kept, Refused) else JsonResponse(shown(kept))


def sign_in(request: HttpRequest) -> JsonResponse:
    here, proof = browser(request), Proof(method=Method.PASSWORD, at=CLOCK.now())
    user = UserId(given(request)["user"])
    return answered(request, flows().sessions.establish(here.session, here.context, user=user, proof=proof))


def begin(request: HttpRequest) -> JsonResponse:
    here = browser(request)
    return answered(request, flows().mfa.begin_totp(here.session, here.context, account="ada@example.com"))


def complete(request: HttpRequest) -> JsonResponse:
    here, body = browser(request), given(request)
    answer = flows().mfa.complete_totp(here.session, here.context, body.get("flow"), code=body.get("code"))
    return answered(request, answer)


def verify(request: HttpRequest) -> JsonResponse:
    here, body = browser(request), given(request)
    kind, code = body.get("kind"), body.get("code")
    return answered(request, flows().mfa.verify(here.session, here.context, kind, code, device=here.device))


def sign_out(request: HttpRequest) -> JsonResponse:
    here = browser(request)
    return answered(request, flows().sessions.sign_out(here.session, here.context))


def me(request: HttpRequest) -> JsonResponse:
    asker = flows().sessions.identify(browser(request).session)
    return JsonResponse({"user": asker.user, "why_not": asker.why_not})


def context(request: HttpRequest) -> JsonResponse:
    return JsonResponse(attrs.asdict(browser(request).context))


def store(request: HttpRequest) -> JsonResponse:
    request.session["authflow"] = given(request)["value"]
    return JsonResponse({})


def join(request: HttpRequest) -> JsonResponse:
    with atomic(flows()):
        ContentType.objects.create(app_label="host", model="note")
        added = flows().members.add(browser(request).context, organization=OrganizationId("1"), user=UserId("1"))
        transaction.set_rollback(not given(request)["commit"])
    return JsonResponse(shown(added))


def guess_within(request: HttpRequest) -> JsonResponse:
    here = browser(request)
    with atomic(flows()):
        return answered(request, flows().mfa.verify(here.session, here.context, "totp", "000000"))


def fail(_request: HttpRequest, name: str) -> JsonResponse:
    raise ERRORS[name]


VIEWS = (sign_in, begin, complete, verify, sign_out, me, context, store, join, guess_within)
urlpatterns = [path(view.__name__.replace("_", "-"), csrf_exempt(view)) for view in VIEWS]
urlpatterns.append(path("raise/<name>", fail))
