"""``authflow relay``: deliver what waits in the outbox, in a development environment."""

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
    parser.add_argument("--once", action="store_true", help="one pass; leave what the deliveries themselves write")
    parser.set_defaults(run=_run)


def _run(options: Namespace) -> int:
    with running(options) as flows:
        drained = flows.relay.drain() if options.once else flows.relay.drain_until_quiet()
    print(columns(list(attrs.asdict(drained).items())))
    return 0


COMMAND: Final = Command(
    name="relay",
    summary="deliver what is due in the outbox; mails are printed (development)",
    described="Deliver what is due in the outbox. For development: mails are printed with their secrets instead of "
    "sent, and the receivers of your app are not called. In production call `flows.relay.drain()` from a worker. "
    "A database that stays busy is error database.busy and exit status 1: nothing is lost, run it again.",
    arguments=_arguments,
)
