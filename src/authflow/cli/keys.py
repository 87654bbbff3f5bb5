"""``authflow keys``: make, list, rotate and retire the keys of a ring. Key material is never shown."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from authflow.cli.command import Command
from authflow.cli.layout import table, wrapped

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

LOSS: Final = (
    "What was sealed under this key, such as the secrets of authenticator apps, is unavailable afterwards: their "
    "owners enroll again. Recovery codes made while it was active stop working: their owners make new ones. Keep "
    "the key for as long as either may still be in use."
)
"""What retiring a key costs. Nobody can compute recovery codes anew: only digests of them are stored."""

ACTIVE: Final = "active: everything new is made under it"
OLDER: Final = "opens what was made under it"


def _arguments(parser: ArgumentParser) -> None:
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)
    new = actions.add_parser("new", help="make a ring of one key in a new file")
    new.set_defaults(run=_new)
    listing = actions.add_parser("list", help="list the keys, the active one first")
    listing.set_defaults(run=_list)
    rotate = actions.add_parser("rotate", help="put a new active key in front of the others")
    rotate.set_defaults(run=_rotate)
    retire = actions.add_parser("retire", help="remove an older key for good")
    retire.set_defaults(run=_retire)
    retire.add_argument("key", metavar="KEY", help="its id, as `list` shows it")
    retire.add_argument("--yes", action="store_true", help="do not ask")
    for action in (new, listing, rotate, retire):
        action.add_argument("--file", metavar="PATH", type=Path, required=True, help="where the ring is kept")


def _new(options: Namespace) -> int:
    from authflow.adapters.keys import KeyRing
    from authflow.adapters.system import SystemClock, SystemEntropy

    ring = KeyRing.generate(SystemEntropy(), SystemClock().now())
    ring.save(options.file)
    print(f"Made {options.file} with the key {ring.active.id}.")
    print("Only you can read the file. Back it up apart from the database: what is sealed under a lost key is lost.")
    return 0


def _list(options: Namespace) -> int:
    from authflow.adapters.keys import KeyRing

    ring = KeyRing.load(options.file)
    rows = [
        (key.id, f"{key.created_at:%Y-%m-%d %H:%M} UTC", ACTIVE if key is ring.active else OLDER) for key in ring.keys
    ]
    print(table(["key", "made", "use"], rows))
    return 0


def _rotate(options: Namespace) -> int:
    from authflow.adapters.keys import KeyRing
    from authflow.adapters.system import SystemClock, SystemEntropy

    ring = KeyRing.load(options.file).rotate(SystemEntropy(), SystemClock().now())
    ring.save(options.file)
    print(f"The key {ring.active.id} is active now. The others open what is older.")
    print("Give every process of your app the new file before you retire an older key.")
    return 0


def _retire(options: Namespace) -> int:
    from authflow.adapters.keys import KeyRing

    ring = KeyRing.load(options.file).retire(options.key)
    print(wrapped(LOSS, indent="  "), file=sys.stderr)
    if not options.yes and not _agreed(options.key):
        print("Nothing was changed.", file=sys.stderr)
        return 1
    ring.save(options.file)
    print(f"The key {options.key} is gone from {options.file}.")
    return 0


def _agreed(key: str) -> bool:
    print(f"Retire {key}? Type yes: ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() == "yes"


COMMAND: Final = Command(
    name="keys",
    summary="make, list, rotate and retire the keys under which secrets are sealed",
    described="Make, list, rotate and retire the keys under which secrets are sealed. Keys themselves are never shown.",
    arguments=_arguments,
)
