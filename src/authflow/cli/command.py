"""What a command of the command line is, and the arguments that several of them share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

if TYPE_CHECKING:
    from argparse import ArgumentParser
    from collections.abc import Callable


@attrs.frozen(kw_only=True)
class Command:
    """One command.

    Args:
        name: The word after ``authflow``.
        summary: What it does, on one line of the list of commands.
        described: What its own help begins with.
        arguments: Adds its arguments to a parser, and sets ``run``: a function of the parsed arguments that returns
            the exit status.
    """

    name: str
    summary: str
    described: str
    arguments: Callable[[ArgumentParser], None]


def database_arguments(parser: ArgumentParser) -> None:
    """Add what names one installation of tables."""
    parser.add_argument(
        "--database", metavar="URL", required=True, help="sqlite:///file.db or postgresql://user:password@host/name"
    )
    parser.add_argument("--prefix", help="what the names of the tables begin with (default: authflow_)")
    parser.add_argument("--schema", metavar="NAME", help="the PostgreSQL schema that holds them (default: the first)")


def keys_argument(parser: ArgumentParser) -> None:
    """Add the key ring."""
    parser.add_argument("--keys", metavar="FILE", required=True, help="the key ring; `authflow keys new` makes one")
