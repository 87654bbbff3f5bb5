"""``authflow sweep``: remove what has expired."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import attrs

from authflow.cli.command import Command
from authflow.cli.installation import add_database, add_keys, running
from authflow.cli.layout import columns

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace


def _arguments(parser: ArgumentParser) -> None:
    add_database(parser)
    add_keys(parser)
    parser.set_defaults(run=_run)


def _run(options: Namespace) -> int:
    with running(options) as flows:
        swept = flows.upkeep.sweep()
    print(columns(list(attrs.asdict(swept).items())))
    return 0


COMMAND: Final = Command(
    name="sweep",
    summary="remove what has expired: sessions, proposals, invitations, stored replies, counters",
    described="Remove what has expired, and print how much of each. Run it once a day.",
    arguments=_arguments,
)
