"""Our Alembic history: where its scripts are, and what they are told of one installation."""

from __future__ import annotations

import threading
from collections.abc import Callable, MutableMapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

from authflow.errors import ExtraMissing

if TYPE_CHECKING:
    from collections.abc import Generator

    from authflow.adapters.sql.tables import Tables

Kind = Literal["schema", "table", "column", "index", "unique_constraint", "foreign_key_constraint"]
Parent = Literal["schema_name", "table_name", "schema_qualified_table_name"]
IncludeName = Callable[[str | None, Kind, MutableMapping[Parent, str | None]], bool]

SCRIPTS: Final = Path(__file__).parent / "migrations"

_ALONE: Final = threading.Lock()
"""Alembic keeps the command that runs in module globals; of other processes the database keeps us apart."""


@contextmanager
def commanding(scripts: Path, options: dict[str, Any]) -> Generator[tuple[Any, Any]]:
    """Give Alembic's commands and their configuration, to one thread at a time.

    Raises:
        ExtraMissing: Alembic is not installed.
    """
    try:
        from alembic import command
        from alembic.config import Config
    except ImportError as error:
        raise ExtraMissing(extra="sql") from error
    config = Config(attributes={"options": options})
    config.set_main_option("script_location", str(scripts).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    with _ALONE:
        yield command, config


def known(config: Any) -> tuple[str, ...]:
    """Return every revision of the history of *config*, oldest first."""
    from alembic.script import ScriptDirectory

    newest_first = ScriptDirectory.from_config(config).walk_revisions()
    return tuple(reversed([script.revision for script in newest_first]))


def options_of(tables: Tables) -> dict[str, Any]:
    """Return what ``env.py`` tells Alembic of *tables*."""
    return {
        "target_metadata": tables.metadata,
        "version_table": version_table(tables),
        "version_table_schema": tables.metadata.schema,
        "include_name": include_ours(tables),
        "include_schemas": tables.metadata.schema is not None,
        "compare_type": True,
        "compare_server_default": True,
        "prefix": tables.prefix,  # for the revisions
        "schema": tables.metadata.schema,
    }


def version_table(tables: Tables) -> str:
    """Return the name of the table that says which revision stands."""
    return f"{tables.prefix}schema_version"


def include_ours(tables: Tables) -> IncludeName:
    """Return an ``include_name`` that lets Alembic see nothing but *tables* and what stands behind their prefix."""
    schema, prefix = tables.metadata.schema, tables.prefix
    names = {version_table(tables), *(table.name for table in tables.metadata.tables.values())}

    def include_name(name: str | None, kind: Kind, parents: MutableMapping[Parent, str | None]) -> bool:
        if kind == "schema":
            return name == schema
        if kind != "table" or name is None:
            return True
        return parents.get("schema_name") == schema and (name in names or (prefix != "" and name.startswith(prefix)))

    return include_name


class Statements:
    """Takes what Alembic writes, statement by statement; its comments, and BEGIN and COMMIT, are left out."""

    def __init__(self) -> None:
        self.seen: list[str] = []

    def write(self, text: str) -> None:
        statement = text.strip().removesuffix(";")
        if statement and not statement.startswith("--") and statement not in {"BEGIN", "COMMIT", "START TRANSACTION"}:
            self.seen.append(statement)

    def flush(self) -> None:
        """Do nothing: nothing is held back."""
