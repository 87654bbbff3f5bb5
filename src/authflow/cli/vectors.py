"""``authflow vectors``: write the test vectors of every machine, or check those that stand."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from authflow.cli.command import Command

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace


def _arguments(parser: ArgumentParser) -> None:
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)
    writing = actions.add_parser("write", help="walk every machine and write its file, and the JSON Schema")
    checking = actions.add_parser("check", help="fail when a file is stale, or expects what a machine does not do")
    for action, run in ((writing, _write), (checking, _check)):
        action.add_argument("names", metavar="NAME", nargs="*", help="only these machines, such as mfa.enrollment")
        action.add_argument("--out", type=Path, metavar="DIR", help="default: the files of the package itself")
        action.set_defaults(run=partial(run, action))


def _write(parser: ArgumentParser, options: Namespace) -> int:
    from authflow.testing import vectors

    folder, files = options.out or vectors.FOLDER, vectors.generated(_known(parser, options.names))
    changed = vectors.write(folder, files)
    _print("written", changed)
    _print("left over", vectors.left_over(folder))
    print(f"{len(files)} files in {folder}, {len(changed)} of them new or different")
    return 0


def _check(parser: ArgumentParser, options: Namespace) -> int:
    from authflow.testing import vectors

    folder, files = options.out or vectors.FOLDER, vectors.generated(_known(parser, options.names))
    found = {
        "wrong": list(vectors.wrong(folder, options.names)),
        "stale": vectors.stale(folder, files),
        "left over": vectors.left_over(folder),
    }
    for word, lines in found.items():
        _print(word, lines)
    if any(found.values()):
        print("`authflow vectors write` writes what the machines of this version do")
        return 1
    print(f"{len(files)} files in {folder} are current, and every machine does what they say")
    return 0


def _known(parser: ArgumentParser, names: list[str]) -> list[str]:
    from authflow.testing.samples import alphabets

    for name in names:
        if name not in alphabets():
            parser.error(f"no machine is called {name!r}: choose from {', '.join(alphabets())}")
    return names


def _print(word: str, lines: list[str]) -> None:
    for line in lines:
        print(f"{word}: {line}")


COMMAND: Final = Command(
    name="vectors",
    summary="write or check the test vectors of the machines",
    described="Write the test vectors of every machine as JSON, or check that those in a folder are current and right.",
    arguments=_arguments,
)
