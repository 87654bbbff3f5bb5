"""The folder of files: one per machine, and the JSON Schema that all of them follow."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from authflow.testing.samples import alphabets
from authflow.testing.vectors.document import document
from authflow.testing.vectors.layout import text
from authflow.testing.vectors.running import mismatches
from authflow.testing.vectors.sharing import resolved

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from authflow.machine import Machine
    from authflow.testing.vectors.scalars import Json

FOLDER: Final = Path(__file__).parent / "files"
"""The files of this version of the library: in a clone as in an installed package."""

SCHEMA: Final = "schema.json"


def load(name: str, folder: Path = FOLDER) -> dict[str, Json]:
    """Return the document of the machine called *name*, every reference resolved.

    Raises:
        FileNotFoundError: No machine is called so.
    """
    stored = _read(folder / f"{name}.json")
    return {part: resolved(value, stored["constants"]) for part, value in stored.items()}


def generated(names: Collection[str] = ()) -> dict[str, str]:
    """Walk the machines called *names*, or all, and return the text of each file by its name.

    All of them take some ten seconds.
    """
    chosen = {name: alphabet for name, alphabet in alphabets().items() if not names or name in names}
    files = {f"{name}.json": text(document(alphabet)) for name, alphabet in chosen.items()}
    return {**files, SCHEMA: (FOLDER / SCHEMA).read_text("utf-8")}


def write(folder: Path, files: dict[str, str]) -> list[str]:
    """Write *files* into *folder* and return the names of those that changed."""
    folder.mkdir(parents=True, exist_ok=True)
    changed = stale(folder, files)
    for name in changed:
        (folder / name).write_text(files[name], "utf-8", newline="\n")
    return changed


def stale(folder: Path, files: dict[str, str]) -> list[str]:
    """Return the names of those *files* that are missing in *folder* or different there."""
    standing = {file.name: file.read_text("utf-8") for file in folder.glob("*.json")}
    return sorted(name for name in files if files[name] != standing.get(name))


def left_over(folder: Path) -> list[str]:
    """Return the names of JSON files in *folder* that belong to no machine; nothing here deletes them."""
    known = {*(f"{name}.json" for name in alphabets()), SCHEMA}
    return sorted(file.name for file in folder.glob("*.json") if file.name not in known)


def wrong(folder: Path, names: Collection[str] = ()) -> Iterator[str]:
    """Run the files in *folder* of *names*, or all, against their machines; yield each expectation that is not met."""
    for name, alphabet in alphabets().items():
        file = folder / f"{name}.json"
        if file.is_file() and (not names or name in names):
            yield from (f"{file.name}: {found}" for found in _found(file, alphabet.machine))


def _found(file: Path, machine: Machine[Any, Any, Any]) -> Iterator[object]:
    try:
        yield from mismatches(_read(file), machine)
    except (AttributeError, KeyError, TypeError, ValueError) as error:  # it was edited, or is another file altogether
        yield f"no file of vectors ({type(error).__name__}: {error})"


def _read(file: Path) -> dict[str, Json]:
    stored: dict[str, Json] = json.loads(file.read_text("utf-8"))
    return stored
