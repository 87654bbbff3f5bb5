"""A Django project that is managed in a process of its own for each call: its settings are global there.

The processes are forked from one that has imported this module, and nothing but it: that takes a tenth of the time in
which an interpreter starts and imports Django and SQLAlchemy.
"""

from __future__ import annotations

import traceback
import warnings
from concurrent.futures import ProcessPoolExecutor
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from multiprocessing import get_context
from typing import Any, Final

import attrs
import django
from django.conf import settings
from django.core.management import call_command
from django.core.management.commands import makemigrations, migrate, showmigrations, sqlmigrate  # noqa: F401  # before a fork

from authflow.adapters.sql import schema  # noqa: F401  # as above
from authflow.integrations.django.apps import AuthflowConfig

FORKING: Final = get_context("forkserver")
FORKING.set_forkserver_preload(["__main__", __name__])

QUIET: Final = {"showmigrations", "sqlmigrate"}
"""Commands that say nothing but what they are asked."""


class Renamed(AuthflowConfig):
    """Our tables under names of the project's own."""


class Nowhere:
    """A router that gives us no database."""

    def allow_migrate(self, _database: str, app_label: str, **_hints: Any) -> bool:
        return app_label != "authflow"


@attrs.frozen(kw_only=True)
class Managed:
    """What came of it: what was printed, and how it failed, or nothing."""

    printed: str
    failed: str


@attrs.frozen(kw_only=True)
class Settings:
    """What the project is."""

    database: dict[str, Any]
    prefix: str | None = None
    schema: str | None = None
    routers: tuple[str, ...] = ()
    failing: bool = False

    def manage(self, *commands: str) -> Managed:
        """Run *commands* of ``manage.py``, one after the other, in a new process."""
        with ProcessPoolExecutor(1, mp_context=FORKING) as process:
            return process.submit(_managed, self, commands).result()


def _managed(project: Settings, commands: tuple[str, ...]) -> Managed:
    warnings.simplefilter("error")
    failed = ""
    with redirect_stdout(StringIO()) as printed, redirect_stderr(printed):
        try:
            _configure(project)
            for command in commands:
                name, *arguments = command.split()
                call_command(name, *arguments, **({} if name in QUIET else {"verbosity": 0}))
        except (Exception, SystemExit):  # noqa: BLE001  # whatever it was, the test reads it
            failed = traceback.format_exc()
    return Managed(printed=printed.getvalue(), failed=failed)


def _configure(project: Settings) -> None:
    if project.prefix is not None:
        Renamed.prefix, Renamed.schema = project.prefix, project.schema
    app = "authflow.integrations.django" if project.prefix is None else f"{__name__}.{Renamed.__name__}"
    settings.configure(
        DATABASES={"default": project.database},
        DATABASE_ROUTERS=list(project.routers),
        INSTALLED_APPS=["django.contrib.contenttypes", app],
        USE_TZ=True,
    )
    django.setup()
    if project.failing:
        _fail_half_way()


def _fail_half_way() -> None:
    from authflow.integrations.django import revisions

    wanted = revisions.steps

    def half(*given: Any, **named: Any) -> tuple[Any, ...]:
        made = wanted(*given, **named)
        return (*made[: len(made) // 2], "SELECT * FROM nowhere", *made[len(made) // 2 :])

    revisions.steps = half
