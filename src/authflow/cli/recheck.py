"""``authflow recheck``: ask providers again about people who are linked."""

from __future__ import annotations

import logging
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from authflow.cli.command import Command
from authflow.cli.installation import add_database, add_keys, running
from authflow.cli.layout import columns

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from collections.abc import Generator

NOWHERE: Final = "http://localhost/"
"""Where a provider would send people back to: whoever is asked again sends nobody anywhere."""


@contextmanager
def heard() -> Generator[None]:
    """Show on standard error, for as long as it is open, which providers could not be asked, and why."""
    log, handler = logging.getLogger("authflow.sso"), logging.StreamHandler()
    handler.setLevel(logging.WARNING)
    log.addHandler(handler)
    try:
        yield
    finally:
        log.removeHandler(handler)


def _arguments(parser: ArgumentParser) -> None:
    add_database(parser)
    add_keys(parser)
    parser.add_argument("--limit", type=int, default=100, metavar="N", help="links taken at a time (default: 100)")
    parser.set_defaults(run=_run)


def _run(options: Namespace) -> int:
    from authflow.adapters.providers.openid import openid_kinds
    from authflow.sso.endpoints import Endpoints
    from authflow.sso.kinds import Kinds

    with heard(), running(options, kinds=Kinds(*openid_kinds()), endpoints=Endpoints.at(NOWHERE)) as flows:
        total = dict.fromkeys(("confirmed", "revoked", "failed", "ended", "unasked"), 0)
        more = True
        while more:
            done = flows.upkeep.recheck_links(limit=options.limit)
            total = {name: count + getattr(done, name) for name, count in total.items()}
            more = done.more
    print(columns(list(total.items())))
    return 0


COMMAND: Final = Command(
    name="recheck",
    summary="ask providers again about people who are linked",
    described=(
        "Ask the providers that can be asked (OpenID Connect, OAuth 2, Google, GitHub) whether people who are linked "
        "may still come in, and print what they said. A link is due once a day: run it hourly. An installation with "
        "kinds of its own calls flows.upkeep.recheck_links instead."
    ),
    arguments=_arguments,
)
