"""What Django's settings say of a database that the tests started."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from tests.backends import require

if TYPE_CHECKING:
    import sqlalchemy as sa

BACKENDS = {"sqlite": "sqlite3", "postgresql": "postgresql", "mariadb": "mysql"}


def settings_of(url: sa.URL) -> dict[str, Any]:
    """Return the entry of ``DATABASES`` that means *url*."""
    name = url.get_backend_name()
    if name == "mariadb" and find_spec("MySQLdb") is None:
        require("mysqlclient is not installed: Django does not reach MariaDB")
    host = url.host or url.query.get("host", "")
    return {
        "ENGINE": f"django.db.backends.{BACKENDS[name]}",
        "NAME": url.database,
        "USER": url.username or "",
        "PASSWORD": url.password or "",
        "HOST": url.query["unix_socket"] if name == "mariadb" else host,
        "PORT": url.port or "",
    }
