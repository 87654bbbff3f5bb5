"""The command line. Each command is a module of its own; here they meet, and here errors become sentences."""

from __future__ import annotations

import io
import os
import sys
from argparse import ArgumentParser
from typing import TYPE_CHECKING, Final

from authflow import __version__
from authflow.cli import demo, keys, machines, recheck, relay, schema, sweep, vectors
from authflow.errors import AuthflowError, ExtraMissing

if TYPE_CHECKING:
    from collections.abc import Sequence

    from authflow.cli.command import Command

COMMANDS: Final[tuple[Command, ...]] = (
    demo.COMMAND,
    keys.COMMAND,
    machines.COMMAND,
    recheck.COMMAND,
    relay.COMMAND,
    schema.COMMAND,
    sweep.COMMAND,
    vectors.COMMAND,
)

EXTRAS: Final = {
    "sqlalchemy": "sql",
    "alembic": "sql",
    "psycopg": "postgres",
    "pymysql": "mariadb",
    "segno": "qr",
}
"""Which extra of the package brings an optional library."""

FAILED: Final = 1
MISUSED: Final = 2
INTERRUPTED: Final = 130
"""128 and the number of SIGINT, as a shell reports it."""
CLOSED: Final = 141
"""128 and the number of SIGPIPE: whoever read the output has seen enough."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status.

    0: done. 1: refused or failed, with ``error: <code>: sentence`` on stderr. 2: the arguments make no sense.
    """
    try:
        status = _run(argv)
        sys.stdout.flush()
    except SystemExit as leaving:  # argparse has said what is wrong, or has shown the help
        return MISUSED if leaving.code else 0
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        _discard_output()
        return CLOSED
    except (AuthflowError, ModuleNotFoundError, OSError) as error:
        print(f"error: {_sentence(error)}", file=sys.stderr)
        return FAILED
    return status


def _run(argv: Sequence[str] | None) -> int:
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # what a terminal cannot show is no reason to fail
    parser = _parser()
    options = parser.parse_args(argv)
    if "run" not in options:
        parser.print_help()
        return MISUSED
    return int(options.run(options))


def _parser() -> ArgumentParser:
    parser = ArgumentParser(prog="authflow", description="The account-security core of a multi-tenant web app.")
    parser.add_argument("--version", action="version", version=f"authflow {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")
    for command in COMMANDS:
        command.arguments(commands.add_parser(command.name, help=command.summary, description=command.described))
    return parser


def _sentence(error: AuthflowError | ModuleNotFoundError | OSError) -> str:
    if isinstance(error, AuthflowError):
        return str(error)
    if isinstance(error, OSError):
        return f"system: {error.strerror or type(error).__name__}"
    extra = EXTRAS.get((error.name or "").partition(".")[0])
    if extra is None:
        raise error  # a bug of ours, with all that is known of it
    return str(ExtraMissing(extra=extra))


def _discard_output() -> None:
    # The interpreter flushes stdout once more when it ends, and would complain about the same pipe.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
