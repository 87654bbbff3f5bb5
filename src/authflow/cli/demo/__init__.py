"""``authflow demo``: the post flow, or single sign-on, played with the real components on tables of its own."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from tempfile import mkdtemp
from typing import TYPE_CHECKING, Final

from authflow.cli.command import Command
from authflow.cli.layout import columns

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from authflow.adapters.keys import KeyRing
    from authflow.adapters.sql.throwaway import Ground


STORIES: Final = {"post-flow": "The post flow", "sso": "Single sign-on"}


def _arguments(parser: ArgumentParser) -> None:
    parser.add_argument(
        "story", nargs="?", choices=list(STORIES), default="post-flow", help="what is played (default: %(default)s)"
    )
    parser.add_argument(
        "--database",
        metavar="URL",
        help="play here, in tables of its own that are dropped afterwards (default: a new SQLite file)",
    )
    parser.add_argument("--interactive", action="store_true", help="wait for the codes of your own phone")
    parser.add_argument("--no-qr", dest="draw", action="store_false", help="do not draw the QR code")
    parser.add_argument(
        "--provider",
        choices=["oidc", "oidc-provider", "saml", "pysaml2"],
        default="oidc",
        help="of sso: oidc and saml are bundled; oidc-provider is npm's certified one, where Node finds it from the "
        "working directory, and pysaml2 is pip's, where xmlsec1 is on the PATH (default: oidc)",
    )
    parser.add_argument("--keep", action="store_true", help="keep tables and keys to look at")
    parser.set_defaults(run=_run)


def _run(options: Namespace) -> int:
    folder = Path(mkdtemp(prefix="authflow-demo-"))
    try:
        return _play(options, folder)
    finally:
        if not options.keep:
            shutil.rmtree(folder, ignore_errors=True)


def _play(options: Namespace, folder: Path) -> int:
    from authflow.adapters.keys import KeyRing
    from authflow.adapters.sql.throwaway import throwaway_tables
    from authflow.adapters.system import SystemClock, SystemEntropy
    from authflow.cli.demo.phone import Unfinished

    ring = KeyRing.generate(SystemEntropy(), SystemClock().now())
    ring.save(folder / "keys.json")
    database = options.database or f"sqlite:///{folder / 'demo.sqlite3'}"
    with throwaway_tables(database, keep=options.keep) as ground:
        print(f"{STORIES[options.story]}, played with the real components.\n")
        gone = "" if options.keep else "  (gone when this ends)"
        url = ground.engine.url.set(drivername=ground.engine.dialect.name).render_as_string(hide_password=True)
        names = ("database", url), ("tables", f"{ground.tables.prefix}*{gone}"), ("keys", f"{folder}/keys.json{gone}")
        print(columns(names))
        try:
            _tell(options, ground, ring)
        except Unfinished as why:
            print(f"\nThe story ends here: {why}.", file=sys.stderr)
            return 1
    return 0


def _tell(options: Namespace, ground: Ground, ring: KeyRing) -> None:
    from authflow.cli.demo import idp, production

    if options.story == "sso":
        with idp.PAIRS[options.provider]() as pair:
            production.produce_sso(ground, ring, pair)
        return
    production.produce(ground, ring, interactive=options.interactive, draw=options.draw)


COMMAND: Final = Command(
    name="demo",
    summary="play the post flow, or single sign-on, with the real components",
    described="Play a whole flow with the real components, on tables of its own. post-flow: an invitation, a detour "
    "over a second factor, a membership, and what is told of it. sso: an owner connects a provider, people come "
    "through it, and others lie and forge; by SAML they sign out on both sides as well.",
    arguments=_arguments,
)
