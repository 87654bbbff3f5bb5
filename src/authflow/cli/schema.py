"""``authflow schema``: make, upgrade and check the tables, or write down the statements that make them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from authflow.cli.command import Command
from authflow.cli.installation import add_database, add_installation, named_tables, opened

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace


def _arguments(parser: ArgumentParser) -> None:
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)
    create = actions.add_parser("create", help="make the tables where there are none")
    create.set_defaults(run=_create)
    add_database(create)
    upgrade = actions.add_parser("upgrade", help="bring the tables to the newest revision")
    upgrade.set_defaults(run=_upgrade)
    add_database(upgrade)
    check = actions.add_parser("check", help="tell whether the tables are those that this version needs")
    check.set_defaults(run=_check)
    add_database(check)
    sql = actions.add_parser("sql", help="print the statements that make the tables; connect to nothing")
    sql.set_defaults(run=_sql)
    add_installation(sql)
    sql.add_argument(
        "--dialect",
        "--database",
        dest="database",
        metavar="NAME",
        required=True,
        help="sqlite, postgresql, mariadb, or a URL of one of them",
    )


def _create(options: Namespace) -> int:
    from authflow.adapters.sql import schema

    tables = named_tables(options)
    with opened(options, new=True) as engine:
        if schema.current(engine, tables) is None:
            schema.upgrade(engine, tables)
        schema.check(engine, tables)
        print(f"The tables {tables.prefix}* stand at revision {schema.current(engine, tables)}.")
    return 0


def _upgrade(options: Namespace) -> int:
    from authflow.adapters.sql import schema

    tables = named_tables(options)
    with opened(options, new=True) as engine:
        before = schema.current(engine, tables)
        schema.upgrade(engine, tables)
        after = schema.current(engine, tables)
    came = "nothing to do" if before == after else f"they were at {before}" if before else "they are new"
    print(f"The tables {tables.prefix}* stand at revision {after}: {came}.")
    return 0


def _check(options: Namespace) -> int:
    from authflow.adapters.sql import schema

    tables = named_tables(options)
    with opened(options) as engine:
        schema.check(engine, tables)
        print(f"The tables {tables.prefix}* stand at revision {schema.current(engine, tables)}, the one needed.")
    return 0


def _sql(options: Namespace) -> int:
    from authflow.adapters.sql import schema

    print(schema.sql(options.database, named_tables(options)))
    return 0


COMMAND: Final = Command(
    name="schema",
    summary="make, upgrade and check the tables in a database",
    described="Make, upgrade and check the tables in a database, or print the statements that make them.",
    arguments=_arguments,
)
