"""Django's database as ours: its URL from the settings, and its ``transaction.atomic()`` as the host's transaction."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, urlencode

from django.db import DEFAULT_DB_ALIAS, connections, transaction

from authflow.errors import ConfigInvalid

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping

    from authflow.wiring import Authflow

SCHEMES: Final = {"sqlite": "sqlite", "postgresql": "postgresql", "mysql": "mariadb"}
"""What Django calls a database, and a URL of ours."""

DJANGOS_OWN: Final = {
    "sqlite": {"timeout", "transaction_mode", "init_command"},
    "postgresql": {"pool", "isolation_level", "server_side_binding", "client_encoding"},
    "mysql": {"charset", "isolation_level", "init_command", "sql_mode"},
}
"""Options for Django's connections only: ours set what they need themselves."""

LIBPQ: Final = "postgresql"
"""Here every other option is one of libpq's, and means the same in a URL."""


@contextmanager
def atomic(flows: Authflow, using: str = DEFAULT_DB_ALIAS) -> Generator[None]:
    """Open ``transaction.atomic()``, and let every command in the block be a part of it: kept or undone together.

    A command that compares a guess needs a transaction of its own on SQLite (decision 7): call it outside.

    Args:
        flows: The flows whose tables are in that database.
        using: The alias of the database.

    Raises:
        ConfigInvalid: It is another kind of database than that of *flows*.
    """
    with transaction.atomic(using=using):
        connection = connections[using]
        connection.ensure_connection()
        with flows.within(connection.connection):
            yield


def database_url(using: str = DEFAULT_DB_ALIAS) -> str:
    """Return the URL of ``settings.DATABASES[using]``, for `Authflow.open`; it holds the password.

    While Django's test runner works on a test database, it is that one's. SQLite's must be a file: give it a ``NAME``
    under ``TEST``.

    Raises:
        ConfigInvalid: It is none of SQLite, PostgreSQL and MariaDB, or has an option that no URL can say.
    """
    connection = connections[using]
    settings, vendor = connection.settings_dict, connection.vendor
    if vendor not in SCHEMES:
        raise ConfigInvalid(setting="DATABASES", problem=f"{vendor} is not supported")
    options = _options(vendor, settings["OPTIONS"])
    if vendor == "sqlite":
        return _file_url(str(settings["NAME"]))
    return _server_url(SCHEMES[vendor], settings, options)


def _options(vendor: str, given: Mapping[str, Any]) -> dict[str, str]:
    left = {name: value for name, value in given.items() if name not in DJANGOS_OWN[vendor]}
    said = {name: str(value) for name, value in left.items() if vendor == LIBPQ and isinstance(value, str | int)}
    unsaid = sorted(left.keys() - said.keys())
    if unsaid:
        # An option that is dropped silently could be the one that asks for TLS.
        raise ConfigInvalid(setting="DATABASES", problem=f"has {', '.join(unsaid)}: make the engine yourself")
    return said


def _file_url(name: str) -> str:
    if name.startswith("file:") or name == ":memory:":
        raise ConfigInvalid(setting="DATABASES", problem="must be a file: NAME, and in tests TEST NAME")
    return f"sqlite:///{name}"


def _server_url(scheme: str, settings: Mapping[str, Any], options: dict[str, str]) -> str:
    user, password = (quote(str(settings[name]), safe="") for name in ("USER", "PASSWORD"))
    host, port, name = str(settings["HOST"]), str(settings["PORT"]), quote(str(settings["NAME"]), safe="")
    if host.startswith("/"):
        # A socket: its folder for PostgreSQL, itself for MariaDB.
        options = {**options, "host" if scheme == LIBPQ else "unix_socket": host}
        host = ""
    host = f"[{host}]" if ":" in host else quote(host, safe=",")  # RFC 3986 3.2.2: an IPv6 address stands in brackets
    who = f"{user}:{password}" if password else user
    where = f"{host}:{port}" if port else host
    query = f"?{urlencode(options)}" if options else ""
    return f"{scheme}://{who}@{where}/{name}{query}" if who else f"{scheme}://{where}/{name}{query}"
