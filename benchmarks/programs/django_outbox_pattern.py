"""The peer ``django-outbox-pattern``: messages stored beside what they tell of. Delivering them needs a broker."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

import django
from django.conf import settings
from django.core.management import call_command
from django.db import transaction

from benchmarks.protocol import serve

if TYPE_CHECKING:
    from collections.abc import Mapping

    from benchmarks.protocol import Watch, Work, World


def rows(world: World) -> Mapping[str, Work]:
    """Offer storing one and a hundred."""
    parts = urlsplit(world.target)
    database = {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": parts.path.lstrip("/"),
        "USER": parts.username,
        "HOST": parse_qs(parts.query)["host"][0],
        "CONN_MAX_AGE": None,
    }
    settings.configure(DATABASES={"default": database}, INSTALLED_APPS=["django_outbox_pattern"], USE_TZ=True)
    django.setup()
    call_command("migrate", verbosity=0)
    from django_outbox_pattern.models import Published

    def published() -> Published:
        body = {"authenticator": "0" * 26, "kind": "totp", "note": "x" * 120}
        return Published(destination="/topic/benchmark", body=body)

    def one(operations: int, watch: Watch) -> None:
        for _ in range(operations):
            with watch, transaction.atomic():
                published().save()

    def hundred(operations: int, watch: Watch) -> None:
        for _ in range(operations):
            with watch, transaction.atomic():
                Published.objects.bulk_create([published() for _ in range(100)])

    return {"enqueue_1": one, "enqueue_100": hundred}


if __name__ == "__main__":
    serve(rows, versions=("django-outbox-pattern", "Django"))
